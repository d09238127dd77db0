"""Two plans and the memory that they share to a model that goes one position at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..machine import Machine, put
from ..plan import Plan

Array = Any
POSITION, SCORES = "position", "scores"


class Stepper:
    """Plans that begin a text and go on with it, for a fixed number of rows.

    `begin` computes what does not depend on the text and empties the caches; `step` reads the tokens of one position,
    `grown` i[rows, 1], and the `position`, gives the `scores` [rows, entries], and keeps what later positions need.
    Both read weights and kept values by name in `memory`. `moving` gives the kept values that belong to the text by
    name, each with how many stretches it has for which the rows begin anew (1 where rows are its first axis).
    """

    def __init__(
        self,
        begin: Plan,
        step: Plan,
        memory: dict[str, Array],
        *,
        rows: int,
        grown: str,
        moving: Mapping[str, int],
        seed: int = 0,
    ) -> None:
        self._memory = memory
        self._begin, self._step = Machine(begin, memory), Machine(step, memory)
        self._grown = grown
        self._moving = tuple(memory[name].reshape(outer, rows, -1) for name, outer in moving.items())
        self._key = (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF)

    def begin(self, inputs: Mapping[str, Array]) -> None:
        """Forgets what was written; `inputs` are those that do not grow, a row for each row."""
        self._begin.forget()  # weights may have been written since
        self._step.forget()
        binding = self._begin.binding()
        for name, place in binding.inputs.items():
            if name in inputs:
                put(name, place, inputs[name])
        self._control(binding.inputs, 0)
        self._begin.execute(binding)

    def advance(self, tokens: Array, position: int) -> Array:
        """The scores of what follows the tokens at a position; they lie in the stepper's memory until the next call."""
        binding = self._step.binding()
        binding.inputs[self._grown][...] = tokens[:, None]
        self._control(binding.inputs, position)
        self._step.execute(binding)
        return binding.results[SCORES]

    def follow(self, rows: Array) -> None:
        """Row i goes on from what row `rows[i]` has written."""
        for array in self._moving:
            array[...] = array[:, rows]

    def _control(self, inputs: Mapping[str, Array], position: int) -> None:
        for name, value in (("key", self._key), ("step", position), (POSITION, position)):
            if name in inputs:
                inputs[name][...] = value
