"""Convolutions as C kernels: data in a frame of zeros, so that no kernel knows edges, and weights turned round once."""

from __future__ import annotations

from ..ir.types import Shape, Tensor
from ..ops import convolution as ops
from ..schedule import layout
from ..schedule.kernel import Window
from . import winograd, winograd_weight
from .convolution import Conv, ConvInput, input_frame, known
from .convolution_weight import ConvWeight
from .emitter import Form, NativeEmitter
from .frame import Border, Flipped

Windows = tuple[Window, ...]
Sides = tuple[int, ...]


def conv(e: NativeEmitter, op: ops.Conv, writes: Windows, reads: Windows) -> None:
    """Every window of framed data times the weights."""
    (out,), (x, w) = writes, reads
    before, after = sides(op)
    if is_plain(op) and winograd.pays(out, w, e.machinery):
        wide = framed(e, x, before, _and(after, winograd.beyond(out)))
        e.add(winograd.Winograd(e.machinery), writes, (wide, spread(e, w)))
    else:
        wide = framed(e, x, before, after)
        e.add(Conv(op.stride, op.dilation, op.groups, e.machinery), writes, (wide, w))


def conv_input(e: NativeEmitter, op: ops.ConvInput, writes: Windows, reads: Windows) -> None:
    """Every window of the framed cotangent times the weights turned round."""
    (out,), (y, w) = writes, reads
    kernel = known(w.shape[:-2])
    before, _ = sides(op)
    low, high = input_frame(known(op.size), known(y.shape[1:-1]), kernel, op.stride, op.dilation, before)
    back = turned(e, w, op.groups)
    fits = all(n + a + b == m + 2 for n, a, b, m in zip(y.shape[1:-1], low, high, out.shape[1:-1], strict=True))
    if is_plain(op) and fits and winograd.pays(out, back, e.machinery):
        wide = framed(e, y, low, _and(high, winograd.beyond(out)))
        e.add(winograd.Winograd(e.machinery), writes, (wide, spread(e, back, w)))
    else:
        form = ConvInput(op.stride, op.dilation, op.groups, before, low, e.machinery)
        e.add(form, writes, (framed(e, y, low, high), back))


def _and(sides: Sides, more: Sides) -> Sides:
    return tuple(a + b for a, b in zip(sides, more, strict=True))


def turned(e: NativeEmitter, w: Window, groups: int) -> Window:
    """Weights turned round: what sends back."""
    with e.early(w):
        made = e.known(("turned", w, groups))
        if made is None:
            own, columns = w.shape[-2], w.shape[-1] // groups
            made = e.scratch(Tensor(w.dtype, (*w.shape[:-2], columns, own * groups)), "turned")
            e.add(Flipped(groups), (made,), (w,))
            e.remember(("turned", w, groups), made)
    return made


def spread(e: NativeEmitter, w: Window, source: Window | None = None) -> Window:
    """Weights as Winograd's products take them; `source` is where they were made from."""
    with e.early(source or w):
        made = e.known(("spread", w))
        if made is None:
            own, results = known(w.shape[-2:])
            made = e.scratch(winograd.weights_type(own, results, e.machinery), "spread")
            e.add(winograd.WinogradWeights(e.machinery), (made,), (w,))
            e.remember(("spread", w), made)
    return made


def is_plain(op: ops.Convolution) -> bool:
    """Whether a kernel moves by single steps over all channels."""
    return op.groups == 1 and all(s == d == 1 for s, d in zip(op.stride, op.dilation, strict=True))


def conv_weight(e: NativeEmitter, op: ops.ConvWeight, writes: Windows, reads: Windows) -> None:
    """Framed data times the cotangent, added up over all pixels."""
    (out,), (x, y) = writes, reads
    before, after = sides(op)
    form: Form = ConvWeight(op.stride, op.dilation, op.groups, e.machinery, e.adds)
    if is_plain(op) and winograd_weight.pays(y, out, e.machinery):
        form = winograd_weight.WinogradWeight(e.machinery, e.adds)
        beyond = winograd.beyond(y)
        after, y = _and(after, beyond), framed(e, y, (0, 0), beyond)
    e.add(form, writes, (framed(e, x, before, after), y))


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
