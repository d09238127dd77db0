"""The three convolutions are one trilinear form, and depthwise ones see their own channel."""

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.types import F32, Tensor
from axonc.compiler.ops.convolution import Conv, ConvInput, ConvWeight

from .graphs import define, graph_of, weighted
from .samples import conv_settings

SETTINGS = [s for rank in (1, 2, 3) for s in conv_settings(rank)]


@pytest.mark.parametrize(("settings", "sizes", "kernel", "c", "k"), SETTINGS, ids=[str(s) for s in SETTINGS])
def test_each_convolution_is_the_transpose_of_the_others(
    settings: tuple, sizes: tuple[int, ...], kernel: tuple[int, ...], c: int, k: int
) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((2, *sizes, c)), rng.standard_normal((*kernel, c // settings[3], k))
    y = define(Conv(*settings), x, w)
    g = rng.standard_normal(y.shape)
    form = np.vdot(y, g)
    np.testing.assert_allclose(np.vdot(define(ConvInput(*settings, sizes), g, w), x), form, 1e-12)
    np.testing.assert_allclose(np.vdot(define(ConvWeight(*settings, kernel), x, g), w), form, 1e-12)


def test_depthwise_convolution_sees_its_own_channel() -> None:
    x = np.zeros((1, 3, 2))
    x[0, 1, 0] = 1
    w = np.ones((1, 1, 2)) * [2.0, 3.0]
    found = define(Conv((1,), ((0, 0),), (1,), 2), x, w)
    np.testing.assert_array_equal(found[0], [[0, 0], [2, 0], [0, 0]])


def test_sizes_stay_names_through_a_strided_convolution_and_its_gradient() -> None:
    n, h = dims.name("N"), dims.name("H")
    op = Conv((2, 2), ((1, 1), (1, 1)), (1, 1), 1)
    types = [Tensor(F32, (n, 4 * h, 8, 3)), Tensor(F32, (3, 3, 3, 5))]
    graph = weighted(graph_of(op, types), ["y"], "r")
    assert graph.input("r0").shape == (n, 2 * h, 4, 5)
    gradients = gradient_graph(graph, "loss", ["x0", "x1"])
    assert gradients.result("gradient.x0").type == types[0]
    assert not gradients.guards
