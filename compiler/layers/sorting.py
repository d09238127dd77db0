"""Words of order, and of reading and adding at positions."""

from __future__ import annotations

from typing import Any

from ..ops import along, order
from ..ops.index import ScatterAdd
from ..trace.kinds import Count, Flag, Position, Sizes, Tensor
from ..trace.use import Use
from ..trace.words import word


@word
def sort(u: Use, x: Tensor, *, axis: Position = -1, descending: Flag = False) -> Any:
    """x in order along an axis; NaN counts as the greatest."""
    return u.well(order.sort(u.b, x, axis, descending=descending))


@word
def argsort(u: Use, x: Tensor, *, axis: Position = -1, descending: Flag = False) -> Any:
    """The positions that put an axis in order, as i64; equal elements keep theirs."""
    return u.add(order.Argsort(axis, descending), x)


@word
def topk(u: Use, x: Tensor, *, k: Count, axis: Position = -1) -> Any:
    """The k greatest elements of an axis, the greatest first, and where they stand, as i64."""
    at = u.well(order.top_positions(u.b, x, k, axis))
    return u.add(along.TakeAlong(axis), x, at), at


@word
def take(u: Use, x: Tensor, index: Tensor, *, axis: Position = 0) -> Any:
    """x at a vector of positions along an axis."""
    return u.add(along.Take(axis), x, index)


@word
def take_along(u: Use, x: Tensor, index: Tensor, *, axis: Position = -1) -> Any:
    """For each element of the index the element of x that stands there along an axis."""
    return u.add(along.TakeAlong(axis), x, index)


@word
def gather_nd(u: Use, table: Tensor, index: Tensor) -> Any:
    """Parts of a table by tuples of positions: the last axis of the index names one position for each leading axis."""
    return u.well(along.gather_nd(u.b, table, index))


@word
def scatter_add(u: Use, index: Tensor, values: Tensor, *, rows: Count) -> Any:
    """Zeros with so many rows, to which rows of values are added where the index says."""
    return u.add(ScatterAdd(rows), index, values)


@word
def scatter_nd(u: Use, index: Tensor, values: Tensor, *sizes: Sizes) -> Any:
    """Zeros of these sizes, to which values are added at tuples of positions, the last axis of the index."""
    return u.well(along.scatter_nd(u.b, index, values, sizes))
