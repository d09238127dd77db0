"""Ctrl-C and termination that wait until what is under way is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interruption:
    """While it is entered, the first SIGINT or SIGTERM waits for `check`; a second one does not wait.

    Outside the main thread, where no signal arrives, it does nothing.
    """

    def __init__(self) -> None:
        self._received = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise what the signal asked for, if one came: KeyboardInterrupt, or SystemExit with 143."""
        if self._received == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        if self._received:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        again, self._received = bool(self._received), number
        if again:
            self.check()
