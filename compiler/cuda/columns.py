"""Convolutions on tensor cores as products by cuBLAS: windows are laid side by side, as the rows of a matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..ir import dims
from ..ir.op import Op
from ..ir.types import F32, Shape, Tensor
from ..ops import convolution as ops
from ..schedule import layout
from ..schedule.kernel import Window
from .convolution import Seen, Sent, Slide
from .kernel import Kernel, place, spread

Scratch = Callable[[Tensor, str], Window]  # new memory


class Columns(NamedTuple):
    """[pixels, taps and channels] of the read: what a window of the kernel sees at each pixel.

    Of data x [N, spatial..., C], at the pixels of the result; or, `sent`, of a result at the pixels of the data that
    it is made of.
    """

    slide: Slide
    kernel: Shape
    pixels: Shape
    sent: bool

    def print(self, f: Kernel, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x,) = writes, reads
        to = f.pointer(out, write=True)
        source = f.pointer(x)
        seen = (
            Sent(x, self.pixels, self.kernel, x.shape[-1], self.slide)
            if self.sent
            else Seen(x, self.pixels, self.kernel, x.shape[-1], self.slide, pixels_outer=True)
        )
        with spread(f, out.shape) as places:
            f.line(f"const auto *const a = {source};")
            seen.outer(f, places[0], "o")
            seen.inner(f, places[1], "i")
            f.line(f"{to}[{place(out.strides, places, f)}] = {seen.element(f, 'o', 'i')};")


class InColumns(NamedTuple):
    """A convolution as a product of `columns`, which are made of a `source`. `turned` are weights to be copied first:
    where to, and what."""

    form: Columns
    source: Window
    columns: Window
    product: tuple[Window, Window, Window]
    turned: tuple[Window, Window] | None = None


def in_columns(
    op: Op, out: Window, reads: tuple[Window, ...], scratch: Scratch, *, tf32: bool = False
) -> InColumns | None:
    """A convolution by way of columns, if it is of one group and of halves, or of f32 that may be `tf32`: tensor cores
    win more than copies cost."""
    if not isinstance(op, ops.Convolution) or op.groups > 1:
        return None
    if not out.dtype.is_half and not (tf32 and out.dtype is F32):
        return None
    weights = out if isinstance(op, ops.ConvWeight) else reads[1]
    result = out if isinstance(op, ops.Conv) else reads[1] if isinstance(op, ops.ConvWeight) else reads[0]
    sent = isinstance(op, ops.ConvInput)
    source, rows = reads[0], out if sent else result
    kernel = weights.shape[:-2]
    shape = dims.product(rows.shape[:-1]), dims.product(kernel) * source.shape[-1]
    turned = scratch(Tensor(weights.dtype, layout.swapped(weights).shape), "turned") if sent else None
    columns = scratch(Tensor(source.dtype, shape), "columns")
    flat, other = (layout.reshape(w, (dims.product(w.shape[:-1]), w.shape[-1])) for w in (turned or weights, rows))
    if flat is None or other is None:
        return None
    product = (flat, layout.swapped(columns), other) if weights is out else (other, columns, flat)
    form = Columns(Slide.of(op), kernel, rows.shape[1:-1], sent)
    return InColumns(form, source, columns, product, (turned, layout.swapped(weights)) if turned else None)
