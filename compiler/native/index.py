"""Reading and writing at positions that are values, as C loops. A position outside is refused, and 0 taken instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..ir.dims import Size
from ..schedule.kernel import Window
from .function import Function
from .loops import VECTORS, Axis, Pointers, axes_of, nested, rows

COLUMNS = 64  # of the rows that are added up at positions stay with one thread


def checked(f: Function, text: str, limit: Size) -> str:
    """The position that an element of an index says."""
    at, most = f.fresh("at"), f.size(limit)
    f.line(f"long {at} = (long)({text});")
    with f.block(f"if ({at} < 0 || {at} >= {most})"):
        f.refuse(at, most)
        f.line(f"{at} = 0;")
    return at


@contextmanager
def straight(f: Function, axes: list[Axis], pointers: Pointers) -> Iterator[None]:
    """Loops over all axes by whoever comes here, the innermost in vectors."""
    if not axes:
        yield
        return
    index = f.fresh("i")
    with nested(f, axes[:-1], pointers):
        f.line(VECTORS)
        with f.loop(index, f.size(axes[-1].size)), pointers.moved(axes[-1], index):
            yield


class Gather(NamedTuple):
    """Rows of a table [V, ...] at an index [...]: the write is [*index, ...]."""

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (table, index) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(table), f.pointer(index)])
        rank = len(index.shape)
        none = (0,) * rank
        outer = axes_of(index.shape, [out.strides[:rank], none, index.strides])
        row = out.shape[rank:]
        inner = axes_of(row, [out.strides[rank:], table.strides[1:], (0,) * len(row)])
        with rows(f, outer, pointers):
            at = checked(f, pointers.at(2), table.shape[0])
            with pointers.advanced(Axis(table.shape[0], (0, table.strides[0], 0)), at), straight(f, inner, pointers):
                f.line(f"{pointers.at(0)} = {pointers.at(1)};")


class ScatterAdd(NamedTuple):
    """Zeros [V, ...], to which values [*index, ...] are added at the rows that the index names, in its order."""

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (index, values) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(index), f.pointer(values)])
        rank = len(index.shape)
        row = out.shape[1:]
        inner = axes_of(row, [out.strides[1:], (0,) * len(row), values.strides[rank:]])
        outer = axes_of(index.shape, [(0,) * rank, index.strides, values.strides[:rank]])
        if len(inner) == 1:
            self._by_columns(f, out, inner[0], outer, pointers)
        else:
            self._whole(f, out, inner, outer, pointers)

    def _whole(self, f: Function, out: Window, inner: list[Axis], outer: list[Axis], pointers: Pointers) -> None:
        zeroed = [Axis(out.shape[0], (out.strides[0], 0, 0)), *(Axis(a.size, (a.steps[0], 0, 0)) for a in inner)]
        with straight(f, zeroed, pointers):
            f.line(f"{pointers.at(0)} = 0;")
        with nested(f, outer, pointers):
            at = checked(f, pointers.at(1), out.shape[0])
            with pointers.advanced(Axis(1, (out.strides[0], 0, 0)), at), straight(f, inner, pointers):
                f.line(f"{pointers.at(0)} += {pointers.at(2)};")

    def _by_columns(self, f: Function, out: Window, column: Axis, outer: list[Axis], pointers: Pointers) -> None:
        """Each thread adds up columns of its own, so that the order of sums does not depend on the threads."""
        f.split((column.size + COLUMNS - 1) // COLUMNS)
        size = f.size(column.size)
        f.line(f"const long end = hi * {COLUMNS} < {size} ? hi * {COLUMNS} : {size};")
        row, index = f.fresh("i"), f.fresh("i")
        with f.loop(row, f.size(out.shape[0])), pointers.advanced(Axis(1, (out.strides[0], 0, 0)), row):
            self._columns(f, column, pointers, index, "{0} = 0;")
        with nested(f, outer, pointers):
            at = checked(f, pointers.at(1), out.shape[0])
            with pointers.advanced(Axis(1, (out.strides[0], 0, 0)), at):
                self._columns(f, column, pointers, index, "{0} += {2};")

    def _columns(self, f: Function, column: Axis, pointers: Pointers, index: str, line: str) -> None:
        f.line(VECTORS)
        with f.loop(index, "end", f"lo * {COLUMNS}"), pointers.moved(column, index):
            f.line(line.format(*(pointers.at(i) for i in range(3))))


class Take(NamedTuple):
    """The read at a vector of positions along an axis."""

    axis: int

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x, index) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x), f.pointer(index)])
        a = self.axis
        outer = axes_of(out.shape[:a], [out.strides[:a], x.strides[:a], (0,) * a])
        rest = out.shape[a + 1 :]
        inner = axes_of(rest, [out.strides[a + 1 :], x.strides[a + 1 :], (0,) * len(rest)])
        taken = Axis(out.shape[a], (out.strides[a], 0, index.strides[0]))
        with rows(f, [*outer, taken], pointers):
            at = checked(f, pointers.at(2), x.shape[a])
            with pointers.advanced(Axis(1, (0, x.strides[a], 0)), at), straight(f, inner, pointers):
                f.line(f"{pointers.at(0)} = {pointers.at(1)};")


class TakeAlong(NamedTuple):
    """For each element of the index the element of the read that stands there along an axis."""

    axis: int

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x, index) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x), f.pointer(index)])
        still = tuple(0 if i == self.axis else s for i, s in enumerate(x.strides))
        with rows(f, axes_of(out.shape, [out.strides, still, index.strides]), pointers):
            at = checked(f, pointers.at(2), x.shape[self.axis])
            with pointers.moved(Axis(1, (0, x.strides[self.axis], 0)), at):
                f.line(f"{pointers.at(0)} = {pointers.at(1)};")


class AddAlong(NamedTuple):
    """Zeros, to which values are added where the index, of their shape, says along an axis."""

    axis: int

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (index, values) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(index), f.pointer(values)])
        none = (0,) * len(out.shape)
        with straight(f, axes_of(out.shape, [out.strides, none, none]), pointers):
            f.line(f"{pointers.at(0)} = 0;")
        still = tuple(0 if i == self.axis else s for i, s in enumerate(out.strides))
        with nested(f, axes_of(values.shape, [still, index.strides, values.strides]), pointers):
            at = checked(f, pointers.at(1), out.shape[self.axis])
            with pointers.moved(Axis(1, (out.strides[self.axis], 0, 0)), at):
                f.line(f"{pointers.at(0)} += {pointers.at(2)};")


class Pick(NamedTuple):
    """One element of the last axis of the read for each element of the index."""

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x, index) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x), f.pointer(index)])
        with rows(f, axes_of(out.shape, [out.strides, x.strides[:-1], index.strides]), pointers):
            at = checked(f, pointers.at(2), x.shape[-1])
            with pointers.moved(Axis(1, (0, x.strides[-1], 0)), at):
                f.line(f"{pointers.at(0)} = {pointers.at(1)};")


class AddAt(NamedTuple):
    """The first read with values added at positions of its last axis; it may lie where the result lies."""

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x, index, values) = writes, reads
        windows = (x, index, values)
        pointers = Pointers(f, [f.pointer(out, write=True), *map(f.pointer, windows)])
        strides = [out.strides[:-1], x.strides[:-1], index.strides, values.strides]
        last = Axis(out.shape[-1], (out.strides[-1], x.strides[-1], 0, 0))
        with rows(f, axes_of(out.shape[:-1], strides), pointers):
            with f.block(f"if ({pointers.names[0]} != {pointers.names[1]})"), straight(f, [last], pointers):
                f.line(f"{pointers.at(0)} = {pointers.at(1)};")
            at = checked(f, pointers.at(2), out.shape[-1])
            with pointers.moved(Axis(1, (out.strides[-1], 0, 0, 0)), at):
                f.line(f"{pointers.at(0)} += {pointers.at(3)};")


class SliceAt(NamedTuple):
    """A stretch of an axis that begins at a position."""

    axis: int

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x, position) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x), f.pointer(position)])
        at = checked(f, pointers.at(2), x.shape[self.axis] - out.shape[self.axis] + 1)
        none = (0,) * len(out.shape)
        with (
            pointers.advanced(Axis(1, (0, x.strides[self.axis], 0)), at),
            straight(f, axes_of(out.shape, [out.strides, x.strides, none]), pointers),
        ):
            f.line(f"{pointers.at(0)} = {pointers.at(1)};")


class WriteAt(NamedTuple):
    """The first read with a stretch of an axis written over from a position on; it may lie where the result lies."""

    axis: int

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x, value, position) = writes, reads
        windows = (x, value, position)
        pointers = Pointers(f, [f.pointer(out, write=True), *map(f.pointer, windows)])
        none = (0,) * len(out.shape)
        at = checked(f, pointers.at(3), out.shape[self.axis] - value.shape[self.axis] + 1)
        whole = axes_of(out.shape, [out.strides, x.strides, none, none])
        with f.block(f"if ({pointers.names[0]} != {pointers.names[1]})"), straight(f, whole, pointers):
            f.line(f"{pointers.at(0)} = {pointers.at(1)};")
        part = axes_of(value.shape, [out.strides, none, value.strides, none])
        with pointers.advanced(Axis(1, (out.strides[self.axis], 0, 0, 0)), at), straight(f, part, pointers):
            f.line(f"{pointers.at(0)} = {pointers.at(2)};")
