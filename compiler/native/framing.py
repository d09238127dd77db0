"""Convolutions as C kernels: data in a frame of zeros, so that no kernel knows edges, and weights turned round once."""

from __future__ import annotations

from ..ir.types import F16, F32, Shape, Tensor
from ..ops import convolution as ops
from ..schedule import layout
from ..schedule.kernel import Window
from .convolution import Conv, ConvInput, input_frame, known
from .convolution_weight import ConvWeight
from .emitter import Form, NativeEmitter
from .frame import Border, Flipped

Windows = tuple[Window, ...]
Sides = tuple[int, ...]


def conv(e: NativeEmitter, op: ops.Conv, writes: Windows, reads: Windows) -> None:
    """Every window of framed data times the weights."""
    x, w = (widened(e, r) for r in reads)
    before, after = sides(op)
    with_result(e, writes[0], Conv(op.stride, op.dilation, op.groups, e.machinery), (framed(e, x, before, after), w))


def conv_input(e: NativeEmitter, op: ops.ConvInput, writes: Windows, reads: Windows) -> None:
    """Every window of the framed cotangent times the weights turned round."""
    y, w = (widened(e, r) for r in reads)
    kernel = known(w.shape[:-2])
    before, _ = sides(op)
    low, high = input_frame(known(op.size), known(y.shape[1:-1]), kernel, op.stride, op.dilation, before)
    own, columns = w.shape[-2], w.shape[-1] // op.groups
    turned = e.known(("turned", w, op.groups))
    if turned is None:
        turned = e.scratch(Tensor(w.dtype, (*kernel, columns, own * op.groups)), "turned")
        e.add(Flipped(op.groups), (turned,), (w,))
        e.remember(("turned", w, op.groups), turned)
    form = ConvInput(op.stride, op.dilation, op.groups, before, low, e.machinery)
    with_result(e, writes[0], form, (framed(e, y, low, high), turned))


def conv_weight(e: NativeEmitter, op: ops.ConvWeight, writes: Windows, reads: Windows) -> None:
    """Framed data times the cotangent, added up over all pixels."""
    x, y = (widened(e, r) for r in reads)
    before, after = sides(op)
    form = ConvWeight(op.stride, op.dilation, op.groups, e.machinery, e.adds)
    with_result(e, writes[0], form, (framed(e, x, before, after), y))


def with_result(e: NativeEmitter, out: Window, form: Form, reads: Windows) -> None:
    """The kernel, and its result as f16 where that is wanted."""
    if out.dtype is not F16:
        e.add(form, (out,), reads)
        return
    wide = e.scratch(Tensor(F32, out.shape))
    e.add(form, (wide,), reads)
    e.copy(out, wide)


def widened(e: NativeEmitter, x: Window) -> Window:
    """f16 is multiplied and added up in f32."""
    return e.copied(x, F32) if x.dtype is F16 else x


def sides(op: ops.Convolution) -> tuple[Sides, Sides]:
    """The padding before and after each axis."""
    return known(tuple(low for low, _ in op.padding)), known(tuple(high for _, high in op.padding))


def framed(e: NativeEmitter, x: Window, before: Sides, after: Sides) -> Window:
    """x with zeros round it: made once, however many kernels slide over it; where padding is negative, cut."""
    if not any((*before, *after)):
        return x
    key = ("framed", x, before, after)
    wide = e.known(key)
    if wide is None:
        zeros = (tuple(max(n, 0) for n in before), tuple(max(n, 0) for n in after))
        wide = e.scratch(Tensor(x.dtype, frame_shape(x.shape, before, after)), "framed")
        e.add(Border(*zeros), (wide,), ())
        inner = tuple(n - a - b for n, a, b in zip(wide.shape[1:-1], *zeros, strict=True))
        shape = (x.shape[0], *inner, x.shape[-1])
        ones = (1,) * len(shape)
        target = layout.cut(wide, (0, *zeros[0], 0), ones, shape)
        source = layout.cut(x, (0, *(max(-n, 0) for n in before), 0), ones, shape)
        e.copy(target, source, replaces=(0,))
        e.remember(key, wide)
    return wide


def frame_shape(shape: Shape, before: Sides, after: Sides) -> Shape:
    """The shape of data [N, spatial..., C] with so much more round it."""
    space = (n + low + high for n, low, high in zip(shape[1:-1], before, after, strict=True))
    return (shape[0], *space, shape[-1])
