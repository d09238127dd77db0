"""Words that turn, repeat, frame and overwrite tensors."""

from __future__ import annotations

from typing import Any

from ..ir.graph import Node
from ..ops import layout, resize
from ..ops.index import Update
from ..ops.index import Window as WindowOp
from ..trace import errors
from ..trace.kinds import Axis, Count, Frame, Number, Position, Sizes, Tensor, Widths
from ..trace.use import Use, one_type
from ..trace.values import describe
from ..trace.words import word
from .reduction import axes_of


@word
def flip(u: Use, x: Tensor, *, axis: Axis) -> Any:
    """The elements along one or more axes in reverse order."""
    return u.add(layout.Flip(axes_of(u, x, axis)), x)


@word
def roll(u: Use, x: Tensor, *, shift: Position, axis: Position = -1) -> Any:
    """x moved by `shift` places towards the end of an axis; what leaves there comes in at its beginning."""
    return u.well(layout.roll(u.b, x, shift, axis))


@word
def tile(u: Use, x: Tensor, *repeats: Sizes) -> Any:
    """x as a whole repeated so many times along each axis."""
    return u.well(layout.tile(u.b, x, repeats))


@word
def repeat_each(u: Use, x: Tensor, *, count: Count, axis: Position = -1) -> Any:
    """Each element of an axis `count` times in a row."""
    (at,) = axes_of(u, x, axis)
    lead, size, rest = x.shape[:at], x.shape[at], x.shape[at + 1 :]
    apart = u.add(layout.Reshape((*lead, size, 1, *rest)), x)
    wide = u.add(layout.Expand((*lead, size, count, *rest)), apart)
    return u.add(layout.Reshape((*lead, size * count, *rest)), wide)


@word
def pad(u: Use, x: Tensor, *, width: Widths, value: Number = 0, mode: Frame = "constant", axis: Axis = None) -> Any:
    """x in a frame: a number on each side, or a number or pair for each axis; of all axes between the first and the
    last, or of those named. The frame is `value`, or of x's own elements: `reflect` mirrors them at the ends (which
    are not doubled), `edge` repeats the last, `wrap` goes round."""
    axes = _axes(u, x, axis)
    pairs = _pairs(u, width, axes)
    if mode == "constant":
        before, after = ([pairs.get(i, (0, 0))[side] for i in range(x.tensor.rank)] for side in (0, 1))
        return u.add(layout.Pad(tuple(before), tuple(after), _filling(u, x, value)), x)
    for i, (low, high) in pairs.items():
        x = u.well(resize.framed(u.b, x, i, low, high, mode))
    return x


def _axes(u: Use, x: Node, axis: Any) -> list[int]:
    """The named axes in the order in which they were named; without any those between the first and the last."""
    if axis is None:
        return list(range(1, x.tensor.rank - 1))
    axes_of(u, x, axis)
    return [a % x.tensor.rank for a in (axis if isinstance(axis, tuple) else (axis,))]


def _pairs(u: Use, width: Any, axes: list[int]) -> dict[int, tuple[int, int]]:
    """(before, after) for each axis."""
    values = width if isinstance(width, tuple) else (width,) * len(axes)
    if len(values) != len(axes) or not axes:
        expected = f"one number or pair for each of {len(axes)} axes"
        advice = "" if axes else "name the axes, as in `pad(1, axis = -1)`"
        u.wrong(errors.WrongKind, "width", subject="`width`", expected=expected, found=describe(width), advice=advice)
    return {i: v if isinstance(v, tuple) else (v, v) for i, v in zip(axes, values, strict=True)}


def _filling(u: Use, x: Node, value: float) -> int | float | bool:
    """The number as an element of x."""
    if x.dtype.is_float:
        return float(value)
    if isinstance(value, float) or (value not in (0, 1) and not x.dtype.is_integer):
        u.wrong(errors.WrongKind, "value", subject="`value`", expected=f"one of {x.dtype}", found=describe(value))
    return value if x.dtype.is_integer else bool(value)


@word
def slice_at(u: Use, x: Tensor, position: Tensor, *, size: Count, axis: Position = 0) -> Any:
    """`size` elements of an axis from a position on that is known only when running."""
    return u.add(WindowOp(axis, size), x, position)


@word
def update(u: Use, x: Tensor, value: Tensor, position: Tensor, *, axis: Position = 0) -> Any:
    """x with a slice written over it, which begins along an axis at a position that is known only when running."""
    return u.add(Update(axis), *one_type(u, x, value), position)
