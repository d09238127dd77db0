"""Reading and writing at positions that are values, as CUDA kernels: without atomic sums, so that order is fixed."""

from __future__ import annotations

from typing import NamedTuple

from ...runtime.plan import THREADS
from ..ir import dims
from ..ir.dims import Size
from ..native.arithmetic import local
from ..native.index import checked
from ..native.loops import Axis, Pointers, axes_of, elements
from ..schedule.kernel import Window
from .kernel import Kernel, place, spread

Windows = tuple[Window, ...]


class Gather(NamedTuple):
    """Rows of a table [V, ...] at an index [...]: the write is [*index, ...]."""

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (table, index) = writes, reads
        rank, row = len(index.shape), len(table.shape) - 1
        strides = [out.strides, (*(0,) * rank, *table.strides[1:]), (*index.strides, *(0,) * row)]
        _taken(f, (out, table, index), out.shape, strides, table.shape[0], table.strides[0])


class Take(NamedTuple):
    """The read at a vector of positions along an axis."""

    axis: int

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (x, index) = writes, reads
        still = tuple(0 if i == self.axis else s for i, s in enumerate(x.strides))
        only = tuple(index.strides[0] if i == self.axis else 0 for i in range(len(x.shape)))
        strides = [out.strides, still, only]
        _taken(f, (out, x, index), out.shape, strides, x.shape[self.axis], x.strides[self.axis])


def _taken(
    f: Kernel, windows: Windows, shape: tuple[Size, ...], strides: list[tuple[Size, ...]], limit: Size, step: Size
) -> None:
    """One thread for each element of the write, which reads where the index says."""
    out, x, index = windows
    pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x), f.pointer(index)])
    with elements(f, axes_of(shape, strides), pointers):
        at = checked(f, pointers.at(2), limit)
        with pointers.moved(Axis(1, (0, step, 0)), at):
            f.line(f"{pointers.at(0)} = {pointers.at(1)};")


class ScatterAdd(NamedTuple):
    """Values [*index, ...] added to the write [V, ...], which is zero, at the rows that the index names.

    A block for each element of the index looks whether its row was named before. Only the first adds, and adds all
    that belongs to the row, in the order of the index.
    """

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (index, values) = writes, reads
        sums, i, v = f.pointer(out, write=True), f.pointer(index), f.pointer(values)
        rank = len(index.shape)
        listed = axes_of(index.shape, [index.strides, values.strides[:rank]])
        row = axes_of(out.shape[1:], [out.strides[1:], values.strides[rank:]])
        count = f.stretches(index.type.size, 1)
        at = checked(f, f"{i}[{_place(f, 'blockIdx.x', listed, 0)}]", out.shape[0])
        f.line("int before = 0;")
        with f.loop("j", f"({f.integer})blockIdx.x", f"({f.integer})threadIdx.x", step=THREADS):
            f.line(f"before |= {i}[{_place(f, 'j', listed, 0)}] == {at};")
        f.line("if (__syncthreads_or(before)) return;")
        with f.loop("c", f.size(dims.product(a.size for a in row)), f"({f.integer})threadIdx.x", step=THREADS):
            f.line(f"{local(out.dtype)} sum = 0;")
            with f.loop("j", count, "blockIdx.x"), f.block(f"if ({i}[{_place(f, 'j', listed, 0)}] == {at})"):
                f.line(f"sum += {v}[{_place(f, 'j', listed, 1)} + {_place(f, 'c', row, 1)}];")
            f.line(f"{sums}[{f.size(out.strides[0])} * {at} + {_place(f, 'c', row, 0)}] = sum;")


class AddAlong(NamedTuple):
    """Zeros, to which values are added where the index, of their shape, says along an axis.

    A thread for each element of the write looks for all that is added there, in order.
    """

    axis: int

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (index, values) = writes, reads
        sums, i, v = f.pointer(out, write=True), f.pointer(index), f.pointer(values)
        with spread(f, out.shape) as places:
            own = places[self.axis]
            f.line(f"{local(out.dtype)} sum = 0;")
            there = [*places[: self.axis], "j", *places[self.axis + 1 :]]
            with f.loop("j", f.size(index.shape[self.axis])):
                at = checked(f, f"{i}[{place(index.strides, there, f)}]", out.shape[self.axis])
                f.line(f"if ({at} == {own}) sum += {v}[{place(values.strides, there, f)}];")
            f.line(f"{sums}[{place(out.strides, places, f)}] = sum;")


class AddAt(NamedTuple):
    """The first read with values added at positions of its last axis; it may lie where the result lies."""

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (x, index, values) = writes, reads
        sums, source, i, v = f.pointer(out, write=True), *map(f.pointer, (x, index, values))
        with spread(f, out.shape) as places:
            at = checked(f, f"{i}[{place(index.strides, places[:-1], f)}]", out.shape[-1])
            f.line(f"const {local(out.dtype)} x = {source}[{place(x.strides, places, f)}];")
            added = f"x + {v}[{place(values.strides, places[:-1], f)}]"
            f.line(f"{sums}[{place(out.strides, places, f)}] = {at} == {places[-1]} ? {added} : x;")


class SliceAt(NamedTuple):
    """A stretch of an axis that begins at a position."""

    axis: int

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (x, position) = writes, reads
        none = (0,) * len(out.shape)
        limit = x.shape[self.axis] - out.shape[self.axis] + 1
        _taken(f, (out, x, position), out.shape, [out.strides, x.strides, none], limit, x.strides[self.axis])


class WriteAt(NamedTuple):
    """The first read with a stretch of an axis written over from a position on; it may lie where the result lies."""

    axis: int

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (x, value, position) = writes, reads
        to, source, new, start = f.pointer(out, write=True), *map(f.pointer, (x, value, position))
        size = value.shape[self.axis]
        with spread(f, out.shape) as places:
            at = checked(f, f"{start}[0]", out.shape[self.axis] - size + 1)
            f.line(f"const long inside = {places[self.axis]} - {at};")
            there = [*places[: self.axis], "inside", *places[self.axis + 1 :]]
            with f.block(f"if (inside >= 0 && inside < {f.size(size)})"):
                f.line(f"{to}[{place(out.strides, places, f)}] = {new}[{place(value.strides, there, f)}];")
            with f.block(f"else if ({to} != {source})"):
                f.line(f"{to}[{place(out.strides, places, f)}] = {source}[{place(x.strides, places, f)}];")


def _place(f: Kernel, element: str, axes: list[Axis], operand: int) -> str:
    """Where the element of that number along all axes lies in an operand."""
    terms = []
    rest = element
    for axis in reversed(axes):
        step = axis.steps[operand]
        inner = rest if axis is axes[0] else f"({rest} % {f.size(axis.size)})"
        rest = f"{rest} / {f.size(axis.size)}"
        if step != 0:
            terms.append(inner if step == 1 else f"{f.size(step)} * ({inner})")
    return " + ".join(reversed(terms)) or "0"
