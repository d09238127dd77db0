"""Convolutions as NumPy instructions: a strided copy of all windows side by side, then one product."""

from __future__ import annotations

from collections.abc import Iterator

from ..ir import dims
from ..ir.dims import Size
from ..ir.types import Shape, Tensor
from ..ops.convolution import Conv, ConvInput, Convolution, ConvWeight
from ..schedule import layout
from ..schedule.kernel import Window
from . import depthwise
from .numpy import NumpyEmitter
from .windows import Sliding, framed

Windows = tuple[Window, ...]
LARGEST = 4 << 20  # bytes of windows side by side


def conv(e: NumpyEmitter, op: Conv, writes: Windows, reads: Windows) -> None:
    """Windows [pixels, kernel · channels] times weights [kernel · channels, K], group by group."""
    ((out,), (x, w)) = writes, reads
    sliding = _sliding(op, w.shape[:-2])
    wide = framed(e, x, sliding.before, sliding.after, 0)
    if depthwise.is_depthwise(op, x.shape[-1]):
        depthwise.products(e, sliding, wide, w, out)
    else:
        _products(e, op.groups, sliding, wide, contiguous(e, w), out)


def conv_input(e: NumpyEmitter, op: ConvInput, writes: Windows, reads: Windows) -> None:
    """The result's cotangent, spread out by the stride, convolved with the weights turned round."""
    ((out,), (y, w)) = writes, reads
    kernel = w.shape[:-2]
    own = depthwise.is_depthwise(op, out.shape[-1])
    if all(k == 1 for k in kernel) and not own:
        _pointwise_input(e, op, out, y, w)
        return
    reach = tuple(gap * (k - 1) for gap, k in zip(op.dilation, kernel, strict=True))
    wide = spread(e, y, op, reach, out.shape[1:-1])
    turned = layout.flip(w, tuple(range(len(kernel))))
    sliding = Sliding(kernel, (1,) * len(kernel), op.dilation, ((0, 0),) * len(kernel))
    if own:
        depthwise.input_products(e, sliding, wide, turned, out)
    else:
        _products(e, op.groups, sliding, wide, _exchanged(e, turned, op.groups), out)


def _pointwise_input(e: NumpyEmitter, op: ConvInput, out: Window, y: Window, w: Window) -> None:
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


def spread(e: NumpyEmitter, y: Window, op: ConvInput, reach: tuple[Size, ...], sizes: Shape) -> Window:
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


def conv_weight(e: NumpyEmitter, op: ConvWeight, writes: Windows, reads: Windows) -> None:
    """Windows turned [kernel · channels, pixels] times cotangents [pixels, K], group by group."""
    ((out,), (x, y)) = writes, reads
    sliding = _sliding(op, op.kernel)
    wide = framed(e, x, sliding.before, sliding.after, 0)
    if depthwise.is_depthwise(op, x.shape[-1]):
        depthwise.weight_products(e, sliding, wide, y, out)
        return
    for g in range(op.groups):
        target = _channels(out, op.groups, g)
        first = True
        for source, flow in _stretches(e, sliding, _channels(wide, op.groups, g), _channels(y, op.groups, g)):
            taps = sliding.columns(e, source, flow.shape[1:-1])
            total = target if first and flat_weights(target) is not None else e.scratch(target.type, "weights")
            made, rows = flat_weights(total), _rows(flow) or _rows(e.copied(flow))
            assert made is not None
            assert rows is not None
            e.add("matmul", (made,), (layout.transpose(taps, (1, 0)), rows))
            if total is not target:
                e.add("copy" if first else "add", (target,), (total,) if first else (target, total), replaces=(0,))
            first = False


def flat_weights(w: Window) -> Window | None:
    """Weights as [kernel · channels, K], where strides can say it."""
    return layout.reshape(w, (dims.product(w.shape[:-1]), w.shape[-1]))


def _rows(x: Window) -> Window | None:
    """All pixels one after the other: [pixels, channels]."""
    return layout.reshape(x, (dims.product(x.shape[:-1]), x.shape[-1]))


def _products(e: NumpyEmitter, groups: int, sliding: Sliding, wide: Window, w: Window, out: Window) -> None:
    """Every window of each group of channels times the weights of the group."""
    for g in range(groups):
        own = _channels(w, groups, g)
        weights = flat_weights(own) or flat_weights(e.copied(own))
        assert weights is not None
        for source, target in _stretches(e, sliding, _channels(wide, groups, g), _channels(out, groups, g)):
            taps = sliding.columns(e, source, target.shape[1:-1])
            made = _rows(target)
            if made is None:  # some rows of several samples: a product for each sample
                images, pixels = target.shape[0], dims.product(target.shape[1:-1])
                made = layout.reshape(target, (images, pixels, target.shape[-1]))
                taps = layout.reshape(taps, (images, pixels, taps.shape[-1])) or e.copied(taps)
            assert made is not None
            e.add("matmul", (made,), (taps, weights))


def _stretches(e: NumpyEmitter, sliding: Sliding, wide: Window, out: Window) -> Iterator[tuple[Window, Window]]:
    """Framed data and results, a few rows at a time where all windows side by side would be too large."""
    rows = out.shape[1]
    line = e.bound(dims.product((out.shape[0], *out.shape[2:-1], *sliding.kernel, wide.shape[-1]))) * wide.dtype.bytes
    if not isinstance(rows, int) or rows * line <= LARGEST:
        yield wide, out
        return
    count = max(1, LARGEST // line)
    for start in range(0, rows, count):
        source = wide._replace(offset=wide.offset + start * sliding.stride[0] * wide.strides[1])
        yield source, part(out, 1, start, min(count, rows - start))


def _sliding(op: Convolution, kernel: Shape) -> Sliding:
    return Sliding(kernel, op.stride, op.dilation, op.padding)


def _channels(x: Window, groups: int, group: int) -> Window:
    """The last axis of one group."""
    if groups == 1:
        return x
    count = x.shape[-1] // groups
    return part(x, len(x.shape) - 1, group * count, count)


def _exchanged(e: NumpyEmitter, w: Window, groups: int) -> Window:
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


def contiguous(e: NumpyEmitter, x: Window) -> Window:
    """x in row-major order, copied if it is not."""
    return x if layout.is_contiguous(x) else e.copied(x)


def _least(a: Size, b: Size) -> Size:
    assert isinstance(a, int), a
    assert isinstance(b, int), b
    return max(min(a, b), 0)
