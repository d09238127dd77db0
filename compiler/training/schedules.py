"""Learning-rate schedules: the step, counted from 1, to the factor of the rate, as nodes.

Each is one class whose fields are its settings; `factor` is its formula. Warm-up may stand before any of them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..ir.scalar import Value
from ..settings import NotNegative, Positive
from .arithmetic import Formula


@dataclass(frozen=True)
class Schedule:
    """What every schedule is."""

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """The rate itself."""

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        return 1.0


@dataclass(frozen=True)
class Step(Schedule):
    """Times `gamma` after every `every` steps."""

    every: int
    gamma: Positive = 0.1

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        return f.pow(self.gamma, f.apply("floor", (step - 1) / self.every))


@dataclass(frozen=True)
class Exponential(Schedule):
    """Times `gamma` after every step."""

    gamma: Positive

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        return f.pow(self.gamma, step - 1)


@dataclass(frozen=True)
class Cosine(Schedule):
    """From 1 to `low` in `steps` steps along half a cosine (Loshchilov & Hutter 2017)."""

    steps: int
    low: NotNegative = 0.0

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        share = f.min((step - 1) / self.steps, 1.0)
        return (f.cos(share * math.pi) + 1) * (0.5 * (1 - self.low)) + self.low


@dataclass(frozen=True)
class InverseSquareRoot(Schedule):
    """`scale` / √step, constant during the warm-up (Vaswani et al. 2017)."""

    scale: Positive = 1.0

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        return self.scale / f.sqrt(f.max(step, float(max(warmup, 1))))


SCHEDULES: dict[str, type[Schedule]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", c.__name__).lower(): c
    for c in (Constant, Step, Exponential, Cosine, InverseSquareRoot)
}


def rate_at(f: Formula, schedule: Schedule, rate: float, step: Value, warmup: int) -> Value | float:
    """The learning rate of a step: the schedule's, after growing linearly during the warm-up."""
    value = schedule.factor(f, step, warmup) * rate
    return value * f.min(step / warmup, 1.0) if warmup else value
