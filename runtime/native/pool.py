"""The threads of this process that work on steps together, in C."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from .errors import NoThreads
from .objects import Objects, header


class Pool:
    """One pool. It starts threads when they are first asked for, and again in the child of a fork."""

    def __init__(self, objects: Objects) -> None:
        text = Path(__file__).with_name("pool.c").read_text(encoding="utf-8")
        self._library = objects.library((header() + text,))
        self._library.ax_prepare.argtypes = (ctypes.c_int64,)

    def address(self, threads: int) -> int:
        """What `parallel` of a run points to. Raises NoThreads where so many cannot be started."""
        if self._library.ax_prepare(threads):
            raise NoThreads(f"the system does not start {threads} threads")
        return ctypes.cast(self._library.ax_parallel, ctypes.c_void_p).value or 0

    def stop(self) -> None:
        """Ends the threads, unless they are at work."""
        self._library.ax_stop()


@cache
def pool(objects: Objects) -> Pool:
    """The pool of this process."""
    return Pool(objects)
