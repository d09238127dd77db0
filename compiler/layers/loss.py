"""Losses that need an operation of their own; the others are written in the language, in `losses.axon`."""

from __future__ import annotations

from typing import Any

from ..ir.graph import Node
from ..ir.types import BOOL
from ..ops.elementwise import Add, Cast, Mul, Ne, Where
from ..ops.index import Gather
from ..ops.normal import BinaryCrossEntropy, CrossEntropy, LogSoftmax
from ..ops.reduce import Mean
from ..trace import errors
from ..trace.kinds import Share, Tensor, Whole
from ..trace.use import Use
from ..trace.values import describe
from ..trace.words import word


@word
def cross_entropy(
    u: Use,
    logits: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    *,
    ignore: Whole | None = None,
    smoothing: Share = 0.0,
) -> Any:
    """-log softmax(logits)[target], one value for each target; logits [..., classes], target [...] whole numbers.

    `smoothing` gives every class its share of that much; targets equal to `ignore` give 0; `weights` [classes]
    multiplies each value by its class's weight.
    """
    if not target.dtype.is_integer:
        u.wrong(
            errors.WrongKind,
            "target",
            subject="the target of `cross_entropy`",
            expected="whole numbers of classes, such as i64[N]",
            found=describe(target),
            advice="for yes or no in one number use `binary_cross_entropy`",
        )
    safe = target
    if isinstance(ignore, int):
        counted = u.add(Ne(), target, u.literal(ignore, target.dtype))
        safe = u.add(Where(), counted, target, u.literal(0, target.dtype))
    value = u.add(CrossEntropy(), logits, safe)
    if smoothing:
        value = _smoothed(u, value, logits, smoothing)
    if weights is not None:
        value = u.add(Mul(), value, u.add(Gather(), weights, safe))
    return u.add(Where(), counted, value, u.literal(0, value.dtype)) if isinstance(ignore, int) else value


def _smoothed(u: Use, value: Node, logits: Node, smoothing: float) -> Node:
    """(1 - s) · value - s · mean(log softmax) (Szegedy et al. 2016)."""
    spread = u.add(Mean((logits.tensor.rank - 1,), False), u.add(LogSoftmax(-1), logits))
    kept = u.add(Mul(), value, u.literal(1 - smoothing, logits.dtype))
    return u.add(Add(), kept, u.add(Mul(), spread, u.literal(-smoothing, logits.dtype)))


@word
def binary_cross_entropy(u: Use, logits: Tensor, target: Tensor) -> Any:
    """-log sigmoid(logits) where the target is 1, -log sigmoid(-logits) where it is 0; one value for each target."""
    if target.dtype is BOOL or target.dtype.is_integer:
        target = u.add(Cast(logits.dtype), target)
    if logits.tensor.rank != target.tensor.rank:
        u.wrong(
            errors.WrongKind,
            "logits",
            subject="the logits of `binary_cross_entropy`",
            expected=f"the shape of the target {describe(target)}",
            found=describe(logits),
            advice="drop the last axis with `squeeze(-1)`",
        )
    return u.add(BinaryCrossEntropy(), logits, target)
