"""Streams of random numbers that a seed and a number decide, whatever was drawn before."""

from __future__ import annotations

import numpy as np

SPLIT, EPOCHS = 0, 1  # the split's stream; epoch e has the stream EPOCHS + e


def generator(seed: int, stream: int, lane: int = 0) -> np.random.Generator:
    """A counter-based generator (Philox) with the key (seed, stream); a seed is taken modulo 2**64.

    Each lane of a stream begins 2**192 steps after the one before.
    """
    key = np.array([seed % 2**64, stream], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 0, lane], np.uint64)))
