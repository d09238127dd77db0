"""Functions that look along the rows: they move no data, but say which rows make up one sample."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """A sample is `length` rows in succession. Samples begin every `every` rows; without it at each row, or for a
    continuous text where the one before ends."""

    length: int
    every: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("length", self.length), ("every", self.every)):
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"`{name}` is {value}, expected a whole number from 1")


@dataclass(frozen=True, slots=True)
class Shift:
    """A sample is what stands `rows` rows later: what is to be foretold."""

    rows: int

    def __post_init__(self) -> None:
        if type(self.rows) is not int or self.rows < 0:
            raise ValueError(f"`rows` is {self.rows}, expected a whole number from 0")
