"""Grouping keeps the meaning of a graph, and puts together what should be one kernel."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import Graph, Input, numpy_name
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.rewrite import bind
from axonc.compiler.ir.scalar import FOLDS, OF_ROW, PICKED, PLACE, POSITION, Expr, parts
from axonc.compiler.ir.types import F64
from axonc.compiler.passes.expand import expand_composites
from axonc.compiler.passes.sequence import run
from axonc.compiler.pipeline import GRAPH_PASSES
from axonc.compiler.schedule import cluster
from axonc.compiler.schedule.group import group
from axonc.compiler.schedule.kernel import Buffer, Call, Nest, Operand, Schedule, Window
from axonc.compiler.schedule.kernel import Item as ScheduleItem
from axonc.compiler.schedule.sums import AbsorbSums
from hypothesis import HealthCheck, given, settings

from ..graphs import MOST, TOLERANCE, arrays, graphs, graphs_of_rows, loops

COUNT = 3
LONG = 1 << 16
MANY = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
REDUCED = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "any": np.any, "all": np.all}


class Interpreter:
    """Runs a schedule by the definitions of its kernels; nests by their expressions instead, if asked."""

    def __init__(self, schedule: Schedule, count: int, *, by_expressions: bool) -> None:
        self.schedule, self.by_expressions = schedule, by_expressions
        self.memory: dict[Buffer, Any] = {}
        self.sizes = {"N": count}

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        for name, window in self.schedule.inputs:
            self.view(window)[...] = inputs[name]
        for item in sorted(self.schedule.items, key=lambda item: item.phase):
            self.item(item)
        return {name: self.view(w).copy() for name, w in self.schedule.results}

    def item(self, item: ScheduleItem) -> None:
        if isinstance(item, Call):
            self.call(item)
            return
        extent = self.size(item.extent)
        for start in list(range(0, extent, item.chunk))[:: -1 if item.reverse else 1]:
            self.sizes |= {item.start: start, item.length: min(item.chunk, extent - start)}
            for inner in item.body:
                self.item(inner)

    def call(self, call: Call) -> None:
        form = call.kernel.form
        given = [self.view(r).copy() if isinstance(r, Window) else r for r in call.reads]
        if self.by_expressions and isinstance(form, Nest):
            values = nest_values(form, given, tuple(map(self.size, form.shape)))
        else:
            meaning = bind(expand_composites(call.kernel.meaning), self.sizes)
            named = (a for r, a in zip(call.reads, given, strict=True) if isinstance(r, Window))
            values = list(evaluate(meaning, {f"x{i}": a for i, a in enumerate(named)}).values())
        for window, value in zip(call.writes, values, strict=True):
            out = self.view(window)
            out[...] = np.reshape(np.broadcast_to(value, out.shape) if np.ndim(value) == out.ndim else value, out.shape)

    def view(self, window: Operand) -> Any:
        assert isinstance(window, Window)
        if window.buffer not in self.memory:
            dtype = np.dtype(numpy_name(window.dtype))
            self.memory[window.buffer] = np.full(self.size(window.buffer.size), 77).astype(dtype)
        whole = self.memory[window.buffer]
        strides = tuple(self.size(s) * whole.itemsize for s in window.strides)
        start = whole[self.size(window.offset) :]
        return np.lib.stride_tricks.as_strided(start, tuple(map(self.size, window.shape)), strides)

    def size(self, size: dims.Size) -> int:
        found = dims.substitute(size, self.sizes)
        assert isinstance(found, int)
        return found


def nest_values(nest: Nest, reads: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """What the expressions of a nest say, on whole arrays."""
    along = tuple(range(len(shape) - nest.row, len(shape)))
    known: dict[Expr, Any] = {}
    laws = {name: law for law, name in FOLDS.items()}
    for x in parts(nest.stores):
        operands = [known[o] for o in x.operands]
        if x.word == "load":
            known[x] = reads[int(x.value)]
        elif x.word == OF_ROW:
            known[x] = np.reshape(reads[int(x.value)], (*shape[: len(shape) - nest.row], *(1,) * nest.row))
        elif x.word == PLACE:
            known[x] = np.arange(shape[-1], dtype=np.int32)
        elif x.word == POSITION:
            known[x] = operands[0]
        elif x.word == PICKED:
            at = np.broadcast_to(operands[1], (*shape[:-1], 1)).astype(int)
            known[x] = np.take_along_axis(np.broadcast_to(operands[0], shape), at, -1)
        elif x.word == "const":
            known[x] = np.asarray(x.value, numpy_name(x.dtype))
        elif x.word in laws:
            known[x] = REDUCED[laws[x.word]](np.broadcast_to(operands[0], shape), axis=along, keepdims=True)
        elif x.word == "cast":
            known[x] = operands[0].astype(numpy_name(x.dtype))
        else:
            known[x] = Op.words[x.word]().eval(np, *operands)
    over = tuple(range(len(shape) - nest.row))
    return [
        np.sum(np.broadcast_to(known[x], (*shape[: len(over)], *np.shape(known[x])[len(over) :])), axis=over)
        if i in nest.sums
        else known[x]
        for i, x in enumerate(nest.stores)
    ]


def assert_groups_right(graph: Graph, row: int, *, by_expressions: bool) -> None:
    bare = run(graph, GRAPH_PASSES)
    schedule = AbsorbSums(row)(group(bare, row))
    inputs = arrays(graph, sizes={"N": COUNT})
    with np.errstate(all="ignore"):
        wanted = evaluate(graph, inputs)
        found = Interpreter(schedule, COUNT, by_expressions=by_expressions).run(inputs)
    for name, node in graph.results:
        tolerance = TOLERANCE.get(node.dtype, 0)
        np.testing.assert_allclose(found[name], wanted[name], rtol=tolerance, atol=tolerance * MOST, err_msg=name)


@MANY
@given(graphs(most=30))
def test_grouping_keeps_the_meaning_of_a_graph(graph: Graph) -> None:
    assert_groups_right(graph, 0, by_expressions=False)


@MANY
@given(graphs(most=30))
def test_grouping_by_rows_keeps_the_meaning_of_a_graph(graph: Graph) -> None:
    with patch.object(cluster, "SHORTEST", 1):
        assert_groups_right(graph, LONG, by_expressions=False)
        assert_groups_right(graph, LONG, by_expressions=True)


@MANY
@given(graphs_of_rows())
def test_grouping_keeps_the_meaning_of_a_graph_of_rows(graph: Graph) -> None:
    with patch.object(cluster, "SHORTEST", 1):
        assert_groups_right(graph, LONG, by_expressions=False)
        assert_groups_right(graph, LONG, by_expressions=True)


@MANY
@given(graphs(smooth=True, dtypes=(F64,), most=16))
def test_grouping_by_rows_keeps_the_meaning_of_a_gradient(graph: Graph) -> None:
    names = [n.op.name for n in graph.inputs if isinstance(n.op, Input)]
    with patch.object(cluster, "SHORTEST", 1):
        assert_groups_right(gradient_graph(graph, "loss", names), LONG, by_expressions=True)


@MANY
@given(loops())
def test_grouping_by_rows_keeps_the_meaning_of_a_loop(graph: Graph) -> None:
    with patch.object(cluster, "SHORTEST", 1):
        assert_groups_right(graph, LONG, by_expressions=True)
