"""bf16, the upper half of f32, for array modules that have no such type: in definitions its numbers lie in f32."""

from __future__ import annotations

import struct
from typing import Any

QUIET = 0x7FC0  # a NaN


def rounded(xp: Any, x: Any) -> Any:
    """The numbers of bf16 nearest to those of an f32 array, of two that are as near the even one."""
    wide = xp.asarray(x, dtype=xp.float32)
    bits = wide.view(xp.uint32)
    upper = (bits + ((bits >> 16) & 1) + 0x7FFF) & xp.uint32(0xFFFF0000)
    return xp.where(xp.isnan(wide), wide, upper.view(xp.float32))


def pattern(value: float) -> int:
    """The two bytes of the number of bf16 that is nearest to a number."""
    if value != value:
        return QUIET
    try:
        (bits,) = struct.unpack("<I", struct.pack("<f", value))
    except OverflowError:
        return 0xFF80 if value < 0 else 0x7F80
    return (int(bits) + (int(bits) >> 16 & 1) + 0x7FFF) >> 16
