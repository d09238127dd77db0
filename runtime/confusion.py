"""Classes of samples and what they were called to a table of counts, and to the metrics that the table gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np


def confusion(score: np.ndarray, label: np.ndarray) -> np.ndarray:
    """How often each class [row] was called each class [column], i64[classes, classes].

    The score is a logit for each class on an axis of its own, one logit of yes or no, or the class that was called.
    """
    if score.ndim > label.ndim:
        classes, called = score.shape[-1], score.argmax(-1)
    else:
        called = score > 0 if score.dtype.kind == "f" else score
        classes = 2 if score.dtype.kind in "fb" else int(max(score.max(initial=0), label.max(initial=0))) + 1
    rows, columns = label.ravel().astype(np.int64), called.ravel().astype(np.int64)
    known = (rows >= 0) & (rows < classes)  # a class to be ignored has no row
    counts = np.bincount(rows[known] * classes + columns[known], minlength=classes**2)
    return counts.reshape(classes, classes)


def together(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum of two tables, of which one may know more classes."""
    size = max(len(a), len(b))
    total = np.zeros((size, size), np.int64)
    for table in (a, b):
        total[: len(table), : len(table)] += table
    return total


def iou(table: np.ndarray) -> float:
    """Of each class what was rightly called it, among what was it or was called it; the mean over those that occur."""
    right, either = np.diag(table), table.sum(0) + table.sum(1) - np.diag(table)
    return _mean(right, either)


def dice(table: np.ndarray) -> float:
    """Twice what was rightly called a class, over what was it and what was called it; the mean over those that
    occur."""
    return _mean(2 * np.diag(table), table.sum(0) + table.sum(1))


def micro(table: np.ndarray) -> float:
    """The share that was rightly called, all classes together: precision, recall and F1 at once."""
    total = table.sum()
    return float(np.trace(table) / total) if total else float("nan")


COUNTED: Mapping[str, Callable[[np.ndarray], float]] = {
    "dice_score": dice,
    "f1_micro": micro,
    "iou": iou,
    "precision_micro": micro,
    "recall_micro": micro,
}
TABLE = "confusion"


def _mean(part: np.ndarray, whole: np.ndarray) -> float:
    occurs = whole > 0
    return float((part[occurs] / whole[occurs]).mean()) if occurs.any() else float("nan")
