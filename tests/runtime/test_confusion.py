"""Counts of classes over a whole set, and what they give, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from axonc.runtime.metrics import Collected, Totals

sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
RANDOM = np.random.default_rng(5)


def totals(kind: str, score: np.ndarray, label: np.ndarray, batch: int = 7) -> Totals:
    found = Totals()
    for start in range(0, len(label), batch):
        found.add({"m": Collected(kind, (score[start : start + batch], label[start : start + batch]))})
    return found


def value(kind: str, score: np.ndarray, label: np.ndarray) -> float:
    return totals(kind, score, label).finish()["m"]


@pytest.fixture(params=[2, 3, 6])
def sample(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    label = RANDOM.integers(0, request.param, 200)
    logits = RANDOM.normal(0, 1, (200, request.param)) + 1.5 * np.eye(request.param)[label]
    return logits.astype(np.float32), label


def test_a_confusion_matrix_counts_truth_by_row_and_answer_by_column(sample: tuple[np.ndarray, np.ndarray]) -> None:
    logits, label = sample
    expected = sklearn.confusion_matrix(label, logits.argmax(1)).tolist()
    found = totals("confusion", logits, label)
    assert found.tables() == {"m": expected}
    assert found.finish() == {}
    assert totals("confusion", logits.argmax(1), label).tables() == {"m": expected}


def test_one_logit_is_called_by_its_sign() -> None:
    label, score = RANDOM.integers(0, 2, 90), RANDOM.normal(size=90).astype(np.float32)
    expected = sklearn.confusion_matrix(label, score > 0).tolist()
    assert totals("confusion", score, label.astype(np.float32)).tables() == {"m": expected}


def test_micro_averages_agree(sample: tuple[np.ndarray, np.ndarray]) -> None:
    logits, label = sample
    for kind in ("precision", "recall", "f1"):
        expected = getattr(sklearn, f"{kind}_score")(label, logits.argmax(1), average="micro")
        assert value(f"{kind}_micro", logits, label) == pytest.approx(expected, abs=1e-12)


def test_overlaps_of_masks_are_those_of_the_whole_set(sample: tuple[np.ndarray, np.ndarray]) -> None:
    logits, label = sample
    masks = logits.reshape(20, 5, 2, -1), label.reshape(20, 5, 2)
    called = logits.argmax(1)
    assert value("iou", *masks) == pytest.approx(sklearn.jaccard_score(label, called, average="macro"), abs=1e-12)
    assert value("dice_score", *masks) == pytest.approx(sklearn.f1_score(label, called, average="macro"), abs=1e-12)


def test_a_class_below_zero_is_not_counted() -> None:
    label = np.array([0, 1, -1, 1])
    assert totals("confusion", np.array([0, 1, 1, 0]), label).tables() == {"m": [[1, 0], [1, 1]]}


def test_what_nothing_is_known_of_is_nan() -> None:
    nothing = np.full(3, -1)
    assert math.isnan(value("iou", np.zeros((3, 2)), nothing))
    assert math.isnan(value("f1_micro", np.zeros((3, 2)), nothing))


def test_perplexity_is_e_to_the_mean_cross_entropy_of_what_is_counted() -> None:
    losses, counted = RANDOM.uniform(0, 5, (30, 4)), RANDOM.integers(0, 2, (30, 4))
    expected = math.exp(losses[counted == 1].mean())
    assert value("perplexity", losses.astype(np.float32), counted.astype(np.float32)) == pytest.approx(expected)


@pytest.mark.parametrize("classes", [1, 3])
def test_calibration_error_is_the_mean_gap_between_certainty_and_truth(classes: int) -> None:
    label = RANDOM.integers(0, max(classes, 2), 400)
    logits = RANDOM.normal(0, 2, (400, classes) if classes > 1 else 400)
    pairs = logits if classes > 1 else np.stack([np.zeros(400), logits], 1)
    shares = np.exp(pairs) / np.exp(pairs).sum(1, keepdims=True)
    error = 0.0
    for i in range(15):
        inside = (shares.max(1) > i / 15) & (shares.max(1) <= (i + 1) / 15)
        if inside.any():
            right = (pairs.argmax(1) == label)[inside].mean()
            error += inside.mean() * abs(right - shares.max(1)[inside].mean())
    assert value("calibration_error", logits, label) == pytest.approx(error, abs=1e-9)
