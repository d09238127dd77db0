"""Pools: ties, padding, and cotangents against the definition of a transpose."""

import numpy as np
import pytest
from axonc.compiler.ops.pool import AveragePool, AveragePoolInput, MaxPool, MaxPoolInput, MaxPoolPick

from .graphs import define
from .samples import POOLS

IDS = [str(p) for p in POOLS]


def test_first_maximum_of_a_window_takes_the_gradient() -> None:
    settings = ((2, 2), (2, 2), ((0, 0), (0, 0)))
    x = np.array([[1.0, 3, 5, 5], [3, 3, 5, 5]]).reshape(1, 2, 4, 1)
    y = define(MaxPool(*settings), x)
    flow = define(MaxPoolInput(*settings), x, y, np.ones_like(y))
    np.testing.assert_array_equal(flow.reshape(2, 4), [[0, 1, 1, 0], [0, 0, 0, 0]])


def test_padding_never_is_the_maximum() -> None:
    x = -np.ones((1, 2, 1))
    np.testing.assert_array_equal(define(MaxPool((2,), (1,), ((1, 1),)), x), -np.ones((1, 3, 1)))


def test_average_counts_padding_or_not() -> None:
    x = np.ones((1, 2, 1))
    settings = ((2,), (1,), ((1, 0),))
    np.testing.assert_array_equal(define(AveragePool(*settings, True), x).ravel(), [0.5, 1])
    np.testing.assert_array_equal(define(AveragePool(*settings, False), x).ravel(), [1, 1])


@pytest.mark.parametrize("pool", POOLS, ids=IDS)
def test_maximum_picked_out_of_the_data_is_the_pool(pool: tuple) -> None:
    *settings, sizes = pool
    x = np.random.default_rng(1).standard_normal((2, *sizes, 3))
    y = define(MaxPool(*settings), x)
    np.testing.assert_array_equal(define(MaxPoolPick(*settings), x, y, x), y)


@pytest.mark.parametrize("pool", POOLS, ids=IDS)
def test_cotangent_of_a_max_pool_is_the_transpose_of_picking(pool: tuple) -> None:
    *settings, sizes = pool
    rng = np.random.default_rng(2)
    x = rng.integers(0, 3, (2, *sizes, 3)).astype(float)
    y = define(MaxPool(*settings), x)
    t, g = rng.standard_normal(x.shape), rng.standard_normal(y.shape)
    picked, placed = define(MaxPoolPick(*settings), x, y, t), define(MaxPoolInput(*settings), x, y, g)
    np.testing.assert_allclose(np.vdot(picked, g), np.vdot(t, placed), 1e-12)


@pytest.mark.parametrize("count_padding", [True, False])
@pytest.mark.parametrize("pool", POOLS, ids=IDS)
def test_cotangent_of_an_average_pool_is_its_transpose(pool: tuple, count_padding: bool) -> None:
    *settings, sizes = pool
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, *sizes, 3))
    y = define(AveragePool(*settings, count_padding), x)
    g = rng.standard_normal(y.shape)
    back = define(AveragePoolInput(*settings, count_padding, sizes), g)
    np.testing.assert_allclose(np.vdot(y, g), np.vdot(x, back), 1e-12)
