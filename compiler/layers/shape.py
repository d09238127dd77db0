"""Words that rearrange tensors, and those that make them."""

from __future__ import annotations

import math
from typing import Any

from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import Node
from ..ir.types import F32, I64, DType
from ..ops import layout
from ..ops.elementwise import Cast, Mul
from ..ops.index import Gather, Iota, OneHot
from ..ops.unary import Cos, Exp, Sin
from ..trace import errors
from ..trace.kinds import Count, Operand, Position, Sizes, Tensor, Whole
from ..trace.use import Use, one_type
from ..trace.values import describe
from ..trace.words import word


@word
def flatten(u: Use, x: Tensor) -> Any:
    """Each sample as one row."""
    return u.add(layout.Reshape((x.shape[0], dims.product(x.shape[1:]))), x)


@word
def reshape(u: Use, x: Tensor, *sizes: Sizes) -> Any:
    """The same elements in another shape; one size may be -1."""
    return u.add(layout.Reshape(_whole_shape(u, x, sizes)), x)


def _whole_shape(u: Use, x: Node, sizes: tuple[Size, ...]) -> tuple[Size, ...]:
    """The shape with its one -1 filled in."""
    open_ = [i for i, s in enumerate(sizes) if isinstance(s, int) and s < 0]
    if not open_:
        return sizes
    rest = dims.product(s for i, s in enumerate(sizes) if i not in open_)
    total = dims.product(x.shape)
    if len(open_) > 1 or sizes[open_[0]] != -1:
        u.wrong(errors.BadIndex, "sizes", problem="at most one size of a shape may be -1, the others are at least 0")
    if rest == 0 or (isinstance(total, int) and isinstance(rest, int) and total % rest):
        u.wrong(errors.BadIndex, "sizes", problem=f"{total} elements of {describe(x)} do not fill this shape")
    return tuple(total // rest if i == open_[0] else s for i, s in enumerate(sizes))


@word
def expand(u: Use, x: Tensor, *sizes: Sizes) -> Any:
    """x stretched to a shape, aligned at the right; an axis of size -1 keeps its own."""
    rank, own = len(sizes), x.shape
    shape = [own[i - rank] if s == -1 and rank - i <= len(own) else s for i, s in enumerate(sizes)]
    return u.add(layout.Expand(tuple(shape)), x)


@word
def transpose(u: Use, x: Tensor, *axes: Position) -> Any:
    """Axes in another order; without any, the last two change places."""
    rank = x.tensor.rank
    if not axes and rank < 2:
        u.wrong(
            errors.WrongKind,
            subject="the input of `transpose`",
            expected="a tensor of at least 2 axes",
            found=describe(x),
        )
    order = axes or (*range(rank - 2), rank - 1, rank - 2)
    return u.add(layout.Transpose(tuple(a + rank if a < 0 else a for a in order)), x)


@word
def squeeze(u: Use, x: Tensor, *, axis: Position) -> Any:
    """x without an axis of size 1."""
    return u.well(layout.squeeze(u.b, x, axis))


@word
def unsqueeze(u: Use, x: Tensor, *, axis: Position) -> Any:
    """x with a new axis of size 1 there."""
    return u.well(layout.unsqueeze(u.b, x, axis))


@word
def concat(u: Use, *xs: Tensor, axis: Position = -1) -> Any:
    return u.add(layout.Concat(axis), *one_type(u, *xs))


@word
def stack(u: Use, *xs: Operand, axis: Position = -1) -> Any:
    """Tensors of one shape, or numbers, side by side along a new axis."""
    return u.well(layout.stack(u.b, one_type(u, *xs), axis))


@word
def split(u: Use, x: Tensor, *, parts: Count, axis: Position = -1) -> Any:
    """Equal parts of one axis, as a list."""
    if not -x.tensor.rank <= axis < x.tensor.rank:
        u.wrong(errors.BadIndex, "axis", problem=f"{describe(x)} has no axis {axis}")
    total = x.shape[axis]
    if not isinstance(parts, int) or (isinstance(total, int) and total % parts):
        u.wrong(errors.BadIndex, "parts", problem=f"an axis of {total} has no {parts} equal parts")
    return layout.split(u.b, x, axis % x.tensor.rank, [total // parts] * parts)


@word
def one_hot(u: Use, index: Tensor, *, depth: Count) -> Any:
    return u.add(OneHot(depth, F32), index)


@word
def gather(u: Use, table: Tensor, index: Tensor) -> Any:
    """Rows of a table by whole numbers."""
    return u.add(Gather(), table, index)


@word
def range_(u: Use, *, n: Whole) -> Any:
    """0, 1, ... n - 1 as i64[n]."""
    return u.add(Iota(n, I64))


@word
def zeros(u: Use, *sizes: Sizes) -> Any:
    """Zeros, f32."""
    return filled(u, 0.0, sizes, F32)


@word
def ones(u: Use, *sizes: Sizes) -> Any:
    """Ones, f32."""
    return filled(u, 1.0, sizes, F32)


@word
def sinusoid(u: Use, *, length: Whole, width: Count) -> Any:
    """Positions as waves [length, width]: sines in the first half of the width, cosines in the second, with periods
    from 2π to 20000π (Vaswani et al. 2017)."""
    half = width // 2
    if not isinstance(half, int) or width % 2:
        expected = "an even whole number"
        u.wrong(errors.WrongKind, "width", subject="`width`", expected=expected, found=describe(width))
    place = u.add(Cast(F32), u.add(Iota(length, I64)))
    turn = u.add(Mul(), u.add(Cast(F32), u.add(Iota(half, I64))), u.literal(-math.log(10000.0) / half, F32))
    angle = u.add(Mul(), layout.unsqueeze(u.b, place, 1), u.add(Exp(), turn))
    return u.add(layout.Concat(1), u.add(Sin(), angle), u.add(Cos(), angle))


def filled(u: Use, value: float, sizes: tuple[Size, ...], dtype: DType) -> Node:
    return u.add(layout.Expand(sizes), u.literal(value, dtype))
