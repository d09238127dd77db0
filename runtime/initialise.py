"""Initialisers to first values: the same seed and stream draw the same, whatever else is in the spec."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

PIECE = 8192  # numbers that are drawn at once: they stay in a cache


def fill(
    place: np.ndarray, word: str, numbers: tuple[float, ...], shape: tuple[int, ...], stream: int, seed: int
) -> None:
    """Writes the first values of a weight to its place, flat, by the word of an initialiser and its numbers; they are
    drawn in f64."""
    match word:
        case "zeros":
            place[...] = 0
            return
        case "ones":
            place[...] = 1
            return
        case "constant":
            place[...] = numbers[0]
            return
    draw = np.random.Generator(np.random.Philox(key=[seed & (2**64 - 1), stream]))
    if word == "orthogonal":
        place[...] = (orthogonal(draw, shape) * numbers[0]).reshape(-1)
        return
    into, out = fans(shape)
    match word:
        case "normal":
            _normal(place, draw, numbers[0])
        case "uniform":
            _uniform(place, draw, *numbers)
        case "glorot_uniform":
            bound = math.sqrt(6 / max(into + out, 1))
            _uniform(place, draw, -bound, bound)
        case "glorot_normal":
            _normal(place, draw, math.sqrt(2 / max(into + out, 1)))
        case "he_normal":
            _normal(place, draw, math.sqrt(2 / max(into, 1)))
        case "he_uniform":
            bound = math.sqrt(6 / max(into, 1))
            _uniform(place, draw, -bound, bound)
        case _:
            raise AssertionError(word)


def _normal(place: np.ndarray, draw: np.random.Generator, deviation: float) -> None:
    _pieces(place, draw.standard_normal, deviation, 0.0)


def _uniform(place: np.ndarray, draw: np.random.Generator, low: float, high: float) -> None:
    _pieces(place, draw.random, high - low, low)


def _pieces(place: np.ndarray, draw: Callable[..., np.ndarray], scale: float, shift: float) -> None:
    """Draws numbers piece by piece, as if all were drawn at once."""
    room = np.empty(PIECE)
    for start in range(0, place.size, PIECE):
        to = place[start : start + PIECE]
        piece = draw(out=room[: to.size])
        piece *= scale
        np.add(piece, shift, out=to, casting="same_kind")


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many values enter one result, and how many results one value enters (Glorot & Bengio 2010)."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def orthogonal(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Rows or columns of length 1 at right angles (Saxe et al. 2014); wide matrices square by square."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    width = min(rows, columns)
    blocks = [_right_angles(draw, rows, width) for _ in range(-(-columns // max(width, 1)))]
    return np.concatenate(blocks, axis=1)[:, :columns].reshape(shape)


def _right_angles(draw: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    q, r = np.linalg.qr(draw.normal(size=(rows, columns)))
    return np.asarray(q * np.sign(np.diag(r)))
