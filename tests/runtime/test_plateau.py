"""Rates become smaller when the loss has not got better for long enough, and stay so after going on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime.metrics import Mean
from axonc.runtime.run import RunFolder
from axonc.runtime.trainer import Plateau, Settings, Stop, fit

LOSSES = [5, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3]


class Scripted:
    """Something whose validation loss is written down beforehand; it keeps the scale of each epoch."""

    def __init__(self) -> None:
        self.epoch, self.scale = 0, 1.0
        self.scales: list[float] = []

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def train_step(self, batch: Mapping[str, np.ndarray]) -> dict[str, float]:
        self.scales.append(self.scale)
        return {"loss": 0.0}

    def evaluate_batch(self, batch: Mapping[str, np.ndarray], number: int = 0) -> dict[str, Mean]:
        return {"loss": Mean(LOSSES[self.epoch - 1], 1), "accuracy": Mean(self.epoch, 1)}

    def snapshot(self) -> dict[str, np.ndarray]:
        return {"weight": np.zeros(1)}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        pass

    def scale_rate(self, scale: float) -> None:
        self.scale = scale


class OneBatch:
    """A training and a validation part of one batch each."""

    parts = {"train": None, "validation": None}  # noqa: RUF012 - never written

    def batches(self, part: str, *, epoch: int = 0, seed: int | None = None) -> Iterator[dict[str, np.ndarray]]:
        yield {"x": np.zeros(1)}


def scales(settings: Settings) -> list[float]:
    model = Scripted()
    fit(model, OneBatch(), settings)
    return model.scales


def test_a_scale_is_lowered_after_each_stretch_of_evaluations_without_progress() -> None:
    found = scales(Settings(epochs=12, plateau=Plateau(0.5, 2)))
    assert found == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]


def test_a_scale_is_never_lower_than_low() -> None:
    assert min(scales(Settings(epochs=12, plateau=Plateau(0.1, 1, 0.02)))) == 0.02


def test_what_stop_monitors_is_what_the_plateau_watches() -> None:
    settings = Settings(epochs=12, stop=Stop("accuracy", patience=5), plateau=Plateau(0.5, 2))
    assert scales(settings) == [1.0] * 12


def test_without_a_plateau_rates_are_left_alone() -> None:
    assert scales(Settings(epochs=12)) == [1.0] * 12


def test_a_training_that_goes_on_keeps_its_scale(tmp_path: Path) -> None:
    plateau = Plateau(0.5, 2)
    with RunFolder.new(tmp_path / "run") as run:
        run.describe("", version="0", seed=0)
        fit(Scripted(), OneBatch(), Settings(epochs=6, plateau=plateau), run=run)
    again = Scripted()
    with RunFolder.reopen(tmp_path / "run") as run:
        fit(again, OneBatch(), Settings(epochs=12, plateau=plateau), run=run, resume=True)
    assert again.scales == pytest.approx(scales(Settings(epochs=12, plateau=plateau))[6:])
