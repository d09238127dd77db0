"""Optimizers: a flat range of weights and its gradient to the next weights and the next states, as nodes.

Each is one class: its fields are its settings as a spec writes them, `states` names what it remembers for each weight
(beginning at zero), `update` is the rule of its paper. `step` counts from 1.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

from ..ir.scalar import Value
from ..settings import NotNegative, Positive, Share
from .arithmetic import Formula


@dataclass(frozen=True)
class Optimizer:
    """What every optimizer is; `rate` is the learning rate before schedule and multipliers."""

    rate: Positive
    states: ClassVar[tuple[str, ...]] = ()

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        """The next weights and states."""
        raise NotImplementedError

    @property
    def remembered(self) -> tuple[str, ...]:
        """The states that these settings need."""
        return self.states


@dataclass(frozen=True)
class Sgd(Optimizer):
    """v ← momentum · v + g; θ ← θ - rate · v (Polyak 1964), or ahead by one step (Nesterov 1983; Sutskever et al.
    2013)."""

    momentum: Share = 0.0
    nesterov: bool = False
    states: ClassVar[tuple[str, ...]] = ("velocity",)

    @property
    def remembered(self) -> tuple[str, ...]:
        return self.states if self.momentum else ()

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        if not self.momentum:
            return theta - rate * g, ()
        velocity = states[0] * self.momentum + g
        ahead = g + velocity * self.momentum if self.nesterov else velocity
        return theta - rate * ahead, (velocity,)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Moving means of the gradient and its square, corrected for their beginning at zero (Kingma & Ba 2015).

    The states are the paper's means divided by 1 - beta, so that a step passes over the weights three times less:
    m = (1 - beta1) · first, v = (1 - beta2) · second.
    """

    rate: Positive = 1e-3
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Positive = 1e-8
    states: ClassVar[tuple[str, ...]] = ("first", "second")

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        first = states[0] * self.beta1 + g
        second = states[1] * self.beta2 + f.square(g)
        unit = math.sqrt(1 - self.beta2)
        correction = f.sqrt(1 - f.pow(self.beta2, step))
        scale = correction / (1 - f.pow(self.beta1, step)) * (rate * ((1 - self.beta1) / unit))
        spread = f.sqrt(second) + correction * (self.epsilon / unit)
        return theta - first / spread * scale, (first, second)


@dataclass(frozen=True)
class Adamw(Adam):
    """Adam with weight decay apart from the gradient: θ shrinks by rate · weight_decay (Loshchilov & Hutter 2019)."""

    weight_decay: NotNegative = 0.01


OPTIMIZERS: dict[str, type[Optimizer]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", c.__name__).lower(): c for c in (Sgd, Adam, Adamw)
}


def decay_of(optimizer: Optimizer) -> float:
    """The decoupled weight decay that the optimizer itself asks for."""
    return optimizer.weight_decay if isinstance(optimizer, Adamw) else 0.0
