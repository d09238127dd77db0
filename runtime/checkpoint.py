"""How far a training is, and its weights on the way to the folder of its run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .run import RunFolder

_PROGRESS = "progress"

Arrays = Mapping[str, np.ndarray]


@dataclass
class Progress:
    """Where a training stands between two steps; with the trainable's arrays all that going on needs.

    `epoch`, from 1, is under way: `batches` of it are done, which had `samples` samples and `sums` of losses. The best
    evaluation was in `best_epoch`, `since` evaluations ago. Rates are multiplied by `scale`, and `waited` evaluations
    since that was last made smaller, or since something got better.
    """

    epoch: int = 1
    step: int = 0
    batches: int = 0
    samples: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    best_value: float | None = None
    best_epoch: int | None = None
    since: int = 0
    scale: float = 1.0
    waited: int = 0

    def begin(self, epoch: int) -> None:
        """Turn to the first batch of `epoch`."""
        self.epoch, self.batches, self.samples, self.sums = epoch, 0, 0, {}

    def means(self) -> dict[str, float]:
        """The mean of each loss over the samples of this epoch so far."""
        return {name: total / self.samples for name, total in self.sums.items()}

    def texts(self) -> dict[str, str]:
        """This, as the metadata of a weights file."""
        return {_PROGRESS: json.dumps(asdict(self))}

    @classmethod
    def from_texts(cls, metadata: Mapping[str, str]) -> Progress:
        """What `texts` wrote."""
        known: dict[str, Any] = json.loads(metadata[_PROGRESS])
        return cls(**known)


class Checkpoints:
    """Weights on their way into a run's folder, written at most every `seconds` and when `flush` is called."""

    def __init__(self, run: RunFolder, seconds: float) -> None:
        self._run = run
        self._seconds = seconds
        self._waiting: dict[str, tuple[Arrays, dict[str, str]]] = {}
        self._written = time.monotonic()

    def put(self, name: str, arrays: Arrays, progress: Progress) -> None:
        """Weights to become the file `name`; those put before under that name need not be written any more."""
        self._waiting[name] = arrays, progress.texts()
        if time.monotonic() - self._written >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        for name in sorted(self._waiting):  # `best` before `last`, which speaks of it
            self._run.save(name, *self._waiting[name])
        self._waiting.clear()
        self._written = time.monotonic()
