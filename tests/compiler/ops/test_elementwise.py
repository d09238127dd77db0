"""Corners of elementwise operations: ties, poles, signs, saturation."""

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA
from axonc.compiler.ir.op import Op
from axonc.compiler.ops.elementwise import Max, Min, Mod, Pow, Relu, StopGradient
from axonc.compiler.ops.reduce import Sum
from axonc.compiler.ops.unary import Abs, Sigmoid

from .graphs import builder, define, gradients, type_of


def power_gradient(x: np.ndarray, exponent: float) -> np.ndarray:
    """The gradient of Σ x**exponent, the exponent being written in the graph."""
    b = builder()
    node = b.input("x", DATA, type_of(x))
    power = b.add(Pow(), node, b.literal(exponent, node.dtype))
    graph = b.graph({"loss": b.add(Sum((0,)), power)})
    return np.asarray(evaluate(gradient_graph(graph, "loss", ["x"]), {"x": x})["gradient.x"])


@pytest.mark.parametrize("op", [Max(), Min()])
def test_first_operand_takes_the_whole_gradient_of_a_tie(op: Op) -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    to_a, to_b = gradients(op, a, b)
    assert to_a[0] == 1
    assert to_b[0] == 0
    np.testing.assert_array_equal(to_a + to_b, 1)


def test_relu_and_abs_have_no_slope_at_zero() -> None:
    x = np.array([-1.0, 0.0, 2.0])
    np.testing.assert_array_equal(gradients(Relu(), x)[0], [0, 0, 1])
    np.testing.assert_array_equal(gradients(Abs(), x)[0], [-1, 0, 1])


def test_stop_gradient_passes_the_value_and_stops_the_gradient() -> None:
    x = np.array([1.0, -2.0])
    np.testing.assert_array_equal(define(StopGradient(), x), x)
    np.testing.assert_array_equal(gradients(StopGradient(), x)[0], 0)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5, 2.0, 3.0, 4.0])
def test_gradient_of_a_power_of_zero_is_finite(exponent: float) -> None:
    x = np.array([0.0, 2.0])
    expected = exponent * np.array([1.0 if exponent == 1 else 0.0, 2.0 ** (exponent - 1)])
    np.testing.assert_allclose(power_gradient(x, exponent), expected, 1e-15)
    flow, to_exponent = gradients(Pow(), x, np.asarray(exponent))
    np.testing.assert_allclose(flow, expected, 1e-15)
    np.testing.assert_allclose(to_exponent, 2.0**exponent * np.log(2.0), 1e-15)


@pytest.mark.parametrize("exponent", [2.0, 3.0, -1.0, -2.0, 1.0, 0.0])
def test_written_whole_exponents_differentiate_negative_bases(exponent: float) -> None:
    x = np.array([-2.0, -0.5, 3.0])
    np.testing.assert_allclose(power_gradient(x, exponent), exponent * x ** (exponent - 1), 1e-15)


def test_square_root_as_a_power_differentiates_through_its_result() -> None:
    np.testing.assert_allclose(power_gradient(np.array([4.0, 0.25]), 0.5), [0.25, 1.0], 1e-15)


def test_sigmoid_saturates_without_overflow() -> None:
    x = np.array([-1e4, -750.0, -30.0, 0.0, 30.0, 1e4])
    with np.errstate(all="raise", under="ignore"):
        y = define(Sigmoid(), x)
    np.testing.assert_array_equal(y[[0, 3, 5]], [0.0, 0.5, 1.0])
    np.testing.assert_allclose(y[2], np.exp(-30.0), 1e-12)


def test_remainder_has_the_sign_of_the_divisor() -> None:
    a, b = np.array([7, -7, 7, -7]), np.array([3, 3, -3, -3])
    np.testing.assert_array_equal(define(Mod(), a, b), [x % y for x, y in zip(a.tolist(), b.tolist(), strict=True)])
