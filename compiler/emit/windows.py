"""Windows that slide over [N, spatial..., C]: framing, and strided views of what each position reads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from ..ir.types import Shape, Tensor
from ..schedule import layout
from ..schedule.kernel import Window
from .numpy import NumpyEmitter

FEW = 8  # elements of a run; so few are copied faster one by one, along the windows


class Sliding(NamedTuple):
    """How a kernel slides: one size, stride, dilation and pair of paddings for each spatial axis."""

    kernel: Shape
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[Size, Size], ...]

    @property
    def before(self) -> tuple[Size, ...]:
        return tuple(low for low, _ in self.padding)

    @property
    def after(self) -> tuple[Size, ...]:
        return tuple(high for _, high in self.padding)

    def along(self, axis: int) -> Sliding:
        """The same along one spatial axis, over framed data."""
        kernel = tuple(k if i == axis else 1 for i, k in enumerate(self.kernel))
        stride = tuple(step if i == axis else 1 for i, step in enumerate(self.stride))
        return Sliding(kernel, stride, self.dilation, ((0, 0),) * len(kernel))

    def view(self, wide: Window, found: Shape) -> Window:
        """[N, windows..., kernel..., C]: every window of framed data, without a copy."""
        space = wide.strides[1:-1]
        steps = tuple(s * step for s, step in zip(space, self.stride, strict=True))
        taps = tuple(s * gap for s, gap in zip(space, self.dilation, strict=True))
        shape = (wide.shape[0], *found, *self.kernel, wide.shape[-1])
        return wide._replace(shape=shape, strides=(wide.strides[0], *steps, *taps, wide.strides[-1]))

    def columns(self, e: NumpyEmitter, wide: Window, found: Shape) -> Window:
        """[N · windows, kernel · C]: every window as a row, copied unless the data lies so already."""
        view = self.view(wide, found)
        shape = (wide.shape[0] * dims.product(found), dims.product(self.kernel) * wide.shape[-1])
        direct = layout.reshape(view, shape)
        if direct is not None and (direct.strides[1] == 1 or direct.shape[1] == 1):
            return direct
        if wide.shape[-1] == 1 and _whole(self.kernel[-1]) <= FEW:
            return self._turned(e, view, shape)
        made = e.scratch(Tensor(wide.dtype, shape), "columns")
        rank = len(self.kernel)
        merged = (wide.shape[0], *found, *self.kernel[:-1], self.kernel[-1] * wide.shape[-1])
        source = layout.reshape(view, merged)
        whole = merged if source is not None else view.shape
        target = layout.reshape(made, whole)
        assert target is not None
        assert rank
        e.add("copy", (target,), (source or view,))
        return made

    def _turned(self, e: NumpyEmitter, view: Window, shape: Shape) -> Window:
        """Columns whose transpose lies in memory: each position in the kernel is one run along the windows."""
        rank = len(self.kernel)
        source = layout.transpose(view, (*range(1 + rank, 2 + 2 * rank), *range(1 + rank)))
        made = e.scratch(Tensor(view.dtype, shape[::-1]), "columns")
        target = layout.reshape(made, source.shape)
        assert target is not None
        e.add("copy", (target,), (source,))
        return layout.transpose(made, (1, 0))

    def taps(self, wide: Window, found: Shape) -> Iterator[Window]:
        """For each position in the kernel, in order, what all windows read there: [N, windows..., C]."""
        view = self.view(wide, found)
        rank = len(self.kernel)
        for tap in product(*(range(_whole(k)) for k in self.kernel)):
            offset = view.offset
            for t, stride in zip(tap, view.strides[1 + rank : 1 + 2 * rank], strict=True):
                offset = offset + t * stride
            yield Window(
                view.buffer,
                offset,
                (*view.shape[: 1 + rank], view.shape[-1]),
                (*view.strides[: 1 + rank], view.strides[-1]),
            )


def framed(e: NumpyEmitter, x: Window, before: tuple[Size, ...], after: tuple[Size, ...], value: float) -> Window:
    """x with a frame of `value` round its spatial axes; x itself where there is none."""
    if all(n == 0 for n in (*before, *after)):
        return x
    wide = e.scratch(Tensor(x.dtype, framed_shape(x.shape, before, after)), "framed")
    e.add("fill", (wide,), (), value=value)
    e.add("copy", (interior(wide, x.shape, before),), (x,))
    return wide


def framed_shape(shape: Shape, before: tuple[Size, ...], after: tuple[Size, ...]) -> Shape:
    """The shape of data [N, spatial..., C] with a frame round its spatial axes."""
    space = (n + low + high for n, low, high in zip(shape[1:-1], before, after, strict=True))
    return (shape[0], *space, shape[-1])


def interior(wide: Window, shape: Shape, before: tuple[Size, ...]) -> Window:
    """Where unframed data stands in its frame."""
    return layout.cut(wide, (0, *before, 0), (1,) * len(shape), shape)


def _whole(size: Size) -> int:
    assert isinstance(size, int), size
    return size
