"""Softmax and cross-entropy: far logits, and what forward and backward share."""

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir.graph import DATA, Graph
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import F64, I64, Tensor
from axonc.compiler.ops.normal import BinaryCrossEntropy, CrossEntropy, LogSoftmax, Softmax
from axonc.compiler.ops.reduce import Logsumexp, Sum
from axonc.compiler.passes.duplicates import merge_duplicates
from axonc.compiler.passes.expand import expand_composites
from axonc.compiler.passes.unused import drop_unused

from .graphs import builder, define

FAR = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]])


def computed(op: Op, *types: Tensor) -> list[str]:
    """The words of what is computed for the sum of an operation's results and its gradient."""
    b = builder()
    nodes = [b.input(f"x{i}", DATA, t) for i, t in enumerate(types)]
    result = b.add(op, *nodes)
    graph: Graph = b.graph({"loss": b.add(Sum(tuple(range(len(result.shape)))), result)})
    graph = drop_unused(merge_duplicates(expand_composites(gradient_graph(graph, "loss", ["x0"]))))
    return [n.op.word for n in graph.nodes]


def test_far_logits_neither_overflow_nor_lose_the_loss() -> None:
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(define(Softmax(), FAR), [[1, 0, 0], [0, 0.5, 0.5]])
        np.testing.assert_allclose(define(LogSoftmax(), FAR)[0], [0, -2e4, -1e4])
        np.testing.assert_allclose(define(Logsumexp((1,)), FAR), [1e4, 1e4 + np.log(2)])
        np.testing.assert_allclose(define(CrossEntropy(), FAR, np.array([1, 2])), [2e4, np.log(2)])
        far, target = np.array([1e4, 1e4, -1e4, -1e4]), np.array([1.0, 0.0, 0.0, 1.0])
        np.testing.assert_array_equal(define(BinaryCrossEntropy(), far, target), [0, 1e4, 0, 1e4])


@pytest.mark.parametrize(
    ("op", "types"),
    [
        (CrossEntropy(), (Tensor(F64, (5, 3)), Tensor(I64, (5,)))),
        (LogSoftmax(1), (Tensor(F64, (5, 3)),)),
        (Softmax(1), (Tensor(F64, (5, 3)),)),
    ],
    ids=str,
)
def test_forward_and_backward_share_maximum_powers_and_sum(op: Op, types: tuple[Tensor, ...]) -> None:
    words = computed(op, *types)
    assert words.count("reduce_max") == 1
    assert words.count("exp") == 1
