"""Arithmetic and reductions along rows are one kernel, whose C gives what its definition gives."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
from axonc.backends import Backend, backend
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Input, Node, numpy_name
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.rewrite import copy
from axonc.compiler.ir.types import BOOL, F16, F32, F64, I32, I64, DType, Tensor
from axonc.compiler.memory import NotAffine
from axonc.compiler.native.function import Function, Machinery
from axonc.compiler.native.rows import Rows, replaced
from axonc.compiler.ops.elementwise import Add, Div, Ge, Mul, Sub, Where
from axonc.compiler.ops.index import Iota
from axonc.compiler.ops.layout import Reshape
from axonc.compiler.ops.normal import CrossEntropy, LogSoftmax, Softmax
from axonc.compiler.ops.reduce import All, Any, Logsumexp, Mean, Prod, ReduceMax, ReduceMin, Sum, Var
from axonc.compiler.ops.unary import Abs, Exp, Neg, Sigmoid, Sqrt, Square, Tanh
from axonc.compiler.passes.sequence import run
from axonc.compiler.pipeline import GRAPH_PASSES, compile_graph, compile_stages
from axonc.compiler.schedule import cluster
from axonc.compiler.schedule.group import group
from axonc.compiler.schedule.kernel import Call, Library, Nest
from axonc.compiler.schedule.rounds import FUNCTIONS, rounds, row_of_rounds
from axonc.runtime.machine import Machine
from axonc.runtime.places import OutOfRange
from axonc.runtime.plan import each_step
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from ..graphs import MOST, NOWHERE, arrays, graphs_of_rows
from ..graphs import TOLERANCE as GRAPH_TOLERANCE
from ..test_operations import TOLERANCE
from .compiled import Memory, call, library, needs_compiler, printed, window

pytestmark = needs_compiler

N = dims.name("N")
MACHINERIES = [Machinery(16, 32), Machinery(8, 16), Machinery(4, 16)]
LONG = 1 << 16
ROWS = 4
PARTS = [(0, 1), (0, Fraction(1, 3), 1)]
"""What is computed: a graph of x, and of more inputs that it asks for."""
Formula = Callable[[Builder, Node], "Node | tuple[Node, ...]"]


def last(x: Node) -> tuple[int, ...]:
    return (len(x.shape) - 1,)


def more(b: Builder, name: str, shape: tuple[dims.Size, ...], dtype: DType = F32) -> Node:
    return b.input(name, DATA, Tensor(dtype, shape))


def layer_norm(b: Builder, x: Node) -> Node:
    scale, shift = (more(b, n, x.shape[-1:]) for n in ("scale", "shift"))
    away = b.add(Sub(), x, b.add(Mean(last(x), True), x))
    spread = b.add(Sqrt(), b.add(Add(), b.add(Var(last(x), True), x), b.literal(1e-5, F32)))
    return b.add(Add(), b.add(Mul(), b.add(Div(), away, spread), scale), shift)


def rms_norm(b: Builder, x: Node) -> Node:
    mean = b.add(Mean(last(x), True), b.add(Square(), x))
    return b.add(Mul(), b.add(Div(), x, b.add(Sqrt(), b.add(Add(), mean, b.literal(1e-5, F32)))), more(b, "g", (20,)))


def masked(b: Builder, x: Node) -> Node:
    at = b.add(Iota(int(x.shape[-1]), I32))  # type: ignore[arg-type]
    seen = b.add(Ge(), b.add(Reshape((x.shape[-2], 1)), b.add(Iota(int(x.shape[-2]), I32))), at)  # type: ignore[arg-type]
    return b.add(Softmax(-1), b.add(Where(), seen, x, b.literal(-1e9, F32)))


def of_rows(b: Builder, x: Node) -> Node:
    """Values of rows that lost their axes, with another operand that has none, used again for all elements."""
    total = b.add(Mul(), b.add(Sum(last(x)), b.add(Abs(), x)), more(b, "weight", x.shape[:-1]))
    return b.add(Sub(), x, b.add(Reshape((*x.shape[:-1], 1)), total))


def extremes(b: Builder, x: Node) -> tuple[Node, ...]:
    return tuple(b.add(kind(last(x)), b.add(Mul(), x, b.literal(-2.0, F32))) for kind in (ReduceMax, ReduceMin))


def truths(b: Builder, x: Node) -> tuple[Node, ...]:
    positive = b.add(Ge(), x, b.literal(0.0, F32))
    found = [b.add(kind(last(x), True), positive) for kind in (Any, All)]
    return tuple(b.add(Where(), f, x, b.literal(7.0, F32)) for f in found)


def whole_numbers(b: Builder, x: Node) -> tuple[Node, ...]:
    y = b.add(Add(), x, b.literal(1, I32))
    return b.add(Sub(), y, b.add(Sum(last(x), True), y)), b.add(ReduceMax(last(x)), y)


def kept(b: Builder, x: Node) -> tuple[Node, ...]:
    """A costly value that two rounds need and that is a result too."""
    y = b.add(Tanh(), x)
    return y, b.add(Div(), y, b.add(Sum(last(x), True), b.add(Exp(), y)))


def gates(b: Builder, x: Node) -> tuple[Node, ...]:
    """The states of an LSTM after a step: five functions, and nothing folded."""
    enter, keep, new = (more(b, name, x.shape, x.dtype) for name in ("enter", "keep", "new"))
    kept, found = (b.add(Mul(), b.add(Sigmoid(), g), y) for g, y in ((keep, x), (enter, b.add(Tanh(), new))))
    c = b.add(Add(), kept, found)
    leave = b.add(Sigmoid(), b.add(Add(), x, more(b, "leave", x.shape[-1:], x.dtype)))
    return c, b.add(Mul(), leave, b.add(Tanh(), c))


def loaded_again(b: Builder, x: Node) -> tuple[Node, ...]:
    """A result that is stored before its operand is loaded for the last time."""
    return b.add(Neg(), x), b.add(Mul(), x, b.add(Sum(last(x), True), x))


def product(b: Builder, x: Node) -> Node:
    return b.add(Sub(), b.add(Prod(last(x), True), x), x)


def cross_entropy(b: Builder, x: Node) -> Node:
    return b.add(CrossEntropy(), x, more(b, "target", x.shape[:-1], I64))


def two_axes(b: Builder, x: Node) -> Node:
    return b.add(Sub(), x, b.add(Mean((1, 2), True), b.add(Square(), x)))


class Sample(NamedTuple):
    """A formula, and the type of its first input."""

    formula: Formula
    shape: tuple[dims.Size, ...] = (N, 20)
    dtype: DType = F32
    gradient: bool = False

    def graph(self) -> Graph:
        b = Builder(NOWHERE)
        x = b.input("x", DATA, Tensor(self.dtype, self.shape))
        found = self.formula(b, x)
        if not self.gradient:
            ends = found if isinstance(found, tuple) else (found,)
            return b.graph({f"y{i}": n for i, n in enumerate(ends)})
        assert isinstance(found, Node)
        weighed = b.add(Mul(), found, b.input("seed", DATA, found.tensor))
        loss = b.add(Sum(tuple(range(len(found.shape)))), weighed)
        whole = gradient_graph(b.graph({"loss": loss}), "loss", ["x"])
        return Graph(whole.inputs, whole.nodes, tuple(r for r in whole.results if r[0] != "loss"))


def simple(op: Op) -> Formula:
    return lambda b, x: b.add(op, x)


SAMPLES = {
    "softmax": Sample(simple(Softmax(-1))),
    "softmax of f64": Sample(simple(Softmax(-1)), dtype=F64),
    "softmax of f16": Sample(simple(Softmax(-1)), dtype=F16),
    "softmax of 8": Sample(simple(Softmax(-1)), (N, 3, 8)),
    "softmax of one row": Sample(simple(Softmax(-1)), (9,)),
    "log softmax": Sample(simple(LogSoftmax(-1))),
    "softmax's gradient": Sample(simple(Softmax(-1)), gradient=True),
    "log softmax's gradient": Sample(simple(LogSoftmax(-1)), gradient=True),
    "logsumexp": Sample(simple(Logsumexp((1,)))),
    "layer norm": Sample(layer_norm),
    "layer norm's gradient": Sample(layer_norm, gradient=True),
    "rms norm": Sample(rms_norm),
    "rms norm's gradient": Sample(rms_norm, gradient=True),
    "masked scores": Sample(masked, (N, 2, 5, 9)),
    "values of rows": Sample(of_rows, (N, 4, 11)),
    "extremes": Sample(extremes),
    "truths": Sample(truths),
    "whole numbers": Sample(whole_numbers, dtype=I32),
    "kept": Sample(kept),
    "loaded again": Sample(loaded_again),
    "product": Sample(product, (N, 9)),
    "cross-entropy": Sample(cross_entropy),
    "cross-entropy's gradient": Sample(cross_entropy, (N, 3, 11), gradient=True),
    "two axes": Sample(two_axes, (N, 3, 17)),
}
EVERY = SAMPLES | {  # with those that become rows though they fold nothing
    "gates": Sample(gates, (N, 70)),
    "gates of f16": Sample(gates, (N, 3, 40), F16),
    "gates with two axes": Sample(gates, (N, 2, 9, 5)),
}


@cache
def kernel(name: str) -> Call:
    """The only kernel of a sample that does more than compare positions."""
    calls = list(group(run(EVERY[name].graph(), GRAPH_PASSES), LONG).calls())
    (found,) = (c for c in calls if c.phase == 2)
    return found


def form(name: str) -> Rows:
    """What prints the kernel of a sample."""
    nest = kernel(name).kernel.form
    assert isinstance(nest, Nest)
    return Rows(nest._replace(row=nest.row or row_of_rounds(nest)))


@cache
def functions() -> dict[tuple[str, bool], Function]:
    """All samples in row-major memory; and once more with a result in the place of each operand that it may take."""
    made = {}
    for name in EVERY:
        found, rows = kernel(name), form(name)
        reads = [window(r.shape, dtype=r.dtype, name="r") for r in found.reads]  # type: ignore[union-attr]
        writes = [window(w.shape, dtype=w.dtype, name="w") for w in found.writes]
        made[name, False] = printed(rows, writes, reads)
        for i in replaced(rows.nest, tuple(reads)):
            same = (j for j, w in enumerate(writes) if w.type == reads[i].type and w not in reads)
            j = next(same, None)
            if j is not None:
                reads[i] = writes[j]
                made[name, True] = printed(rows, writes, reads)
    return made


@cache
def compiled(machinery: Machinery) -> ctypes.CDLL:
    return library(functions().values(), machinery)


def awkward(random: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    """Numbers; of floats some rows have a NaN, an infinity, or nothing but one."""
    if not dtype.is_float:
        return random.integers(0, 2 if dtype is BOOL else 11, shape).astype(numpy_name(dtype))
    found = random.standard_normal(shape).astype(numpy_name(dtype))
    rows = found.reshape(-1, shape[-1]) if shape else found.reshape(1, 1)
    for row, value in zip(rows[1:], (np.nan, np.inf, -np.inf), strict=False):
        row[len(row) // 2] = value
    if len(rows) > 4:
        rows[4] = -np.inf
    return found


@pytest.mark.parametrize("machinery", MACHINERIES, ids=lambda m: f"{m.lanes} lanes")
@pytest.mark.parametrize("name", EVERY)
def test_a_kernel_of_rows_gives_what_its_definition_gives(name: str, machinery: Machinery) -> None:
    assert_computes(functions()[name, False], kernel(name), machinery)


@pytest.mark.parametrize("machinery", MACHINERIES, ids=lambda m: f"{m.lanes} lanes")
def test_results_may_lie_where_operands_lay(machinery: Machinery) -> None:
    found = [(name, f) for (name, in_place), f in functions().items() if in_place]
    assert len(found) > 8
    for name, f in found:
        assert_computes(f, kernel(name), machinery)


def assert_computes(f: Function, kernel: Call, machinery: Machinery) -> None:
    """The function gives what the kernel's meaning gives, for some counts and partitions, and writes nowhere else."""
    made, random = compiled(machinery), np.random.default_rng(0)
    for count in (6, 1):
        for parts in PARTS:
            memories = {w: Memory(w, {"N": count}, edge=True) for w in f.windows}
            reads = [memories[w] for w in f.windows[len(kernel.writes) :]]
            for memory in reads:
                memory.array[...] = awkward(random, memory.array.shape, memory.window.dtype)
            before = [m.outside() for m in memories.values()]
            inputs = {f"x{i}": m.array.copy() for i, m in enumerate(reads)}
            with np.errstate(all="ignore"):
                wanted = evaluate(kernel.kernel.meaning, inputs)
            call(made, f, [*memories.values()], {"N": count}, parts)
            assert [m.outside() for m in memories.values()] == before
            for w, value in zip(f.windows, wanted.values(), strict=False):
                tolerance = TOLERANCE.get(w.dtype, 0) * 4
                np.testing.assert_allclose(memories[w].array, value, rtol=tolerance, atol=tolerance)


def test_many_functions_have_a_round_each() -> None:
    nest = form("gates").nest
    found = rounds(nest, frozenset(range(5)))
    functions = [found.of[x] for x in found.parts if x.word in FUNCTIONS]
    assert sorted(functions) == [0, 1, 2, 3, 4]
    again = rounds(nest, frozenset(range(5)), keeps=False)
    assert again.count == 1


@pytest.mark.parametrize(
    ("shape", "row"),
    [((N, 64), 1), ((N, 1638), 1), ((N, 3, 8, 8), 2), ((N, 63), 0), ((N, 1639), 0), ((N,), 0), ((4, N), 0)],
)
def test_rows_of_functions_are_neither_short_nor_long(shape: tuple[dims.Size, ...], row: int) -> None:
    (call,) = group(run(Sample(gates, shape).graph(), GRAPH_PASSES), LONG).calls()
    assert isinstance(call.kernel.form, Nest)
    assert row_of_rounds(call.kernel.form) == row


@pytest.mark.parametrize("threads", [1, 2])
def test_functions_go_through_rows_where_there_are_many(threads: int) -> None:
    few = Sample(lambda b, x: b.add(Tanh(), b.add(Exp(), x)), (N, 128))
    words = {}
    for name, sample in {"many": Sample(gates, (N, 128)), "few": few}.items():
        graph, target = sample.graph(), native(threads).target
        plan = compile_stages(graph, rows=ROWS, target=target).plan
        words[name] = [step.instruction for step in each_step(plan.steps)]
        machine = native(threads).machine(plan, {})
        for count in (ROWS, 1):
            inputs = arrays(graph, seed=count, sizes={"N": count})
            found, wanted = machine.run(inputs, count), evaluate(graph, inputs)
            for result, value in wanted.items():
                np.testing.assert_allclose(found[result], value, rtol=2e-6, atol=2e-6)
    assert words == {"many": ["rows"], "few": ["map"]}


@pytest.mark.parametrize("threads", [1, 2])
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.lists(graphs_of_rows(), min_size=6, max_size=6))
def test_plans_of_graphs_of_rows_give_what_the_definitions_give(threads: int, found: list[Graph]) -> None:
    graph = side_by_side(found)
    with patch.object(cluster, "SHORTEST", 1):
        try:
            machine = machine_of(graph, threads)
        except NotAffine:  # one plan does not serve every count of samples
            reject()
    for count in (ROWS, 1, ROWS - 1):
        inputs = arrays(graph, seed=count, sizes={"N": count})
        with np.errstate(all="ignore"):
            wanted = evaluate(graph, inputs)
        results = machine.run(inputs, count)
        for name, node in graph.results:
            tolerance = GRAPH_TOLERANCE[node.dtype]
            np.testing.assert_allclose(results[name], wanted[name], rtol=tolerance, atol=tolerance * MOST, err_msg=name)


def test_a_position_outside_of_a_row_is_refused_with_its_place() -> None:
    b = Builder(NOWHERE)
    x, y = b.input("x", DATA, Tensor(F32, (N, 20))), b.input("y", DATA, Tensor(I64, (N,)))
    graph = b.graph({"loss": b.add(CrossEntropy(), x, y)})
    assert len([*compile_stages(graph, rows=ROWS, target=native(1).target).schedule.calls()]) == 1
    machine = machine_of(graph, 1)
    with pytest.raises(OutOfRange, match="test:1:1: index 20 is outside 0"):
        machine.run({"x": np.zeros((2, 20), np.float32), "y": np.array([19, 20])}, 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_sums_over_rows_are_added_up_by_the_kernel_that_has_them(threads: int) -> None:
    b = Builder(NOWHERE)
    x, w = b.input("x", DATA, Tensor(F32, (N, 3, 20))), b.input("w", DATA, Tensor(F32, (20,)))
    y = b.add(Tanh(), b.add(Mul(), x, w))
    of_row = b.add(Sum((2,)), y)
    ends = {"y": y, "elements": b.add(Sum((0, 1)), y), "loaded": b.add(Sum((0, 1), True), x)}
    graph = b.graph(ends | {"all": b.add(Sum((0, 1)), b.add(Mul(), of_row, of_row))})
    target = native(threads).target
    stages = compile_stages(graph, rows=ROWS, target=target)
    forms = [c.kernel.form for c in stages.schedule.calls()]
    assert [f.sums for f in forms if isinstance(f, Nest)] == [(1, 2, 3)]
    assert sum(isinstance(f, Library) for f in forms) == (3 if threads > 1 else 0)
    machine = native(threads).machine(stages.plan, {})
    for count in (ROWS, 1):
        inputs = arrays(graph, seed=count, sizes={"N": count})
        found, wanted = machine.run(inputs, count), evaluate(graph, inputs)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, rtol=2e-6, atol=2e-6, err_msg=name)


def machine_of(graph: Graph, threads: int) -> Machine:
    chosen = native(threads)
    return chosen.machine(compile_graph(graph, rows=ROWS, target=chosen.target), {})


def native(threads: int) -> Backend:
    found = backend("native", threads=threads)
    assert found.name == "native", found.note
    return found


def side_by_side(graphs: list[Graph]) -> Graph:
    """One graph of all, whose inputs and results are numbered."""
    b = Builder(NOWHERE)
    results = {}
    for i, graph in enumerate(graphs):

        def rule(b: Builder, node: Node, inputs: tuple[Node, ...], i: int = i) -> Node | None:
            return b.input(f"{i}.{node.op.name}", DATA, node.tensor) if isinstance(node.op, Input) else None

        new = copy(b, graph, rule)
        results |= {f"{i}.{name}": new[n] for name, n in graph.results}
    return b.graph(results)
