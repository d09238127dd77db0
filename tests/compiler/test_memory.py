"""The planner gives no byte to two values that are needed at the same time.

Memory is followed by tags: each write leaves the number of its instruction and element. What an instruction reads in
the finished plan must be what it reads in the code before planning, where every value has a buffer of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.emit.numpy import emit
from axonc.compiler.ir import dims
from axonc.compiler.ir.graph import Graph, Input
from axonc.compiler.ir.types import F32, F64
from axonc.compiler.memory import ALIGNMENT, NotAffine, lay_out
from axonc.compiler.passes.sequence import run
from axonc.compiler.pipeline import GRAPH_PASSES
from axonc.compiler.schedule.code import Code
from axonc.compiler.schedule.destination import place_values
from axonc.compiler.schedule.group import group
from axonc.compiler.schedule.kernel import Window
from axonc.runtime.plan import COUNT, Plan, View, extent_at
from hypothesis import HealthCheck, assume, given, settings

from .graphs import graphs

ROWS = 3
Tags = list[Any]
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
    code = emit(group(run(graph, GRAPH_PASSES)))
    try:
        return code, lay_out(place_values(code, ROWS), ROWS)
    except NotAffine:
        assume(False)
        raise


def reads_of_code(code: Code, count: int) -> Iterator[tuple[str, Tags]]:
    """What each instruction but copies reads, twice over, since the steps run again and again."""
    memory: dict[Any, Any] = {}

    def array(window: Window) -> Any:
        base = memory.setdefault(window.buffer, np.full(size(window.buffer.size, ROWS), -1))
        strides = [8 * size(s, count) for s in window.strides]
        shape = [size(n, count) for n in window.shape]
        return np.ndarray(shape, np.int64, base.data, 8 * size(window.offset, count), strides)

    for name, window in code.inputs:
        write(array(window), hash(name) % 1000 + 1)
    for phases in (code.phases, code.phases[2:]):
        lines = [line for phase in phases for line in phase]
        for k, line in enumerate(lines):
            reads = [array(r) for r in line.reads if isinstance(r, Window)]
            yield from step(line.name, k, reads, [array(w) for w in line.writes], line.tied)
    yield "results", [array(w).copy() for _, w in code.results]


def reads_of_plan(plan: Plan, count: int) -> Iterator[tuple[str, Tags]]:
    """The same of a plan, whose arena has a tag for each byte, so that a view reads one tag for each element."""
    arena = np.full(plan.arena, -1)
    named = {b.name: np.full(b.size * dims_bytes(b.dtype), -1) for b in plan.buffers if b.home == "named"}

    def array(view: View) -> Any:
        buffer = plan.buffers[view.buffer]
        base = named[buffer.name] if buffer.home == "named" else arena[buffer.offset :]
        item = dims_bytes(buffer.dtype)
        shape = [extent_at(n, {COUNT: count}) for n in view.shape]
        strides = [8 * item * extent_at(s, {COUNT: count}) for s in view.strides]
        if 0 in shape:
            return Bytes(np.empty((*shape, item), np.int64))
        start = 8 * item * extent_at(view.offset, {COUNT: count})
        return Bytes(np.ndarray((*shape, item), np.int64, base.data, start, (*strides, 8)))

    for port in plan.inputs:
        write(array(port.view), hash(port.name) % 1000 + 1)
    for phases in ((plan.sizes, plan.prepare, plan.steps), (plan.steps,)):
        for k, line in enumerate(s for phase in phases for s in phase):
            reads = [array(r) for r in line.reads if isinstance(r, View)]
            yield from step(line.instruction, k, reads, [array(w) for w in line.writes], False)
    yield "results", [array(p.view).copy() for p in plan.results]


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


def step(name: str, k: int, reads: list[Any], writes: list[Any], tied: bool) -> Iterator[tuple[str, Tags]]:
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


def size(value: dims.Size, count: int) -> int:
    found = dims.substitute(value, {"N": count})
    assert isinstance(found, int)
    return found


def dims_bytes(word: str) -> int:
    return 1 if word == "bool" else int(word[1:]) // 8
