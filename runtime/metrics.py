"""Metrics of a whole set from what evaluation gathers batch by batch: means, and values kept for every sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from .confusion import COUNTED, TABLE, confusion, together


@dataclass(frozen=True, slots=True)
class Mean:
    """The part of a mean that one batch contributes: the sum over its `count` samples."""

    total: float
    count: float


@dataclass(frozen=True, slots=True)
class Collected:
    """What one batch contributes to the metric `kind` of the whole set: predictions and targets of its samples."""

    kind: str
    arrays: tuple[np.ndarray, np.ndarray]


Accumulation: TypeAlias = Mean | Collected


class Totals:
    """The metrics of a set while its batches come in."""

    def __init__(self) -> None:
        self._means: dict[str, Mean] = {}
        self._collected: dict[str, list[Collected]] = {}
        self._counted: dict[str, tuple[str, np.ndarray]] = {}

    def add(self, batch: Mapping[str, Accumulation]) -> None:
        """Take in one batch; arrays are copied, the caller may overwrite them."""
        for name, value in batch.items():
            match value:
                case Mean(total, count):
                    old = self._means.get(name, Mean(0.0, 0.0))
                    self._means[name] = Mean(old.total + total, old.count + count)
                case Collected(kind, (predictions, targets)) if kind == TABLE or kind in COUNTED:
                    table = confusion(predictions, targets)
                    old_table = self._counted[name][1] if name in self._counted else table[:0, :0]
                    self._counted[name] = kind, together(old_table, table)
                case Collected(kind, (predictions, targets)):
                    kept = Collected(kind, (predictions.copy(), targets.copy()))
                    self._collected.setdefault(name, []).append(kept)

    def finish(self) -> dict[str, float]:
        """The value of every metric; nan where it is undefined."""
        values = {name: mean.total / mean.count if mean.count else float("nan") for name, mean in self._means.items()}
        for name, batches in self._collected.items():
            predictions, targets = (np.concatenate([batch.arrays[i] for batch in batches]) for i in (0, 1))
            values[name] = WHOLE[batches[0].kind](predictions, targets)
        values |= {name: COUNTED[kind](table) for name, (kind, table) in self._counted.items() if kind != TABLE}
        return values

    def tables(self) -> dict[str, list[list[int]]]:
        """Every confusion matrix: how often each class, a row, was called each class."""
        return {name: table.tolist() for name, (kind, table) in self._counted.items() if kind == TABLE}


def roc_auc(score: np.ndarray, label: np.ndarray) -> float:
    """The chance that a positive sample has the larger score, ties counting half; the mean over classes if there are
    more than two. nan unless both kinds of samples occur."""
    return _of_classes(_roc_auc, score, label)


def pr_auc(score: np.ndarray, label: np.ndarray) -> float:
    """Average precision: precision at each threshold, weighted by the recall that it gains; the mean over classes if
    there are more than two. nan without positive samples."""
    return _of_classes(_average_precision, score, label)


def precision(score: np.ndarray, label: np.ndarray) -> float:
    """The share of right ones among what was called positive, 0 if nothing was; the mean over classes if there are
    more than two."""
    return _of_counts(lambda true, called, positive: true / called if called else 0.0, score, label)


def recall(score: np.ndarray, label: np.ndarray) -> float:
    """The share of the positive samples that was found; the mean over classes if there are more than two."""
    return _of_counts(lambda true, called, positive: true / positive if positive else 0.0, score, label)


def f1(score: np.ndarray, label: np.ndarray) -> float:
    """The harmonic mean of precision and recall; the mean over classes if there are more than two."""
    return _of_counts(lambda true, called, positive: 2 * true / (called + positive), score, label)


def r2(prediction: np.ndarray, target: np.ndarray) -> float:
    """The share of the variance that is explained, averaged over the columns of the target; nan if one is constant."""
    prediction, target = (a.reshape(len(a), -1).astype(np.float64) for a in (prediction, target))
    residual = np.square(target - prediction).sum(0)
    total = np.square(target - target.mean(0)).sum(0)
    return float((1 - residual / total).mean()) if total.all() else float("nan")


def perplexity(value: np.ndarray, counted: np.ndarray) -> float:
    """e to the mean of the cross-entropies [nats] of the tokens that are counted."""
    total = counted.sum(dtype=np.float64)
    return float(np.exp((value.astype(np.float64) * counted).sum() / total)) if total else float("nan")


def calibration_error(logits: np.ndarray, label: np.ndarray) -> float:
    """How far the share of the chosen class is from how often it is right: the mean over samples of the gap within
    each of 15 equal ranges of that share (Guo et al. 2017)."""
    logits = logits.astype(np.float64)
    if logits.ndim == label.ndim:
        logits = np.stack([np.zeros_like(logits), logits], -1)
    share = np.exp(logits - logits.max(-1, keepdims=True))
    sure = (share.max(-1) / share.sum(-1)).ravel()
    right = (logits.argmax(-1) == label).ravel()
    bins = np.minimum(np.ceil(sure * 15).astype(np.int64) - 1, 14)
    gaps = np.bincount(bins, sure - right, 15)
    return float(np.abs(gaps).sum() / len(sure)) if len(sure) else float("nan")


WHOLE: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "calibration_error": calibration_error,
    "f1": f1,
    "perplexity": perplexity,
    "pr_auc": pr_auc,
    "precision": precision,
    "r2": r2,
    "recall": recall,
    "roc_auc": roc_auc,
}
LARGER_IS_BETTER = frozenset({*WHOLE, *COUNTED, "accuracy"} - {"calibration_error", "perplexity"})


def larger_is_better(name: str) -> bool:
    """Whether the metric called `name` is to grow; a loss, or a name that nobody knows, is to shrink."""
    return any(word in name for word in LARGER_IS_BETTER)


def _of_classes(binary: Callable[[np.ndarray, np.ndarray], float], score: np.ndarray, label: np.ndarray) -> float:
    """`binary` of scores and truths: of the second of two classes, or of each class against the rest, averaged."""
    if score.ndim == label.ndim:
        return binary(score.ravel(), label.ravel() > 0)
    score, label = score.reshape(-1, score.shape[-1]), label.ravel()
    if score.shape[1] == 2:
        return binary(score[:, 1] - score[:, 0], label == 1)
    values = [binary(score[:, i], label == i) for i in np.unique(label)]
    return float(np.mean(values)) if values else float("nan")


def _roc_auc(score: np.ndarray, positive: np.ndarray) -> float:
    ones = int(positive.sum())
    zeros = positive.size - ones
    if not ones or not zeros:
        return float("nan")
    _, which, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _average_precision(score: np.ndarray, positive: np.ndarray) -> float:
    if not positive.any():
        return float("nan")
    _, which, counts = np.unique(-score, return_inverse=True, return_counts=True)
    found = np.bincount(which, positive, len(counts))
    precisions = np.cumsum(found) / np.cumsum(counts)
    return float((precisions * found).sum() / positive.sum())


def _of_counts(value: Callable[[float, float, float], float], score: np.ndarray, label: np.ndarray) -> float:
    """`value` of (rightly called, called, positive), of the second of two classes or averaged over those that occur."""
    called, two = _called(score, label)
    label = label.ravel().astype(np.int64)
    counts = [
        (int(((called == i) & (label == i)).sum()), int((called == i).sum()), int((label == i).sum()))
        for i in ([1] if two else np.union1d(called, label))
    ]
    return float(np.mean([value(*count) if count[1] or count[2] else 0.0 for count in counts]))


def _called(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, bool]:
    """The class that each sample is called, and whether there are but two: by the largest score, by the sign of a
    single one, or as given."""
    if score.ndim > label.ndim:
        return score.argmax(-1).ravel(), score.shape[-1] == 2
    called = score > 0 if score.dtype.kind == "f" else score
    return called.ravel().astype(np.int64), score.dtype.kind in "fb"
