"""Scores of the next token to a token: the likeliest, or one drawn from what temperature, top k and top p leave."""

from __future__ import annotations

from hashlib import blake2s
from typing import Any

import numpy as np

from ..philox import SCRATCH, WORDS, Philox, key_of

Array = Any


def log_shares(scores: Array) -> Array:
    """The logarithms of the softmax of scores [rows, entries], f64."""
    wide = scores.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return wide


def shares(scores: Array, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0) -> Array:
    """The probabilities, f64[rows, entries], from which a token is drawn.

    Scores are divided by `temperature`; only the `top_k` greatest stay, the first of equal ones; of those only the
    likeliest whose shares together reach `top_p` (Holtzman et al. 2020: the nucleus), at least one. The rest is 0.
    """
    if temperature == 0:
        found = np.zeros(scores.shape)
        np.put_along_axis(found, scores.argmax(axis=1)[:, None], 1.0, axis=1)
        return found
    order = np.argsort(-scores, axis=1, kind="stable")
    wide = np.take_along_axis(scores, order, axis=1).astype(np.float64)
    ranked = np.exp((wide - wide[:, :1]) / temperature)
    if top_k is not None:
        ranked[:, top_k:] = 0
    ranked /= ranked.sum(axis=1, keepdims=True)
    if top_p < 1:
        before = ranked.cumsum(axis=1) - ranked
        before[:, 0] = -1
        ranked[before >= top_p] = 0
        ranked /= ranked.sum(axis=1, keepdims=True)
    found = np.empty_like(ranked)
    np.put_along_axis(found, order, ranked, axis=1)
    return found


def draw(found: Array, uniforms: Array) -> Array:
    """For each row of probabilities the token at which their running sum passes the row's number of (0, 1)."""
    reached = found.cumsum(axis=1)
    return (reached <= uniforms[:, None] * reached[:, -1:]).sum(axis=1)


class Uniforms:
    """Numbers of (0, 1): a function of the seed, the position in the text and the row, and of nothing else."""

    def __init__(self, rows: int, seed: int) -> None:
        self._words = np.empty(rows, np.uint32)
        self._step = np.zeros((), np.int64)
        key = np.array(key_of(seed), np.uint32)
        stream = int.from_bytes(blake2s(b"generate", digest_size=4).digest(), "little")
        scratch = np.empty(SCRATCH * -(-rows // WORDS), np.int64)
        self._philox = Philox([self._words], [stream], scratch, key, self._step)

    def at(self, position: int) -> Array:
        """The number of each row at a position, f64[rows]."""
        self._step[...] = position
        self._philox.fill()
        return (self._words + 0.5) / 2**32
