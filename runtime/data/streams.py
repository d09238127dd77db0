"""Streams of random numbers that a seed and a number decide, whatever was drawn before."""

from __future__ import annotations

import numpy as np

SPLIT, EPOCHS = 0, 1  # the split's stream; epoch e has the stream EPOCHS + e


def generator(seed: int, stream: int) -> np.random.Generator:
    """A counter-based generator (Philox) with the key (seed, stream); a seed is taken modulo 2**64."""
    return np.random.Generator(np.random.Philox(key=np.array([seed % 2**64, stream], np.uint64)))
