"""Two machines and the memory that they share to a model that goes one position at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from ..machine import Binding, Machine, Memory, put
from ..philox import key_of

Array = Any
POSITION, SCORES = "position", "scores"


class Stepper:
    """Machines that begin a text and go on with it, for at most `rows` rows and texts of at most `limit` tokens.

    `begin` computes what does not depend on the text and empties the caches; `step` reads the tokens of one position,
    `grown` i[rows, 1], and the `position`, gives the `scores` [rows, entries], and keeps what later positions need.
    Both find weights and kept values by name in `memory`. `moving` gives the kept values that belong to the text by
    name, each with how many stretches it has for which the rows begin anew (1 where rows are its first axis).
    `several` is a number of positions and what makes the machine that goes by so many.
    """

    def __init__(
        self,
        begin: Machine,
        step: Machine,
        memory: Memory,
        *,
        rows: int,
        limit: int,
        grown: str,
        moving: Mapping[str, int],
        several: tuple[int, Callable[[], Machine]] | None = None,
        seed: int = 0,
    ) -> None:
        self.rows, self.limit = rows, limit
        self.chunk = several[0] if several else 0
        self._several = several
        self._memory, self._moving, self._grown = memory, moving, grown
        self._begin, self._step = begin, step
        self._key = key_of(seed)
        self._bound: Binding | None = None
        self._count = 0

    def begin(self, inputs: Mapping[str, Array], rows: int) -> None:
        """Forgets what was written; `inputs` are those that do not grow, for so many rows."""
        self._begin.forget()  # weights may have been written since
        self._step.forget()
        binding = self._begin.binding(rows)
        for name, place in binding.inputs.items():
            if name in inputs:
                put(name, place, inputs[name])
        self._control(binding.inputs, 0)
        self._begin.execute(binding)
        self._bound, self._count = self._step.binding(rows), rows

    def advance(self, tokens: Array, position: int) -> Array:
        """The scores of what follows the tokens at a position; they lie in the stepper's memory until the next call."""
        assert self._bound is not None, "a text must begin first"
        return self._go(self._step, self._bound, tokens[:, None], position)

    def read(self, tokens: Array, position: int) -> None:
        """Goes on by `chunk` positions, i64[rows, chunk], from `position` on."""
        reader = self._reader
        reader.forget()
        self._go(reader, reader.binding(self._count), tokens, position)

    @cached_property
    def _reader(self) -> Machine:
        assert self._several is not None
        return self._several[1]()

    def _go(self, machine: Machine, binding: Binding, tokens: Array, position: int) -> Array:
        binding.inputs[self._grown][...] = tokens
        self._control(binding.inputs, position)
        machine.execute(binding)
        return binding.results[SCORES]

    def follow(self, rows: Array) -> None:
        """Row i goes on from what row `rows[i]` has written."""
        for name, outer in self._moving.items():
            array = self._by_rows(name, outer)
            array[...] = array[:, rows]

    def _by_rows(self, name: str, outer: int) -> Array:
        """The part of a kept value that the rows use, as [outer, rows, the rest]."""
        array = self._memory[name]
        return array[: array.size // self.rows * self._count].reshape(outer, self._count, -1)

    def _control(self, inputs: Mapping[str, Array], position: int) -> None:
        for name, value in (("key", self._key), ("step", position), (POSITION, position)):
            if name in inputs:
                inputs[name][...] = value
