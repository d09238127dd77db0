"""What an optimizer is: a flat range of weights and its gradient to the next weights and the next states, as nodes."""

from __future__ import annotations

from typing import ClassVar

from ...spec.record import Record
from ..ir.scalar import Value
from ..settings import Positive
from .arithmetic import Formula


class Optimizer(Record):
    """What every optimizer is: its fields are its settings as a spec writes them, `states` names what it remembers for
    each weight, `numbers` what it remembers once for a whole range; all begin at zero. `rate` is the learning rate
    before schedule and multipliers."""

    rate: Positive
    states: ClassVar[tuple[str, ...]] = ()
    numbers: ClassVar[tuple[str, ...]] = ()

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        """The next weights and states by the rule of its paper; `step` counts from 1."""
        raise NotImplementedError

    @property
    def remembered(self) -> tuple[str, ...]:
        """The states that these settings need, then the numbers."""
        return self.states + self.numbers

    def decaying(self, decay: float | None) -> tuple[Optimizer, float]:
        """The optimizer of weights for which a group asks `decay`, and by how much the weights shrink apart from it:
        by rate · decay. None is what the optimizer itself asks for."""
        return self, decay or 0.0
