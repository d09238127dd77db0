"""Rows of scores that may not look ahead are computed up to the diagonal, and rows of others whole."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.backends import backend
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Node
from axonc.compiler.ir.types import F32, I64, Tensor
from axonc.compiler.ops.elementwise import Add, Le, Mul, Where
from axonc.compiler.ops.index import Iota
from axonc.compiler.ops.layout import Reshape
from axonc.compiler.ops.normal import Softmax
from axonc.compiler.ops.reduce import ReduceMax, Sum
from axonc.compiler.ops.unary import Exp, Tanh
from axonc.compiler.pipeline import compile_stages
from axonc.compiler.schedule.kernel import Nest

from ..graphs import NOWHERE
from .compiled import needs_compiler

pytestmark = needs_compiler

N = dims.name("N")
SIZES = [(40, 40), (33, 50), (50, 37)]


class Scores:
    """A graph of scores [N, 2, rows, columns], of which a mask leaves those up to the diagonal."""

    def __init__(self, rows: int, columns: int) -> None:
        self.b = Builder(NOWHERE)
        self.x = self.b.input("x", DATA, Tensor(F32, (N, 2, rows, columns)))
        row, column = (self.b.add(Iota(n, I64)) for n in (rows, columns))
        self.seen = self.b.add(Le(), column, self.b.add(Reshape((rows, 1)), row))

    def masked(self, other: float) -> Node:
        return self.b.add(Where(), self.seen, self.x, self.b.literal(other, F32))

    def weights(self, other: float = -1e9) -> Node:
        return self.b.add(Softmax(-1), self.masked(other))

    def graph(self, *results: Node) -> Graph:
        return self.b.graph({f"y{i}": n for i, n in enumerate(results)})


def assert_computes(graph: Graph, *, cut: bool, above: float = np.nan) -> None:
    """Native code gives what the definition gives, whatever lies `above` the diagonal; nests are cut there or not."""
    for threads in (1, 2) if cut else (1,):
        chosen = backend("native", threads=threads)
        found = compile_stages(graph, rows=3, target=chosen.target)
        nests = [f for c in found.schedule.calls() if isinstance(f := c.kernel.form, Nest) and f.row]
        assert nests
        assert all((nest.masks is not None) == cut for nest in nests)
        machine = chosen.machine(found.plan, {})
        for count in (3, 1):
            random = np.random.default_rng(count)
            inputs = {n.op.name: random.standard_normal(sized(n, count)).astype("f") for n in graph.inputs}  # type: ignore[attr-defined]
            rows, columns = inputs["x"].shape[-2:]
            inputs["x"][..., np.arange(columns) > np.arange(rows)[:, None]] = above
            with np.errstate(all="ignore"):
                wanted = evaluate(graph, inputs)
            for place in machine.binding(count).results.values():
                place.fill(7)
            for name, value in machine.run(inputs, count).items():
                np.testing.assert_allclose(value, wanted[name], rtol=2e-5, atol=1e-6)


def sized(node: Node, count: int) -> tuple[int, ...]:
    shape = tuple(dims.substitute(n, {"N": count}) for n in node.shape)
    assert all(isinstance(n, int) for n in shape)
    return shape  # type: ignore[return-value]


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_weights_are_computed_up_to_the_diagonal_and_zero_above(rows: int, columns: int) -> None:
    scores = Scores(rows, columns)
    assert_computes(scores.graph(scores.weights()), cut=True)


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_so_are_the_gradients_of_scores(rows: int, columns: int) -> None:
    scores = Scores(rows, columns)
    weights = scores.weights()
    weighed = scores.b.add(Mul(), weights, scores.b.input("seed", DATA, weights.tensor))
    graph = scores.graph(scores.b.add(Sum((0, 1, 2, 3)), weighed))
    gradient = gradient_graph(graph, "y0", ["x"])
    assert_computes(Graph(gradient.inputs, gradient.nodes, gradient.results[1:]), cut=True)


def test_values_of_rows_beside_them_are_computed_from_what_is_seen() -> None:
    scores = Scores(40, 40)
    masked = scores.masked(-1e9)
    most = scores.b.add(ReduceMax((3,), True), masked)
    assert_computes(scores.graph(scores.b.add(Tanh(), most)), cut=True)


def test_what_is_seen_of_all_columns_is_computed_for_all() -> None:
    """Other numbers above the diagonal, another use of what lies there, a largest element that may be a zero."""
    uncut = Scores(40, 40)
    assert_computes(uncut.graph(uncut.weights(-5.0)), cut=False)
    beside = Scores(40, 40)
    both = (beside.weights(), beside.b.add(Exp(), beside.x))
    assert_computes(beside.graph(*both), cut=False, above=0.5)
    filled = Scores(40, 40)
    most = filled.b.add(ReduceMax((3,), True), filled.masked(0.0))
    assert_computes(filled.graph(filled.b.add(Tanh(), most)), cut=False)


def test_sums_of_what_lies_above_too_are_made_elsewhere() -> None:
    scores = Scores(40, 40)
    total = scores.b.add(Sum((0, 1, 2)), scores.x)
    assert_computes(scores.graph(scores.weights(), scores.b.add(Add(), total, total)), cut=True, above=0.5)
