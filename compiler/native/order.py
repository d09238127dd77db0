"""What goes along one axis in its order, as C loops: running sums, the place of the greatest, sorting."""

from __future__ import annotations

from typing import NamedTuple

from ..ir.types import DType
from ..schedule.kernel import Window
from .arithmetic import local
from .function import TYPES, Function
from .loops import Axis, Pointers, axes_of, rows
from .nest import loaded


def others(axis: int, *windows: Window) -> list[Axis]:
    """The loops over all axes but one."""
    keep = [i for i in range(len(windows[0].shape)) if i != axis]
    return axes_of(tuple(windows[0].shape[i] for i in keep), [tuple(w.strides[i] for i in keep) for w in windows])


class RunningSum(NamedTuple):
    """The sum of the elements up to each one along an axis."""

    axis: int

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x,) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x)])
        along = Axis(x.shape[self.axis], (out.strides[self.axis], x.strides[self.axis]))
        with rows(f, others(self.axis, out, x), pointers):
            total = f.fresh("total")
            f.line(f"{local(x.dtype)} {total} = 0;")
            with f.loop("j", f.size(along.size)), pointers.moved(along, "j"):
                f.line(f"{total} += {loaded(x, pointers.at(1))};")
                f.line(f"{pointers.at(0)} = {total};")


class Position(NamedTuple):
    """Where along an axis the greatest or least element stands, the first of equal ones; the first NaN before all."""

    axis: int
    greatest: bool

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x,) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x)])
        keep = [i for i in range(len(x.shape)) if i != self.axis]
        axes = axes_of(tuple(x.shape[i] for i in keep), [out.strides, tuple(x.strides[i] for i in keep)])
        along = Axis(x.shape[self.axis], (0, x.strides[self.axis]))
        kind = local(x.dtype)
        with rows(f, axes, pointers):
            f.line(f"{kind} best = {loaded(x, pointers.at(1))};")
            f.line("int64_t at = 0;")
            with f.loop("j", f.size(along.size), "1"), pointers.moved(along, "j"):
                f.line(f"const {kind} x = {loaded(x, pointers.at(1))};")
                better = f"(x {'>' if self.greatest else '<'} best || x != x) && best == best"
                with f.block(f"if ({better})"):
                    f.line("best = x; at = j;")
            f.line(f"{pointers.at(0)} = at;")


class Sort(NamedTuple):
    """The positions that put the read in order along an axis, by merging; the second write is scratch [rows, 2, n]."""

    axis: int
    descending: bool

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out, scratch), (x,) = writes, reads
        names = [f.pointer(out, write=True), f.pointer(scratch, write=True), f.pointer(x)]
        pointers = Pointers(f, names)
        keep = [i for i in range(len(x.shape)) if i != self.axis]
        strides = [tuple(w.strides[i] for i in keep) for w in (out, x)]
        axes = axes_of(tuple(x.shape[i] for i in keep), [strides[0], scratch.strides[: len(keep)], strides[1]])
        n = f.size(x.shape[self.axis])
        step, turn = (f.size(w.strides[self.axis]) for w in (out, x))
        with rows(f, axes, pointers):
            to, work, read = pointers.names
            f.line(f"int64_t *from = (int64_t *){work}, *into = from + {n};")
            f.line(f"for (long i = 0; i < {n}; i++) from[i] = i;")
            with f.block(f"for (long width = 1; width < {n}; width *= 2)"):
                with f.block(f"for (long start = 0; start < {n}; start += 2 * width)"):
                    self._merge(f, x.dtype, n, read, turn)
                f.line("int64_t *other = from; from = into; into = other;")
            f.line(f"for (long i = 0; i < {n}; i++) {to}[{step} * i] = from[i];")

    def _merge(self, f: Function, dtype: DType, n: str, read: str, turn: str) -> None:
        """Two sorted stretches as one; the second goes first only where it must."""
        f.line(f"const long middle = start + width < {n} ? start + width : {n};")
        f.line(f"const long end = start + 2 * width < {n} ? start + 2 * width : {n};")
        f.line("long a = start, b = middle;")
        with f.loop("k", "end", "start"):
            f.line("int second = a == middle;")
            with f.block("if (a < middle && b < end)"):
                f.line(f"const {TYPES[dtype]} x = {read}[{turn} * from[a]], y = {read}[{turn} * from[b]];")
                if self.descending:
                    f.line("second = y > x || (y != y && x == x);")
                else:
                    f.line("second = y < x || (x != x && y == y);")
            f.line("into[k] = second ? from[b++] : from[a++];")
