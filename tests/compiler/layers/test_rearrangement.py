"""Words that turn, repeat, frame and overwrite, against NumPy's functions."""

from __future__ import annotations

import numpy as np
import pytest

from ..trace.specs import mistakes
from .models import head_of, output, real

X = real(2, 3, 4)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x |> flip(1)", np.flip(X, 1)),
        ("x |> flip([0, -1])", np.flip(X, (0, 2))),
        ("x |> roll(1)", np.roll(X, 1, -1)),
        ("x |> roll(-2, axis = 1)", np.roll(X, -2, 1)),
        ("x |> tile(1, 2, 3)", np.tile(X, (1, 2, 3))),
        ("x |> repeat_each(3)", np.repeat(X, 3, -1)),
        ("x |> repeat_each(2, axis = 1)", np.repeat(X, 2, 1)),
        ("x |> pad(1)", np.pad(X, [(0, 0), (1, 1), (0, 0)])),
        ("x |> pad([[2, 1]], value = 1.5)", np.pad(X, [(0, 0), (2, 1), (0, 0)], constant_values=1.5)),
        ("x |> pad(1, axis = [2, 1])", np.pad(X, [(0, 0), (1, 1), (1, 1)])),
        ("x |> pad([[0, 3], 1], axis = [2, 1])", np.pad(X, [(0, 0), (1, 1), (0, 3)])),
        *(
            (f"x |> pad([[2, 1]], mode = {mode})", np.pad(X, [(0, 0), (2, 1), (0, 0)], mode=mode))
            for mode in ("reflect", "edge", "wrap")
        ),
        ("x |> pad(5, mode = edge)", np.pad(X, [(0, 0), (5, 5), (0, 0)], mode="edge")),
        ("x |> pad(2, mode = reflect, axis = [1, 2])", np.pad(X, [(0, 0), (2, 2), (2, 2)], mode="reflect")),
        ("x |> triu", np.triu(X)),
        ("x |> triu(-1)", np.triu(X, -1)),
        ("x |> tril", np.tril(X)),
        ("x |> tril(1)", np.tril(X, 1)),
        ("stack(x, x)", np.stack([X, X], -1)),
        ("stack(x, x, axis = 1)", np.stack([X, X], 1)),
        ("x |> cumsum(axis = 1)", np.cumsum(X, 1)),
        ("x |> cumsum(axis = 1, reverse = true)", np.flip(np.cumsum(np.flip(X, 1), 1), 1)),
        ("x |> slice_at(1 + argmax(zeros(3)), size = 2, axis = 1)", X[:, 1:]),
        ("update(x, 0 * x[:, :2], 1 + argmax(zeros(3)), axis = 1)", np.concatenate([X[:, :1], 0 * X[:, :2]], 1)),
        ("var(x, axis = -1, correction = 1)", np.var(X, -1, ddof=1)),
    ],
)
def test_word_does_what_numpy_does(body: str, expected: np.ndarray) -> None:
    np.testing.assert_allclose(output(body, x=X), expected, rtol=1e-6, atol=1e-6)


def test_whole_numbers_and_truths_are_padded_with_their_own() -> None:
    n = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(output("pad(n, [[0, 2]], value = 7, axis = 1)", n=n)[:, 3:], np.full((2, 2), 7))
    np.testing.assert_array_equal(
        output("pad(n > 2, [[0, 2]], value = 1, axis = 1)", n=n)[:, 3:], np.ones((2, 2), bool)
    )


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ("y = x |> flip(3)", ("bad-index", 1, 15)),
        ("y = x |> roll(1, axis = 3)", ("shape-mismatch", 1, 10)),
        ("y = x |> tile(2)", ("shape-mismatch", 1, 10)),
        ("y = x |> repeat_each(2, axis = 3)", ("bad-index", 1, 32)),
        ("y = x |> pad([1, 2])", ("wrong-kind", 1, 14)),
        ("y = x |> pad(-1)", ("wrong-kind", 1, 14)),
        ("y = x |> pad(same)", ("unknown-name", 1, 14)),
        ("y = x |> pad(1, mode = mirror)", ("wrong-kind", 1, 24)),
        ("y = x |> pad(3, mode = reflect)", ("shape-mismatch", 1, 10)),
        ("y = x |> pad(4, mode = wrap)", ("shape-mismatch", 1, 10)),
        ("y = x |> pad(1, axis = 5)", ("bad-index", 1, 24)),
        ("y = x[0, 0] |> pad(1)", ("wrong-kind", 1, 20)),
        ("y = cast(x, i64) |> pad(1, value = 0.5)", ("wrong-kind", 1, 36)),
        ("y = x |> slice_at(x, size = 1)", ("type-mismatch", 1, 10)),
        ("y = update(x, x, x)", ("type-mismatch", 1, 5)),
    ],
)
def test_a_mistake_stands_where_it_was_made(body: str, mistake: tuple[str, int, int]) -> None:
    assert mistakes(body, head_of({"x": X})) == [mistake]
