"""Functions that build shapes, against NumPy's; windows of flat ranges, sizes as numbers, order."""

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Node
from axonc.compiler.ir.types import F32, F64, I64, Tensor
from axonc.compiler.ops.layout import reshaped, roll, split, squeeze, stack, tile, unsqueeze
from axonc.compiler.ops.reduce import Mean
from axonc.compiler.ops.state import Barrier, Part, Size, size_number

from .graphs import builder, define, type_of

X = np.arange(24.0).reshape(2, 3, 4)


def given(b: Builder, array: np.ndarray = X) -> Node:
    return b.input("x", DATA, type_of(array))


def value(b: Builder, node: Node, array: np.ndarray = X) -> np.ndarray:
    return np.asarray(evaluate(b.graph({"y": node}), {"x": array})["y"])


@pytest.mark.parametrize("axis", [0, 1, 3, -1, -4])
def test_unsqueeze_and_squeeze_are_those_of_numpy(axis: int) -> None:
    b = builder()
    wide = unsqueeze(b, given(b), axis)
    np.testing.assert_array_equal(value(b, wide), np.expand_dims(X, axis))
    np.testing.assert_array_equal(value(b, squeeze(b, wide, axis)), X)


@pytest.mark.parametrize("axis", [0, 2, -1])
def test_stack_is_that_of_numpy(axis: int) -> None:
    b = builder()
    x = given(b)
    np.testing.assert_array_equal(value(b, stack(b, [x, x, x], axis)), np.stack([X] * 3, axis))


@pytest.mark.parametrize("repeats", [(1, 1, 1), (2, 1, 3), (0, 1, 1)])
def test_tile_is_that_of_numpy(repeats: tuple[int, ...]) -> None:
    b = builder()
    np.testing.assert_array_equal(value(b, tile(b, given(b), repeats)), np.tile(X, repeats))


@pytest.mark.parametrize("shift", [0, 1, -1, 3, 7, -5])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_roll_is_that_of_numpy(shift: int, axis: int) -> None:
    b = builder()
    np.testing.assert_array_equal(value(b, roll(b, given(b), shift, axis)), np.roll(X, shift, axis))


@pytest.mark.parametrize("shift", [0, 2, -1])
def test_roll_of_an_axis_without_a_number_is_that_of_numpy(shift: int) -> None:
    b = builder()
    x = b.input("x", DATA, Tensor(F64, (dims.name("N"), 3)))
    array = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(value(b, roll(b, x, shift, 0), array), np.roll(array, shift, 0))


def test_split_cuts_an_axis_into_parts_of_given_sizes() -> None:
    b = builder()
    parts = split(b, given(b), 2, (1, 0, 3))
    for part, expected in zip(parts, np.split(X, [1, 1], 2), strict=True):
        np.testing.assert_array_equal(value(b, part), expected)


def test_value_that_has_its_shape_already_is_not_reshaped() -> None:
    b = builder()
    x = given(b)
    assert reshaped(b, x, (2, 3, 4)) is x


def test_part_is_a_window_of_a_flat_range() -> None:
    flat = np.arange(10.0)
    np.testing.assert_array_equal(define(Part(2, (2, 3)), flat), [[2, 3, 4], [5, 6, 7]])


def test_size_is_known_once_it_is_bound() -> None:
    b = builder()
    n = dims.name("N")
    b.input("x", DATA, Tensor(F64, (n, 3)))
    number = size_number(b, n * 3, F32)
    assert number.op == Size(n * 3, F32)
    assert evaluate(b.graph({"y": number}), {"x": np.zeros((5, 3))})["y"] == np.float32(15)
    assert size_number(b, 4, I64).op.word == "literal"


def test_mean_over_an_axis_without_a_number_divides_by_the_number_that_is_bound() -> None:
    b = builder()
    x = b.input("x", DATA, Tensor(F64, (dims.name("N"), 3)))
    expansion = Mean((0,)).expand(b, x)
    np.testing.assert_allclose(value(b, expansion, X[0].T), X[0].T.mean(0), 1e-15)


def test_barrier_is_its_first_operand_and_is_never_merged() -> None:
    np.testing.assert_array_equal(define(Barrier(), X, np.zeros(2)), X)
    assert not Barrier.merges
