"""Limits of time on a machine that others use, and calls, which are the same however busy it is."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable

TURNS = 5


def is_done_within(limit: float, work: Callable[[], object]) -> bool:
    """Whether work takes less than so many seconds of the processor, in one of some turns: one that is shared is at
    times half as fast. What other tests left in memory is not searched for garbage meanwhile."""
    for _ in range(TURNS):
        gc.collect()
        gc.freeze()
        try:
            start = time.process_time()
            work()
            if time.process_time() - start < limit:
                return True
        finally:
            gc.unfreeze()
    return False


def calls(work: Callable[[], object]) -> int:
    """How many functions are called meanwhile, those of Python's own included."""
    count = 0

    def called(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
