"""Metrics: one value for each target where the mean is the metric, else values kept for the whole set."""

from __future__ import annotations

from typing import Any

from ..ir import dims
from ..ir.graph import Node
from ..ir.types import F32, Shape
from ..ops.elementwise import Cast, Eq, Gt, Ne, Where
from ..ops.normal import CrossEntropy
from ..ops.reduce import Argmax
from ..trace import errors
from ..trace.kinds import Flag, Tensor, Whole
from ..trace.use import Use, one_type
from ..trace.values import Collected, describe
from ..trace.words import word


@word
def accuracy(u: Use, logits: Tensor, target: Tensor) -> Any:
    """1 where the largest logit is the target's, else 0; of one logit, where its sign is."""
    _check_scores(u, "logits", logits, target)
    if logits.tensor.rank > target.tensor.rank:
        chosen = u.add(Argmax(-1, False), logits)
    else:
        chosen = u.add(Gt(), logits, u.literal(0, logits.dtype)) if logits.dtype.is_float else logits
    pair = one_type(u, *(u.add(Cast(F32), n) if _mixed(chosen, target) else n for n in (chosen, target)))
    return u.add(Cast(F32), u.add(Eq(), *pair))


def _mixed(a: Node, b: Node) -> bool:
    return a.dtype is not b.dtype and not (a.dtype.is_integer and b.dtype.is_integer)


def _check_scores(u: Use, name: str, scores: Node, target: Node) -> None:
    """Refuses what has neither a score nor a class for each target, nor a score for each of its classes."""
    shape = scores.tensor.shape
    classes = shape[target.tensor.rank :]
    if _agree(shape[: target.tensor.rank], target.tensor.shape) and classes != (1,) and len(classes) < 2:
        return
    u.wrong(
        errors.WrongKind,
        name,
        subject=f"`{name}` of `{u.word}`",
        expected=f"of the shape of the target, {target.type}, or with an axis of classes behind it",
        found=describe(scores),
        advice="take the axis of 1 away with `squeeze(-1)`" if classes == (1,) else "",
    )


def _check_columns(u: Use, prediction: Node, target: Node) -> None:
    """Refuses a prediction that has not a number for each of the target."""
    if dims.same(prediction.tensor.size, target.tensor.size) is False:
        expected = f"as many numbers as the target, {target.type}"
        subject = f"`prediction` of `{u.word}`"
        u.wrong(errors.WrongKind, "prediction", subject=subject, expected=expected, found=describe(prediction))


def _agree(shape: Shape, target: Shape) -> bool:
    return len(shape) == len(target) and all(dims.same(a, b) is not False for a, b in zip(shape, target, strict=True))


WHOLE = {
    "roc_auc": "The area under the curve of true over false positives, of scores; of several classes the mean of each "
    "against the others.",
    "pr_auc": "Average precision: the area under the curve of precision over recall, of scores; of several classes the "
    "mean.",
    "r2": "1 minus the squared error by that of the mean of the targets; of several columns the mean.",
    "iou": "What is in both of prediction and target by what is in either, of each class; the mean of those there are.",
    "dice_score": "Twice what is in both of prediction and target by the sum of the two, of each class; the mean.",
    "confusion": "A table of counts: a row for each class, a column for what it was called.",
    "calibration_error": "How far the share of the chosen class is from how often it is right, in 15 equal ranges of "
    "that share (Guo et al. 2017).",
}
OF_CLASSES = {
    "f1": "The harmonic mean of precision and recall; of several classes the mean, with `micro` that of all decisions.",
    "precision": "The share of what is called a class that is one; of several classes the mean, or `micro`.",
    "recall": "The share of a class that is called so; of several classes the mean, or `micro`.",
}


def _whole(name: str, text: str) -> None:
    def build(u: Use, prediction: Tensor, target: Tensor) -> Any:
        if name == "r2":
            _check_columns(u, prediction, target)
        else:
            _check_scores(u, "prediction", prediction, target)
        return Collected(name, (prediction, target))

    build.__name__, build.__doc__ = name, text
    word(build)


def _of_classes(name: str, text: str) -> None:
    def build(u: Use, prediction: Tensor, target: Tensor, *, micro: Flag = False) -> Any:
        _check_scores(u, "prediction", prediction, target)
        return Collected(f"{name}_micro" if micro else name, (prediction, target))

    build.__name__, build.__doc__ = name, text
    word(build)


for _name, _text in WHOLE.items():
    _whole(_name, _text)
for _name, _text in OF_CLASSES.items():
    _of_classes(_name, _text)


@word
def perplexity(u: Use, logits: Tensor, target: Tensor, *, ignore: Whole | None = None) -> Any:
    """e to the mean cross-entropy of the targets of the whole set, but for those equal to `ignore`."""
    if not isinstance(ignore, int):
        value = u.add(CrossEntropy(), logits, target)
        return Collected("perplexity", (value, u.add(Cast(F32), u.add(Eq(), target, target))))
    counted = u.add(Ne(), target, u.literal(ignore, target.dtype))
    safe = u.add(Where(), counted, target, u.literal(0, target.dtype))
    return Collected("perplexity", (u.add(CrossEntropy(), logits, safe), u.add(Cast(F32), counted)))
