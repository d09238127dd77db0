"""bf16 against the library that gives it to NumPy."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from axonc.compiler.ir.bfloat import pattern, rounded

from ...halves import EDGES


def test_rounding_is_to_the_nearest_and_of_two_to_the_even_one() -> None:
    with np.errstate(all="ignore"):
        wanted = EDGES.astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(rounded(np, EDGES), wanted)


def test_the_pattern_of_a_number_is_that_of_the_nearest_bf16() -> None:
    for value in [0.0, -0.0, 1.0, 0.1, -1e-40, 3.4e38, 1e39, -1e39, float("inf"), float("nan"), 65280.5, 1 / 3]:
        with np.errstate(all="ignore"):
            wanted = np.asarray(value, np.float32).astype(ml_dtypes.bfloat16).view(np.uint16)
        assert pattern(value) == int(wanted), value
