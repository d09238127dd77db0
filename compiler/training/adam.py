"""Adam and its relatives: optimizers with moving means of the gradient and of its size."""

from __future__ import annotations

import math
from typing import ClassVar

from ...spec.record import replace
from ..ir.scalar import Value
from ..ir.types import F32, F64
from ..settings import NotNegative, Positive, Share
from .arithmetic import Formula
from .optimizer import Optimizer


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


class Adamw(Adam):
    """Adam with weight decay apart from the gradient: θ shrinks by rate · weight_decay (Loshchilov & Hutter 2019)."""

    weight_decay: NotNegative = 0.01

    def decaying(self, decay: float | None) -> tuple[Optimizer, float]:
        return self, self.weight_decay if decay is None else decay


class Moments(Optimizer):
    """What the relatives of Adam share: the means of the paper, m ← beta1 · m + (1 - beta1) · g and
    v ← beta2 · v + (1 - beta2) · g²."""

    rate: Positive = 1e-3
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Positive = 1e-8
    states: ClassVar[tuple[str, ...]] = ("first", "second")

    def means(self, f: Formula, g: Value, states: tuple[Value, ...]) -> tuple[Value, Value]:
        """The next m and v."""
        first = states[0] * self.beta1 + g * (1 - self.beta1)
        return first, states[1] * self.beta2 + f.square(g) * (1 - self.beta2)


class Nadam(Moments):
    """Adam that looks a step ahead as Nesterov's momentum does (Dozat 2016), with the paper's growing momentum
    μ(t) = beta1 · (1 - 0.96^(t · momentum_decay) / 2).

    The number `spent` is 1 - μ(1) · … · μ(t).
    """

    rate: Positive = 2e-3
    momentum_decay: NotNegative = 0.004
    numbers: ClassVar[tuple[str, ...]] = ("spent",)

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        first, second = self.means(f, g, states)
        now, ahead = self._momentum(f, step), self._momentum(f, step + 1)
        spent = 1 - (1 - states[2]) * now
        spent_ahead = 1 - (1 - spent) * ahead
        spread = f.sqrt(second / (1 - f.pow(self.beta2, step))) + self.epsilon
        direction = first * (ahead / spent_ahead) + g * ((1 - now) / spent)
        return theta - rate * direction / spread, (first, second, spent)

    def _momentum(self, f: Formula, step: Value) -> Value:
        return (1 - f.pow(0.96**self.momentum_decay, step) * 0.5) * self.beta1


class Adamax(Moments):
    """Adam with the decaying largest size of the gradient instead of its mean square (Kingma & Ba 2015, section
    7.1)."""

    rate: Positive = 2e-3

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        first = states[0] * self.beta1 + g * (1 - self.beta1)
        largest = f.max(states[1] * self.beta2, f.apply("abs", g) + self.epsilon)
        return theta - first / largest * (rate / (1 - f.pow(self.beta1, step))), (first, largest)


class Radam(Moments):
    """Adam that first goes by the mean gradient alone, until the spread of its divisor is small enough, and then
    rectifies it (Liu et al. 2020). `threshold` is 4 in the paper, 5 in its authors' code."""

    threshold: Positive = 4.0

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        first, second = self.means(f, g, states)
        length, correction, rectifier = self._rectified(f, step)
        adapted = correction * rectifier / (f.sqrt(second) + self.epsilon)
        scale = rate / (1 - f.pow(self.beta1, step))
        return theta - first * scale * f.where(length > self.threshold, adapted, 1.0), (first, second)

    def _rectified(self, f: Formula, step: Value) -> tuple[Value, Value, Value]:
        """The paper's ρ, √(1 - beta2^t) and r of a step; in f64, since ρ is a difference of large numbers."""
        t = f.cast(step, F64)
        power = f.pow(self.beta2, t)
        most = 2 / (1 - self.beta2) - 1
        length = most - t * power * 2 / (1 - power)
        share = (length - 4) * (length - 2) * (most / ((most - 4) * (most - 2))) / length
        rectifier = f.sqrt(f.max(share, 0.0))
        return f.cast(length, F32), f.cast(f.sqrt(1 - power), F32), f.cast(rectifier, F32)


class Lamb(Moments):
    """Adam whose step for each weight matrix is scaled to the norm of that matrix (You et al. 2020); weight decay is
    part of the step that is scaled. A norm of zero leaves the step as it is."""

    epsilon: Positive = 1e-6
    weight_decay: NotNegative = 0.01

    def update(
        self, f: Formula, theta: Value, g: Value, states: tuple[Value, ...], rate: Value, step: Value
    ) -> tuple[Value, tuple[Value, ...]]:
        first, second = self.means(f, g, states)
        spread = f.sqrt(second / (1 - f.pow(self.beta2, step))) + self.epsilon
        direction = first / spread / (1 - f.pow(self.beta1, step)) + theta * self.weight_decay

        def moved(weight: Value, along: Value) -> Value:
            size, length = f.norm(weight), f.norm(along)
            either = f.eq(size * length, 0.0)
            return weight - along * (rate * f.where(either, 1.0, size / f.where(either, 1.0, length)))

        return f.by_weight(moved, theta, direction), (first, second)

    def decaying(self, decay: float | None) -> tuple[Optimizer, float]:
        return (self if decay is None else replace(self, weight_decay=decay)), 0.0
