"""Products know of the triangles that a mask of positions leaves, and of no others."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph
from axonc.compiler.ir.types import F64, I64, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import Ge, Le, Where
from axonc.compiler.ops.index import Iota
from axonc.compiler.ops.layout import Reshape
from axonc.compiler.ops.normal import Softmax
from axonc.compiler.passes.expand import expand_composites
from axonc.compiler.passes.sequence import run
from axonc.compiler.passes.triangles import see_triangles
from axonc.specification import check

from ..graphs import NOWHERE, N, assert_same_meaning

ATTENTION = """axonc 1
model m
input x: f32[N, {size}, 8]
input y: f32[N, {size}, 8]
loss mse(x |> self_attention(2, causal = {causal}), y)
train {{ optimizer sgd(0.1) }}
"""
LAST = [expand_composites, see_triangles]


def triangles(graph: Graph) -> Counter[tuple[str, bool]]:
    ops = [node.op for node in graph.nodes if isinstance(node.op, Matmul)]
    return Counter((op.triangle, op.upper) for op in ops if op.triangle)


def test_all_products_of_scores_of_causal_attention_are_half_as_many() -> None:
    train = check(ATTENTION.format(size=40, causal="true")).phases.train
    after = run(train, LAST)
    assert triangles(after) == {
        ("result", False): 2,  # scores, and the gradient of probabilities
        ("left", False): 2,  # probabilities times values, the gradient of scores times keys
        ("left", True): 1,  # the gradient of values
        ("right", False): 1,  # the gradient of keys, whose transpose was an operand
    }


@pytest.mark.parametrize(("size", "causal"), [(40, "false"), (31, "true")])
def test_others_stay_as_they_are(size: int, causal: str) -> None:
    assert not triangles(run(check(ATTENTION.format(size=size, causal=causal)).phases.train, LAST))


def scores(mask: type[Le] | type[Ge], other: float) -> Graph:
    """Attention by hand, of the queries q to the keys k."""
    b = Builder(NOWHERE)
    q, k = (b.input(name, DATA, Tensor(F64, (N, 48, 4))) for name in ("q", "k"))
    row, column = b.add(Reshape((48, 1)), b.add(Iota(48, I64))), b.add(Iota(48, I64))
    seen = b.add(mask(), column, row)
    score = b.add(Where(), seen, b.add(Matmul(False, True), q, k), b.literal(other, F64))
    return b.graph({"y": b.add(Matmul(), b.add(Softmax(), score), k)})


def test_a_mask_that_leaves_a_triangle_does_not_change_what_is_computed() -> None:
    graph = scores(Le, -1e9)
    after = run(graph, LAST)
    assert triangles(after) == {("result", False): 1, ("left", False): 1}
    assert_same_meaning(graph, after)


def test_a_mask_that_looks_ahead_leaves_none() -> None:
    assert not triangles(run(scores(Ge, -1e9), LAST))


def test_what_is_not_far_below_all_scores_counts() -> None:
    """The scores are computed by half, their softmax has no zeros."""
    graph = scores(Le, -5.0)
    after = run(graph, LAST)
    assert triangles(after) == {("result", False): 1}
    assert_same_meaning(graph, after)


def test_a_result_is_zero_above_its_diagonal() -> None:
    b = Builder(NOWHERE)
    x, y = (b.input(name, DATA, Tensor(F64, (5, 5))) for name in "xy")
    given = {"x": np.arange(25.0).reshape(5, 5) + 1, "y": np.ones((5, 5))}
    whole = given["x"] @ given["y"]
    for upper, cut in ((False, np.tril), (True, np.triu)):
        graph = b.graph({"z": b.add(Matmul(False, False, "result", upper), x, y)})
        np.testing.assert_array_equal(evaluate(graph, given)["z"], cut(whole))
