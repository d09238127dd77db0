"""Operands of products in the order in which tiles read them, copied once where they outlast many products."""

from __future__ import annotations

from ..ir.types import Tensor
from ..schedule.kernel import Window
from .blocking import blocking, pushes_out
from .emitter import NativeEmitter
from .matrices import Triangle, matrices
from .product import Product
from .tile import VECTORS


def product(e: NativeEmitter, out: Window, a: Window, b: Window, triangle: Triangle | None = None) -> None:
    """Appends `out = a @ b`. Where b lasts, as weights do in a loop or when predicting, it is copied to panels before,
    unless it is read well as it lies."""
    width = _width(e, out, a, b)
    if not width or triangle:
        e.add(Product(e.machinery, e.adds, triangle=triangle), (out,), (a, b))
        return
    with e.early(b) as lasts:
        panels = _panels(e, b, width) if lasts else b
    e.add(Product(e.machinery, e.adds, width if lasts else 0), (out,), (a, panels))


def _width(e: NativeEmitter, out: Window, a: Window, b: Window) -> int:
    """The columns of panels that would serve a product, or 0."""
    same = out.dtype is a.dtype is b.dtype and out.dtype in VECTORS
    if not same or len(b.shape) != 2 or out.strides[-1] != 1 or 0 in (*out.shape, *a.shape):
        return 0
    rows, columns = b.shape
    if not isinstance(rows, int) or not isinstance(columns, int) or columns == 1:
        return 0
    if b.strides[1] == 1 and not pushes_out(rows, b.strides[0], b.dtype, e.machinery.first_cache):
        return 0
    width = blocking(matrices(out, a, b), e.machinery).width
    return width if columns % width == 0 else 0


def _panels(e: NativeEmitter, b: Window, width: int) -> Window:
    made = e.known(("panels", b, width))
    if made is None:
        (rows, columns), (down, right) = b.shape, b.strides
        made = e.scratch(Tensor(b.dtype, (columns // width, rows, width)), "panels")
        e.copy(made, Window(b.buffer, b.offset, made.shape, (width * right, down, right)))
        e.remember(("panels", b, width), made)
    return made
