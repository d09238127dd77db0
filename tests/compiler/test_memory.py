"""The planner gives no byte to two values that are needed at the same time.

Memory is followed by tags: each write leaves the number of its instruction and element. What an instruction reads in
the finished plan must be what it reads in the code before planning, where every value has a buffer of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.emit.library import RULES
from axonc.compiler.emit.numpy import emit
from axonc.compiler.ir import dims
from axonc.compiler.ir.graph import Graph, Input
from axonc.compiler.ir.types import F32, F64
from axonc.compiler.memory import ALIGNMENT, NotAffine, lay_out
from axonc.compiler.passes.sequence import run
from axonc.compiler.pipeline import GRAPH_PASSES, schedule_passes
from axonc.compiler.schedule.code import Block, Code, Instruction, Line
from axonc.compiler.schedule.destination import place_values
from axonc.compiler.schedule.group import group
from axonc.compiler.schedule.kernel import Window
from axonc.runtime.machine import stretches
from axonc.runtime.plan import COUNT, Loop, Plan, Step, View, extent_at
from hypothesis import HealthCheck, assume, given, settings

from .graphs import graphs
from .schedule.test_sweep import SMALL, WEIGHTS, network
from .test_loops import minimal_gated

ROWS = 7
Tags = list[Any]
Values = dict[str, int]
MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(graphs(most=30))
def test_no_two_live_values_share_memory(graph: Graph) -> None:
    assert_reads_agree(graph)


@MANY
@given(graphs(most=20, smooth=True, dtypes=(F64,)))
def test_no_two_live_values_of_a_gradient_share_memory(graph: Graph) -> None:
    assert_reads_agree(gradient_graph(graph, "loss", [n.op.name for n in graph.inputs if isinstance(n.op, Input)]))


@MANY
@given(graphs(most=20, dtypes=(F32,)))
def test_buffers_are_aligned_and_end_where_the_arena_ends(graph: Graph) -> None:
    plan = planned(graph)[1]
    places = [(b.offset, b.offset + b.size * dims_bytes(b.dtype)) for b in plan.buffers if b.home == "arena"]
    assert all(start % ALIGNMENT == 0 and end <= plan.arena for start, end in places)


def test_no_two_live_values_share_memory_when_the_batch_is_swept() -> None:
    graph = gradient_graph(network(), "loss", ["x", *WEIGHTS])
    assert any(isinstance(line, Block) for line in planned(graph)[0].phases[2])
    assert_reads_agree(graph)


@pytest.mark.parametrize("reverse", [False, True])
def test_no_two_live_values_of_a_loop_share_memory(reverse: bool) -> None:
    assert_reads_agree(gradient_graph(minimal_gated(reverse=reverse), "loss", ["h", "x", "u"]))


def assert_reads_agree(graph: Graph) -> None:
    code, plan = planned(graph)
    for count in (1, ROWS):
        before = list(reads_of_code(code, count))
        after = list(reads_of_plan(plan, count))
        assert [name for name, _ in before] == [name for name, _ in after]
        for (name, wanted), (_, found) in zip(before, after, strict=True):
            for a, b in zip(wanted, found, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=name)


def planned(graph: Graph) -> tuple[Code, Plan]:
    code = emit(run(group(run(graph, GRAPH_PASSES)), schedule_passes(SMALL, ROWS)), RULES)
    try:
        return code, lay_out(place_values(code, ROWS), ROWS)
    except NotAffine:
        assume(False)
        raise


def reads_of_code(code: Code, count: int) -> Iterator[tuple[str, Tags]]:
    """What each instruction but copies reads, twice over, since the steps run again and again."""
    memory: dict[Any, Any] = {}
    outside = {COUNT: count}

    def array(window: Window, values: Values) -> Any:
        base = memory.setdefault(window.buffer, np.full(size(window.buffer.size, {COUNT: ROWS}), -1))
        strides = [8 * size(s, values) for s in window.strides]
        shape = [size(n, values) for n in window.shape]
        return np.ndarray(shape, np.int64, base.data, 8 * size(window.offset, values), strides)

    for name, window in code.inputs:
        write(array(window, outside), hash(name) % 1000 + 1)
    for phases in (code.phases, code.phases[2:]):
        for line, values in unrolled_code([line for phase in phases for line in phase], outside):
            reads = [array(r, values) for r in line.reads if isinstance(r, Window)]
            yield from step(line.name, reads, [array(w, values) for w in line.writes])
    yield "results", [array(w, outside).copy() for _, w in code.results]


def unrolled_code(lines: Iterable[Line], values: Values) -> Iterator[tuple[Instruction, Values]]:
    for line in lines:
        if isinstance(line, Block):
            extent = size(line.extent, values)
            starts = range(0, extent, line.chunk)
            for start in reversed(starts) if line.reverse else starts:
                turn = {line.start: start, line.length: min(line.chunk, extent - start)}
                yield from unrolled_code(line.body, {**values, **turn})
        else:
            yield line, values


def reads_of_plan(plan: Plan, count: int) -> Iterator[tuple[str, Tags]]:
    """The same of a plan, whose arena has a tag for each byte, so that a view reads one tag for each element."""
    arena = np.full(plan.arena, -1)
    named = {b.name: np.full(b.size * dims_bytes(b.dtype), -1) for b in plan.buffers if b.home == "named"}

    def array(view: View, values: Values) -> Any:
        buffer = plan.buffers[view.buffer]
        base = named[buffer.name] if buffer.home == "named" else arena[buffer.offset :]
        item = dims_bytes(buffer.dtype)
        shape = [extent_at(n, values) for n in view.shape]
        strides = [8 * item * extent_at(s, values) for s in view.strides]
        if 0 in shape:
            return Bytes(np.empty((*shape, item), np.int64))
        start = 8 * item * extent_at(view.offset, values)
        return Bytes(np.ndarray((*shape, item), np.int64, base.data, start, (*strides, 8)))

    for port in plan.inputs:
        write(array(port.view, {COUNT: count}), hash(port.name) % 1000 + 1)
    for phases in ((plan.sizes, plan.prepare, plan.steps), (plan.steps,)):
        for line, values in unrolled_plan([s for phase in phases for s in phase], {COUNT: count}):
            reads = [array(r, values) for r in line.reads if isinstance(r, View)]
            yield from step(line.instruction, reads, [array(w, values) for w in line.writes])
    yield "results", [array(p.view, {COUNT: count}).copy() for p in plan.results]


def unrolled_plan(lines: Iterable[Step | Loop], values: Values) -> Iterator[tuple[Step, Values]]:
    for line in lines:
        if isinstance(line, Loop):
            for start, length in stretches(line, values):
                yield from unrolled_plan(line.body, {**values, line.start: start, line.length: length})
        else:
            yield line, values


class Bytes:
    """An array of elements with a tag for each of their bytes, which must agree."""

    def __init__(self, tags: Any) -> None:
        self.tags = tags
        self.shape = tags.shape[:-1]
        self.size = int(np.prod(self.shape))

    def copy(self) -> Any:
        same = (self.tags == self.tags[..., :1]).all(-1)
        return np.where(same, self.tags[..., 0], -2)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.tags[...] = np.asarray(value)[..., None]


def step(name: str, reads: list[Any], writes: list[Any]) -> Iterator[tuple[str, Tags]]:
    seen = [r.copy() for r in reads]
    if name == "copy" and reads:
        writes[0][...] = np.broadcast_to(seen[0], writes[0].shape)
        return
    yield name, seen
    key = content(name, seen)
    for w in writes:
        write(w, key)


def content(name: str, seen: Tags) -> int:
    """A number that is the same for the same instruction on the same tags, whatever the position."""
    return hash((name, *(a.tobytes() for a in seen))) % (1 << 40) + 1


def write(array: Any, key: int) -> None:
    array[...] = np.arange(array.size).reshape(array.shape) + key * 4096


def size(value: dims.Size, values: Values) -> int:
    found = dims.substitute(value, values)
    assert isinstance(found, int)
    return found


def dims_bytes(word: str) -> int:
    return 1 if word == "bool" else int(word[1:]) // 8
