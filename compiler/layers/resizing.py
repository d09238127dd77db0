"""Words that give the axes between the first and the last, height and width of an image, other sizes."""

from __future__ import annotations

from typing import Any

from ..ir.dims import Size
from ..ir.graph import Node
from ..ops import resize as ops
from ..trace import errors
from ..trace.kinds import Extents, Flag, Method, Tensor
from ..trace.use import Use
from ..trace.values import describe
from ..trace.words import word


@word
def resize(u: Use, x: Tensor, *, size: Extents, method: Method = "nearest", align_corners: Flag = False) -> Any:
    """x [N, …, C] with other sizes: `nearest` takes the element at floor(i · old / new), `linear` (bilinear of images)
    goes between two; pixels are cells, or with `align_corners` points of which the outer ones stay."""
    return _resized(u, x, _each(u, x, size, "size"), method, align_corners)


@word
def upsample(u: Use, x: Tensor, *, factor: Extents, method: Method = "nearest", align_corners: Flag = False) -> Any:
    """x [N, …, C] with sizes multiplied by whole numbers; otherwise as `resize`."""
    factors = _each(u, x, factor, "factor")
    sizes = tuple(n * k for n, k in zip(x.shape[1:-1], factors, strict=True))
    return _resized(u, x, sizes, method, align_corners)


def _each(u: Use, x: Node, value: Any, argument: str) -> tuple[Size, ...]:
    """One number for each axis between the first and the last."""
    spatial = x.tensor.rank - 2
    if spatial < 1:
        expected = "a tensor [batch, sizes …, channels]"
        u.wrong(errors.WrongKind, subject=f"the input of `{u.word}`", expected=expected, found=describe(x))
    values = value if isinstance(value, tuple) else (value,) * spatial
    if len(values) != spatial:
        expected = f"one whole number, or one for each of {spatial} axes"
        u.wrong(errors.WrongKind, argument, subject=f"`{argument}`", expected=expected, found=describe(value))
    return values


def _resized(u: Use, x: Node, sizes: tuple[Size, ...], method: str, align_corners: bool) -> Node:
    if any(n == 0 for n in x.shape[1:-1]) or (method != "nearest" and not x.dtype.is_float):
        expected = "elements to read from" if x.dtype.is_float else "floats, to go between two"
        u.wrong(errors.WrongKind, subject=f"the input of `{u.word}`", expected=expected, found=describe(x))
    for axis, size in enumerate(sizes, 1):
        if size != x.shape[axis]:
            x = (
                ops.nearest(u.b, x, axis, size)
                if method == "nearest"
                else ops.linear(u.b, x, axis, size, align_corners=align_corners)
            )
    return x
