"""Products: what their gradients are made of, and sums of products against NumPy's `einsum`."""

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Graph, Node
from axonc.compiler.ir.types import F64, Shape, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.einsum import einsum
from axonc.compiler.ops.layout import Transpose

from .graphs import builder, define, graph_of, inputs, named, type_of, weighted

N, T = dims.name("N"), dims.name("T")


def backward(op: Matmul, a: Shape, b: Shape) -> tuple[Graph, list[Node]]:
    """The gradient graph of a product, and the products in it after the first."""
    graph = weighted(graph_of(op, [Tensor(F64, a), Tensor(F64, b)]), ["y"], "r")
    gradients = gradient_graph(graph, "loss", ["x0", "x1"])
    return gradients, [n for n in gradients.nodes if isinstance(n.op, Matmul)][1:]


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("lead", [(), (N,), (2, N)])
def test_gradients_are_products_with_flags_and_never_transpositions(
    transpose_a: bool, transpose_b: bool, lead: Shape
) -> None:
    a = (*lead, 3, 4) if transpose_a else (*lead, 4, 3)
    b = (*lead, 5, 3) if transpose_b else (*lead, 3, 5)
    gradients, products = backward(Matmul(transpose_a, transpose_b), a, b)
    assert not any(isinstance(n.op, Transpose) for n in gradients.nodes)
    assert len(products) == 2


@pytest.mark.parametrize("transpose_b", [False, True])
def test_gradient_of_a_shared_weight_is_one_product_over_all_leading_axes(transpose_b: bool) -> None:
    _, products = backward(Matmul(False, transpose_b), (N, T, 3), (5, 3) if transpose_b else (3, 5))
    (weight,) = (n for n in products if len(n.shape) == 2)
    assert all(len(i.shape) == 2 for i in weight.inputs)
    assert {i.shape[0] for i in weight.inputs} == {N * T}


def test_half_precision_is_added_up_in_single() -> None:
    ones = np.ones((1, 4096), np.float16)
    tenth = np.full((4096, 1), 0.1, np.float16)
    assert define(Matmul(), ones, tenth)[0, 0] == np.float16(4096 * np.float32(np.float16(0.1)))


EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("nqd,nkd->nqk", (2, 3, 4), (2, 5, 4)),
    ("nqk,nkd->nqd", (2, 3, 5), (2, 5, 4)),
    ("nqhd,nkhd->nhqk", (2, 3, 2, 4), (2, 5, 2, 4)),
    ("i,i->", (3,), (3,)),
    ("i,j->ij", (3,), (4,)),
    ("ab,ab->ab", (2, 3), (2, 3)),
    ("ab,c->c", (2, 3), (4,)),
    (",ab->ba", (), (2, 3)),
    ("abc->ca", (2, 3, 4)),
    ("ab,bc,cd->ad", (2, 3), (3, 4), (4, 5)),
    ("abcd,cbe->dea", (2, 3, 4, 5), (4, 3, 6)),
    ("btd,dk->btk", (2, 3, 4), (4, 5)),
    ("i , ij -> j", (2,), (2, 3)),
    ("a,ab,b->", (2,), (2, 3), (3,)),
]


@pytest.mark.parametrize(("equation", "shapes"), [(e, s) for e, *s in EQUATIONS])
def test_einsum_is_that_of_numpy(equation: str, shapes: list[tuple[int, ...]]) -> None:
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(s) for s in shapes]
    b = builder()
    node = einsum(b, equation, *inputs(b, [type_of(a) for a in arrays]))
    found = evaluate(b.graph({"y": node}), named(arrays))["y"]
    expected = np.einsum(equation, *arrays)
    assert node.shape == expected.shape
    np.testing.assert_allclose(found, expected, 1e-12, 1e-12)


def test_einsum_of_attention_scores_is_one_product() -> None:
    b = builder()
    q, k = (b.input(name, DATA, Tensor(F64, (N, T, 8))) for name in "qk")
    scores = einsum(b, "nqd,nkd->nqk", q, k)
    assert scores.op == Matmul(False, True)
    assert scores.shape == (N, T, T)
