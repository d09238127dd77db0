"""Training: epochs of batches through something trainable, with evaluation, early stop, best weights and a record."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Protocol

import numpy as np

from .checkpoint import Arrays, Checkpoints, Progress
from .errors import Diverged, Mistake, quoted, suggestion
from .interruption import Interruption
from .metrics import Accumulation, Totals, larger_is_better
from .run import RunFolder

Batch = Mapping[str, np.ndarray]


class Trainable(Protocol):
    """What can be trained. The arrays of a batch are overwritten after each call."""

    def train_step(self, batch: Batch) -> Mapping[str, float]:
        """One update; the losses before it, each a mean over the batch: `loss`, the sum, and others by name."""

    def evaluate_batch(self, batch: Batch, number: int = 0) -> Mapping[str, Accumulation]:
        """What the batch of that number in its part contributes to each loss and metric."""

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of the parameters, the states and the optimizer's states."""

    def restore(self, arrays: Arrays) -> None:
        """Become what `snapshot` saw."""

    def begin_epoch(self, epoch: int) -> None:
        """Called before the first batch of `epoch`, from 1."""

    def scale_rate(self, scale: float) -> None:
        """Multiplies the learning rates of all further steps by `scale`; called only where settings have a plateau."""


class Batches(Protocol):
    """Where batches come from; a Dataset is one."""

    @property
    def parts(self) -> Mapping[str, Any]:
        """The parts by name: `train` and perhaps `validation` and `test`."""

    def batches(self, part: str, *, epoch: int | None = None, seed: int | None = None) -> Iterator[Batch]:
        """One pass over `part`; the same epoch and seed give the same batches. Without an epoch nothing is drawn."""


class Observer(Protocol):
    """Somebody who watches training go on."""

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        """Called after each update."""

    def epoch(self, record: Epoch) -> None:
        """Called after each epoch."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop when `monitor` has not got better by more than `minimum_change` for `patience` evaluations.

    `monitor` is a loss or metric of the validation part (of the training part if there is no other), or `train.` and a
    loss of the training part. `mode` is `min` or `max`; without it the metric's name decides.
    """

    monitor: str = "loss"
    patience: int = 5
    minimum_change: float = 0.0
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class Plateau:
    """Multiply rates by `gamma`, down to `low`, when what Stop monitors, else the loss, has not got better for
    `patience` evaluations."""

    gamma: float = 0.1
    patience: int = 10
    low: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How long to train and what to watch: until `epochs` or `steps`, whichever comes first, or a stop.

    `seed` decides the order of samples (None: the recipe's). Evaluation comes after every `evaluate_every` epochs and
    the last, a record of a step after every `log_every`. A run's weights are written at most every `save_seconds`, and
    at the end.
    """

    epochs: int | None = None
    steps: int | None = None
    stop: Stop | None = None
    plateau: Plateau | None = None
    seed: int | None = None
    evaluate_every: int = 1
    log_every: int = 10
    save_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Epoch:
    """What was measured in one epoch, from 1. `step` counts all updates so far, `seconds` are those of the epoch."""

    epoch: int
    step: int
    seconds: float
    train: Mapping[str, float]
    validation: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class History:
    """A finished training: why it ended (`epochs`, `steps` or `stop`), and which epoch was best, if any was judged."""

    epochs: tuple[Epoch, ...]
    best: int | None
    ended: str
    test: Mapping[str, float]


def fit(
    trainable: Trainable,
    dataset: Batches,
    settings: Settings,
    *,
    run: RunFolder | None = None,
    observer: Observer | None = None,
    resume: bool = False,
) -> History:
    """Train. With `settings.stop`, the best weights are those of the trainable at the end, whatever ended it.

    With `resume`, go on where `run` was last written: the result is that of a training that was never interrupted.
    Raises Diverged when a loss is not finite. SIGINT (Ctrl-C) and SIGTERM end training after the step under way, with
    KeyboardInterrupt or SystemExit(143). In each case what was whole is in `run`.
    """
    assert settings.epochs is not None or settings.steps is not None, "a training without an end"
    with Interruption() as interruption:
        training = _Training(trainable, dataset, settings, run, observer, interruption)
        if resume:
            training.resume()
        return training.complete()


@dataclass
class _Training:
    """One call of `fit` under way."""

    trainable: Trainable
    dataset: Batches
    settings: Settings
    run: RunFolder | None
    observer: Observer | None
    interruption: Interruption
    progress: Progress = field(default_factory=Progress)
    epochs: list[Epoch] = field(default_factory=list)
    best: Arrays | None = None

    def __post_init__(self) -> None:
        self.checkpoints = Checkpoints(self.run, self.settings.save_seconds) if self.run else None

    def resume(self) -> None:
        """Become what the run's folder says of an earlier call."""
        assert self.run
        arrays, metadata = self.run.load("last")
        self.trainable.restore(arrays)
        self.progress = Progress.from_texts(metadata)
        if self.settings.plateau:
            self.trainable.scale_rate(self.progress.scale)
        if self.progress.best_epoch is not None:
            self.best, _ = self.run.load("best")
        records = self.run.rewind(self.progress.step)
        self.epochs = [Epoch(**record) for record in records if "train" in record]

    def complete(self) -> History:
        """Train to the end and test."""
        try:
            ended = self._run_epochs()
        except (KeyboardInterrupt, SystemExit):
            if self.checkpoints:
                self.checkpoints.put("last", self.trainable.snapshot(), self.progress)
            raise
        finally:
            if self.checkpoints:
                self.checkpoints.flush()
        if self.settings.stop and self.best:
            self.trainable.restore(self.best)
        test = self._evaluate("test") if "test" in self.dataset.parts else {}
        best = self.progress.best_epoch
        self._log({"step": self.progress.step, "ended": ended, "best": best, "test": test})
        return History(tuple(self.epochs), best, ended, test)

    def _run_epochs(self) -> str:
        """Train to the end; what the end is."""
        settings, progress = self.settings, self.progress
        while True:
            if settings.stop and progress.since >= settings.stop.patience:
                return "stop"
            if self._enough_steps():
                return "steps"
            if settings.epochs is not None and progress.epoch > settings.epochs:
                return "epochs"
            self._run_epoch()

    def _run_epoch(self) -> None:
        progress = self.progress
        began = time.perf_counter()
        self.trainable.begin_epoch(progress.epoch)
        self._train()
        validation = self._evaluate("validation") if self._evaluation_is_due() else {}
        self._check_finite("validation.loss", validation.get("loss", 0.0))
        record = Epoch(progress.epoch, progress.step, time.perf_counter() - began, progress.means(), validation)
        self.epochs.append(record)
        self._judge(record)
        progress.begin(progress.epoch + 1)
        self._log(asdict(record))
        if self.checkpoints:
            self.checkpoints.put("last", self.trainable.snapshot(), progress)
        if self.observer:
            self.observer.epoch(record)

    def _train(self) -> None:
        """The rest of a pass over the training part, as far as steps allow."""
        progress = self.progress
        batches = self.dataset.batches("train", epoch=progress.epoch, seed=self.settings.seed)
        for batch in islice(batches, progress.batches, None):
            losses = self.trainable.train_step(batch)
            count = len(next(iter(batch.values())))
            progress.step += 1
            progress.batches += 1
            progress.samples += count
            for name, loss in losses.items():
                self._check_finite(name, loss)
                progress.sums[name] = progress.sums.get(name, 0.0) + loss * count
            self._report(losses)
            self.interruption.check()
            if self._enough_steps():
                break

    def _evaluate(self, part: str) -> dict[str, float]:
        """The losses and metrics of a part."""
        totals = Totals()
        for number, batch in enumerate(self.dataset.batches(part)):
            totals.add(self.trainable.evaluate_batch(batch, number))
            self.interruption.check()
        return totals.finish()

    def _judge(self, record: Epoch) -> None:
        """Keep the weights of a better epoch, count the worse ones."""
        stop, progress = self.settings.stop or Stop(), self.progress
        value = _monitored(record, stop.monitor, "validation" if "validation" in self.dataset.parts else "train")
        if value is None:
            return
        sign = -1 if (stop.mode or _mode(stop.monitor)) == "max" else 1
        best = math.inf if progress.best_value is None else sign * progress.best_value
        if not sign * value < best - (stop.minimum_change if best < math.inf else 0):
            progress.since += 1
            progress.waited += 1
            self._slow_down()
            return
        progress.best_value, progress.best_epoch, progress.since, progress.waited = value, record.epoch, 0, 0
        if self.settings.stop or self.checkpoints:
            self.best = self.trainable.snapshot()
        if self.checkpoints and self.best:
            self.checkpoints.put("best", self.best, progress)

    def _slow_down(self) -> None:
        """Smaller rates where nothing got better for long enough."""
        plateau, progress = self.settings.plateau, self.progress
        if plateau and progress.waited >= plateau.patience and progress.scale > plateau.low:
            progress.scale, progress.waited = max(progress.scale * plateau.gamma, plateau.low), 0
            self.trainable.scale_rate(progress.scale)

    def _check_finite(self, name: str, loss: float) -> None:
        if not math.isfinite(loss):
            epoch, step = self.progress.epoch, self.progress.step
            with suppress(Mistake):  # a full disk is the lesser news
                self._log({"epoch": epoch, "step": step, "diverged": name, "value": str(loss)})
            raise Diverged(epoch=epoch, step=step, name=name, loss=loss)

    def _report(self, losses: Mapping[str, float]) -> None:
        progress = self.progress
        if progress.step % self.settings.log_every == 0:
            self._log({"epoch": progress.epoch, "step": progress.step, "losses": losses})
        if self.observer:
            self.observer.step(progress.epoch, progress.step, losses)

    def _log(self, record: Mapping[str, Any]) -> None:
        if self.run:
            self.run.log(record)

    def _enough_steps(self) -> bool:
        return self.settings.steps is not None and self.progress.step >= self.settings.steps

    def _evaluation_is_due(self) -> bool:
        epoch, settings = self.progress.epoch, self.settings
        last = epoch == settings.epochs or self._enough_steps()
        return "validation" in self.dataset.parts and (last or epoch % settings.evaluate_every == 0)


def _mode(monitor: str) -> str:
    return "max" if larger_is_better(monitor) else "min"


def _monitored(record: Epoch, monitor: str, part: str) -> float | None:
    """The value that `monitor` names, None if this epoch was not evaluated. A Mistake if there is no such metric."""
    chosen, _, name = monitor.rpartition(".")
    values = record.train if (chosen or part) == "train" else record.validation
    if not values:
        return None
    if name not in values:
        problem = f"training is to stop by {quoted(monitor)}, which is not measured"
        raise Mistake("unknown-monitor", problem, suggestion(monitor, values))
    return values[name]
