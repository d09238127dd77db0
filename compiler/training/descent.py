"""Optimizers that step along the gradient, its sign, or the gradient divided by what it was so far."""

from __future__ import annotations

from typing import ClassVar

from ..ir.scalar import Value
from ..settings import NotNegative, Positive, Share
from .arithmetic import Formula
from .optimizer import Optimizer


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


class Lion(Optimizer):
    """Steps of one size along the sign of a moving mean of the gradient, weight decay apart (Chen et al. 2023)."""

    rate: Positive = 1e-4
    beta1: Share = 0.9
    beta2: Share = 0.99
    weight_decay: NotNegative = 0.0
    states: ClassVar[tuple[str, ...]] = ("first",)

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        (first,) = states
        direction = f.sign(first * self.beta1 + g * (1 - self.beta1))
        return theta - rate * direction, (first * self.beta2 + g * (1 - self.beta2),)

    def decaying(self, decay: float | None) -> tuple[Optimizer, float]:
        return self, self.weight_decay if decay is None else decay


class Adagrad(Optimizer):
    """The gradient divided by the root of the sum of all its squares so far (Duchi et al. 2011)."""

    rate: Positive = 0.01
    epsilon: Positive = 1e-10
    states: ClassVar[tuple[str, ...]] = ("second",)

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        second = states[0] + f.square(g)
        return theta - rate * g / (f.sqrt(second) + self.epsilon), (second,)


class Rmsprop(Optimizer):
    """The gradient divided by the root of a moving mean of its square (Tieleman & Hinton 2012), perhaps with
    momentum."""

    rate: Positive = 1e-3
    decay: Share = 0.9
    epsilon: Positive = 1e-8
    momentum: Share = 0.0
    states: ClassVar[tuple[str, ...]] = ("second", "velocity")

    @property
    def remembered(self) -> tuple[str, ...]:
        return self.states if self.momentum else self.states[:1]

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        second = states[0] * self.decay + f.square(g) * (1 - self.decay)
        direction = g / (f.sqrt(second) + self.epsilon)
        if not self.momentum:
            return theta - rate * direction, (second,)
        velocity = states[1] * self.momentum + direction
        return theta - rate * velocity, (second, velocity)


class Adadelta(Optimizer):
    """Steps in the unit of the weights: the gradient times the ratio of the moving root mean squares of steps and
    gradients (Zeiler 2012)."""

    rate: Positive = 1.0
    decay: Share = 0.95
    epsilon: Positive = 1e-6
    states: ClassVar[tuple[str, ...]] = ("second", "steps")

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        second = states[0] * self.decay + f.square(g) * (1 - self.decay)
        change = g * f.sqrt((states[1] + self.epsilon) / (second + self.epsilon))
        steps = states[1] * self.decay + f.square(change) * (1 - self.decay)
        return theta - rate * change, (second, steps)
