"""Limits of time on a machine that others use."""

from __future__ import annotations

import gc
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
