"""The garbage collector stands still while a spec is compiled.

A compilation makes many small objects and keeps nearly all of them to its end; what it drops, reference counts free.
The collector would look at all that is kept each time that it has grown by a quarter, and find next to nothing.
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
            gc.enable()
