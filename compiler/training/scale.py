"""Loss scaling for f16: gradients too small for it are lifted, as nodes (Micikevicius et al. 2018).

The backward pass begins at a scale instead of at 1, and gradients are divided by it before anybody reads them. A step
whose gradients are not all finite is skipped and halves the scale; after so many steps in a row that were taken it
doubles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..ir.graph import STATE, Builder, Input, Node
from ..ir.types import F32, I64, DType, Tensor
from ..ops.elementwise import Add, And, Cast, Eq, Gt, Min, Mul, Where
from ..ops.reduce import All
from ..ops.unary import IsFinite, LogicalNot, Reciprocal

SCALE, GOOD, TAKEN = NAMES = ("precision.scale", "precision.good", "precision.taken")
FIRST, LEAST, MOST, PATIENCE = 2.0**16, 2.0**-24, 2.0**64, 2000


def scale(b: Builder) -> Node:
    """The scale of this step; memory begins at zero, which stands for the first one."""
    kept = _state(b, SCALE, F32)
    begun = b.add(Gt(), kept, b.literal(0.0, F32))
    return b.add(Where(), begun, kept, b.literal(FIRST, F32), name="scale")


def divided(b: Builder, gradient: Node, factor: Node) -> Node:
    """A gradient as it would be without the scale; that is a power of two, so nothing is rounded."""
    return b.add(Mul(), gradient, b.add(Reciprocal(), factor))


def checked(b: Builder, loss: Node, factor: Node) -> Node:
    """The loss; NaN once the scale is so small that it is not f16 which makes the gradients infinite."""
    return b.add(Where(), b.add(Gt(), factor, b.literal(LEAST, F32)), loss, b.literal(float("nan"), F32))


def finite(b: Builder, gradients: Iterable[Node]) -> Node:
    """Whether every gradient is finite."""
    found = [b.add(All((0,), False), b.add(IsFinite(), g)) for g in gradients]
    total = found[0]
    for more in found[1:]:
        total = b.add(And(), total, more)
    return total


def step(b: Builder) -> Node:
    """The number of the update, which counts from 1 and leaves out the steps that were skipped."""
    return b.add(Cast(F32), b.add(Add(), _state(b, TAKEN, I64), b.literal(1, I64)))


def taken(b: Builder, well: Node, updates: Mapping[str, Node]) -> dict[str, Node]:
    """The updates where the gradients are `well`, else what is there already; and what the next step's scale is."""
    before = {n.op.name: n for n in b.inputs if isinstance(n.op, Input)}
    found = {name: b.add(Where(), well, new, before[name]) for name, new in updates.items()}
    return found | _next(b, well)


def _next(b: Builder, well: Node) -> dict[str, Node]:
    one, none = b.literal(1, I64), b.literal(0, I64)
    good = b.add(Add(), _state(b, GOOD, I64), one)
    grows = b.add(Eq(), good, b.literal(PATIENCE, I64))
    now = scale(b)
    doubled = b.add(Min(), b.add(Mul(), now, b.literal(2.0, F32)), b.literal(MOST, F32))
    halved = b.add(Mul(), now, b.literal(0.5, F32))
    return {
        SCALE: b.add(Where(), well, b.add(Where(), grows, doubled, now), halved),
        GOOD: b.add(Where(), b.add(And(), well, b.add(LogicalNot(), grows)), good, none),
        TAKEN: b.add(Add(), _state(b, TAKEN, I64), b.add(Where(), well, one, none)),
    }


def _state(b: Builder, name: str, dtype: DType) -> Node:
    known = (n for n in b.inputs if isinstance(n.op, Input) and n.op.name == name)
    return next(known, None) or b.input(name, STATE, Tensor(dtype, ()))
