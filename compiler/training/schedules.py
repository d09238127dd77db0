"""Learning-rate schedules: the step, counted from 1, to the factor of the rate, as nodes.

Each is one class whose fields are its settings; `factor` is its formula. Warm-up may stand before any of them.
"""

from __future__ import annotations

import math
import re
from functools import reduce
from operator import mul

from ...spec.record import Record
from ..ir.graph import CONTROL
from ..ir.scalar import Value
from ..ir.types import F32, Tensor
from ..settings import Counts, NotNegative, Positive, Share
from .arithmetic import Formula

SCALE = "scale"


class Schedule(Record):
    """What every schedule is."""

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        raise NotImplementedError


class Constant(Schedule):
    """The rate itself."""

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        return 1.0


class Step(Schedule):
    """Times `gamma` after every `every` steps."""

    every: int
    gamma: Positive = 0.1

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        return f.pow(self.gamma, f.apply("floor", (step - 1) / self.every))


class Exponential(Schedule):
    """Times `gamma` after every step."""

    gamma: Positive

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        return f.pow(self.gamma, step - 1)


class Cosine(Schedule):
    """From 1 to `low` in `steps` steps along half a cosine (Loshchilov & Hutter 2017)."""

    steps: int
    low: NotNegative = 0.0

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        share = f.min((step - 1) / self.steps, 1.0)
        return (f.cos(share * math.pi) + 1) * (0.5 * (1 - self.low)) + self.low


class InverseSquareRoot(Schedule):
    """`scale` / √step, constant during the warm-up (Vaswani et al. 2017)."""

    scale: Positive = 1.0

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        return self.scale / f.sqrt(f.max(step, float(max(warmup, 1))))


class Multistep(Schedule):
    """Times `gamma` after each of the steps `after`."""

    after: Counts
    gamma: Positive = 0.1

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        factors = [f.where(step > float(count), self.gamma, f.value(f.b.literal(1.0, F32))) for count in self.after]
        return reduce(mul, factors)


class Polynomial(Schedule):
    """From 1 to `low` in `steps` steps along a power of what is left of them; of power 1 a straight line."""

    steps: int
    power: Positive = 1.0
    low: NotNegative = 0.0

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        left = f.max(1 - (step - 1) / self.steps, 0.0)
        return f.pow(left, self.power) * (1 - self.low) + self.low


class CosineRestarts(Schedule):
    """From 1 to `low` along half a cosine again and again, first in `steps` steps, each time in `growth` times as many
    (Loshchilov & Hutter 2017)."""

    steps: int
    growth: int = 1
    low: NotNegative = 0.0

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        share = self._share(f, step - 1)
        return (f.cos(share * math.pi) + 1) * (0.5 * (1 - self.low)) + self.low

    def _share(self, f: Formula, done: Value) -> Value:
        """How much of the turn under way is done. The turn is sought half a step later, so that rounding of the
        logarithm never ends it early."""
        if self.growth == 1:
            turns = done / self.steps
            return turns - f.apply("floor", (done + 0.5) / self.steps)
        before = f.log((done + 0.5) * ((self.growth - 1) / self.steps) + 1) / math.log(self.growth)
        times = f.pow(float(self.growth), f.apply("floor", before))
        return (done - (times - 1) * (self.steps / (self.growth - 1))) / (times * self.steps)


class OneCycle(Schedule):
    """From `first` up to 1 for the share `rise` of `steps`, then down to `last`, both along half a cosine (Smith &
    Topin 2018)."""

    steps: int
    rise: Share = 0.3
    first: NotNegative = 0.04
    last: NotNegative = 4e-6

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        top, done = self.rise * self.steps - 1, step - 1
        down = self._between(f, 1.0, self.last, (done - top) / max(self.steps - 1 - top, 1.0))
        return f.where(done < top, self._between(f, self.first, 1.0, done / top), down) if top > 0 else down

    def _between(self, f: Formula, start: float, end: float, share: Value) -> Value:
        return (f.cos(f.min(f.max(share, 0.0), 1.0) * math.pi) + 1) * (0.5 * (start - end)) + end


class Plateau(Schedule):
    """Times `gamma` when what `stop` monitors, else the loss, has not got better for `patience` evaluations, until it
    is `low`. The training loop says so through the control `scale`."""

    gamma: Share = 0.1
    patience: int = 10
    low: NotNegative = 0.0

    def factor(self, f: Formula, step: Value, warmup: int) -> Value | float:
        return f.value(f.b.input(SCALE, CONTROL, Tensor(F32, ())))


SCHEDULES: dict[str, type[Schedule]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", c.__name__).lower(): c
    for c in (
        Constant,
        Step,
        Multistep,
        Exponential,
        Polynomial,
        Cosine,
        CosineRestarts,
        OneCycle,
        InverseSquareRoot,
        Plateau,
    )
}


def rate_at(f: Formula, schedule: Schedule, rate: float, step: Value, warmup: int) -> Value | float:
    """The learning rate of a step: the schedule's, after growing linearly during the warm-up."""
    value = schedule.factor(f, step, warmup) * rate
    return value * f.min(step / warmup, 1.0) if warmup else value
