"""Pools as CUDA kernels: one thread for each element of what is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from ..native.arithmetic import local
from ..native.nest import loaded
from ..native.window import Padding, Sliding
from ..schedule.kernel import Window
from .kernel import Kernel, place, spread

Windows = tuple[Window, ...]


class MaxPool(NamedTuple):
    """y [N, windows..., C] of x [N, spatial..., C]: padding never wins, NaN always does."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (y,), (x,) = writes, reads
        to, data = f.pointer(y, write=True), f.pointer(x)
        sliding = Sliding(self.size, self.stride, self.padding, x.shape[1:-1])
        with spread(f, y.shape) as places:
            f.line(f"{local(x.dtype)} most = -INFINITY;")
            with _elements(f, sliding, places) as there:
                f.line(f"const {local(x.dtype)} v = {loaded(x, f'{data}[{place(x.strides, there, f)}]')};")
                f.line("most = v > most || v != v ? v : most;")
            f.line(f"{to}[{place(y.strides, places, f)}] = most;")


class MaxPoolInput(NamedTuple):
    """The cotangent of x, given x, its max-pool y and y's cotangent g, which goes to the first maximum of a window."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        """A thread looks at all windows that hold its element, whether one before it was the maximum."""
        (out,), (x, y, g) = writes, reads
        to, data, most, flow = f.pointer(out, write=True), *map(f.pointer, (x, y, g))
        sliding = Sliding(self.size, self.stride, self.padding, x.shape[1:-1])
        with spread(f, x.shape) as places:
            image, *pixels, channel = places
            own = loaded(x, f"{data}[{place(x.strides, places, f)}]")
            f.line(f"const {local(x.dtype)} own = {own};")
            f.line(f"{local(x.dtype)} sum = 0;")
            with _holders(f, sliding, pixels, y) as windows:
                window = [image, *windows, channel]
                f.line(f"const {local(x.dtype)} y = {loaded(y, f'{most}[{place(y.strides, window, f)}]')};")
                f.line("if (own != y) continue;")
                f.line(f"bool open = {_open(f, sliding, windows)};")
                with _elements(f, sliding, window) as there:
                    before = _before(there[1:-1], pixels)
                    f.line(f"if ({before} && {loaded(x, f'{data}[{place(x.strides, there, f)}]')} == y) open = false;")
                f.line(f"if (open) sum += {loaded(g, f'{flow}[{place(g.strides, window, f)}]')};")
            f.line(f"{to}[{place(out.strides, places, f)}] = sum;")


class MaxPoolPick(NamedTuple):
    """What stands in t at the first maximum of each window of x, given x, its max-pool y and t of x's shape."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (x, y, t) = writes, reads
        to, data, most, source = f.pointer(out, write=True), *map(f.pointer, (x, y, t))
        sliding = Sliding(self.size, self.stride, self.padding, x.shape[1:-1])
        with spread(f, y.shape) as places:
            f.line(f"const {local(x.dtype)} y = {loaded(y, f'{most}[{place(y.strides, places, f)}]')};")
            f.line(f"{local(x.dtype)} picked = 0;")
            f.line(f"bool open = {_open(f, sliding, places[1:-1])};")
            with _elements(f, sliding, places) as there:
                value = loaded(x, f"{data}[{place(x.strides, there, f)}]")
                with f.block(f"if (open && {value} == y)"):
                    f.line("open = false;")
                    f.line(f"picked = {loaded(t, f'{source}[{place(t.strides, there, f)}]')};")
            f.line(f"{to}[{place(out.strides, places, f)}] = picked;")


class AveragePool(NamedTuple):
    """y [N, windows..., C] of x [N, spatial..., C]: sums over windows, divided by how many elements count."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    count_padding: bool

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (y,), (x,) = writes, reads
        to, data = f.pointer(y, write=True), f.pointer(x)
        sliding = Sliding(self.size, self.stride, self.padding, x.shape[1:-1])
        with spread(f, y.shape) as places:
            f.line(f"{local(x.dtype)} sum = 0;")
            with _elements(f, sliding, places) as there:
                f.line(f"sum += {loaded(x, f'{data}[{place(x.strides, there, f)}]')};")
            count = sliding.counted(padding=self.count_padding)
            f.line(f"{to}[{place(y.strides, places, f)}] = sum * (({local(x.dtype)})1 / ({count}));")


class AveragePoolInput(NamedTuple):
    """The cotangent of x, given that of its average-pool: of each window, its share."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    count_padding: bool

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (g,) = writes, reads
        to, flow = f.pointer(out, write=True), f.pointer(g)
        sliding = Sliding(self.size, self.stride, self.padding, out.shape[1:-1])
        with spread(f, out.shape) as places:
            image, *pixels, channel = places
            f.line(f"{local(g.dtype)} sum = 0;")
            with _holders(f, sliding, pixels, g) as windows:
                if not self.count_padding:
                    sliding.bounds(f, windows)
                count = sliding.counted(padding=self.count_padding)
                value = loaded(g, f"{flow}[{place(g.strides, [image, *windows, channel], f)}]")
                f.line(f"sum += {value} * (({local(g.dtype)})1 / ({count}));")
            f.line(f"{to}[{place(out.strides, places, f)}] = sum;")


@contextmanager
def _elements(f: Kernel, sliding: Sliding, places: Sequence[str]) -> Iterator[list[str]]:
    """Loops over the elements of the window at a place [image, windows..., channel]; gives the place of each."""
    image, *windows, channel = places
    sliding.bounds(f, windows)
    with ExitStack() as stack:
        for axis in range(len(windows)):
            stack.enter_context(f.loop(f"t{axis}", f"to{axis}", f"from{axis}"))
        yield [image, *(f"(begin{axis} + t{axis})" for axis in range(len(windows))), channel]


@contextmanager
def _holders(f: Kernel, sliding: Sliding, pixels: Sequence[str], y: Window) -> Iterator[list[str]]:
    """Loops over the windows that hold an element; gives the place of each along the spatial axes."""
    with ExitStack() as stack:
        for axis, (pixel, found) in enumerate(zip(pixels, y.shape[1:-1], strict=True)):
            first, last = sliding.holders(f, axis, pixel, found)
            stack.enter_context(f.loop(f"w{axis}", last, first))
        yield [f"w{axis}" for axis in range(len(pixels))]


def _before(there: Sequence[str], here: Sequence[str]) -> str:
    """Whether a place comes before another in row-major order."""
    text = "false"
    for a, b in reversed(list(zip(there, here, strict=True))):
        text = f"({a} < {b} || ({a} == {b} && {text}))"
    return text


def _open(f: Kernel, sliding: Sliding, windows: Sequence[str]) -> str:
    """Whether the first maximum may be an element: not where padding comes first and is one."""
    if not sliding.is_padded:
        return "true"
    starts = (
        f"{w} * {s} < {f.size(low)}" for w, s, (low, _) in zip(windows, sliding.stride, sliding.padding, strict=True)
    )
    return f"!(({' || '.join(starts)}) && y == -INFINITY)"
