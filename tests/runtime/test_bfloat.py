"""The instructions that convert bf16 against the library that gives it to NumPy."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from axonc.runtime.arrays import INSTRUCTIONS

from ..halves import EDGES


def test_widening_is_exact() -> None:
    bits = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    for x in (bits, bits.T, bits[::-1, ::3]):
        out = np.empty(x.shape, np.float32)
        run("widen", (out,), (x,))
        wanted = np.ascontiguousarray(x).view(ml_dtypes.bfloat16).astype(np.float32)
        np.testing.assert_array_equal(out.view(np.uint32), wanted.view(np.uint32))


def test_narrowing_is_to_the_nearest_and_of_two_to_the_even_one() -> None:
    for x in (EDGES, EDGES.T, EDGES[::-2]):
        out = np.zeros((*x.shape, 2), np.uint16)[..., 0]
        run("narrow", (out, np.empty(x.shape, np.uint32)), (x,))
        with np.errstate(all="ignore"):
            wanted = x.astype(ml_dtypes.bfloat16)
        numbers = ~np.isnan(x)
        np.testing.assert_array_equal(out[numbers], wanted.view(np.uint16)[numbers])
        assert np.isnan(np.ascontiguousarray(out).view(ml_dtypes.bfloat16)[~numbers].astype(np.float32)).all()


def test_a_smaller_operand_is_stretched() -> None:
    out = np.empty((2, 3), np.uint16)
    run("narrow", (out, np.empty(out.shape, np.uint32)), (np.float32([[1.5], [-2.0]]),))
    np.testing.assert_array_equal(out, [[0x3FC0] * 3, [0xC000] * 3])


def run(word: str, writes: tuple[np.ndarray, ...], reads: tuple[np.ndarray, ...]) -> None:
    for call in INSTRUCTIONS[word](writes, reads, {}):
        call()
