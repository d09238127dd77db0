"""Metrics of a whole set, against scikit-learn."""

import math

import numpy as np
import pytest
from axonc.runtime.confusion import COUNTED
from axonc.runtime.metrics import WHOLE, Collected, Mean, Totals, larger_is_better

sklearn = pytest.importorskip("sklearn.metrics")


def finish(kind: str, prediction: np.ndarray, target: np.ndarray, batch: int = 7) -> float:
    totals = Totals()
    for start in range(0, len(target), batch):
        part = prediction[start : start + batch].copy(), target[start : start + batch].copy()
        totals.add({"m": Collected(kind, part)})
        part[0][...] = 0
        part[1][...] = 0
    return totals.finish()["m"]


def binary(seed: int, n: int = 200, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    score = rng.normal(label - 0.5, 1.5)
    return (np.round(score) if ties else score).astype(np.float32), label


def several(seed: int, classes: int = 4, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    logits = rng.normal(0, 1, (n, classes)) + 1.2 * np.eye(classes)[label]
    return logits.astype(np.float32), label


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_binary_metrics_agree(seed: int, ties: bool) -> None:
    score, label = binary(seed, ties=ties)
    assert finish("roc_auc", score, label) == pytest.approx(sklearn.roc_auc_score(label, score), abs=1e-12)
    assert finish("pr_auc", score, label) == pytest.approx(sklearn.average_precision_score(label, score), abs=1e-12)
    for kind in ("precision", "recall", "f1"):
        expected = getattr(sklearn, f"{kind}_score")(label, score > 0)
        for given in (label, label.astype(np.float32), label.astype(bool)):
            assert finish(kind, score, given) == pytest.approx(expected, abs=1e-12)
        assert finish(kind, score > 0, label) == pytest.approx(expected, abs=1e-12)
        pair = np.stack([-score, score], axis=1)
        assert finish(kind, pair, label) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_of_several_classes_agree(seed: int) -> None:
    logits, label = several(seed)
    shares = np.exp(logits.astype(np.float64))
    shares /= shares.sum(1, keepdims=True)
    expected = sklearn.roc_auc_score(label, shares, multi_class="ovr")
    assert finish("roc_auc", shares, label) == pytest.approx(expected, abs=1e-12)
    hot = np.eye(4)[label]
    assert finish("pr_auc", logits, label) == pytest.approx(sklearn.average_precision_score(hot, logits), abs=1e-12)
    for kind in ("precision", "recall", "f1"):
        expected = getattr(sklearn, f"{kind}_score")(label, logits.argmax(1), average="macro", zero_division=0)
        assert finish(kind, logits, label) == pytest.approx(expected, abs=1e-12)
        assert finish(kind, logits.argmax(1), label) == pytest.approx(expected, abs=1e-12)


def test_two_logits_are_ranked_by_their_difference() -> None:
    logits, label = several(0, classes=2)
    expected = sklearn.roc_auc_score(label, logits[:, 1] - logits[:, 0])
    assert finish("roc_auc", logits, label) == pytest.approx(expected, abs=1e-12)


def test_labels_may_have_axes_of_their_own() -> None:
    logits, label = several(1)
    shaped = logits.reshape(30, 10, 4), label.reshape(30, 10)
    for kind in ("f1", "roc_auc"):
        assert finish(kind, *shaped) == pytest.approx(finish(kind, logits, label), abs=1e-12)


@pytest.mark.parametrize("columns", [None, 1, 3])
def test_r2_agrees(columns: int | None) -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(100, 1, (90,) if columns is None else (90, columns)).astype(np.float32)
    prediction = (target + rng.normal(0, 0.5, target.shape)).astype(np.float32)
    wide = target.astype(float), prediction.astype(float)
    assert finish("r2", prediction, target) == pytest.approx(sklearn.r2_score(*wide), abs=1e-9)


@pytest.mark.filterwarnings("error")
def test_what_is_undefined_is_nan_and_warns_nobody() -> None:
    score, ones = np.arange(5.0), np.ones(5, int)
    assert math.isnan(finish("roc_auc", score, ones))
    assert math.isnan(finish("pr_auc", score, 0 * ones))
    assert math.isnan(finish("r2", score, ones))
    assert finish("precision", -score, ones) == 0
    assert finish("f1", -score, 0 * ones) == 0


def test_means_are_weighted_by_their_counts() -> None:
    totals = Totals()
    values = np.random.default_rng(0).random(10)
    for batch in (values[:4], values[4:8], values[8:]):
        totals.add({"loss": Mean(batch.sum(), len(batch)), "none": Mean(0, 0)})
    result = totals.finish()
    assert result["loss"] == pytest.approx(values.mean())
    assert math.isnan(result["none"])


def test_the_name_of_a_metric_says_whether_it_should_grow() -> None:
    smaller = {"perplexity", "calibration_error"}
    assert all(larger_is_better(name) for name in [*(WHOLE.keys() - smaller), *COUNTED, "accuracy", "my_accuracy"])
    assert not any(map(larger_is_better, smaller))
    assert not any(larger_is_better(name) for name in ("loss", "mse", "kl", "divergence", "mae"))
