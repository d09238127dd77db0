"""Why a plan cannot run as C on this machine: reasons to run it on NumPy instead."""

from __future__ import annotations

LINES = 8  # of what a compiler says


class NotNative(Exception):
    """C cannot be compiled or run here. The text says why in one line, and what to do where that is known."""


class NoCompiler(NotNative):
    """No C compiler was found, or none that makes code which computes what it should."""


class UnsafeFolder(NotNative):
    """The folder for compiled code is open to others, who could put code there."""


class CompilationFailed(NotNative):
    """The compiler refused a text, crashed, or took too long. `output` is the beginning of what it said."""

    def __init__(self, problem: str, output: str = "") -> None:
        self.output = "\n".join(output.strip().splitlines()[:LINES])
        super().__init__(f"{problem}:\n{self.output}" if self.output else problem)


class NoThreads(NotNative):
    """The system refuses to start as many threads as the code is written for."""
