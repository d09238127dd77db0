"""Initialisers to first values: the same seed and stream draw the same, whatever else is in the spec."""

from __future__ import annotations

import math

import numpy as np


def values(word: str, numbers: tuple[float, ...], shape: tuple[int, ...], stream: int, seed: int) -> np.ndarray:
    """The first values of a weight, f64, by the word of an initialiser and its numbers."""
    match word:
        case "zeros":
            return np.zeros(shape)
        case "ones":
            return np.ones(shape)
        case "constant":
            return np.full(shape, numbers[0])
    draw = np.random.Generator(np.random.Philox(key=[seed & (2**64 - 1), stream]))
    match word:
        case "normal":
            return draw.normal(0.0, numbers[0], shape)
        case "uniform":
            return draw.uniform(numbers[0], numbers[1], shape)
        case "orthogonal":
            return orthogonal(draw, shape) * numbers[0]
    into, out = fans(shape)
    match word:
        case "glorot_uniform":
            bound = math.sqrt(6 / max(into + out, 1))
            return draw.uniform(-bound, bound, shape)
        case "glorot_normal":
            return draw.normal(0.0, math.sqrt(2 / max(into + out, 1)), shape)
        case "he_normal":
            return draw.normal(0.0, math.sqrt(2 / max(into, 1)), shape)
        case "he_uniform":
            bound = math.sqrt(6 / max(into, 1))
            return draw.uniform(-bound, bound, shape)
    raise AssertionError(word)


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
