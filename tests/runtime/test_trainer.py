"""Training a small model by hand-written gradients: what fit promises about ends, best weights, records and signals."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime import archive
from axonc.runtime.data.dataset import Dataset, load
from axonc.runtime.data.recipe import Augmentation, Binding, Column, Recipe
from axonc.runtime.errors import Diverged, FileError, Mistake
from axonc.runtime.metrics import Accumulation, Collected, Mean
from axonc.runtime.run import RunFolder, read_metrics
from axonc.runtime.trainer import Epoch, Settings, Stop, fit

SPLIT = (("train", 0.6), ("validation", 0.2), ("test", 0.2))


class Logistic:
    """Logistic regression by stochastic gradient descent with momentum."""

    def __init__(self, rate: float = 0.1, momentum: float = 0.9) -> None:
        self.rate, self.momentum = rate, momentum
        self.weight, self.speed = np.zeros(4), np.zeros(4)
        self.begun: list[int] = []
        self.seen: list[np.ndarray] = []

    def _shares(self, batch: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        score = batch["x"] @ self.weight
        return score, 1 / (1 + np.exp(-score))

    def train_step(self, batch: Mapping[str, np.ndarray]) -> dict[str, float]:
        self.seen.append(batch["id"].copy())
        score, share = self._shares(batch)
        losses = np.logaddexp(0, score) - batch["y"] * score
        self.speed = self.momentum * self.speed - self.rate * (batch["x"].T @ (share - batch["y"])) / len(score)
        self.weight = self.weight + self.speed
        return {"loss": float(losses.mean()), "entropy": float(losses.mean())}

    def evaluate_batch(self, batch: Mapping[str, np.ndarray], number: int = 0) -> dict[str, Accumulation]:
        score, _ = self._shares(batch)
        losses = np.logaddexp(0, score) - batch["y"] * score
        return {
            "loss": Mean(losses.sum(), len(score)),
            "accuracy": Mean(((score > 0) == batch["y"]).sum(), len(score)),
            "roc_auc": Collected("roc_auc", (score, batch["y"])),
        }

    def snapshot(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight.copy(), "speed": self.speed.copy()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.weight, self.speed = arrays["weight"].copy(), arrays["speed"].copy()

    def begin_epoch(self, epoch: int) -> None:
        self.begun.append(epoch)


def data(tmp_path: Path, split: tuple[tuple[str, float], ...] = SPLIT, n: int = 250) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4))
    y = (x @ [1, -2, 0.5, 0] + rng.normal(0, 1, n) > 0).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=y, id=np.arange(n))
    bindings = tuple(Binding(name, name == "y", (Column(name),)) for name in ("x", "y", "id"))
    return load(Recipe("a.npz", bindings, split, batch=16), tmp_path)


# What is measured


def test_the_model_learns_and_every_epoch_is_recorded(tmp_path: Path) -> None:
    dataset = data(tmp_path)
    model = Logistic()
    history = fit(model, dataset, Settings(epochs=8))
    assert (history.ended, len(history.epochs), model.begun) == ("epochs", 8, list(range(1, 9)))
    assert history.epochs[-1].step == 8 * 10
    assert history.epochs[-1].train["loss"] < 0.6 * history.epochs[0].train["loss"]
    assert set(history.epochs[0].validation) == {"loss", "accuracy", "roc_auc"} == set(history.test)
    test = dataset.parts["test"].arrays()
    right = ((test["x"] @ model.weight > 0) == test["y"]).mean()
    assert history.test["accuracy"] == pytest.approx(right)


def test_the_training_loss_is_the_mean_over_samples_not_batches(tmp_path: Path) -> None:
    dataset = data(tmp_path, (("train", 1.0),), n=20)
    history = fit(Logistic(rate=0), dataset, Settings(epochs=1))
    assert history.epochs[0].train["loss"] == pytest.approx(math.log(2))
    model = Logistic(rate=0)
    model.weight = np.array([3.0, 1, -1, 2])
    history = fit(model, dataset, Settings(epochs=1))
    arrays = dataset.parts["train"].arrays()
    score = arrays["x"] @ model.weight
    assert history.epochs[0].train["loss"] == pytest.approx((np.logaddexp(0, score) - arrays["y"] * score).mean())


def test_each_epoch_has_an_order_of_its_own_that_the_seed_decides(tmp_path: Path) -> None:
    dataset = data(tmp_path)

    def seen(seed: int | None) -> list[list[int]]:
        model = Logistic()
        fit(model, dataset, Settings(epochs=2, seed=seed))
        return [ids.tolist() for ids in model.seen]

    assert seen(1) == seen(1) != seen(2)
    assert seen(None) == seen(0)
    assert seen(1)[:10] != seen(1)[10:]


# Ends


def test_steps_end_training_within_an_epoch(tmp_path: Path) -> None:
    history = fit(Logistic(), data(tmp_path), Settings(steps=23))
    assert (history.ended, len(history.epochs), history.epochs[-1].step) == ("steps", 3, 23)
    assert history.epochs[-1].validation
    assert fit(Logistic(), data(tmp_path), Settings(steps=1000, epochs=2)).ended == "epochs"


def test_evaluation_comes_every_few_epochs_and_at_the_end(tmp_path: Path) -> None:
    history = fit(Logistic(), data(tmp_path), Settings(epochs=8, evaluate_every=3))
    assert [record.epoch for record in history.epochs if record.validation] == [3, 6, 8]


def test_an_early_stop_restores_the_best_weights(tmp_path: Path) -> None:
    dataset = data(tmp_path)
    model = Logistic(rate=30.0)
    history = fit(model, dataset, Settings(epochs=200, stop=Stop(patience=4)))
    losses = [record.validation["loss"] for record in history.epochs]
    assert history.ended == "stop"
    assert history.best == 1 + int(np.argmin(losses))
    assert len(losses) == history.best + 4
    part = dataset.parts["validation"].arrays()
    score = part["x"] @ model.weight
    assert (np.logaddexp(0, score) - part["y"] * score).mean() == pytest.approx(min(losses))


def test_a_stop_that_never_comes_restores_the_best_weights_too(tmp_path: Path) -> None:
    model = Logistic(rate=30.0)
    history = fit(model, data(tmp_path), Settings(epochs=6, stop=Stop(patience=100)))
    again = Logistic(rate=30.0)
    fit(again, data(tmp_path), Settings(epochs=history.best))
    np.testing.assert_array_equal(model.weight, again.weight)


@pytest.mark.parametrize("monitor", ["accuracy", "roc_auc", "validation.accuracy"])
def test_a_metric_that_should_grow_is_maximised(tmp_path: Path, monitor: str) -> None:
    history = fit(Logistic(rate=30.0), data(tmp_path), Settings(epochs=30, stop=Stop(monitor, patience=5)))
    values = [record.validation[monitor.rpartition(".")[2]] for record in history.epochs]
    assert history.best == 1 + int(np.argmax(values))


def test_the_mode_and_the_minimum_change_decide_what_is_better(tmp_path: Path) -> None:
    worst = fit(Logistic(), data(tmp_path), Settings(epochs=5, stop=Stop("loss", mode="max")))
    assert worst.best == 1
    history = fit(Logistic(), data(tmp_path), Settings(epochs=50, stop=Stop("loss", 3, minimum_change=10.0)))
    assert (history.best, len(history.epochs)) == (1, 4)


def test_without_a_validation_part_the_training_loss_is_watched(tmp_path: Path) -> None:
    history = fit(Logistic(), data(tmp_path, (("train", 1.0),)), Settings(epochs=3, stop=Stop()))
    assert history.best == 3
    assert history.epochs[0].validation == {} == history.test
    both = fit(Logistic(), data(tmp_path), Settings(epochs=3, stop=Stop("train.entropy")))
    assert both.best == 3


def test_a_monitor_that_is_not_measured_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="stop by `acuracy`, which is not measured; did you mean `accuracy`"):
        fit(Logistic(), data(tmp_path), Settings(epochs=3, stop=Stop("acuracy")))


# Divergence


class Poisoned(Logistic):
    """Its loss is nan at one step."""

    at = 25

    def train_step(self, batch: Mapping[str, np.ndarray]) -> dict[str, float]:
        losses = super().train_step(batch)
        return losses | {"entropy": math.nan} if len(self.seen) == self.at else losses


def test_a_loss_that_is_not_finite_ends_training_and_leaves_what_was_whole(tmp_path: Path) -> None:
    dataset = data(tmp_path)
    with RunFolder.new(tmp_path / "run") as run, pytest.raises(Diverged) as caught:
        fit(Poisoned(), dataset, Settings(epochs=9), run=run)
    error = caught.value
    assert (error.epoch, error.step, error.name, error.exit_code) == (3, 25, "entropy", 4)
    assert "epoch 3, step 25: training diverged: `entropy` is nan" in str(error)
    assert list(read_metrics(run.path))[-1] == {"epoch": 3, "step": 25, "diverged": "entropy", "value": "nan"}
    clean = Logistic()
    fit(clean, dataset, Settings(epochs=2))
    np.testing.assert_array_equal(archive.read(run.weights("last"))[0]["weight"], clean.weight)
    assert np.isfinite(archive.read(run.weights("best"))[0]["weight"]).all()


def test_a_validation_loss_that_is_not_finite_is_noticed(tmp_path: Path) -> None:
    class Blind(Logistic):
        def evaluate_batch(self, batch: Mapping[str, np.ndarray], number: int = 0) -> dict[str, Accumulation]:
            return {"loss": Mean(math.inf, 1)}

    with pytest.raises(Diverged, match=r"epoch 1, step 10: .*`validation.loss` is inf"):
        fit(Blind(), data(tmp_path), Settings(epochs=3))


# Runs


def test_a_run_holds_best_and_last_weights_and_the_whole_record(tmp_path: Path) -> None:
    dataset = data(tmp_path)
    model = Logistic(rate=30.0)
    with RunFolder.new(tmp_path / "run", {"spec": "text"}) as run:
        history = fit(model, dataset, Settings(epochs=12, stop=Stop(patience=50), log_every=5), run=run)
    best, texts = archive.read(run.weights("best"))
    np.testing.assert_array_equal(best["weight"], model.weight)
    assert texts["spec"] == "text"
    records = list(read_metrics(run.path))
    steps = [record["step"] for record in records if "losses" in record]
    assert steps == list(range(5, 121, 5))
    epochs = [Epoch(**record) for record in records if "train" in record]
    assert tuple(epochs) == history.epochs
    assert records[-1] == {"step": 120, "ended": "epochs", "best": history.best, "test": dict(history.test)}


def test_an_observer_sees_every_step_and_epoch(tmp_path: Path) -> None:
    class Watching:
        def __init__(self) -> None:
            self.steps: list[tuple[int, int]] = []
            self.epochs: list[int] = []

        def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
            assert set(losses) == {"loss", "entropy"}
            self.steps.append((epoch, step))

        def epoch(self, record: Epoch) -> None:
            self.epochs.append(record.epoch)

    watching = Watching()
    fit(Logistic(), data(tmp_path), Settings(epochs=2), observer=watching)
    assert watching.steps == [(1 + (step - 1) // 10, step) for step in range(1, 21)]
    assert watching.epochs == [1, 2]


def test_a_record_that_cannot_be_written_ends_training_with_one_clear_error(tmp_path: Path) -> None:
    run = RunFolder.new(tmp_path / "run")
    (run.path / "metrics.jsonl").mkdir()
    with pytest.raises(FileError, match=r"metrics.jsonl: cannot be written: Is a directory"):
        fit(Logistic(), data(tmp_path), Settings(epochs=2), run=run)


def test_steady_training_allocates_nothing_large(tmp_path: Path) -> None:
    class Resting(Logistic):
        def train_step(self, batch: Mapping[str, np.ndarray]) -> dict[str, float]:
            return {"loss": 1.0}

    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).random((4000, 64)))
    dataset = load(Recipe("a.npz", (Binding("x", False, (Column("x"),)),), batch=64), tmp_path)
    fit(Resting(), dataset, Settings(epochs=1))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        fit(Resting(), dataset, Settings(epochs=3))
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 16_000


# Interruption and going on


class Interrupted(Logistic):
    """Gets a signal during one step."""

    def __init__(self, at: int, number: int = signal.SIGINT, times: int = 1, rate: float = 0.1) -> None:
        super().__init__(rate)
        self.at, self.number, self.times = at, number, times

    def train_step(self, batch: Mapping[str, np.ndarray]) -> dict[str, float]:
        if len(self.seen) + 1 == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)
        return super().train_step(batch)


class InterruptedEvaluation(Logistic):
    """Gets a signal during the first evaluation, which has several batches."""

    evaluated = 0

    def evaluate_batch(self, batch: Mapping[str, np.ndarray], number: int = 0) -> dict[str, Accumulation]:
        self.evaluated += 1
        if self.evaluated == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return super().evaluate_batch(batch, number)


@pytest.mark.parametrize(("rate", "augment"), [(0.1, ()), (30.0, ()), (0.1, (Augmentation("x", noise=0.5),))])
@pytest.mark.parametrize("at", [1, 10, 14, 20, 21, 75])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, at: int, rate: float, augment: tuple[Augmentation, ...]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    dataset = data(tmp_path)
    dataset = replace(dataset, recipe=replace(dataset.recipe, augment=augment))
    settings = Settings(epochs=9, stop=Stop(patience=20), log_every=3)
    whole = Logistic(rate)
    with RunFolder.new(tmp_path / "whole") as run:
        history = fit(whole, dataset, settings, run=run)
    with RunFolder.new(tmp_path / "run") as run:
        run.describe("", version="", seed=0)
        with pytest.raises(KeyboardInterrupt):
            fit(Interrupted(at, rate=rate), dataset, settings, run=run)
    assert signal.getsignal(signal.SIGINT) is before
    second = Logistic(rate)
    with RunFolder.reopen(tmp_path / "run") as run:
        resumed = fit(second, dataset, settings, run=run, resume=True)
    np.testing.assert_array_equal(second.weight, whole.weight)
    assert [without_time(record) for record in resumed.epochs] == [without_time(record) for record in history.epochs]
    assert (resumed.best, resumed.ended, resumed.test) == (history.best, history.ended, history.test)
    for name in ("best", "last"):
        left, right = (archive.read(tmp_path / folder / f"{name}.safetensors")[0] for folder in ("whole", "run"))
        for key in left:
            np.testing.assert_array_equal(left[key], right[key])
    steps = [
        [record["step"] for record in read_metrics(tmp_path / folder) if "losses" in record]
        for folder in ("whole", "run")
    ]
    assert steps[0] == steps[1]


def without_time(record: Epoch) -> tuple[object, ...]:
    return record.epoch, record.step, record.train, record.validation


def test_an_interruption_does_not_wait_for_a_whole_evaluation(tmp_path: Path) -> None:
    model = InterruptedEvaluation()
    with pytest.raises(KeyboardInterrupt):
        fit(model, data(tmp_path), Settings(epochs=3))
    assert (model.evaluated, len(model.seen)) == (1, 10)


def test_a_finished_run_may_be_trained_on(tmp_path: Path) -> None:
    dataset = data(tmp_path)
    whole, second = Logistic(), Logistic()
    fit(whole, dataset, Settings(epochs=5))
    with RunFolder.new(tmp_path / "run") as run:
        fit(Logistic(), dataset, Settings(epochs=2), run=run)
        history = fit(second, dataset, Settings(epochs=5), run=run, resume=True)
    np.testing.assert_array_equal(second.weight, whole.weight)
    assert [record.epoch for record in history.epochs] == [1, 2, 3, 4, 5]


def test_termination_ends_training_with_its_exit_code(tmp_path: Path) -> None:
    with RunFolder.new(tmp_path / "run") as run, pytest.raises(SystemExit) as caught:
        fit(Interrupted(7, signal.SIGTERM), data(tmp_path), Settings(epochs=9), run=run)
    assert caught.value.code == 143
    assert json.loads(archive.read(run.weights("last"))[1]["progress"])["step"] == 7


def test_a_second_signal_does_not_wait_for_the_step(tmp_path: Path) -> None:
    model = Interrupted(7, times=2)
    with pytest.raises(KeyboardInterrupt):
        fit(model, data(tmp_path), Settings(epochs=9))
    assert len(model.seen) == 6


def test_training_in_a_thread_leaves_signals_alone(tmp_path: Path) -> None:
    dataset = data(tmp_path)
    histories = []
    thread = threading.Thread(target=lambda: histories.append(fit(Logistic(), dataset, Settings(epochs=2))))
    thread.start()
    thread.join()
    assert histories[0].ended == "epochs"


KILLED = """
import sys, os, signal
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_trainer import *
path = Path(sys.argv[1])
class Slow(Logistic):
    def train_step(self, batch):
        if len(self.seen) == 35:
            os.kill(os.getpid(), 9)
        return super().train_step(batch)
run = RunFolder.new(path / "run")
run.describe("", version="", seed=0)
fit(Slow(), data(path), Settings(epochs=6, stop=Stop(patience=9), save_seconds=0, log_every=2), run=run)
"""


def test_a_killed_run_goes_on_from_its_last_weights(tmp_path: Path) -> None:
    code = textwrap.dedent(KILLED).format(folder=str(Path(__file__).parent))
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == -9
    dataset, settings = data(tmp_path), Settings(epochs=6, stop=Stop(patience=9), log_every=2)
    whole, second = Logistic(), Logistic()
    history = fit(whole, dataset, settings)
    with RunFolder.reopen(tmp_path / "run") as run:
        resumed = fit(second, dataset, settings, run=run, resume=True)
    np.testing.assert_array_equal(second.weight, whole.weight)
    assert [without_time(record) for record in resumed.epochs] == [without_time(record) for record in history.epochs]
    assert second.begun == [4, 5, 6]
    assert [r["step"] for r in read_metrics(tmp_path / "run") if "losses" in r] == list(range(2, 61, 2))
