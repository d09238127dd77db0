"""First values are those that NumPy's generators draw at once, wherever pieces end."""

from __future__ import annotations

import math

import numpy as np
import pytest
from axonc.runtime.initialise import PIECE, fill

SHAPES = [(), (3,), (7, 5), (3, 3, 4, 6), (PIECE, 2), (PIECE + 1,)]


def generator(stream: int, seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, stream]))


def filled(word: str, numbers: tuple[float, ...], shape: tuple[int, ...], dtype: str = "f4") -> np.ndarray:
    place = np.full(math.prod(shape), 9, dtype)
    fill(place, word, numbers, shape, stream=5, seed=2**40 + 1)
    return place.reshape(shape)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_are_those_that_are_drawn_at_once(shape: tuple[int, ...], dtype: str) -> None:
    wanted = generator(5, 2**40 + 1).normal(0.0, 0.3, shape)
    np.testing.assert_array_equal(filled("normal", (0.3,), shape, dtype), np.asarray(wanted, dtype))
    wanted = generator(5, 2**40 + 1).uniform(-0.1, 0.7, shape)
    np.testing.assert_array_equal(filled("uniform", (-0.1, 0.7), shape, dtype), np.asarray(wanted, dtype))


@pytest.mark.parametrize(("word", "squared"), [("he", 2 / 36), ("glorot", 4 / (36 + 54))])
def test_spread_follows_from_what_enters_and_leaves(word: str, squared: float) -> None:
    """Of a convolution of 3 x 3 from 4 to 6 channels: 36 values enter a result, 54 results have a value."""
    shape = (3, 3, 4, 6)
    if word == "glorot":
        squared /= 2
    drawn = generator(5, 2**40 + 1).normal(0.0, math.sqrt(squared), shape)
    np.testing.assert_array_equal(filled(f"{word}_normal", (), shape), drawn.astype("f4"))
    bound = math.sqrt(3 * squared)
    even = filled(f"{word}_uniform", (), shape)
    np.testing.assert_allclose(even, generator(5, 2**40 + 1).uniform(-bound, bound, shape), rtol=1e-6)


def test_some_are_not_drawn() -> None:
    assert (filled("zeros", (), (4, 3), "i8") == 0).all()
    assert (filled("ones", (), (4, 3)) == 1).all()
    assert (filled("constant", (0.25,), (4, 3)) == 0.25).all()


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 5)])
def test_orthogonal_rows_or_columns_are(shape: tuple[int, ...]) -> None:
    found = filled("orthogonal", (2.0,), shape, "f8").reshape(-1, shape[-1])
    width = min(found.shape)
    block = found[:, :width]
    np.testing.assert_allclose(block.T @ block, 4 * np.eye(width), atol=1e-12)
