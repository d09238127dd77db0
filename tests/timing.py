"""Limits of time on a machine that others use, and calls, which are the same however busy it is."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from copy import deepcopy

TURNS = 5
YARD = 0.042  # seconds that copying LENGTH takes on a quiet core of 2021 (Zen 3), whose seconds limits are given in
LENGTH = [[{"number": i, "items": list(range(8))} for i in range(50)] for _ in range(150)]


def is_done_within(limit: float, work: Callable[[], object]) -> bool:
    """Whether work takes less than so many seconds; see `least`."""
    return least(work, limit) < limit


def least(work: Callable[[], object], enough: float, turns: int = TURNS) -> float:
    """The least seconds of the processor that work takes, of some turns, fewer where that is less than enough.

    Where Python is slower, because of the processor or of others who use it, the seconds are longer: what copying some
    lists takes in the same turns is their measure.
    """
    found = yard = float("inf")
    for _ in range(turns):
        yard = min(yard, _seconds(lambda: deepcopy(LENGTH)))
        found = min(found, _seconds(work))
        if found / max(1, yard / YARD) < enough:
            break
    return found / max(1, yard / YARD)


def _seconds(work: Callable[[], object]) -> float:
    """What other tests left in memory is not searched for garbage meanwhile."""
    gc.collect()
    gc.freeze()
    try:
        start = time.process_time()
        work()
        return time.process_time() - start
    finally:
        gc.unfreeze()


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
