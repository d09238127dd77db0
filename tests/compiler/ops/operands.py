"""Arrays to compute with: always the same, and without ties where a derivative would jump."""

import numpy as np

RNG = np.random.default_rng(20260101)


def real(*shape: int, low: float = -2.0, high: float = 2.0, dtype: type = np.float64) -> np.ndarray:
    """Different numbers with gaps between them, none of them whole."""
    size = int(np.prod(shape))
    steps = (RNG.permutation(size) + RNG.uniform(0.3, 0.7, size)) / max(size, 1)
    return (low + (high - low) * steps).reshape(shape).astype(dtype)


def single(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return real(*shape, low=low, high=high, dtype=np.float32)


def half(*shape: int) -> np.ndarray:
    return real(*shape, dtype=np.float16)


def whole(*shape: int, low: int = -5, high: int = 6, dtype: type = np.int64) -> np.ndarray:
    return RNG.integers(low, high, shape).astype(dtype)


def truths(*shape: int) -> np.ndarray:
    return RNG.integers(0, 2, shape).astype(bool)


def turned(*shape: int) -> np.ndarray:
    """A transposed array."""
    return real(*shape[::-1]).T
