"""Why a plan cannot run on a GPU here: each says what is missing, and what to do."""

from __future__ import annotations

from typing import ClassVar

from ..errors import Mistake


class NoDevice(Mistake):
    """CuPy is missing, or there is no GPU that it can use."""

    exit_code: ClassVar[int] = 5


class LittleMemory(Mistake):
    """A plan that needs more memory than the device has free, both in bytes."""

    exit_code: ClassVar[int] = 5

    def __init__(self, code: str, problem: str, help: str = "", *, needed: int, free: int) -> None:
        super().__init__(code, problem, help)
        self.needed = needed
        self.free = free

    @classmethod
    def of(cls, needed: int, free: int, rows: int) -> LittleMemory:
        problem = f"{rows} samples at once need {needed:,} bytes on the GPU, of which {free:,} are free"
        return cls("too-little-memory", problem, "make the model or the batch smaller", needed=needed, free=free)

    def with_largest(self, rows: int) -> LittleMemory:
        """The same with what to do: the most samples that fit, 0 for none."""
        advice = (
            f"{rows} samples fit: set `batch` to that" if rows else "not even one sample fits: make the model smaller"
        )
        return LittleMemory(self.code, self.problem, advice, needed=self.needed, free=self.free)
