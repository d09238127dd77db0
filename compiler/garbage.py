"""The garbage collector stands still while a spec is compiled.

A compilation makes many small objects and keeps nearly all of them to its end; what it drops, reference counts free.
The collector would look at all that is kept each time that it has grown by a quarter, and find next to nothing.
For the same reason what was made meanwhile counts as old afterwards: only a full collection looks at it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Nothing is collected inside; around a function, as a decorator, while it runs."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            _grow_old()
            gc.enable()


def _grow_old() -> None:
    """Makes all objects old, unless somebody keeps some from the collector, who would get those back too."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
