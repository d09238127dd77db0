"""Windows over unframed data as C loops: pixel by pixel, position by position, a vector of channels at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from math import prod
from typing import NamedTuple

from ..ir.dims import Size
from ..schedule.kernel import Window
from .function import TYPES, Function, Machinery
from .loops import Axis, Pointers
from .sliding import lanes_of
from .tile import VECTORS

Padding = tuple[tuple[Size, Size], ...]
UNROLLED = 9  # positions in a window that are written one after the other


class Sliding(NamedTuple):
    """How windows slide over data of `space`: size, stride and padding along each axis."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    space: tuple[Size, ...]

    @property
    def is_padded(self) -> bool:
        return any(side != 0 for sides in self.padding for side in sides)

    def covers(self, found: Sequence[Size]) -> bool:
        """Whether each element is in one of so many windows, and only in one."""
        exact = all(k * n == size for k, n, size in zip(self.size, found, self.space, strict=True))
        return exact and self.stride == self.size and not self.is_padded

    def bounds(self, f: Function, windows: Sequence[str]) -> None:
        """Declares, for each axis, which positions of a window are elements: `from0` to below `to0`, and so on."""
        rows = zip(windows, self.size, self.stride, self.padding, self.space, strict=True)
        for axis, (window, k, step, padding, size) in enumerate(rows):
            begin, rest = f"begin{axis}", f"{f.size(size)} - begin{axis}"
            is_within = padding == (0, 0)
            f.let(begin, f"{window} * {step} - {f.size(padding[0])}")
            f.let(f"from{axis}", "0" if is_within else f"{begin} < 0 ? -{begin} : 0")
            f.let(f"to{axis}", str(k) if is_within else f"{rest} < {k} ? {rest} : {k}")

    def counted(self, *, padding: bool) -> str:
        """How many elements a window has, where `bounds` were declared if they matter."""
        if padding or not self.is_padded:
            return str(prod(self.size))
        return " * ".join(f"(to{axis} - from{axis})" for axis in range(len(self.size)))

    def holders(self, f: Function, axis: int, place: str, found: Size) -> tuple[str, str]:
        """The first window along an axis that holds an element, and the one after the last."""
        k, step, (low, _) = self.size[axis], self.stride[axis], self.padding[axis]
        at = f"({place} + {f.size(low)})"
        first = f.let(f"first{axis}", f"{at} < {k} ? 0 : ({at} - {k}) / {step} + 1")
        last = f.let(f"last{axis}", f"{at} / {step} < {f.size(found)} ? {at} / {step} + 1 : {f.size(found)}")
        return first, last


class Lanes:
    """Writes what is done with vectors of channels, at pointers of which the first is written."""

    def __init__(self, f: Function, windows: Sequence[Window], machinery: Machinery) -> None:
        self.f, self.windows, self.dtype = f, windows, windows[0].dtype
        self.scalar, (self.vector, self.loose) = TYPES[self.dtype], VECTORS[self.dtype]
        self.mask = f"{self.dtype}i"
        self.lanes = lanes_of(self.dtype, machinery)
        self.pointers = Pointers(f, [f.pointer(w, write=i == 0) for i, w in enumerate(windows)])
        self.last = ""

    def spread(self, number: str) -> str:
        return f"({self.vector}){{0}} + ({self.scalar})({number})"

    def chosen(self, mask: str, a: str, b: str) -> str:
        """The lanes of a where a mask says so, else of b."""
        return f"({self.vector})((({self.mask}){a} & {mask}) | (({self.mask}){b} & ~{mask}))"

    def load(self, i: int) -> str:
        """A name for the lanes at a pointer."""
        f, name, step, value = self.f, self.pointers.names[i], self.windows[i].strides[-1], self.f.fresh()
        if step != 1:
            f.line(f"{self.vector} {value} = {{0}};")
            f.line(f"for (long i = 0; i < {self.last or self.lanes}; i++) {value}[i] = {name}[{f.size(step)} * i];")
        elif self.last:
            f.line(f"const {self.vector} {value} = {self.dtype}_part({name}, {self.last});")
        else:
            f.line(f"const {self.vector} {value} = *(const {self.loose} *)({name});")
        return value

    def store(self, i: int, value: str) -> None:
        f, name, step = self.f, self.pointers.names[i], self.windows[i].strides[-1]
        if step != 1:
            f.line(f"{{ const {self.vector} v = {value};")
            f.line(f"for (long i = 0; i < {self.last or self.lanes}; i++) {name}[{f.size(step)} * i] = v[i]; }}")
        elif self.last:
            f.line(f"{self.dtype}_put({name}, {value}, {self.last});")
        else:
            f.line(f"*({self.loose} *)({name}) = {value};")

    @contextmanager
    def pixels(
        self, shape: Sequence[Size], steps: Sequence[Sequence[Size]], *, cleared: bool = False
    ) -> Iterator[list[str]]:
        """Loops over images and pixels; gives the indices of a pixel. `steps` has, for each axis, those of pointers.

        Units are rows, or images, if what is written must be zero first.
        """
        f, axes = self.f, [Axis(n, tuple(s)) for n, s in zip(shape, steps, strict=True)]
        names = [f"i{axis}" for axis in range(len(shape) - 1)]
        with ExitStack() as stack:
            if cleared:
                f.split(axes[0].size)
                stack.enter_context(f.loop("image", "hi", "lo"))
                stack.enter_context(self.pointers.advanced(axes[0], "image"))
                self._clear()
                stack.enter_context(f.loop("i0", f.number(axes[1].size)))
            else:
                f.split(axes[0].size * axes[1].size)
                stack.enter_context(f.loop("unit", "hi", "lo"))
                rows = f.number(axes[1].size)
                f.line(f"const long image = unit / {rows}, i0 = unit % {rows};")
                stack.enter_context(self.pointers.advanced(axes[0], "image"))
            stack.enter_context(self.pointers.advanced(axes[1], "i0"))
            for axis, name in zip(axes[2:], names[1:], strict=True):
                stack.enter_context(f.loop(name, f.number(axis.size)))
                stack.enter_context(self.pointers.advanced(axis, name))
            yield names

    def _clear(self) -> None:
        """Zeros where the image is written."""
        out, others = self.windows[0], (0,) * (len(self.windows) - 1)
        with ExitStack() as stack:
            for axis in range(1, len(out.shape) - 1):
                index = self.f.fresh("i")
                stack.enter_context(self.f.loop(index, self.f.size(out.shape[axis])))
                stack.enter_context(self.pointers.advanced(Axis(0, (out.strides[axis], *others)), index))
            self.channels(lambda: self.store(0, self.spread("0")))

    def step_back(self, i: int, sliding: Sliding) -> None:
        """Moves a pointer from where a window would begin without padding to where it does."""
        f, name = self.f, self.pointers.names[i]
        for axis, (low, _) in enumerate(sliding.padding, start=1):
            if low != 0:
                moved = f.fresh("q")
                f.line(f"__typeof__({name}) {moved} = {name} - {f.size(low * self.windows[i].strides[axis])};")
                name = moved
        self.pointers.names[i] = name

    def channels(self, body: Callable[[], None]) -> None:
        """What is done with all channels: with whole vectors of them, and with the rest."""
        f, count = self.f, self.windows[0].shape[-1]
        assert isinstance(count, int)
        axis = Axis(count, tuple(w.strides[-1] for w in self.windows))
        whole = count - count % self.lanes
        if whole:
            with f.loop("c", f.number(whole), step=self.lanes), self.pointers.advanced(axis, "c"):
                body()
        if whole < count:
            self.last = str(count - whole)
            with f.block(""), self.pointers.advanced(axis, str(whole)):
                body()
            self.last = ""

    def taps(self, sliding: Sliding, body: Callable[[], None], *operands: int) -> None:
        """What is done at each position of a window, in order; `operands` are pointers that lie in the data."""
        f = self.f
        steps = [
            tuple(w.strides[1 + axis] if i in operands else 0 for i, w in enumerate(self.windows))
            for axis in range(len(sliding.size))
        ]
        if not sliding.is_padded and prod(sliding.size) <= UNROLLED:
            for tap in product(*map(range, sliding.size)):
                with f.block(""), ExitStack() as stack:
                    for axis, (index, step) in enumerate(zip(tap, steps, strict=True)):
                        stack.enter_context(self.pointers.advanced(Axis(sliding.size[axis], step), str(index)))
                    body()
            return
        with ExitStack() as stack:
            for axis, (size, step) in enumerate(zip(sliding.size, steps, strict=True)):
                start, end = (f"from{axis}", f"to{axis}") if sliding.is_padded else ("0", str(size))
                stack.enter_context(f.loop(f"t{axis}", end, start))
                stack.enter_context(self.pointers.advanced(Axis(size, step), f"t{axis}"))
            body()
