"""What convolutions need made once, as forms: zeros round data, and weights turned round."""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

from ..ir import dims
from ..schedule import layout
from ..schedule.kernel import Window
from .function import Function
from .loops import Axis, Pointers, axes_of, nested

Windows = tuple[Window, ...]


class Border(NamedTuple):
    """Zeros in the frame of a window [N, spatial..., C]: so many before and after each spatial axis."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are images. Each axis has its two sides, cut out of what the sides of the axes before it left."""
        (x,) = writes
        f.pointer(x, write=True)
        f.split(x.shape[0])
        starts, sizes = [0] * len(x.shape), list(x.shape)
        with f.loop("image", "hi", "lo"):
            for axis, (low, high) in enumerate(zip(self.before, self.after, strict=True), start=1):
                whole = x.shape[axis]
                for start, size in ((0, low), (whole - high, high)):
                    if size:
                        at = (*starts[:axis], start, *starts[axis + 1 :])
                        shape = (1, *sizes[1:axis], size, *sizes[axis + 1 :])
                        self._zeros(f, x, layout.cut(x, at, (1,) * len(at), shape))
                starts[axis], sizes[axis] = low, whole - low - high

    def _zeros(self, f: Function, x: Window, side: Window) -> None:
        axes = axes_of(side.shape, [side.strides]) or [Axis(1, (1,))]
        with f.block(""):
            f.line(f"__typeof__(p0) side = p0 + {f.size(side.offset - x.offset)} + {f.size(x.strides[0])} * image;")
            pointers = Pointers(f, ["side"])
            with nested(f, axes, pointers):
                f.line(f"*{pointers.names[0]} = 0;")


class Flipped(NamedTuple):
    """Weights [kernel..., C / groups, K] as [kernel..., K / groups, C], the kernel turned round: what sends back."""

    groups: int

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are positions in the kernel."""
        (out,), (w,) = writes, reads
        rank = len(w.shape) - 2
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(w)])
        sizes = w.shape[:-2]
        f.split(dims.product(sizes))
        own, columns = w.shape[-2], w.shape[-1] // self.groups
        with f.loop("tap", "hi", "lo"), ExitStack() as stack:
            index = "tap"
            for i in reversed(range(rank)):
                place = f.fresh("i")
                size = f.size(sizes[i])
                f.line(f"const long {place} = {index if i == 0 else f'{index} % {size}'};")
                index = f"({index} / {size})"
                stack.enter_context(pointers.advanced(Axis(1, (0, w.strides[i])), place))
                stack.enter_context(pointers.advanced(Axis(1, (out.strides[i], 0)), f"({size} - 1 - {place})"))
            group = Axis(self.groups, (own * out.strides[-1], columns * w.strides[-1]))
            k = Axis(columns, (out.strides[-2], w.strides[-1]))
            c = Axis(own, (out.strides[-1], w.strides[-2]))
            self._matrices(f, pointers, group, k, c)

    def _matrices(self, f: Function, pointers: Pointers, group: Axis, k: Axis, c: Axis) -> None:
        """The weights of one position: transposed in registers where the result lies in one piece."""
        if self.groups == 1 and c.steps[0] == 1 and k.steps == (c.size, 1):
            to, source = pointers.names
            size, step, rows = f.size(c.size), f.size(c.steps[1]), f.size(k.size)
            f.line(f"{self._prefix(f)}_turned({to}, {size}, {source}, {step}, {rows}, {size});")
            return
        loops = [a for a in (k, c, group) if a.size != 1] or [k]
        with nested(f, loops, pointers):
            f.line(f"*{pointers.names[0]} = *{pointers.names[1]};")

    def _prefix(self, f: Function) -> str:
        return str(f.windows[0].dtype)
