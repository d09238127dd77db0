"""Convolutions of 3 by 3 towards their weights by Winograd's products as a form.

It is the gradient of F(2 × 2, 3 × 3): transformed data times transformed cotangents, added up over all tiles, and
then gathered to the weights.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from ..ir.types import F32
from ..schedule.kernel import Window
from . import winograd
from .function import Function, Machinery
from .loops import Axis, Pointers
from .sliding import known
from .tile import Tile
from .winograd import SIDE, Additions, Data, staggered

TILES = 64  # that are added up before the sums in memory are touched
ROWS = 8  # channels of data in a tile of sums
W, X, Y = range(3)  # the operands, in the order of pointers


def pays(y: Window, w: Window, machinery: Machinery) -> bool:
    """Whether this form is the faster one, of undilated convolutions of stride 1 in one group."""
    if not winograd.pays(y, w, machinery):
        return False
    own, results = known(w.shape[2]), known(w.shape[3])
    return own * results <= winograd.MOST and TILES * max(own, results) <= winograd.MOST


class WinogradWeight(NamedTuple):
    """w [3, 3, C, K] of framed x [N, P + 2, Q + 2, C] and y [N, P, Q, K]; P and Q are even.

    `accumulate` adds to what lies in the result.
    """

    machinery: Machinery
    accumulate: bool = False

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        """Units are vectors of channels of x."""
        ((w,), (x, y)) = writes, reads
        _Printer(f, w, x, y, self).print()


class _Printer:
    """Writes one sum over tiles."""

    def __init__(self, f: Function, w: Window, x: Window, y: Window, form: WinogradWeight) -> None:
        self.f, self.w, self.x, self.y, self.form, self.m = f, w, x, y, form, form.machinery
        self.own, self.results = known(x.shape[-1]), known(y.shape[-1])
        self.high, self.wide = known(y.shape[1]) // 2, known(y.shape[2]) // 2
        image = self.high * self.wide
        self.images = max(1, TILES // image)
        rows = (n for n in range(1, self.high + 1) if self.high % n == 0)
        self.rows = max(n for n in rows if n == 1 or n * self.wide <= TILES)
        self.tiles = self.images * self.rows * self.wide
        self.vectors = 2 if self.results % (2 * self.m.lanes) == 0 else 1
        self.pointers = Pointers(f, [f.pointer(w, write=True), f.pointer(x), f.pointer(y)])
        sizes = self.tiles * self.own, self.tiles * self.results, self.own * self.results
        self.data, self.flow, self.sums = (staggered(n) for n in sizes)

    def print(self) -> None:
        f, lanes, places = self.f, self.m.lanes, SIDE * SIDE
        f.split(self.own // lanes)
        for name, place in (("data", self.data), ("flow", self.flow), ("sums", self.sums)):
            f.line(f"float {name}[{places * place}] __attribute__((aligned(64)));")
        with ExitStack() as stack:
            self._pieces(stack)
            self._data()
            self._flow()
            self._add()
        self._gather()

    def _pieces(self, stack: ExitStack) -> None:
        """Some images, or some rows of tiles of one; at least one piece, so that there is a result of no images."""
        f, across = self.f, self.high // self.rows
        count = dims.ceil_divide(self.y.shape[0], self.images)
        stack.enter_context(f.block(f"for (long piece = 0; piece == 0 || piece < {f.size(count * across)}; piece++)"))
        f.line(f"const long image = piece / {across} * {self.images}, left = {f.size(self.y.shape[0])} - image;")
        f.line(f"const long images = left < {self.images} ? left : {self.images};")
        f.line(f"const long tiles = images * {self.rows * self.wide};")
        steps = tuple(2 * self.rows * v.strides[1] for v in (self.x, self.y))
        stack.enter_context(self.pointers.advanced(Axis(0, (0, self.x.strides[0], self.y.strides[0])), "image"))
        stack.enter_context(self.pointers.advanced(Axis(0, (0, *steps)), f"(piece % {across})"))

    def _data(self) -> None:
        """The transformed data of own channels: [position, tile, channel]."""
        f, lanes, names = self.f, self.m.lanes, Pointers(self.f, ["&data[0]", self.pointers.names[X]])
        step = Axis(0, (self.rows * self.wide * self.own, self.x.strides[0]))
        with f.loop("i", "images"), names.advanced(step, "i"):
            data = Data(names.names[0], self.data, self.own, self.rows, self.wide)
            data.print(f, names.names[1], self.x, (f"lo * {lanes}", f"hi * {lanes}"), self.m)

    def _flow(self) -> None:
        """The transformed cotangents: [position, tile, result]."""
        f, y, place = self.f, self.y, self.flow
        p = Additions(f, ["&flow[0]", self.pointers.names[Y]], (1, y.strides[3]), self.m)
        tile = self.results
        loops: list[tuple[str, str, int, tuple[Size, Size]]] = [
            ("i", "images", 1, (self.rows * self.wide * tile, y.strides[0])),
            ("row", str(self.rows), 1, (self.wide * tile, 2 * y.strides[1])),
            ("tile", str(self.wide), 1, (tile, 2 * y.strides[2])),
            ("k", str(self.results), self.m.lanes, (1, y.strides[3])),
        ]
        with ExitStack() as stack:
            for index, end, step, steps in loops:
                stack.enter_context(f.loop(index, end, step=step))
                stack.enter_context(p.pointers.advanced(Axis(0, steps), index))
            given = [[p.load(1, i * y.strides[1] + j * y.strides[2]) for i in range(2)] for j in range(2)]
            columns = [p.ends(*column) for column in given]
            for i, row in enumerate(zip(*columns, strict=True)):
                for j, value in enumerate(p.ends(*row)):
                    p.store(0, (i * SIDE + j) * place, value)

    def _add(self) -> None:
        """Sums over the tiles of a piece, position by position: [position, channel, result]."""
        f, lanes, width = self.f, self.m.lanes, self.vectors * self.m.lanes
        names = Pointers(f, ["&sums[0]", "&data[0]", "&flow[0]"])
        rows = min(ROWS, lanes)
        place = (self.sums, self.data, self.flow)
        loops = [
            ("place", "0", str(SIDE * SIDE), 1, place),
            ("k", "0", str(self.results), width, (1, 0, 1)),
            ("c", f"lo * {lanes}", f"hi * {lanes}", rows, (self.results, 1, 0)),
        ]
        with ExitStack() as stack:
            for index, start, end, step, steps in loops:
                stack.enter_context(f.loop(index, end, start, step))
                stack.enter_context(names.advanced(Axis(0, steps), index))
            tile = Tile(F32, tuple(range(rows)), self.vectors, lanes)
            tile.begin(f)
            f.line(f"const float *a = {names.names[1]}, *b = {names.names[2]};")
            with f.block(f"for (long t = 0; t < tiles; t++, a += {self.own}, b += {self.results})"):
                tile.add(f, "a", "b")
            for head, onto in (("if (piece == 0)", False), ("else", True)):
                with f.block(head):
                    tile.store(f, lambda i, j: f"{names.names[0]} + {i * self.results + j * lanes}", onto=onto)

    def _gather(self) -> None:
        """The sums of 16 positions as 9 weights."""
        f, w, lanes = self.f, self.w, self.m.lanes
        p = Additions(f, [self.pointers.names[W], "&sums[0]"], (w.strides[3], 1), self.m)
        loops = [
            ("c", f"lo * {lanes}", f"hi * {lanes}", 1, (w.strides[2], self.results)),
            ("k", "0", str(self.results), lanes, (w.strides[3], 1)),
        ]
        with ExitStack() as stack:
            for index, start, end, step, steps in loops:
                stack.enter_context(f.loop(index, end, start, step))
                stack.enter_context(p.pointers.advanced(Axis(0, steps), index))
            sums = [[p.load(1, (i * SIDE + j) * self.sums) for i in range(SIDE)] for j in range(SIDE)]
            columns = [p.gathered(*column) for column in sums]
            for i, row in enumerate(zip(*columns, strict=True)):
                for j, value in enumerate(p.gathered(*row)):
                    offset = i * w.strides[0] + j * w.strides[1]
                    given = f"{p.load(0, offset)} + {value}" if self.form.accumulate else value
                    p.store(0, offset, p.named(given))
