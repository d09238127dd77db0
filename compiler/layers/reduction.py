"""Words that reduce axes: sums, means, extremes."""

from __future__ import annotations

from typing import Any

from ..ir.dims import Dim
from ..ir.graph import Node
from ..ir.op import Op
from ..ir.types import BOOL, F32, I64
from ..ops import reduce
from ..ops.elementwise import Cast, Div, Mul, Where
from ..trace import errors
from ..trace.kinds import Axis, Flag, Operand, Position, Tensor, Whole
from ..trace.use import Use
from ..trace.values import describe
from ..trace.words import word
from .arithmetic import fold, is_known


def axes_of(u: Use, x: Node, axis: Any) -> tuple[int, ...]:
    """The axes to reduce, from the left: all of them where none is named."""
    rank = x.tensor.rank
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, tuple) else (axis,)
    wrong = next((a for a in given if not -rank <= a < rank), None)
    if wrong is not None:
        u.wrong(errors.BadIndex, "axis", problem=f"{describe(x)} has no axis {wrong}")
    return tuple(sorted({a % rank for a in given}))


def _reduced(u: Use, make: type[Op], x: Node, axis: Any, keep: bool) -> Any:
    return u.add(make(axes_of(u, x, axis), keep), x)


def _counted(u: Use, x: Node, where: Node | None) -> Node:
    """x where the mask is true, 0 elsewhere."""
    return x if where is None else u.add(Where(), where, x, u.literal(0, x.dtype))


@word
def sum_(u: Use, x: Tensor, where: Tensor | None = None, *, axis: Axis = None, keep: Flag = False) -> Any:
    x = u.add(Cast(I64), x) if x.dtype is BOOL else x
    return _reduced(u, reduce.Sum, _counted(u, x, where), axis, keep)


@word
def mean(u: Use, x: Tensor, where: Tensor | None = None, *, axis: Axis = None, keep: Flag = False) -> Any:
    """The mean over axes; with `where`, of those elements only (0 where there is none)."""
    x = x if x.dtype.is_float else u.add(Cast(F32), x)
    if where is None:
        return _reduced(u, reduce.Mean, x, axis, keep)
    counted = _counted(u, x, where)
    weights = u.add(Where(), where, u.literal(1, x.dtype), u.literal(0, x.dtype))
    spread = u.add(Mul(), weights, u.add(Op.words["expand"](x.shape), u.literal(1, x.dtype)))
    total, count = (_reduced(u, reduce.Sum, n, axis, keep) for n in (counted, spread))
    return u.add(Div(), total, u.add(Op.words["max"](), count, u.literal(1, x.dtype)))


@word
def max_(u: Use, *xs: Operand, axis: Axis = None, keep: Flag = False) -> Any:
    return _extreme(u, "max", reduce.ReduceMax, xs, axis, keep)


@word
def min_(u: Use, *xs: Operand, axis: Axis = None, keep: Flag = False) -> Any:
    return _extreme(u, "min", reduce.ReduceMin, xs, axis, keep)


def _extreme(u: Use, name: str, make: type[Op], xs: tuple[Any, ...], axis: Any, keep: bool) -> Any:
    """Of several operands, element by element; of one, over its axes."""
    if len(xs) > 1 and (axis is not None or keep):
        given = "axis" if axis is not None else "keep"
        u.wrong(errors.BadIndex, given, problem=f"`{given}` is for one tensor: of several `{name}` is elementwise")
    if len(xs) > 1 and all(map(is_known, xs)):
        if any(isinstance(x, Dim) for x in xs):
            u.wrong(errors.NotKnown, "xs", subject=f"`{name}` of sizes", found="open")
        return max(xs) if name == "max" else min(xs)
    if len(xs) > 1:
        return fold(u, name, xs)
    (x,) = xs
    return _reduced(u, make, x, axis, keep) if isinstance(x, Node) else x


@word
def prod(u: Use, x: Tensor, *, axis: Axis = None, keep: Flag = False) -> Any:
    return _reduced(u, reduce.Prod, x, axis, keep)


@word
def var(u: Use, x: Tensor, *, axis: Axis = None, keep: Flag = False, correction: Whole = 0) -> Any:
    """The variance: the sum of squared distances divided by the number of elements less `correction`."""
    if not isinstance(correction, int):
        u.wrong(errors.NotKnown, "correction", subject="`correction`", found=describe(correction))
    return u.add(reduce.Var(axes_of(u, x, axis), keep, correction), x)


@word
def logsumexp(u: Use, x: Tensor, *, axis: Axis = None, keep: Flag = False) -> Any:
    return _reduced(u, reduce.Logsumexp, x, axis, keep)


@word
def any_(u: Use, x: Tensor, *, axis: Axis = None, keep: Flag = False) -> Any:
    return _reduced(u, reduce.Any, x, axis, keep)


@word
def all_(u: Use, x: Tensor, *, axis: Axis = None, keep: Flag = False) -> Any:
    return _reduced(u, reduce.All, x, axis, keep)


@word
def argmax(u: Use, x: Tensor, *, axis: Position = -1, keep: Flag = False) -> Any:
    return u.add(reduce.Argmax(axis, keep), x)


@word
def argmin(u: Use, x: Tensor, *, axis: Position = -1, keep: Flag = False) -> Any:
    return u.add(reduce.Argmin(axis, keep), x)


@word
def cumsum(u: Use, x: Tensor, *, axis: Position = -1, reverse: Flag = False) -> Any:
    return u.add(reduce.Cumsum(axis, reverse), x)


@word
def global_average_pool(u: Use, x: Tensor) -> Any:
    """The mean of each channel over all positions."""
    return u.add(reduce.Mean(tuple(range(1, x.tensor.rank - 1)), False), x)


@word
def global_max_pool(u: Use, x: Tensor) -> Any:
    """The maximum of each channel over all positions."""
    return u.add(reduce.ReduceMax(tuple(range(1, x.tensor.rank - 1)), False), x)
