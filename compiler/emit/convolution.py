"""Convolutions as NumPy instructions: a strided copy of all windows side by side, then one product."""

from __future__ import annotations

from ..ir import dims
from ..ir.dims import Size
from ..ir.types import Shape, Tensor
from ..ops.convolution import Conv, ConvInput, Convolution, ConvWeight
from ..schedule import layout
from ..schedule.kernel import Window
from .numpy import Emitter
from .windows import Sliding, framed

Windows = tuple[Window, ...]


def conv(e: Emitter, op: Conv, writes: Windows, reads: Windows) -> None:
    """Windows [pixels, kernel · channels] times weights [kernel · channels, K], group by group."""
    ((out,), (x, w)) = writes, reads
    sliding = _sliding(op, w.shape[:-2])
    wide = framed(e, x, sliding.before, sliding.after, 0)
    _products(e, op.groups, sliding, wide, contiguous(e, w), out)


def conv_input(e: Emitter, op: ConvInput, writes: Windows, reads: Windows) -> None:
    """The result's cotangent, spread out by the stride, convolved with the weights turned round."""
    ((out,), (y, w)) = writes, reads
    kernel = w.shape[:-2]
    if all(k == 1 for k in kernel):
        _pointwise_input(e, op, out, y, w)
        return
    reach = tuple(gap * (k - 1) for gap, k in zip(op.dilation, kernel, strict=True))
    wide = spread(e, y, op, reach, out.shape[1:-1])
    turned = layout.flip(w, tuple(range(len(kernel))))
    sliding = Sliding(kernel, (1,) * len(kernel), op.dilation, ((0, 0),) * len(kernel))
    _products(e, op.groups, sliding, wide, _exchanged(e, turned, op.groups), out)


def _pointwise_input(e: Emitter, op: ConvInput, out: Window, y: Window, w: Window) -> None:
    """A kernel of one element: a product for each pixel that was read, and zeros between."""
    plain = all(s == 1 for s in op.stride) and all(p == (0, 0) for p in op.padding)
    target = out if plain else e.scratch(Tensor(out.dtype, (*y.shape[:-1], out.shape[-1])))
    sliding = Sliding(w.shape[:-2], (1,) * len(op.stride), op.dilation, ((0, 0),) * len(op.stride))
    _products(e, op.groups, sliding, y, _exchanged(e, w, op.groups), target)
    if plain:
        return
    e.add("fill", (out,), (), value=0.0)
    to, source = _matched(out, target, op)
    e.add("copy", (to,), (source,))


def _matched(x: Window, y: Window, op: Convolution) -> tuple[Window, Window]:
    """The pixels of x that windows of one element read, and the results that belong to them."""
    for axis, (stride, (before, _)) in enumerate(zip(op.stride, op.padding, strict=True), start=1):
        first = dims.ceil_divide(before, stride)
        start = first * stride - before
        count = _least(y.shape[axis] - first, dims.ceil_divide(x.shape[axis] - start, stride))
        x, y = part(x, axis, start, count, stride), part(y, axis, first, count)
    return x, y


def spread(e: Emitter, y: Window, op: ConvInput, reach: tuple[Size, ...], sizes: Shape) -> Window:
    """y with stride - 1 zeros between its pixels, framed so that the turned kernel finds what it needs."""
    shape = (y.shape[0], *(n + r for n, r in zip(sizes, reach, strict=True)), y.shape[-1])
    wide = e.scratch(Tensor(y.dtype, shape), "spread")
    inner, source = wide, y
    for axis, (stride, (before, _), r) in enumerate(zip(op.stride, op.padding, reach, strict=True), start=1):
        offset = r - before
        first: Size = 0
        if isinstance(offset, int) and offset < 0:
            first = -(offset // stride)
        start = first * stride + offset
        count = _least(y.shape[axis] - first, dims.ceil_divide(shape[axis] - start, stride))
        inner, source = part(inner, axis, start, count, stride), part(source, axis, first, count)
    if inner != wide:
        e.add("fill", (wide,), (), value=0.0)
    e.add("copy", (inner,), (source,))
    return wide


def part(x: Window, axis: int, start: Size, count: Size, step: int = 1) -> Window:
    """`count` elements of an axis from `start` on, every `step`-th."""
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    strides = (*x.strides[:axis], x.strides[axis] * step, *x.strides[axis + 1 :])
    return x._replace(offset=x.offset + start * x.strides[axis], shape=shape, strides=strides)


def conv_weight(e: Emitter, op: ConvWeight, writes: Windows, reads: Windows) -> None:
    """Windows turned [kernel · channels, pixels] times cotangents [pixels, K], group by group."""
    ((out,), (x, y)) = writes, reads
    sliding = _sliding(op, op.kernel)
    wide = framed(e, x, sliding.before, sliding.after, 0)
    y = contiguous(e, y)
    columns, count = y.shape[-1] // op.groups, dims.product(y.shape[:-1])
    for g in range(op.groups):
        taps = sliding.columns(e, _channels(wide, op.groups, g), y.shape[1:-1])
        flow = layout.reshape(y, (count, y.shape[-1]))
        assert flow is not None
        target = _weights(e, _channels(out, op.groups, g))
        e.add("matmul", (target[0],), (layout.transpose(taps, (1, 0)), part(flow, 1, g * columns, columns)))
        if target[1] is not None:
            e.add("copy", (_channels(out, op.groups, g),), (target[1],))


def _weights(e: Emitter, w: Window) -> tuple[Window, Window | None]:
    """Where a product may write weights: [kernel · channels, K], and if that is scratch, the scratch as `w` is."""
    flat = layout.reshape(w, (dims.product(w.shape[:-1]), w.shape[-1]))
    if flat is not None:
        return flat, None
    made = e.scratch(w.type)
    flat = layout.reshape(made, (dims.product(w.shape[:-1]), w.shape[-1]))
    assert flat is not None
    return flat, made


def _products(e: Emitter, groups: int, sliding: Sliding, wide: Window, w: Window, out: Window) -> None:
    """Every window of each group of channels times the weights of the group."""
    rows = dims.product(out.shape[:-1])
    for g in range(groups):
        taps = sliding.columns(e, _channels(wide, groups, g), out.shape[1:-1])
        own = _channels(w, groups, g)
        weights = layout.reshape(own, (dims.product(w.shape[:-1]), w.shape[-1] // groups))
        if weights is None:
            weights = layout.reshape(e.copied(own), (dims.product(w.shape[:-1]), w.shape[-1] // groups))
        flat = layout.reshape(out, (rows, out.shape[-1]))
        assert weights is not None
        assert flat is not None
        columns = out.shape[-1] // groups
        e.add("matmul", (part(flat, 1, g * columns, columns),), (taps, weights))


def _sliding(op: Convolution, kernel: Shape) -> Sliding:
    return Sliding(kernel, op.stride, op.dilation, op.padding)


def _channels(x: Window, groups: int, group: int) -> Window:
    """The last axis of one group."""
    if groups == 1:
        return x
    count = x.shape[-1] // groups
    return part(x, len(x.shape) - 1, group * count, count)


def _exchanged(e: Emitter, w: Window, groups: int) -> Window:
    """Weights [kernel, C / groups, K] as [kernel, K / groups, C]: what each group sends back."""
    rank = len(w.shape)
    if groups == 1:
        return e.copied(layout.transpose(w, (*range(rank - 2), rank - 1, rank - 2)))
    own, columns = w.shape[-2], w.shape[-1] // groups
    made = e.scratch(Tensor(w.dtype, (*w.shape[:-2], columns, own * groups)))
    for g in range(groups):
        source = layout.transpose(_channels(w, groups, g), (*range(rank - 2), rank - 1, rank - 2))
        e.add("copy", (part(made, rank - 1, g * own, own),), (source,))
    return made


def contiguous(e: Emitter, x: Window) -> Window:
    return x if layout.is_contiguous(x) else e.copied(x)


def _least(a: Size, b: Size) -> Size:
    assert isinstance(a, int), a
    assert isinstance(b, int), b
    return max(min(a, b), 0)
