"""Graphs of operations drawn at random: their gradients, and the gradients of those, against finite differences."""

import numpy as np
from axonc.compiler.ir.graph import DATA, Builder, Graph, Node
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import BOOL, F64, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import Add, Atan2, Div, Mul, Sub, Where
from axonc.compiler.ops.layout import Concat, Expand, Flip, Pad, Reshape, Slice, Transpose
from axonc.compiler.ops.normal import LogSoftmax, Softmax
from axonc.compiler.ops.reduce import Cumsum, Logsumexp, Mean, Prod, Sum, Var
from axonc.compiler.ops.unary import Cos, Erf, Sigmoid, Sin, Square, Tanh
from hypothesis import given, settings
from hypothesis import strategies as st

from .graphs import assert_gradient, builder, weighted

SMOOTH: list[Op] = [Sin(), Cos(), Tanh(), Sigmoid(), Erf()]
JOINS: list[Op] = [Add(), Sub(), Mul()]


def grow(draw: st.DrawFn, b: Builder, nodes: list[Node]) -> Node:
    """One more node on the nodes so far, all values staying small."""
    x = draw(st.sampled_from(nodes))
    kind = draw(st.sampled_from("smooth join quotient matmul over layout share choice flat".split()))
    rank = len(x.shape)
    axis = draw(st.integers(0, rank - 1)) if rank else 0
    match kind:
        case "join" | "quotient" | "choice":
            mates = [n for n in nodes if n.shape == x.shape or n.shape in ((), x.shape[-1:])]
            return _join(draw, b, kind, x, draw(st.sampled_from(mates)))
        case "matmul" if rank == 2:
            op = draw(st.sampled_from([Matmul(False, True), Matmul(True, False)]))
            return b.add(Tanh(), b.add(op, x, x))
        case "over" if rank:
            keep = draw(st.booleans())
            over = draw(st.sampled_from([(axis,), tuple(range(rank))]))
            return b.add(draw(st.sampled_from([Sum, Mean, Var, Logsumexp, Prod]))(over, keep), b.add(Sin(), x))
        case "layout" if rank:
            return _moved(draw, b, x, axis)
        case "share" if rank:
            return b.add(draw(st.sampled_from([Softmax(axis), LogSoftmax(axis), Cumsum(axis)])), b.add(Tanh(), x))
        case "flat":
            return b.add(Reshape((x.tensor.size,)), x)
    return b.add(draw(st.sampled_from(SMOOTH)), x)


def _join(draw: st.DrawFn, b: Builder, kind: str, x: Node, mate: Node) -> Node:
    if kind == "join":
        return b.add(Tanh(), b.add(draw(st.sampled_from(JOINS)), x, mate))
    safe = b.add(Add(), b.add(Square(), mate), b.literal(1.0, F64))
    if kind == "quotient":
        return b.add(draw(st.sampled_from([Div(), Atan2()])), b.add(Sin(), x), safe)
    return b.add(Where(), b.input(f"truth{len(b.inputs)}", DATA, Tensor(BOOL, x.shape)), x, mate)


def _moved(draw: st.DrawFn, b: Builder, x: Node, axis: int) -> Node:
    rank, size = len(x.shape), x.shape[axis]
    others = [i for i in range(rank) if i != axis]
    ends = tuple(1 if i == axis else 0 for i in range(rank))
    starts = tuple(size - 1 if i == axis else 0 for i in range(rank))
    stops = tuple(-1 if i == axis else n for i, n in enumerate(x.shape))
    steps = tuple(-2 if i == axis else 1 for i in range(rank))
    ops: list[Op] = [Transpose((axis, *others)), Expand((2, *x.shape)), Pad(ends, ends, 0.5), Flip((axis,))]
    op = draw(st.sampled_from([*ops, Slice(starts, stops, steps), Concat(axis)]))
    return b.add(op, x, x) if isinstance(op, Concat) else b.add(op, x)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A few operations on a matrix, a vector and a scalar; the last one is the result."""
    b = builder()
    nodes = [b.input(f"x{i}", DATA, Tensor(F64, shape)) for i, shape in enumerate([(2, 3), (3,), ()])]
    for _ in range(draw(st.integers(1, 6))):
        nodes.append(grow(draw, b, nodes))
    assert not b.reports, b.reports
    return b.graph({"y": nodes[-1]})


def values(graph: Graph, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Numbers for each input, truths for those that choose."""
    drawn = {n.name: rng.standard_normal(n.shape) for n in graph.inputs}
    return {n.name: drawn[n.name] > 0 if n.dtype is BOOL else drawn[n.name] for n in graph.inputs}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(graphs(), st.integers(0, 1000))
def test_gradients_of_random_graphs_agree_with_finite_differences(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wrt = ["x0", "x1", "x2"]
    scalar = weighted(graph, ["y"], "r")
    gradients = assert_gradient(scalar, values(scalar, rng), wrt, graph)
    twice = weighted(gradients, [f"gradient.{name}" for name in wrt], "s")
    assert_gradient(twice, values(twice, rng), wrt, graph)
