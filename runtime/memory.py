"""Memory for what a plan computes with: zeroed, aligned, and brought by the system as soon as that pays."""

from __future__ import annotations

import mmap
import sys
from contextlib import suppress
from typing import Any

import numpy as np

from .errors import OutOfMemory

ALIGNMENT = 64
PAGE = 2 << 20  # bytes of a large one; NumPy asks the system for them where an array has at least twice as many
MANY, MOST = 256 << 10, 64 << 20  # bytes for which it pays, and is no risk, to ask the system for all pages at once
POPULATE = 23  # to bring all pages as if they were written to (Linux 5.14)


def aligned(size: int) -> np.ndarray[Any, Any]:
    """Zeroed bytes whose address is a multiple of 64. Raises OutOfMemory.

    Many bytes begin with a large page, where what that may cost is a twentieth at most: to touch one for the first time
    takes as long as some hundredths of its small ones.
    """
    step = PAGE if size >= 20 * PAGE else ALIGNMENT
    try:
        raw = np.zeros(size + step, np.uint8)
    except (MemoryError, ValueError):
        raise OutOfMemory.of("what lies between the layers", size) from None
    start = -raw.__array_interface__["data"][0] % step
    return raw[start : start + size]


def present(size: int) -> np.ndarray[Any, Any]:
    """Zeroed bytes of which all are used at once, as weights and what an optimizer keeps of them are: the system brings
    its pages together, which takes about half as long as one by one. Raises OutOfMemory.
    """
    if not MANY <= size <= MOST or sys.platform != "linux":
        return aligned(size)
    try:
        pages = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, ValueError, OverflowError):
        raise OutOfMemory.of("what lies between the layers", size) from None
    for advice in (mmap.MADV_HUGEPAGE, POPULATE):
        with suppress(OSError):  # systems that cannot bring them when they are touched
            pages.madvise(advice)
    return np.frombuffer(pages, np.uint8)
