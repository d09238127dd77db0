"""Pools as forms: kernels over data without a frame, of which windows see what there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from ..ir.dims import Size
from ..schedule.kernel import Window
from .function import Function, Machinery
from .loops import Axis
from .window import Lanes, Padding, Sliding

Windows = tuple[Window, ...]


class MaxPool(NamedTuple):
    """y [N, windows..., C] of x [N, spatial..., C]: padding never wins, NaN always does."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are rows of windows."""
        ((y,), (x,)) = writes, reads
        sliding = Sliding(self.size, self.stride, self.padding, x.shape[1:-1])
        p = Lanes(f, (y, x), self.machinery)

        def tap() -> None:
            v = p.load(1)
            f.line(f"const {p.mask} wins = ({v} > most) | ({v} != {v});")
            f.line(f"most = {p.chosen('wins', v, 'most')};")

        def window() -> None:
            f.line(f"{p.vector} most = {p.spread('-INFINITY')};")
            p.taps(sliding, tap, 1)
            p.store(0, "most")

        with _windows(p, sliding, y, 1):
            p.channels(window)


class MaxPoolInput(NamedTuple):
    """The cotangent of x, given x, its max-pool y and y's cotangent g, which goes to the first maximum of a window."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are rows of windows where they cover the data without meeting, else images."""
        ((out,), (x, y, g)) = writes, reads
        sliding = Sliding(self.size, self.stride, self.padding, x.shape[1:-1])
        p = Lanes(f, (out, x, y, g), self.machinery)
        covers = sliding.covers(y.shape[1:-1])

        def tap() -> None:
            f.line(f"const {p.mask} here = ({p.load(1)} == y) & open;")
            f.line("open &= ~here;")
            given = f"({p.vector})(({p.mask})g & here)"
            p.store(0, given if covers else f"{p.load(0)} + {given}")

        def window() -> None:
            f.line(f"const {p.vector} y = {p.load(2)}, g = {p.load(3)};")
            _open(p, sliding)
            p.taps(sliding, tap, 0, 1)

        with _windows(p, sliding, y, 0, 1, cleared=not covers):
            p.channels(window)


class MaxPoolPick(NamedTuple):
    """What stands in t at the first maximum of each window of x, given x, its max-pool y and t of x's shape."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are rows of windows."""
        ((out,), (x, y, t)) = writes, reads
        sliding = Sliding(self.size, self.stride, self.padding, x.shape[1:-1])
        p = Lanes(f, (out, x, y, t), self.machinery)

        def tap() -> None:
            v, t = p.load(1), p.load(3)
            f.line(f"const {p.mask} here = ({v} == y) & open;")
            f.line(f"open &= ~here; picked |= here & ({p.mask}){t};")

        def window() -> None:
            f.line(f"const {p.vector} y = {p.load(2)};")
            f.line(f"{p.mask} picked = {{0}};")
            _open(p, sliding)
            p.taps(sliding, tap, 1, 3)
            p.store(0, f"({p.vector})picked")

        with _windows(p, sliding, y, 1, 3):
            p.channels(window)


class AveragePool(NamedTuple):
    """y [N, windows..., C] of x [N, spatial..., C]: sums over windows, divided by how many elements count."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    count_padding: bool
    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are rows of windows."""
        ((y,), (x,)) = writes, reads
        sliding = Sliding(self.size, self.stride, self.padding, x.shape[1:-1])
        p = Lanes(f, (y, x), self.machinery)

        def window() -> None:
            f.line(f"{p.vector} sum = {{0}};")
            p.taps(sliding, lambda: f.line(f"sum += {p.load(1)};"), 1)
            p.store(0, "sum * share")

        with _windows(p, sliding, y, 1):
            count = sliding.counted(padding=self.count_padding)
            f.line(f"const {p.scalar} share = ({p.scalar})1 / ({count});")
            p.channels(window)


class AveragePoolInput(NamedTuple):
    """The cotangent of x, given that of its average-pool: of each window, its share."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    count_padding: bool
    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are rows of x."""
        ((out,), (g,)) = writes, reads
        sliding = Sliding(self.size, self.stride, self.padding, out.shape[1:-1])
        p = Lanes(f, (out, g), self.machinery)
        rank = len(self.size)

        def element() -> None:
            f.line(f"{p.vector} sum = {{0}};")
            with ExitStack() as stack:
                windows = [f"w{axis}" for axis in range(rank)]
                for axis, window in enumerate(windows):
                    stack.enter_context(f.loop(window, f"last{axis}", f"first{axis}"))
                    stack.enter_context(p.pointers.advanced(Axis(0, (0, g.strides[1 + axis])), window))
                if not self.count_padding and sliding.is_padded:
                    sliding.bounds(f, windows)
                count = sliding.counted(padding=self.count_padding)
                f.line(f"sum += {p.load(1)} * (({p.scalar})1 / ({count}));")
            p.store(0, "sum")

        steps = [(out.strides[0], g.strides[0]), *((s, 0) for s in out.strides[1:-1])]
        with p.pixels(out.shape[:-1], steps) as indices:
            for axis, (index, found) in enumerate(zip(indices, g.shape[1:-1], strict=True)):
                sliding.holders(f, axis, index, found)
            p.channels(element)


@contextmanager
def _windows(p: Lanes, sliding: Sliding, y: Window, *data: int, cleared: bool = False) -> Iterator[None]:
    """Loops over the windows whose results have the shape of y; `data` are the pointers that windows slide over."""
    steps: list[tuple[Size, ...]] = [tuple(w.strides[0] for w in p.windows)]
    for axis, step in enumerate(sliding.stride, start=1):
        steps.append(tuple(w.strides[axis] * (step if i in data else 1) for i, w in enumerate(p.windows)))
    with p.pixels(y.shape[:-1], steps, cleared=cleared) as indices:
        before = list(p.pointers.names)
        if sliding.is_padded:
            sliding.bounds(p.f, indices)
            for i in data:
                p.step_back(i, sliding)
        yield
        p.pointers.names = before


def _open(p: Lanes, sliding: Sliding) -> None:
    """Declares where the first maximum may still come: not where padding comes first and is one."""
    if sliding.is_padded:
        outside = " || ".join(f"from{axis} > 0" for axis in range(len(sliding.size)))
        p.f.line(f"{p.mask} open = ({outside}) ? ({p.mask})(y != {p.spread('-INFINITY')}) : ~({p.mask}){{0}};")
    else:
        p.f.line(f"{p.mask} open = ~({p.mask}){{0}};")
