"""bf16 in NumPy, which has no such type: arrays of u16 that hold the upper halves of numbers of f32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

QUIET = 0x7FC0  # a NaN


def widen(
    writes: Sequence[np.ndarray], reads: Sequence[np.ndarray], attributes: Mapping[str, Any]
) -> tuple[Callable[[], object], ...]:
    """bf16 as f32, exactly."""
    (out,), (x,) = writes, reads
    bits = out.view(np.uint32)
    return partial(np.copyto, bits, x), partial(np.left_shift, bits, _word(16), bits)


def narrow(
    writes: Sequence[np.ndarray], reads: Sequence[np.ndarray], attributes: Mapping[str, Any]
) -> tuple[Callable[[], object], ...]:
    """f32 as the nearest bf16, of two that are as near the even one; NaN stays NaN. The second write is scratch."""
    (out, scratch), (x,) = writes, reads
    bits = x.view(np.uint32)
    wrong = scratch.reshape(-1).view(np.bool_)[: out.size].reshape(out.shape)
    return (
        partial(np.right_shift, bits, _word(16), scratch),
        partial(np.bitwise_and, scratch, _word(1), scratch),
        partial(np.add, scratch, _word(0x7FFF), scratch),
        partial(np.add, scratch, bits, scratch),
        partial(np.right_shift, scratch, _word(16), scratch),
        partial(np.copyto, out, scratch, "same_kind"),
        partial(np.isnan, x, wrong),
        partial(np.copyto, out, np.asarray(QUIET, np.uint16), "same_kind", wrong),
    )


def _word(value: int) -> np.ndarray:
    return np.asarray(value, np.uint32)
