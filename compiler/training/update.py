"""Gradients of flat ranges to their next values: penalties, clipping, the optimizer, decay, norms."""

from __future__ import annotations

from collections.abc import Mapping

from ...spec.record import replace
from ..ir import dims
from ..ir.graph import CONTROL, PARAMETER, STATE, Builder, Input, Node
from ..ir.scalar import Value
from ..ir.types import F16, F32, I64, Tensor
from ..ops.elementwise import Add, Cast, Div, Gt, Max, Min, Mul, Where
from ..ops.layout import Concat, Reshape
from ..ops.reduce import Sum
from ..ops.state import Part
from ..ops.unary import Abs, Sign, Sqrt, Square
from ..parameters import Piece, Range
from . import scale
from .arithmetic import Formula
from .schedules import rate_at
from .settings import Training

STEP, EPOCH = "step", "epoch"


def penalty(b: Builder, r: Range, theta: Node, gradient: Node) -> tuple[Node | None, Node]:
    """What the range adds to the loss by its L1 and L2, and its gradient with theirs."""
    cost: Node | None = None
    for factor, size, slope in ((r.treatment.l2, Square(), 2.0), (r.treatment.l1, Abs(), 1.0)):
        if factor:
            term = b.add(Mul(), b.add(Sum((0,), False), b.add(size, theta)), b.literal(factor, r.dtype))
            cost = term if cost is None else b.add(Add(), cost, term)
            along = theta if isinstance(size, Square) else b.add(Sign(), theta)
            gradient = b.add(Add(), gradient, b.add(Mul(), along, b.literal(slope * factor, r.dtype)))
    return cost, gradient


def update_ranges(
    b: Builder, training: Training, ranges: tuple[Range, ...], gradients: Mapping[str, Node]
) -> dict[str, Node]:
    """The next value of each range and of what the optimizer remembers of it; where gradients of f16 are not finite,
    the values that are there."""
    if training.precision is not F16:
        return _next_ranges(b, training, ranges, gradients, b.add(Cast(F32), _control(b, STEP)))
    well = scale.finite(b, gradients.values())
    return scale.taken(b, well, _next_ranges(b, training, ranges, gradients, scale.step(b)))


def _next_ranges(
    b: Builder, training: Training, ranges: tuple[Range, ...], gradients: Mapping[str, Node], step: Node
) -> dict[str, Node]:
    gradients = _clipped(b, training, gradients)
    f = Formula(b)
    rate = rate_at(f, training.schedule, training.optimizer.rate, f.value(step), training.warmup)
    updates: dict[str, Node] = {}
    for r in ranges:
        updates |= _updates(b, training, r, gradients[r.name], rate, step)
    return updates


def _updates(
    b: Builder, training: Training, r: Range, gradient: Node, rate: Value | float, step: Node
) -> dict[str, Node]:
    """The next value of a range and of what is remembered of it."""
    f = Formula(b, r.pieces)
    theta = _named(b, r.name) or b.input(r.name, PARAMETER, r.type)
    optimizer, decay = training.optimizer.decaying(r.treatment.weight_decay)
    names = [f"{state}.{r.name}" for state in optimizer.remembered]
    types = [Tensor(F32, ()) if state in optimizer.numbers else r.type for state in optimizer.remembered]
    before = [b.input(name, STATE, type_) for name, type_ in zip(names, types, strict=True)]
    own = rate * r.treatment.rate_multiplier if r.treatment.rate_multiplier != 1 else rate
    own = own if not isinstance(own, int | float) else f.value(b.literal(own, F32))
    value, after = optimizer.update(f, f.value(theta), f.value(gradient), f.values(*before), own, f.value(step))
    if decay:
        value = value - f.value(theta) * (own * decay)
    new = [_within_norms(b, r, f.node(value)), *map(f.node, after)]
    if r.treatment.frozen_until:
        new = _when_thawed(b, r, new, [theta, *before])
    updates = dict(zip((r.name, *names), new, strict=True))
    if training.average:
        mean = averaged(r)
        past = b.input(mean.name, STATE, mean.type)
        updates[mean.name] = _average(f, training.average, past, new[0], step)
    return updates


def averaged(r: Range) -> Range:
    """Where the averages of the weights of a range stand."""
    return replace(r, name=f"average.{r.name}")


def _average(f: Formula, kept: float, before: Node, new: Node, step: Node) -> Node:
    """The next average of weights: their plain mean at first, then forgetting by `kept` (Polyak & Juditsky 1992)."""
    share = f.max(1 / f.value(step), 1 - kept)
    return f.node(f.value(before) + (f.value(new) - f.value(before)) * share)


def _clipped(b: Builder, training: Training, gradients: Mapping[str, Node]) -> Mapping[str, Node]:
    """Gradients whose values, and then whose common norm, are bounded."""
    if training.clip_value:
        most, least = b.literal(training.clip_value, F32), b.literal(-training.clip_value, F32)
        gradients = {n: b.add(Max(), b.add(Min(), g, most), least) for n, g in gradients.items()}
    if training.clip_norm and gradients:
        squares = [b.add(Sum((0,), False), b.add(Square(), g)) for g in gradients.values()]
        total = squares[0]
        for more in squares[1:]:
            total = b.add(Add(), total, more)
        bound = b.literal(training.clip_norm, F32)
        factor = b.add(Div(), bound, b.add(Max(), b.add(Sqrt(), total), bound))
        gradients = {n: b.add(Mul(), g, factor) for n, g in gradients.items()}
    return gradients


def _within_norms(b: Builder, r: Range, theta: Node) -> Node:
    """Every column of every weight scaled down to a norm of at most `max_norm` (Srebro et al. 2005)."""
    if not r.treatment.max_norm:
        return theta
    pieces = [_within_norm(b, r, theta, piece) for piece in r.pieces]
    return pieces[0] if len(pieces) == 1 else b.add(Concat(0), *pieces)


def _within_norm(b: Builder, r: Range, theta: Node, piece: Piece) -> Node:
    weight = b.add(Part(piece.offset, piece.shape), theta)
    if len(piece.shape) > 1:
        axes = tuple(range(len(piece.shape) - 1))
        norm = b.add(Sqrt(), b.add(Sum(axes, True), b.add(Square(), weight)))
        bound = b.literal(r.treatment.max_norm, r.dtype)
        weight = b.add(Mul(), weight, b.add(Div(), bound, b.add(Max(), norm, bound)))
    return b.add(Reshape((dims.product(piece.shape),)), weight)


def _when_thawed(b: Builder, r: Range, new: list[Node], old: list[Node]) -> list[Node]:
    """The new values after the first `frozen_until` epochs, until then the old ones; epochs count from 1."""
    epoch = _control(b, EPOCH)
    thawed = b.add(Gt(), epoch, b.literal(r.treatment.frozen_until, I64))
    return [b.add(Where(), thawed, after, before) for after, before in zip(new, old, strict=True)]


def _control(b: Builder, name: str) -> Node:
    return _named(b, name) or b.input(name, CONTROL, Tensor(I64, ()))


def _named(b: Builder, name: str) -> Node | None:
    return next((n for n in b.inputs if isinstance(n.op, Input) and n.op.name == name), None)
