"""Convolutions of 3 by 3 by Winograd's F(2 × 2, 3 × 3) as forms: 16 products for four results instead of 36.

Data and weights are transformed by additions, multiplied position by position of 4 by 4, and transformed back
(S. Winograd, 1980; A. Lavin, S. Gray, "Fast algorithms for convolutional neural networks", 2015). In f32 results
differ from sums of products by some 1e-6 of the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from ..ir.dims import Size
from ..ir.types import F32
from ..schedule.kernel import Window
from .function import Function, Machinery
from .loops import Axis, Pointers
from .sliding import known, most_rows
from .tile import VECTORS, Tile, evenly

Windows = tuple[Window, ...]
SIDE = 4  # of what a tile of 2 by 2 results needs
TILES = 8  # at least, if rows have fewer: each vector of weights is multiplied by as many


def pays(y: Window, w: Window, machinery: Machinery) -> bool:
    """Whether this form is the faster one, of undilated convolutions of stride 1 in one group."""
    if y.dtype is not F32 or len(y.shape) != 4 or w.shape[:-2] != (3, 3):
        return False
    even = all(isinstance(n, int) and n % 2 == 0 and n >= 4 for n in y.shape[1:-1])
    return even and all(isinstance(n, int) and n % machinery.lanes == 0 for n in w.shape[-2:])


class WinogradWeights(NamedTuple):
    """Weights [3, 3, C, K] as [4, 4, C, K]: G w Gᵀ."""

    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are input channels."""
        ((out,), (w,)) = writes, reads
        steps = (out.strides[3], w.strides[3])
        p = _Lanes(f, [f.pointer(out, write=True), f.pointer(w)], steps, self.machinery)
        f.split(w.shape[2])
        channel = Axis(w.shape[2], (out.strides[2], w.strides[2]))
        with f.loop("c", "hi", "lo"), p.pointers.advanced(channel, "c"), ExitStack() as stack:
            stack.enter_context(f.loop("k", f.size(w.shape[3]), step=p.lanes))
            stack.enter_context(p.pointers.advanced(Axis(0, steps), "k"))
            g = [[p.load(1, i * w.strides[0] + j * w.strides[1]) for j in range(3)] for i in range(3)]
            rows = [p.spread(*column) for column in zip(*g, strict=True)]
            for i, row in enumerate(zip(*rows, strict=True)):
                for j, value in enumerate(p.spread(*row)):
                    p.store(0, i * out.strides[0] + j * out.strides[1], value)


class Winograd(NamedTuple):
    """y [N, P, Q, K] of framed x [N, P + 2, Q + 2, C] and transformed weights [4, 4, C, K]; P and Q are even."""

    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are some rows of tiles."""
        ((y,), (x, w)) = writes, reads
        _Printer(f, y, x, w, self.machinery).print()


class _Lanes:
    """Writes additions of vectors, which pointers give and take; `steps` are those from channel to channel."""

    def __init__(self, f: Function, names: Sequence[str], steps: Sequence[Size], machinery: Machinery) -> None:
        self.f, self.lanes, self.pointers, self.steps = f, machinery.lanes, Pointers(f, names), steps
        self.vector, self.loose = VECTORS[F32]

    def named(self, value: str) -> str:
        name = self.f.fresh()
        self.f.line(f"const {self.vector} {name} = {value};")
        return name

    def load(self, i: int, offset: Size) -> str:
        place = f"({self.pointers.names[i]} + {self.f.size(offset)})"
        if self.steps[i] == 1:
            return self.named(f"*(const {self.loose} *){place}")
        name = self.f.fresh()
        self.f.line(f"{self.vector} {name} = {{0}};")
        with self.f.loop("lane", str(self.lanes)):
            self.f.line(f"{name}[lane] = {place}[{self.f.size(self.steps[i])} * lane];")
        return name

    def store(self, i: int, offset: Size, value: str) -> None:
        place = f"({self.pointers.names[i]} + {self.f.size(offset)})"
        if self.steps[i] == 1:
            self.f.line(f"*({self.loose} *){place} = {value};")
            return
        with self.f.loop("lane", str(self.lanes)):
            self.f.line(f"{place}[{self.f.size(self.steps[i])} * lane] = {value}[lane];")

    def spread(self, a: str, b: str, c: str) -> list[str]:
        """G: three weights as four."""
        ends = self.named(f"0.5f * ({a} + {c})")
        return [a, self.named(f"{ends} + 0.5f * {b}"), self.named(f"{ends} - 0.5f * {b}"), c]

    def differences(self, a: str, b: str, c: str, d: str) -> list[str]:
        """Bᵀ: four data as four."""
        return [self.named(t) for t in (f"{a} - {c}", f"{b} + {c}", f"{c} - {b}", f"{b} - {d}")]

    def sums(self, a: str, b: str, c: str, d: str) -> list[str]:
        """Aᵀ: four products as two results."""
        return [self.named(f"{a} + {b} + {c}"), self.named(f"{b} - {c} - {d}")]


class _Printer:
    """Writes one convolution."""

    def __init__(self, f: Function, y: Window, x: Window, w: Window, machinery: Machinery) -> None:
        self.f, self.y, self.x, self.w, self.machinery = f, y, x, w, machinery
        assert w.strides[3] == 1
        self.own, self.results = known(x.shape[-1]), known(y.shape[-1])
        self.high, self.wide = known(y.shape[1]) // 2, known(y.shape[2]) // 2
        self.rows = max(n for n in range(1, self.high + 1) if self.high % n == 0 and (n == 1 or n * self.wide <= TILES))
        self.tiles = self.rows * self.wide
        self.vectors = 2 if self.results % (2 * machinery.lanes) == 0 else 1
        self.width = self.vectors * machinery.lanes
        self.vector = VECTORS[F32][0]
        self.pointers = Pointers(f, [f.pointer(y, write=True), f.pointer(x), f.pointer(w)])

    def print(self) -> None:
        f, y, x = self.f, self.y, self.x
        units = self.high // self.rows
        f.split(y.shape[0] * units)
        f.line(f"float data[{SIDE * SIDE * self.tiles * self.own}] __attribute__((aligned(64)));")
        f.line(f"float made[{SIDE * SIDE * self.tiles * self.width}] __attribute__((aligned(64)));")
        with f.loop("unit", "hi", "lo"), ExitStack() as stack:
            images = Axis(y.shape[0], (y.strides[0], x.strides[0], 0))
            rows = Axis(units, (y.strides[1] * 2 * self.rows, x.strides[1] * 2 * self.rows, 0))
            stack.enter_context(self.pointers.advanced(images, f"(unit / {units})"))
            stack.enter_context(self.pointers.advanced(rows, f"(unit % {units})"))
            self._transform()
            stack.enter_context(f.loop("k", str(self.results), step=self.width))
            stack.enter_context(self.pointers.advanced(Axis(0, (y.strides[3], 0, 1)), "k"))
            self._multiply()
            self._gather()

    def _transform(self) -> None:
        """Data of all tiles: [position, tile, channel]. Neighbours share two columns, which are carried over."""
        f, x = self.f, self.x
        place = self.tiles * self.own
        names = Pointers(f, ["&data[0]", self.pointers.names[1]])
        steps = Axis(0, (self.wide * self.own, 2 * x.strides[1]))
        with ExitStack() as stack:
            for axis, index, count, step in (
                (steps, "row", self.rows, 1),
                (Axis(0, (1, x.strides[3])), "c", self.own, self.machinery.lanes),
            ):
                stack.enter_context(f.loop(index, str(count), step=step))
                stack.enter_context(names.advanced(axis, index))
            reader = _Lanes(f, names.names, (1, x.strides[3]), self.machinery)
            carried = [f"e{j}_{i}" for j in range(2) for i in range(SIDE)]
            for j in range(2):
                column = reader.differences(*(reader.load(1, i * x.strides[1] + j * x.strides[2]) for i in range(SIDE)))
                f.line(" ".join(f"{self.vector} e{j}_{i} = {v};" for i, v in enumerate(column)))
            tile = Axis(self.wide, (self.own, 2 * x.strides[2]))
            with f.loop("tile", str(self.wide)), reader.pointers.advanced(tile, "tile"):
                columns = [carried[:SIDE], carried[SIDE:]]
                for j in (2, 3):
                    loads = (reader.load(1, i * x.strides[1] + j * x.strides[2]) for i in range(SIDE))
                    columns.append(reader.differences(*loads))
                for i, row in enumerate(zip(*columns, strict=True)):
                    for j, value in enumerate(reader.differences(*row)):
                        reader.store(0, (i * SIDE + j) * place, value)
                f.line(" ".join(f"e{j}_{i} = {columns[2 + j][i]};" for j in range(2) for i in range(SIDE)))

    def _multiply(self) -> None:
        """Data times weights, position by position: [position, tile, result]."""
        f, w = self.f, self.w
        most = most_rows(self.vectors, self.machinery.registers)
        names = Pointers(f, ["&made[0]", "&data[0]", self.pointers.names[2]])
        place = Axis(SIDE * SIDE, (self.tiles * self.width, self.tiles * self.own, w.strides[1]))
        with f.loop("place", str(SIDE * SIDE)), names.advanced(place, "place"):
            done = 0
            for rows, many in evenly(self.tiles, most):
                with f.loop("tile", str(many)), ExitStack() as stack:
                    axis = Axis(many, (rows * self.width, rows * self.own, 0))
                    stack.enter_context(names.advanced(Axis(0, (self.width, self.own, 0)), str(done)))
                    stack.enter_context(names.advanced(axis, "tile"))
                    self._tile(rows, names)
                done += rows * many

    def _tile(self, rows: int, names: Pointers) -> None:
        f, tile = self.f, Tile(F32, tuple(i * self.own for i in range(rows)), self.vectors, self.machinery.lanes)
        tile.begin(f)
        f.line(f"const float *a = {names.names[1]}, *b = {names.names[2]};")
        with f.block(f"for (long c = 0; c < {self.own}; c++, a++, b += {f.size(self.w.strides[2])})"):
            tile.add(f, "a", "b")
        tile.store(f, lambda i, j: f"{names.names[0]} + {i * self.width + j * self.machinery.lanes}")

    def _gather(self) -> None:
        """Results of all tiles."""
        f, y = self.f, self.y
        place = self.tiles * self.width
        names = Pointers(f, [self.pointers.names[0], "&made[0]"])
        with ExitStack() as stack:
            for axis, index, count in (
                (Axis(0, (2 * y.strides[1], self.wide * self.width)), "row", self.rows),
                (Axis(0, (2 * y.strides[2], self.width)), "tile", self.wide),
            ):
                stack.enter_context(f.loop(index, str(count)))
                stack.enter_context(names.advanced(axis, index))
            writer = _Lanes(f, names.names, (y.strides[3], 1), self.machinery)
            for vector in range(0, self.width, self.machinery.lanes):
                loads = [[writer.load(1, (i * SIDE + j) * place + vector) for j in range(SIDE)] for i in range(SIDE)]
                columns = [writer.sums(*column) for column in zip(*loads, strict=True)]
                for i, row in enumerate(zip(*columns, strict=True)):
                    for j, value in enumerate(writer.sums(*row)):
                        writer.store(0, i * y.strides[1] + j * y.strides[2] + vector * y.strides[3], value)
