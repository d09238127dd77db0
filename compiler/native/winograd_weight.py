"""Convolutions of 3 by 3 towards their weights by Winograd's products as a form.

It is the gradient of F(4 × 4, 3 × 3): transformed data times transformed cotangents, added up over all tiles, and
then gathered to the weights.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

from ..ir.types import F32
from ..schedule.kernel import Window
from . import winograd
from .function import Function, Machinery
from .loops import Axis, Pointers
from .sliding import known, most_rows
from .tile import Tile, evenly, several
from .transform import PLACES, SIDE, STEP, Writer, staggered
from .winograd import Data, Loop, group_of, nested_loops, panel, tiles_of

W, X, Y = range(3)  # the operands, in the order of pointers


def most_tiles(own: int, results: int, machinery: Machinery) -> int:
    """Tiles that are added up before the sums in memory are touched: what they need takes half of the second cache,
    or half as much as the sums themselves."""
    fits = machinery.second_cache // 2 // (PLACES * 4 * (own + results))
    return max(1, fits, own * results // (2 * (own + results)))


def pays(y: Window, w: Window, machinery: Machinery) -> bool:
    """Whether this form is the faster one, of undilated convolutions of stride 1 in one group."""
    if not winograd.pays(y, w, machinery):
        return False
    own, results = known(w.shape[2]), known(w.shape[3])
    group = group_of(tiles_of(y.shape[1]), tiles_of(y.shape[2]), most_tiles(own, results, machinery))
    return PLACES * (own * results + group.images * group.tiles * (own + results)) <= winograd.MOST


class WinogradWeight(NamedTuple):
    """w [3, 3, C, K] of framed x [N, P + 2, Q + 2, C] and y [N, P, Q, K]; P and Q are multiples of 4.

    `accumulate` adds to what lies in the result.
    """

    machinery: Machinery
    accumulate: bool = False

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        """Units are some channels of x."""
        ((w,), (x, y)) = writes, reads
        _Printer(f, w, x, y, self).print()


class _Printer:
    """Writes one sum over tiles."""

    def __init__(self, f: Function, w: Window, x: Window, y: Window, form: WinogradWeight) -> None:
        self.f, self.w, self.x, self.y, self.form, self.m = f, w, x, y, form, form.machinery
        self.own, self.results = known(x.shape[-1]), known(y.shape[-1])
        self.high, self.wide = (tiles_of(n) for n in y.shape[1:-1])
        self.group = group_of(self.high, self.wide, most_tiles(self.own, self.results, self.m))
        tiles = self.group.images * self.group.tiles
        self.pointers = Pointers(f, [f.pointer(w, write=True), f.pointer(x), f.pointer(y)])
        sizes = tiles * self.own, tiles * self.results, self.own * self.results
        self.tiles = evenly(self.own, most_rows(panel(self.results, self.m) // self.m.lanes, self.m.registers))
        self.data, self.flow, self.sums = (staggered(n) for n in sizes)

    def print(self) -> None:
        f = self.f
        f.split(sum(many for _, many in self.tiles))
        f.line(f"const long from = {self._channel('lo')}, to = {self._channel('hi')};")
        for name, place in (("data", self.data), ("flow", self.flow), ("sums", self.sums)):
            f.line(f"float {name}[{f.size(PLACES * place)}] __attribute__((aligned(64)));")
        with ExitStack() as stack:
            self._pieces(stack)
            self._data()
            self._flow()
            self._add()
        self._gather()

    def _channel(self, unit: str) -> str:
        """The first channel of a unit."""
        (rows, many), *rest = self.tiles
        if not rest:
            return f"{rows} * {unit}"
        many_ = self.f.number(many)
        return f"({unit} < {many_} ? {rows} * {unit} : {many_} + {rest[0][0]} * {unit})"

    def _pieces(self, stack: ExitStack) -> None:
        """Groups of tiles, one after the other; at least one, so that there is a result of no images."""
        f, group, across = self.f, self.group, self.high // self.group.rows
        times, images, all_images = f.number(across), f.number(group.images), f.given(self.y.shape[0])
        more = f"piece / {times} * {images} < {all_images}"
        stack.enter_context(f.block(f"for (long piece = 0; piece == 0 || {more}; piece++)"))
        f.line(f"const long image = piece / {times} * {images}, left = {all_images} - image;")
        f.line(f"const long images = left < {images} ? left : {images};")
        f.line(f"const long tiles = images * {f.number(group.tiles)};")
        steps = tuple(STEP * group.rows * v.strides[1] for v in (self.x, self.y))
        stack.enter_context(self.pointers.advanced(Axis(0, (0, self.x.strides[0], self.y.strides[0])), "image"))
        stack.enter_context(self.pointers.advanced(Axis(0, (0, *steps)), f"(piece % {times})"))

    def _data(self) -> None:
        """The transformed data of own channels: [place, tile, channel]."""
        f, lanes, names = self.f, self.m.lanes, Pointers(self.f, ["&data[0]", self.pointers.names[X]])
        with nested_loops(f, [("i", "0", "images", 1, (self.group.tiles * self.own, self.x.strides[0]))], names):
            data = Data(names.names[0], self.data, self.own, self.group.rows, self.wide)
            data.print(f, names.names[1], self.x, (f"from / {lanes} * {lanes}", "to"), self.m)

    def _flow(self) -> None:
        """The transformed cotangents: [place, tile, result]."""
        f, y, lanes, tile = self.f, self.y, self.m.lanes, self.results
        names = Pointers(f, ["&flow[0]", self.pointers.names[Y]])
        f.line(f"float half[{SIDE * STEP * lanes}] __attribute__((aligned(64)));")
        loops: list[Loop] = [
            ("i", "0", "images", 1, (self.group.tiles * tile, y.strides[0])),
            ("row", "0", f.number(self.group.rows), 1, (self.wide * tile, STEP * y.strides[1])),
            ("tile", "0", f.number(self.wide), 1, (tile, STEP * y.strides[2])),
            ("k", "0", f.size(self.results), lanes, (1, y.strides[3])),
        ]
        with nested_loops(f, loops, names):
            first = Writer(f, ["&half[0]", names.names[1]], (1, y.strides[3]), self.m)
            with nested_loops(f, [("j", "0", str(STEP), 1, (lanes, y.strides[2]))], first.pointers):
                values = first.cotangents(*(first.load(1, i * y.strides[1]) for i in range(STEP)))
                for i, value in enumerate(values):
                    first.store(0, i * STEP * lanes, value)
            then = Writer(f, [names.names[0], "&half[0]"], (1, 1), self.m)
            with nested_loops(f, [("i", "0", str(SIDE), 1, (SIDE * self.flow, STEP * lanes))], then.pointers):
                values = then.cotangents(*(then.load(1, j * lanes) for j in range(STEP)))
                for j, value in enumerate(values):
                    then.store(0, j * self.flow, value)

    def _add(self) -> None:
        """Sums over the tiles of a piece, place by place: [place, channel, result]."""
        f, lanes, width = self.f, self.m.lanes, panel(self.results, self.m)
        names = Pointers(f, ["&sums[0]", "&data[0]", "&flow[0]"])
        loops: list[Loop] = [
            ("place", "0", str(PLACES), 1, (self.sums, self.data, self.flow)),
            ("k", "0", f.size(self.results), width, (1, 0, 1)),
        ]
        with nested_loops(f, loops, names):
            done = units = 0
            for rows, many in self.tiles:
                before, behind = f.number(units), f.number(units + many)
                start = f"lo > {before} ? lo - {before} : 0"
                end = f"(hi < {behind} ? hi : {behind}) - {before}"
                with ExitStack() as stack:
                    stack.enter_context(names.advanced(Axis(0, (self.results, 1, 0)), f.number(done)))
                    stack.enter_context(f.loop("c", f"({end})", start))
                    stack.enter_context(names.advanced(Axis(0, (self.results * rows, rows, 0)), "c"))
                    self._tile(rows, width // lanes, names)
                done, units = done + rows * many, units + many

    def _tile(self, rows: int, vectors: int, names: Pointers) -> None:
        f, lanes = self.f, self.m.lanes
        tile = Tile(F32, tuple(range(rows)), vectors, lanes)
        tile.begin(f)
        f.line(f"const float *a = {names.names[1]}, *b = {names.names[2]};")
        several(f)
        with f.block(f"for (long t = 0; t < tiles; t++, a += {f.size(self.own)}, b += {f.size(self.results)})"):
            tile.add(f, "a", "b")
        for head, onto in (("if (piece == 0)", False), ("else", True)):
            with f.block(head):
                tile.store(f, lambda i, j: f"{names.names[0]} + {f.size(i * self.results)} + {j * lanes}", onto=onto)

    def _gather(self) -> None:
        """The sums of 36 places as 9 weights."""
        f, w, lanes = self.f, self.w, self.m.lanes
        onto = f.given(int(self.form.accumulate))
        names = Pointers(f, [self.pointers.names[W], "&sums[0]"])
        f.line(f"float half[{3 * SIDE * lanes}] __attribute__((aligned(64)));")
        loops: list[Loop] = [
            ("c", "from", "to", 1, (w.strides[2], self.results)),
            ("k", "0", f.size(self.results), lanes, (w.strides[3], 1)),
        ]
        with nested_loops(f, loops, names):
            first = Writer(f, ["&half[0]", names.names[1]], (1, 1), self.m)
            with nested_loops(f, [("j", "0", str(SIDE), 1, (lanes, self.sums))], first.pointers):
                values = first.gathered(*(first.load(1, i * SIDE * self.sums) for i in range(SIDE)))
                for i, value in enumerate(values):
                    first.store(0, i * SIDE * lanes, value)
            then = Writer(f, [names.names[0], "&half[0]"], (w.strides[3], 1), self.m)
            with nested_loops(f, [("i", "0", "3", 1, (w.strides[0], SIDE * lanes))], then.pointers):
                values = then.gathered(*(then.load(1, j * lanes) for j in range(SIDE)))
                for j, value in enumerate(values):
                    place = j * w.strides[1]
                    with f.block(f"if ({onto})"):
                        then.store(0, place, then.named(f"{then.load(0, place)} + {value}"))
                    with f.block("else"):
                        then.store(0, place, value)
