"""Words of order and positions, against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest

from ..trace.specs import mistakes
from .models import head_of, output, outputs, real

X = real(3, 5)
TIES = np.array([[1, 3, 1, 2, 3], [0, 0, 0, 0, 0]])


@pytest.mark.parametrize("x", [X, TIES], ids=["floats", "ties"])
def test_sort_gives_the_elements_in_order(x: np.ndarray) -> None:
    np.testing.assert_array_equal(output("sort(x)", x=x), np.sort(x))
    np.testing.assert_array_equal(output("sort(x, descending = true)", x=x), np.sort(x)[:, ::-1])
    np.testing.assert_array_equal(output("sort(x, axis = 0)", x=x), np.sort(x, 0))


def test_equal_elements_keep_their_order_in_both_directions() -> None:
    np.testing.assert_array_equal(output("argsort(x)", x=TIES)[0], [0, 2, 3, 1, 4])
    np.testing.assert_array_equal(output("argsort(x, descending = true)", x=TIES)[0], [1, 4, 3, 0, 2])


def test_topk_gives_the_greatest_and_where_they_stand() -> None:
    found = outputs("values, places = topk(x, 2)\noutput values\noutput places", x=X)
    np.testing.assert_array_equal(found["values"], np.sort(X)[:, :-3:-1])
    np.testing.assert_array_equal(np.take_along_axis(X, found["places"], 1), found["values"])
    ties = outputs("values, places = topk(x, 3)\noutput values\noutput places", x=TIES)
    np.testing.assert_array_equal(ties["places"], [[1, 4, 3], [0, 1, 2]])


def test_nan_counts_as_the_greatest() -> None:
    x = np.array([[1, np.nan, 2]], np.float32)
    np.testing.assert_array_equal(output("argsort(x)", x=x), [[0, 2, 1]])
    np.testing.assert_array_equal(output("argsort(x, descending = true)", x=x), [[1, 2, 0]])


def test_positions_along_an_axis_are_read() -> None:
    at = np.array([[0, 4, 4], [1, 1, 2], [3, 0, 0]])
    np.testing.assert_array_equal(output("take_along(x, at)", x=X, at=at), np.take_along_axis(X, at, 1))
    np.testing.assert_array_equal(output("take(x, range(2) * 2, axis = 1)", x=X), X[:, [0, 2]])


def test_tuples_of_positions_read_and_add() -> None:
    table, at = real(2, 5, 2), np.array([[[0, 4], [1, 1]], [[0, 2], [0, 2]]])
    np.testing.assert_array_equal(output("gather_nd(t, at)", t=table, at=at), table[at[..., 0], at[..., 1]])
    values = real(2, 2, 2, seed=1)
    wanted = np.zeros((4, 5, 2), np.float32)
    np.add.at(wanted, (at[..., 0], at[..., 1]), values)
    np.testing.assert_allclose(output("scatter_nd(at, v, 4, 5, 2)", v=values, at=at), wanted, rtol=1e-6)
    rows = np.array([1, 0, 1])
    added = np.zeros((4, 5), np.float32)
    np.add.at(added, rows, X)
    np.testing.assert_allclose(output("scatter_add(at, x, rows = 4)", x=X, at=rows), added, rtol=1e-6)


def test_a_permutation_holds_every_number_once_and_differs_between_rows() -> None:
    found = output("random_permutation(3, 50) + argmax(x)[0] * 0", x=X)
    np.testing.assert_array_equal(np.sort(found), np.tile(np.arange(50), (3, 1)))
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], np.arange(50))


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ("y = sort(x, axis = 2)", ("shape-mismatch", 1, 5)),
        ("y = argsort(x > 0)", ("type-mismatch", 1, 5)),
        ("y = topk(x, 6)", ("shape-mismatch", 1, 5)),
        ("y = topk(x, 0)", ("wrong-kind", 1, 13)),
        ("y = take(x, x)", ("type-mismatch", 1, 5)),
        ("y = gather_nd(x, x)", ("type-mismatch", 1, 5)),
        ("y = gather_nd(x, zeros(2, 3) |> cast(i64))", ("shape-mismatch", 1, 5)),
        ("y = scatter_nd(zeros(2, 1) |> cast(i64), x, 4)", ("shape-mismatch", 1, 5)),
        ("y = scatter_add(x, x, rows = 2)", ("type-mismatch", 1, 5)),
        ("y = random_permutation(shape(sum(x)))", ("missing-argument", 1, 5)),
    ],
)
def test_a_mistake_stands_where_it_was_made(body: str, mistake: tuple[str, int, int]) -> None:
    assert mistakes(body, head_of({"x": X})) == [mistake]
