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
MOST = 1 << 14  # elements of one of 16 positions, all of which lie on the stack
LINE = 16  # elements of a line of the cache
SIDE = 4  # of what a tile of 2 by 2 results needs
TILES = 8  # at least, if rows have fewer: each vector of weights is multiplied by as many


def pays(y: Window, w: Window, machinery: Machinery) -> bool:
    """Whether this form is the faster one, of undilated convolutions of stride 1 in one group."""
    own, results = w.shape[-2:]
    if y.dtype is not F32 or len(y.shape) != 4 or w.shape[:-2] != (3, 3):
        return False
    if not (isinstance(own, int) and isinstance(results, int) and isinstance(y.shape[2], int)):
        return False
    even = all(isinstance(n, int) and n % 2 == 0 and n >= 4 for n in y.shape[1:-1])
    whole = own % machinery.lanes == 0 and results % machinery.lanes == 0
    return even and whole and max(TILES, y.shape[2] // 2) * own <= MOST


def staggered(size: int) -> int:
    """How far positions lie apart that hold so many elements: never by a power of two, since then they would push
    each other out of the first cache."""
    return size + LINE


class WinogradWeights(NamedTuple):
    """Weights [3, 3, C, K] as [4, 4, C, K]: G w Gᵀ."""

    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are input channels."""
        ((out,), (w,)) = writes, reads
        steps = (out.strides[3], w.strides[3])
        p = Additions(f, [f.pointer(out, write=True), f.pointer(w)], steps, self.machinery)
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


class Additions:
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

    def ends(self, a: str, b: str) -> list[str]:
        """A: two cotangents of results as those of four products."""
        return [a, self.named(f"{a} + {b}"), self.named(f"{a} - {b}"), self.named(f"-{b}")]

    def gathered(self, a: str, b: str, c: str, d: str) -> list[str]:
        """Gᵀ: cotangents of four transformed weights as those of three."""
        half = self.named(f"0.5f * ({b} + {c})")
        return [self.named(t) for t in (f"{a} + {half}", f"0.5f * ({b} - {c})", f"{half} + {d}")]

    def sums(self, a: str, b: str, c: str, d: str) -> list[str]:
        """Aᵀ: four products as two results."""
        return [self.named(f"{a} + {b} + {c}"), self.named(f"{b} - {c} - {d}")]


class Data(NamedTuple):
    """Where transformed data goes, as [position, tile, channel]: how far positions and tiles lie apart, and how many
    rows of how many tiles there are."""

    name: str
    place: Size
    tile: int
    rows: int
    wide: int

    def print(self, f: Function, source: str, x: Window, channels: tuple[str, str], machinery: Machinery) -> None:
        """Writes the data of some channels. Neighbours share two columns, which are carried over."""
        lanes, (high, across, step) = machinery.lanes, x.strides[1:]
        p = Additions(f, [self.name, source], (1, step), machinery)
        start, end = channels
        loops = [
            (f.loop("row", str(self.rows)), Axis(0, (self.wide * self.tile, 2 * high)), "row"),
            (f.loop("c", end, start, lanes), Axis(0, (1, step)), "c"),
        ]
        with ExitStack() as stack:
            for loop, axis, index in loops:
                stack.enter_context(loop)
                stack.enter_context(p.pointers.advanced(axis, index))
            for j in range(2):
                column = p.differences(*(p.load(1, i * high + j * across) for i in range(SIDE)))
                f.line(" ".join(f"{p.vector} e{j}_{i} = {v};" for i, v in enumerate(column)))
            stack.enter_context(f.loop("tile", str(self.wide)))
            stack.enter_context(p.pointers.advanced(Axis(0, (self.tile, 2 * across)), "tile"))
            columns = [[f"e{j}_{i}" for i in range(SIDE)] for j in range(2)]
            columns += [p.differences(*(p.load(1, i * high + j * across) for i in range(SIDE))) for j in (2, 3)]
            for i, row in enumerate(zip(*columns, strict=True)):
                for j, value in enumerate(p.differences(*row)):
                    p.store(0, (i * SIDE + j) * self.place, value)
            f.line(" ".join(f"e{j}_{i} = {columns[2 + j][i]};" for j in range(2) for i in range(SIDE)))


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
        self.data, self.made = staggered(self.tiles * self.own), staggered(self.tiles * self.width)
        self.pointers = Pointers(f, [f.pointer(y, write=True), f.pointer(x), f.pointer(w)])

    def print(self) -> None:
        f, y, x = self.f, self.y, self.x
        units = self.high // self.rows
        f.split(y.shape[0] * units)
        f.line(f"float data[{SIDE * SIDE * self.data}] __attribute__((aligned(64)));")
        f.line(f"float made[{SIDE * SIDE * self.made}] __attribute__((aligned(64)));")
        with f.loop("unit", "hi", "lo"), ExitStack() as stack:
            images = Axis(y.shape[0], (y.strides[0], x.strides[0], 0))
            rows = Axis(units, (y.strides[1] * 2 * self.rows, x.strides[1] * 2 * self.rows, 0))
            stack.enter_context(self.pointers.advanced(images, f"(unit / {units})"))
            stack.enter_context(self.pointers.advanced(rows, f"(unit % {units})"))
            data = Data("&data[0]", self.data, self.own, self.rows, self.wide)
            data.print(f, self.pointers.names[1], x, ("0", str(self.own)), self.machinery)
            stack.enter_context(f.loop("k", str(self.results), step=self.width))
            stack.enter_context(self.pointers.advanced(Axis(0, (y.strides[3], 0, 1)), "k"))
            self._multiply()
            self._gather()

    def _multiply(self) -> None:
        """Data times weights, position by position: [position, tile, result]."""
        f, w = self.f, self.w
        most = most_rows(self.vectors, self.machinery.registers)
        names = Pointers(f, ["&made[0]", "&data[0]", self.pointers.names[2]])
        place = Axis(SIDE * SIDE, (self.made, self.data, w.strides[1]))
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
        names = Pointers(f, [self.pointers.names[0], "&made[0]"])
        with ExitStack() as stack:
            for axis, index, count in (
                (Axis(0, (2 * y.strides[1], self.wide * self.width)), "row", self.rows),
                (Axis(0, (2 * y.strides[2], self.width)), "tile", self.wide),
            ):
                stack.enter_context(f.loop(index, str(count)))
                stack.enter_context(names.advanced(axis, index))
            writer = Additions(f, names.names, (y.strides[3], 1), self.machinery)
            for vector in range(0, self.width, self.machinery.lanes):
                loads = [
                    [writer.load(1, (i * SIDE + j) * self.made + vector) for j in range(SIDE)] for i in range(SIDE)
                ]
                columns = [writer.sums(*column) for column in zip(*loads, strict=True)]
                for i, row in enumerate(zip(*columns, strict=True)):
                    for j, value in enumerate(writer.sums(*row)):
                        writer.store(0, i * y.strides[1] + j * y.strides[2] + vector * y.strides[3], value)
