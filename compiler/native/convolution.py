"""Convolutions forward and towards their data as forms: kernels over windows that already have their frame."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import gcd
from typing import NamedTuple

from ..ir.dims import Size
from ..schedule.kernel import Window
from .function import Function, Machinery
from .loops import Axis
from .sliding import Phase, Slide, print_slide

Windows = tuple[Window, ...]


class Conv(NamedTuple):
    """y [N, windows..., K] of framed x [N, spatial..., C] and w [kernel..., C / groups, K]."""

    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        (y,), (x, w) = writes, reads
        names = [f.pointer(y, write=True), f.pointer(x), f.pointer(w)]
        kernel = known(w.shape[:-2])
        phase = Phase(y.shape[1:-1], kernel, (0,) * len(kernel))
        ones = (1,) * len(kernel)
        print_slide(
            f, slide_of(y, x, w, self.groups, ones, self.stride, self.dilation, ones, (phase,)), names, self.machinery
        )


class ConvInput(NamedTuple):
    """x [N, size..., C] of framed y [N, windows..., K] and turned w [kernel..., K / groups, C].

    `before` is the padding of the convolution before each axis of x, `frame` the zeros before each axis of y.
    """

    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    before: tuple[int, ...]
    frame: tuple[int, ...]
    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        (x,), (y, w) = writes, reads
        names = [f.pointer(x, write=True), f.pointer(y), f.pointer(w)]
        kernel, rank = known(w.shape[:-2]), len(self.stride)
        axes = [
            axis_phases(size, k, *settings)
            for size, k, *settings in zip(
                x.shape[1:-1], kernel, self.stride, self.dilation, self.before, self.frame, strict=True
            )
        ]
        shared = tuple(gcd(s, d) for s, d in zip(self.stride, self.dilation, strict=True))
        phases = []
        for parts in product(*axes):
            counts, taps, first, at_x, at_y = zip(*parts, strict=True)
            starts = (_offset(x, at_x), _offset(y, at_y))
            phases.append(Phase(counts, taps, first, starts))
        dilation = tuple(d // g for d, g in zip(self.dilation, shared, strict=True))
        skipped = tuple(s // g for s, g in zip(self.stride, shared, strict=True))
        slide = slide_of(x, y, w, self.groups, self.stride, (1,) * rank, dilation, skipped, tuple(phases))
        print_slide(f, slide, names, self.machinery)


class Part(NamedTuple):
    """Every stride-th element of an axis of data: how many, of how many taps, the first of the turned weights, and
    where it begins in data and in results."""

    size: Size
    taps: int
    first: int
    at: int
    source: int


def axis_phases(size: Size, kernel: int, stride: int, dilation: int, before: int, frame: int) -> list[Part]:
    """The parts of an axis of data whose elements meet the same taps.

    Element h meets tap t in result (h + before - t · dilation) / stride where that is a whole number; turned weights
    begin with the last tap.
    """
    parts = []
    for at in range(stride):
        count = (size - at + stride - 1) // stride
        met = [t for t in reversed(range(kernel)) if (at + before - t * dilation) % stride == 0]
        if isinstance(count, int) and count <= 0:
            continue
        first = met[0] if met else kernel - 1
        source = (at + before - first * dilation) // stride + frame if met else 0
        parts.append(Part(count, len(met), kernel - 1 - first, at, source))
    return parts


def input_frame(
    sizes: Sequence[int],
    found: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    before: Sequence[int],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many zeros ConvInput needs before and after each axis of y, for data of `sizes` and y of `found`."""
    low, high = [], []
    for n, m, k, s, d, b in zip(sizes, found, kernel, stride, dilation, before, strict=True):
        parts = [p for p in axis_phases(n, k, s, d, b, 0) if p.taps]
        step = d // gcd(s, d)
        low.append(max([0, *(-p.source for p in parts)]))
        high.append(max([0, *(p.source + p.size - 1 + (p.taps - 1) * step - (m - 1) for p in parts)]))
    return tuple(low), tuple(high)


def slide_of(
    y: Window,
    x: Window,
    w: Window,
    groups: int,
    spread: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    skipped: tuple[int, ...],
    phases: tuple[Phase, ...],
) -> Slide:
    """The slide over windows whose results go by `spread` where the data goes by `stride`."""
    rank = len(stride)
    pixels = [(y.strides[1 + i] * spread[i], x.strides[1 + i] * stride[i], 0) for i in range(rank)]
    taps = [(0, x.strides[1 + i] * dilation[i], w.strides[i]) for i in range(rank)]
    return Slide(
        y.dtype,
        Axis(y.shape[0], (y.strides[0], x.strides[0], 0)),
        tuple(Axis(y.shape[1 + i], steps) for i, steps in enumerate(pixels)),
        tuple(Axis(w.shape[i], steps) for i, steps in enumerate(taps)),
        skipped,
        *channels_of(y, x, w, groups),
        phases,
    )


def channels_of(y: Window, x: Window, w: Window, groups: int) -> tuple[Axis, Axis, Axis]:
    """The groups, the channels of x and those of y in a group, with their steps in y, x and w.

    Groups of one channel each are one, in which each channel of y has its own of x.
    """
    own, columns = w.shape[-2], w.shape[-1] // groups
    steps = (y.strides[-1], x.strides[-1], w.strides[-1])
    if groups > 1 and own == 1 and columns == 1 and x.strides[-1] == 1:
        return Axis(1, (0, 0, 0)), Axis(1, (0, 0, 0)), Axis(groups, steps)
    several = Axis(groups, (columns * steps[0], own * steps[1], columns * steps[2]))
    return several, Axis(own, (0, steps[1], w.strides[-2])), Axis(columns, (steps[0], 0, steps[2]))


def known(shape: Sequence[Size]) -> tuple[int, ...]:
    """Sizes that are numbers."""
    found = tuple(n for n in shape if isinstance(n, int))
    assert len(found) == len(shape), shape
    return found


def _offset(x: Window, indices: Sequence[Size]) -> Size:
    offset: Size = 0
    for i, stride in zip(indices, x.strides[1:-1], strict=True):
        offset = offset + i * stride
    return offset
