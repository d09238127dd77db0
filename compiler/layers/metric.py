"""Metrics: one value for each target where the mean is the metric, else values kept for the whole set."""

from __future__ import annotations

from typing import Any, NoReturn

from ..ir.graph import Node
from ..ir.types import F32
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
    if logits.tensor.rank == target.tensor.rank + 1:
        chosen = u.add(Argmax(-1, False), logits)
    elif logits.tensor.rank == target.tensor.rank:
        chosen = u.add(Gt(), logits, u.literal(0, logits.dtype)) if logits.dtype.is_float else logits
    else:
        _unfit(u, logits, target)
    pair = one_type(u, *(u.add(Cast(F32), n) if _mixed(chosen, target) else n for n in (chosen, target)))
    return u.add(Cast(F32), u.add(Eq(), *pair))


def _mixed(a: Node, b: Node) -> bool:
    return a.dtype is not b.dtype and not (a.dtype.is_integer and b.dtype.is_integer)


def _unfit(u: Use, logits: Node, target: Node) -> NoReturn:
    u.wrong(
        errors.WrongKind,
        "logits",
        subject="the logits of `accuracy`",
        expected=f"one axis more than the target {describe(target)}",
        found=describe(logits),
    )


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
        return Collected(name, (prediction, target))

    build.__name__, build.__doc__ = name, text
    word(build)


def _of_classes(name: str, text: str) -> None:
    def build(u: Use, prediction: Tensor, target: Tensor, *, micro: Flag = False) -> Any:
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
