"""Losses that need an operation of their own; the others are written in the language, in `losses.axon`."""

from __future__ import annotations

from typing import Any

from ..ir import dims
from ..ir.graph import Node
from ..ir.op import Op
from ..ir.types import BOOL
from ..ops.elementwise import Add, Cast, Mul, Ne, Where
from ..ops.index import Gather
from ..ops.normal import BinaryCrossEntropy, CrossEntropy, LogSoftmax, Softmax
from ..ops.reduce import Mean
from ..ops.unary import Sigmoid
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
        advice = "for yes or no in one number use `binary_cross_entropy`"
        if logits.dtype.is_integer:
            advice = "the logits come first, then the target"
        elif target.tensor.shape == logits.tensor.shape and target.tensor.shape[-1:] != (1,):
            advice = "prepare names by `classes` instead of `one_hot`, or use `categorical_cross_entropy` for shares"
        u.wrong(
            errors.WrongKind,
            "target",
            subject="the target of `cross_entropy`",
            expected="whole numbers of classes, such as i64[N]",
            found=describe(target),
            advice=advice,
        )
    _check_logits(u, logits, Softmax)
    if logits.tensor.shape[-1:] == (1,):
        _refuse_logits(u, "of at least 2 classes", logits, "for yes or no in one number use `binary_cross_entropy`")
    safe = target
    if isinstance(ignore, int):
        counted = u.add(Ne(), target, u.literal(ignore, target.dtype))
        safe = u.add(Where(), counted, target, u.literal(0, target.dtype))
    value = u.add(CrossEntropy(), logits, safe)
    if smoothing:
        value = _smoothed(u, value, logits, smoothing)
    if weights is not None:
        classes = logits.tensor.shape[-1]
        if weights.tensor.rank != 1 or dims.same(weights.tensor.shape[0], classes) is False:
            subject, expected = "the weights of `cross_entropy`", f"one number for each of {classes} classes"
            u.wrong(errors.WrongKind, "weights", subject=subject, expected=expected, found=describe(weights))
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
    _check_logits(u, logits, Sigmoid)
    if logits.tensor.rank != target.tensor.rank:
        several = logits.tensor.rank > target.tensor.rank and logits.tensor.shape[-1] != 1
        advice = (
            "for one of several classes use `cross_entropy`" if several else "drop the last axis with `squeeze(-1)`"
        )
        _refuse_logits(u, f"of the shape of the target, {target.type}", logits, advice)
    if target.dtype is BOOL or target.dtype.is_integer:
        target = u.add(Cast(logits.dtype), target)
    return u.add(BinaryCrossEntropy(), logits, target)


def _check_logits(u: Use, logits: Node, shares: type[Op]) -> None:
    """Refuses shares where their logits are wanted: the loss would take them for logits."""
    source = logits
    while source.op.view:
        source = source.inputs[0]
    if isinstance(source.op, shares):
        name = shares.__name__.lower()
        _refuse_logits(
            u, f"what `{name}` takes", logits, f"leave out `{name}`: the loss contains it", f"what `{name}` gives"
        )


def _refuse_logits(u: Use, expected: str, logits: Node, advice: str, found: str = "") -> None:
    u.wrong(
        errors.WrongKind,
        "logits",
        subject=f"the logits of `{u.word}`",
        expected=expected,
        found=found or describe(logits),
        advice=advice,
    )
