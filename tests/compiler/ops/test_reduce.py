"""Corners of reductions: ties, zeros in products, nothing to combine."""

import numpy as np
import pytest
from axonc.compiler.ir.op import Op
from axonc.compiler.ops.reduce import All, Any, Argmax, Argmin, Prod, ReduceMax, ReduceMin, Sum

from .graphs import define, gradients


@pytest.mark.parametrize(
    ("op", "x"), [(ReduceMax((0,)), [3.0, 1.0, 3.0, 2.0]), (ReduceMin((0,)), [1.0, 3.0, 1.0, 2.0])]
)
def test_equal_extremes_share_the_gradient_equally(op: Op, x: list[float]) -> None:
    np.testing.assert_array_equal(gradients(op, np.array(x))[0], [0.5, 0, 0.5, 0])


@pytest.mark.parametrize("x", [[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
def test_gradient_of_a_product_is_the_product_of_the_others(x: list[float]) -> None:
    others = [np.prod(x[:i] + x[i + 1 :]) for i in range(3)]
    np.testing.assert_allclose(gradients(Prod((0,)), np.array(x))[0], others, 1e-15)


@pytest.mark.parametrize("op", [Argmax(0), Argmin(0)], ids=str)
def test_first_of_equal_extremes_has_the_position(op: Op) -> None:
    assert define(op, np.array([1.0, 1.0, 1.0])) == 0


def test_nothing_sums_to_zero_and_multiplies_to_one_and_is_all_but_not_any() -> None:
    nothing = np.zeros((0, 2))
    np.testing.assert_array_equal(define(Sum((0,)), nothing), [0, 0])
    np.testing.assert_array_equal(define(Prod((0,)), nothing), [1, 1])
    np.testing.assert_array_equal(define(All((0,)), nothing.astype(bool)), [True, True])
    np.testing.assert_array_equal(define(Any((0,)), nothing.astype(bool)), [False, False])


@pytest.mark.parametrize("op", [ReduceMax((0,)), ReduceMin((0,))], ids=str)
def test_nan_wins_over_every_number(op: Op) -> None:
    assert np.isnan(define(op, np.array([1.0, np.nan, 3.0])))


def test_half_precision_is_summed_in_single() -> None:
    tenth = np.full(20_000, 0.1, np.float16)
    assert abs(float(define(Sum((0,)), tenth)) - 2000) < 4
