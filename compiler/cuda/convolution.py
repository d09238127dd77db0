"""Convolutions as CUDA kernels: products whose operand is windows over data, and sums where groups are narrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from ..native.arithmetic import local, stored
from ..native.function import TYPES
from ..native.loops import Axis, Pointers
from ..native.nest import loaded
from ..ops import convolution as ops
from ..schedule.kernel import Window
from .kernel import Kernel, decoded, place, spread
from .reduce import print_reduction
from .tiles import Tiles, strided

Windows = tuple[Window, ...]
NARROW = 4  # channels of a group up to which tiles would be mostly empty


class Slide(NamedTuple):
    """How a kernel slides along each spatial axis: stride, padding in front, and dilation."""

    stride: tuple[int, ...]
    before: tuple[Size, ...]
    dilation: tuple[int, ...]
    groups: int

    @classmethod
    def of(cls, op: ops.Convolution) -> Slide:
        return cls(op.stride, tuple(low for low, _ in op.padding), op.dilation, op.groups)

    @property
    def rank(self) -> int:
        return len(self.stride)

    def start(self, f: Kernel, axis: int, pixel: str) -> str:
        """Where the window at a pixel begins."""
        return f"{pixel} * {self.stride[axis]} - {f.size(self.before[axis])}"

    def inside(self, f: Kernel, axis: int, at: str, size: Size) -> str:
        """Whether a place is one of the data."""
        return f"{at} >= 0 && {at} < {f.size(size)}"


class Seen(NamedTuple):
    """Data [N, spatial..., C] as windows see it: pixels of the result by taps and channels of the kernel.

    `pixels_outer`: pixels are the outer index, as forward; else the inner one, as for weights.
    """

    x: Window
    found: tuple[Size, ...]
    kernel: tuple[Size, ...]
    own: Size
    slide: Slide
    pixels_outer: bool
    inner_first: bool = True

    def _pixel(self, f: Kernel, index: str, tag: str) -> None:
        image, *pixels = decoded(f, index, (self.x.shape[0], *self.found))
        f.let(f"image{tag}", f"{f.size(self.x.strides[0])} * {image}")
        for axis, pixel in enumerate(pixels):
            f.let(f"from{axis}{tag}", self.slide.start(f, axis, pixel))

    def _tap(self, f: Kernel, index: str, tag: str) -> None:
        *taps, channel = decoded(f, index, (*self.kernel, self.own))
        f.let(f"channel{tag}", f"{f.size(self.x.strides[-1])} * {channel}")
        for axis, tap in enumerate(taps):
            f.let(f"tap{axis}{tag}", f"{tap} * {self.slide.dilation[axis]}")

    def outer(self, f: Kernel, index: str, tag: str) -> None:
        (self._pixel if self.pixels_outer else self._tap)(f, index, tag)

    def inner(self, f: Kernel, index: str, tag: str) -> None:
        (self._tap if self.pixels_outer else self._pixel)(f, index, tag)

    def element(self, f: Kernel, outer: str, inner: str) -> str:
        pixel, tap = (outer, inner) if self.pixels_outer else (inner, outer)
        places = [f"(from{axis}{pixel} + tap{axis}{tap})" for axis in range(self.slide.rank)]
        within = (
            self.slide.inside(f, i, at, n) for i, (at, n) in enumerate(zip(places, self.x.shape[1:-1], strict=True))
        )
        at = place(self.x.strides[1:-1], places, f)
        return f"({' && '.join(within)} ? a[image{pixel} + channel{tap} + {at}] : ({TYPES[self.x.dtype]})0)"


class Sent(NamedTuple):
    """A result y [N, windows..., K] as data sees it: the pixels of the data by taps and channels of y."""

    y: Window
    size: tuple[Size, ...]
    kernel: tuple[Size, ...]
    columns: Size
    slide: Slide
    inner_first: bool = True

    def outer(self, f: Kernel, index: str, tag: str) -> None:
        image, *pixels = decoded(f, index, (self.y.shape[0], *self.size))
        f.let(f"image{tag}", f"{f.size(self.y.strides[0])} * {image}")
        for axis, pixel in enumerate(pixels):
            f.let(f"from{axis}{tag}", f"{pixel} + {f.size(self.slide.before[axis])}")

    def inner(self, f: Kernel, index: str, tag: str) -> None:
        *taps, channel = decoded(f, index, (*self.kernel, self.columns))
        f.let(f"channel{tag}", f"{f.size(self.y.strides[-1])} * {channel}")
        for axis, tap in enumerate(taps):
            f.let(f"tap{axis}{tag}", f"{tap} * {self.slide.dilation[axis]}")

    def element(self, f: Kernel, outer: str, inner: str) -> str:
        places, within = [], []
        for axis, (step, n) in enumerate(zip(self.slide.stride, self.y.shape[1:-1], strict=True)):
            at = f"(from{axis}{outer} - tap{axis}{inner})"
            places.append(at if step == 1 else f"({at} / {step})")
            within.append(f"{at} >= 0" if step == 1 else f"{at} >= 0 && {at} % {step} == 0")
            within.append(f"{places[-1]} < {f.size(n)}")
        at = place(self.y.strides[1:-1], places, f)
        return f"({' && '.join(within)} ? a[image{outer} + channel{inner} + {at}] : ({TYPES[self.y.dtype]})0)"


class Conv(NamedTuple):
    """y [N, windows..., K] of x [N, spatial..., C] and w [kernel..., C / groups, K]."""

    slide: Slide

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (y,), (x, w) = writes, reads
        groups, own = self.slide.groups, w.shape[-2]
        columns = w.shape[-1] // groups
        if is_narrow(groups, own, columns):
            self._sums(f, y, x, w)
            return
        lead = Axis(groups, (columns * y.strides[-1], own * x.strides[-1], columns * w.strides[-1]))
        found, kernel = y.shape[1:-1], w.shape[:-2]
        _print(
            f,
            (y, x, w),
            Tiles(
                y.dtype,
                (lead,) if groups > 1 else (),
                x.shape[0] * dims.product(found),
                dims.product(kernel) * own,
                columns,
                Seen(x, found, kernel, own, self.slide, pixels_outer=True),
                strided("b", [(columns, w.strides[-1])], list(zip(w.shape[:-1], w.strides[:-1], strict=True))),
                strided("c", list(zip(y.shape[:-1], y.strides[:-1], strict=True)), [(columns, y.strides[-1])]),
                x.dtype,
            ),
        )

    def _sums(self, f: Kernel, y: Window, x: Window, w: Window) -> None:
        """One thread for each element of the result."""
        to, a, weights = f.pointer(y, write=True), f.pointer(x), f.pointer(w)
        own, columns = w.shape[-2], w.shape[-1] // self.slide.groups
        with spread(f, y.shape) as (image, *pixels, k):
            f.line(f"{local(y.dtype)} sum = 0;")
            taps = [f"t{axis}" for axis in range(self.slide.rank)]
            with _taps(f, w.shape[:-2]):
                places = []
                for axis, (pixel, tap) in enumerate(zip(pixels, taps, strict=True)):
                    start = self.slide.start(f, axis, pixel)
                    places.append(f.let(f"at{axis}", f"{start} + {tap} * {self.slide.dilation[axis]}"))
                    f.line(f"if (!({self.slide.inside(f, axis, places[-1], x.shape[1 + axis])})) continue;")
                with f.loop("c", f.size(own)):
                    channel = f"({k} / {f.size(columns)} * {f.size(own)} + c)"
                    left = loaded(x, f"{a}[{place(x.strides, [image, *places, channel], f)}]")
                    right = loaded(w, f"{weights}[{place(w.strides, [*taps, 'c', k], f)}]")
                    f.line(f"sum += {left} * {right};")
            f.line(f"{to}[{place(y.strides, [image, *pixels, k], f)}] = {stored(y.dtype, 'sum')};")


class ConvInput(NamedTuple):
    """x [N, size..., C] of y [N, windows..., K] and w [kernel..., C / groups, K]: each y[p] w[t] is added at
    p·stride + t·dilation - before."""

    slide: Slide

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (x,), (y, w) = writes, reads
        groups, own = self.slide.groups, w.shape[-2]
        columns = w.shape[-1] // groups
        if is_narrow(groups, own, columns):
            self._sums(f, x, y, w)
            return
        lead = Axis(groups, (own * x.strides[-1], columns * y.strides[-1], columns * w.strides[-1]))
        size, kernel = x.shape[1:-1], w.shape[:-2]
        inner = [*zip(kernel, w.strides[:-2], strict=True), (columns, w.strides[-1])]
        _print(
            f,
            (x, y, w),
            Tiles(
                x.dtype,
                (lead,) if groups > 1 else (),
                x.shape[0] * dims.product(size),
                dims.product(kernel) * columns,
                own,
                Sent(y, size, kernel, columns, self.slide),
                strided("b", [(own, w.strides[-2])], inner),
                strided("c", list(zip(x.shape[:-1], x.strides[:-1], strict=True)), [(own, x.strides[-1])]),
                y.dtype,
            ),
        )

    def _sums(self, f: Kernel, x: Window, y: Window, w: Window) -> None:
        """One thread for each element of the data."""
        to, a, weights = f.pointer(x, write=True), f.pointer(y), f.pointer(w)
        own, columns = w.shape[-2], w.shape[-1] // self.slide.groups
        with spread(f, x.shape) as (image, *pixels, c):
            f.line(f"{local(x.dtype)} sum = 0;")
            taps = [f"t{axis}" for axis in range(self.slide.rank)]
            with _taps(f, w.shape[:-2]):
                places = []
                for axis, (pixel, tap, step) in enumerate(zip(pixels, taps, self.slide.stride, strict=True)):
                    far = f"{pixel} + {f.size(self.slide.before[axis])} - {tap} * {self.slide.dilation[axis]}"
                    f.let(f"far{axis}", far)
                    places.append(f.let(f"at{axis}", f"far{axis} / {step}"))
                    least = f"far{axis} < 0 || far{axis} % {step} != 0"
                    f.line(f"if ({least} || at{axis} >= {f.size(y.shape[1 + axis])}) continue;")
                with f.loop("k", f.size(columns)):
                    channel = f"({c} / {f.size(own)} * {f.size(columns)} + k)"
                    left = loaded(y, f"{a}[{place(y.strides, [image, *places, channel], f)}]")
                    at = place(w.strides, [*taps, f"({c} % {f.size(own)})", channel], f)
                    f.line(f"sum += {left} * {loaded(w, f'{weights}[{at}]')};")
            f.line(f"{to}[{place(x.strides, [image, *pixels, c], f)}] = {stored(x.dtype, 'sum')};")


class ConvWeight(NamedTuple):
    """w [kernel..., C / groups, K] of x [N, spatial..., C] and y [N, windows..., K], summed over all pixels.

    With more than one of `parts` the write has one more axis in front: each has the sums of a stretch of the pixels.
    """

    slide: Slide
    parts: int = 1

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (x, y) = writes, reads
        w = out if self.parts == 1 else out._replace(shape=out.shape[1:], strides=out.strides[1:])
        groups, own = self.slide.groups, w.shape[-2]
        columns = w.shape[-1] // groups
        if is_narrow(groups, own, columns):
            self._sums(f, out, w, x, y)
            return
        lead = [Axis(self.parts, (out.strides[0], 0, 0))] if self.parts > 1 else []
        if groups > 1:
            lead.append(Axis(groups, (columns * w.strides[-1], own * x.strides[-1], columns * y.strides[-1])))
        found, kernel = y.shape[1:-1], w.shape[:-2]
        _print(
            f,
            (out, x, y),
            Tiles(
                w.dtype,
                tuple(lead),
                dims.product(kernel) * own,
                x.shape[0] * dims.product(found),
                columns,
                Seen(x, found, kernel, own, self.slide, pixels_outer=False, inner_first=False),
                strided("b", [(columns, y.strides[-1])], list(zip(y.shape[:-1], y.strides[:-1], strict=True))),
                strided("c", list(zip(w.shape[:-1], w.strides[:-1], strict=True)), [(columns, w.strides[-1])]),
                x.dtype,
                parts=self.parts,
            ),
        )

    def _sums(self, f: Kernel, out: Window, w: Window, x: Window, y: Window) -> None:
        """Some threads for each weight, over the pixels of all images."""
        names = [f.pointer(out, write=True), f.pointer(x), f.pointer(y)]
        own, columns = w.shape[-2], w.shape[-1] // self.slide.groups
        kept = [Axis(n, (s, 0, 0)) for n, s in zip(w.shape, w.strides, strict=True)]
        if self.parts > 1:
            kept.insert(0, Axis(self.parts, (out.strides[0], 0, 0)))
        added = [Axis(n, (0, 0, 0)) for n in (x.shape[0], *y.shape[1:-1])]

        def element(kept_at: Sequence[str], added_at: Sequence[str]) -> str:
            *taps, c, k = kept_at[len(kept_at) - len(w.shape) :]
            image, *pixels = added_at
            places, within = [], []
            for axis, (pixel, tap) in enumerate(zip(pixels, taps, strict=True)):
                start = self.slide.start(f, axis, pixel)
                places.append(f.let(f.fresh("at"), f"{start} + {tap} * {self.slide.dilation[axis]}"))
                within.append(self.slide.inside(f, axis, places[-1], x.shape[1 + axis]))
            channel = f"({k} / {f.size(columns)} * {f.size(own)} + {c})"
            left = loaded(x, f"{names[1]}[{place(x.strides, [image, *places, channel], f)}]")
            right = loaded(y, f"{names[2]}[{place(y.strides, [*added_at, k], f)}]")
            return f"{' && '.join(within)} ? {left} * {right} : 0"

        print_reduction(
            f, "sum", x.dtype, out.dtype, kept, added, Pointers(f, names), element, across=True, parts=self.parts
        )


def is_narrow(groups: int, own: Size, columns: Size) -> bool:
    """Whether the channels of a group are so few that each element is better summed by itself."""
    return groups > 1 and any(isinstance(n, int) and n <= NARROW for n in (own, columns))


def _print(f: Kernel, windows: Windows, tiles: Tiles) -> None:
    """Tiles whose result and operands are these windows."""
    out, *operands = windows
    names = (f.pointer(out, write=True), *map(f.pointer, operands))
    types = (TYPES[out.dtype], *(f"const {TYPES[x.dtype]}" for x in operands))
    tiles.print(f, names, types)  # type: ignore[arg-type]


@contextmanager
def _taps(f: Kernel, kernel: Sequence[Size]) -> Iterator[None]:
    """Loops over the positions of a kernel, `t0`, `t1` …"""
    with ExitStack() as stack:
        for axis, size in enumerate(kernel):
            stack.enter_context(f.loop(f"t{axis}", f.size(size)))
        yield
