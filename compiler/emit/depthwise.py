"""Depthwise convolutions as NumPy instructions: each channel has its own kernel, so products go element by element.

Weights are [kernel..., 1, C · m]: m results for each of C channels, side by side.
"""

from __future__ import annotations

from ..ir import dims
from ..ir.dims import Size
from ..ir.types import Shape
from ..ops.convolution import Convolution
from ..schedule import layout
from ..schedule.kernel import Window
from .numpy import NumpyEmitter
from .windows import Sliding


def is_depthwise(op: Convolution, channels: Size) -> bool:
    """Whether each of so many input channels is a group of its own."""
    return op.groups > 1 and op.groups == channels


def products(e: NumpyEmitter, sliding: Sliding, wide: Window, w: Window, out: Window) -> None:
    """y[p, c, j] = Σ_t x[p + t, c] · w[t, c, j]: one product and one sum for each tap."""
    channels = wide.shape[-1]
    result, found = _split(out, channels), out.shape[1:-1]
    term = e.scratch(result.type, "term")
    for i, (tap, weight) in enumerate(zip(sliding.taps(wide, found), taps_of(w, channels), strict=True)):
        x = _split(tap, channels)
        if i == 0:
            e.add("mul", (result,), (x, weight))
        else:
            e.add("mul", (term,), (x, weight))
            e.add("add", (result,), (result, term), replaces=(0,))


def input_products(e: NumpyEmitter, sliding: Sliding, wide: Window, w: Window, out: Window) -> None:
    """x[p, c] = Σ_t Σ_j y[p + t, c, j] · w[t, c, j], for y spread out and w turned round."""
    channels = out.shape[-1]
    many, found = dims.floor_divide(wide.shape[-1], channels), out.shape[1:-1]
    term = e.scratch(out.type, "term")
    first = True
    for tap, weight in zip(sliding.taps(wide, found), taps_of(w, channels), strict=True):
        y = _split(tap, channels)
        for j in range(_whole(many)):
            operands = _member(y, j), _member(weight, j)
            e.add("mul", (out if first else term,), operands)
            if not first:
                e.add("add", (out,), (out, term), replaces=(0,))
            first = False


def weight_products(e: NumpyEmitter, sliding: Sliding, wide: Window, y: Window, out: Window) -> None:
    """w[t, c, j] = Σ_p x[p + t, c] · y[p, c, j]: a product, and the sum of its columns."""
    channels = wide.shape[-1]
    flow, found = _split(y, channels), y.shape[1:-1]
    term = e.scratch(flow.type, "term")
    rows, columns = dims.product(y.shape[:-1]), y.shape[-1]
    flat = layout.reshape(term, (rows, columns))
    assert flat is not None
    ones = e.filled(1.0, y.dtype, rows)
    for tap, target in zip(sliding.taps(wide, found), taps_of(out, columns), strict=True):
        e.add("mul", (term,), (_split(tap, channels), flow))
        e.add("matmul", (layout.squeeze(target, (1,)),), (ones, flat))


def taps_of(w: Window, channels: Size) -> list[Window]:
    """The weights of each tap, in order: [C, m]."""
    count = dims.product(w.shape[:-2])
    many = dims.floor_divide(w.shape[-1], channels)
    found = []
    for t in range(_whole(count)):
        offset, rest = w.offset, t
        for n, s in zip(reversed(w.shape[:-2]), reversed(w.strides[:-2]), strict=True):
            offset, rest = offset + rest % _whole(n) * s, rest // _whole(n)
        stride = w.strides[-1]
        found.append(Window(w.buffer, offset, (channels, many), (stride * many, stride)))
    return found


def _split(x: Window, channels: Size) -> Window:
    """The last axis [C · m] as [C, m]; [C] as [C, 1]."""
    many = dims.floor_divide(x.shape[-1], channels)
    stride = x.strides[-1]
    shape: Shape = (*x.shape[:-1], channels, many)
    return Window(x.buffer, x.offset, shape, (*x.strides[:-1], stride * many, stride))


def _member(x: Window, j: int) -> Window:
    """Result j of each channel, without the last axis."""
    return Window(x.buffer, x.offset + j * x.strides[-1], x.shape[:-1], x.strides[:-1])


def _whole(size: Size) -> int:
    assert isinstance(size, int), size
    return size
