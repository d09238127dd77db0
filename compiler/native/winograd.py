"""Convolutions of 3 by 3 by Winograd's products as forms: 36 products for sixteen results instead of 144.

Data and weights are transformed by additions, multiplied place by place, and transformed back; see transform.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from ..ir.types import F32, Tensor
from ..schedule.kernel import Window
from .function import Function, Machinery
from .loops import Axis, Pointers
from .sliding import known, most_rows
from .tile import Tile, evenly
from .transform import PLACES, SIDE, STEP, Writer, staggered

Windows = tuple[Window, ...]
MOST = 1 << 20  # elements on the stack
UNROLLED = 4  # channels, which lanes are a multiple of
TILES = 16  # for which weights are fetched once, at least
DATA, RESULTS = 130, 220  # products that take as long as the sums of a tile, for each vector of channels


class Group(NamedTuple):
    """What is transformed at once: images, rows of tiles of each, and tiles of a row."""

    images: int
    rows: int
    wide: int

    @property
    def tiles(self) -> int:
        """Tiles of an image."""
        return self.rows * self.wide


def group_of(high: int, wide: int, most: int) -> Group:
    """As many of the tiles of images as `most`, if not fewer than a row's."""
    rows = max(n for n in range(1, high + 1) if high % n == 0 and (n == 1 or n * wide <= most))
    return Group(max(1, most // (high * wide)) if rows == high else 1, rows, wide)


def tiles_of(size: Size) -> int:
    """Tiles along an axis of results."""
    return -(-known(size) // STEP)


def beyond(y: Window) -> tuple[int, ...]:
    """How far tiles go beyond results, along each axis: so much more of data is read."""
    return tuple(STEP * tiles_of(n) - known(n) for n in y.shape[1:-1])


def weights_type(own: int, results: int, machinery: Machinery) -> Tensor:
    """Transformed weights: [panel of results, place, channel, result of the panel], with room for one channel more:
    places never lie apart by a power of two."""
    width = panel(results, machinery)
    return Tensor(F32, (results // width, PLACES, own + 1, width))


def panel(results: int, machinery: Machinery) -> int:
    """How many results are added up side by side."""
    return machinery.lanes * (2 if results % (2 * machinery.lanes) == 0 else 1)


class WinogradWeights(NamedTuple):
    """Weights [3, 3, C, K] as G w Gᵀ, of `weights_type`."""

    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are input channels."""
        ((out,), (w,)) = writes, reads
        writer = Writer(f, [f.pointer(out, write=True), f.pointer(w)], (1, w.strides[3]), self.machinery)
        f.split(w.shape[2])
        width = known(out.shape[3])
        loops = [
            ("c", "lo", "hi", 1, (width, w.strides[2])),
            ("k", "0", f.number(known(out.shape[0])), 1, (out.strides[0], width * w.strides[3])),
            ("v", "0", str(width), writer.lanes, (1, w.strides[3])),
        ]
        with nested_loops(f, loops, writer.pointers):
            g = [[writer.load(1, i * w.strides[0] + j * w.strides[1]) for i in range(3)] for j in range(3)]
            rows = [writer.weights(*column) for column in g]
            for i, row in enumerate(zip(*rows, strict=True)):
                for j, value in enumerate(writer.weights(*row)):
                    writer.store(0, (i * SIDE + j) * out.strides[1], value)


Loop = tuple[str, str, str, int, tuple[Size, ...]]  # the index, from and to where, by which step; and steps of pointers


@contextmanager
def nested_loops(f: Function, loops: Sequence[Loop], pointers: Pointers) -> Iterator[None]:
    """Loops inside each other, whose turns move pointers."""
    with ExitStack() as stack:
        for index, start, end, step, steps in loops:
            stack.enter_context(f.loop(index, end, start, step))
            stack.enter_context(pointers.advanced(Axis(0, steps), index))
        yield


class Winograd(NamedTuple):
    """y [N, P, Q, K] of framed x [N, P', Q', C] and transformed weights; P' is 2 more than P as a multiple of 4."""

    machinery: Machinery

    def print(self, f: Function, writes: Windows, reads: Windows) -> None:
        """Units are groups of tiles."""
        ((y,), (x, w)) = writes, reads
        _Printer(f, y, x, w, self.machinery).print()


class Data(NamedTuple):
    """Where transformed data goes, as [place, tile, channel]: how far places and tiles lie apart."""

    name: str
    place: int
    tile: int
    rows: int
    wide: int

    def print(self, f: Function, source: str, x: Window, channels: tuple[str, str], machinery: Machinery) -> None:
        """Writes the data of some channels of some rows of tiles: columns first, which neighbours share."""
        high, across, step = x.strides[1:]
        lanes, columns = machinery.lanes, STEP * self.wide + SIDE - STEP
        first = Writer(f, ["&half[0]", source], (1, step), machinery)
        then = Writer(f, [self.name, "&half[0]"], (1, 1), machinery)
        f.line(f"float half[{f.size(SIDE * columns * lanes)}] __attribute__((aligned(64)));")
        start, end = channels
        loops: list[Loop] = [
            ("row", "0", f.number(self.rows), 1, (0, self.wide * self.tile, STEP * high)),
            ("c", start, end, lanes, (0, 1, step)),
        ]
        both = Pointers(f, ["&half[0]", self.name, source])
        with nested_loops(f, loops, both):
            first.pointers.names[1], then.pointers.names[0] = both.names[2], both.names[1]
            with nested_loops(f, [("column", "0", f.number(columns), 1, (lanes, across))], first.pointers):
                values = first.data(*(first.load(1, i * high) for i in range(SIDE)))
                for i, value in enumerate(values):
                    first.store(0, i * columns * lanes, value)
            inner: list[Loop] = [
                ("tile", "0", f.number(self.wide), 1, (self.tile, STEP * lanes)),
                ("i", "0", str(SIDE), 1, (SIDE * self.place, columns * lanes)),
            ]
            with nested_loops(f, inner, then.pointers):
                values = then.data(*(then.load(1, j * lanes) for j in range(SIDE)))
                for j, value in enumerate(values):
                    then.store(0, j * self.place, value)


class _Printer:
    """Writes one convolution."""

    def __init__(self, f: Function, y: Window, x: Window, w: Window, machinery: Machinery) -> None:
        self.f, self.y, self.x, self.w, self.machinery = f, y, x, w, machinery
        self.own, self.results = known(x.shape[-1]), known(y.shape[-1])
        self.high, self.wide = (tiles_of(n) for n in y.shape[1:-1])
        self.width = panel(self.results, machinery)
        self.group = group_of(self.high, self.wide, most_tiles(self.own, machinery))
        self.most = most_rows(self.width // machinery.lanes, machinery.registers)
        tiles = -(-self.group.images * self.group.tiles // self.most) * self.most  # the last ones may mean nothing
        self.data, self.made = staggered(tiles * self.own), staggered(tiles * self.width)
        self.pointers = Pointers(f, [f.pointer(y, write=True), f.pointer(x), f.pointer(w)])

    def print(self) -> None:
        f, y, x, group = self.f, self.y, self.x, self.group
        across = self.high // group.rows
        f.split(dims.ceil_divide(y.shape[0], group.images) * across)
        times, images, all_images = f.number(across), f.number(group.images), f.given(y.shape[0])
        f.line(f"float data[{f.size(PLACES * self.data)}] __attribute__((aligned(64)));")
        f.line(f"float made[{f.size(PLACES * self.made)}] __attribute__((aligned(64)));")
        with f.loop("unit", "hi", "lo"), ExitStack() as stack:
            f.line(f"const long image = unit / {times} * {images}, left = {all_images} - image;")
            f.line(f"const long images = left < {images} ? left : {images};")
            f.line(f"const long first = unit % {times} * {f.number(group.rows)};")
            rows = STEP * y.strides[1], STEP * x.strides[1]
            stack.enter_context(self.pointers.advanced(Axis(0, (y.strides[0], x.strides[0], 0)), "image"))
            stack.enter_context(self.pointers.advanced(Axis(0, (*rows, 0)), "first"))
            names = Pointers(f, ["&data[0]", self.pointers.names[1]])
            with nested_loops(f, [("i", "0", "images", 1, (group.tiles * self.own, x.strides[0]))], names):
                data = Data(names.names[0], self.data, self.own, group.rows, group.wide)
                data.print(f, names.names[1], x, ("0", f.size(self.own)), self.machinery)
            stack.enter_context(f.loop("k", f.number(known(self.w.shape[0]))))
            panels = Axis(0, (self.width * y.strides[3], 0, self.w.strides[0]))
            stack.enter_context(self.pointers.advanced(panels, "k"))
            self._multiply()
            self._gather()

    def _multiply(self) -> None:
        """Data times weights, place by place: [place, tile, result]."""
        f, group = self.f, self.group
        names = Pointers(f, ["&made[0]", "&data[0]", self.pointers.names[2]])
        with nested_loops(f, [("place", "0", str(PLACES), 1, (self.made, self.data, self.w.strides[1]))], names):
            if group.images > 1:
                steps = (self.width, self.own, 0)
                with nested_loops(f, [("tile", "0", f"images * {f.number(group.tiles)}", self.most, steps)], names):
                    self._tile(self.most, names)
                return
            done = 0
            for rows, many in evenly(group.tiles, self.most):
                with ExitStack() as stack:
                    stack.enter_context(names.advanced(Axis(0, (self.width, self.own, 0)), f.number(done)))
                    steps = (rows * self.width, rows * self.own, 0)
                    stack.enter_context(nested_loops(f, [("tile", "0", f.number(many), 1, steps)], names))
                    self._tile(rows, names)
                done += rows * many

    def _tile(self, rows: int, names: Pointers) -> None:
        f, lanes = self.f, self.machinery.lanes
        tile = Tile(F32, tuple(f.size(i * self.own) for i in range(rows)), self.width // lanes, lanes)
        tile.begin(f)
        f.line(f"const float *a = {names.names[1]}, *b = {names.names[2]};")
        with f.loop("c", f.size(self.own), step=UNROLLED):
            f.line(f"#pragma GCC unroll {UNROLLED}")
            with f.block(f"for (long o = 0; o < {UNROLLED}; o++, a++, b += {self.width})"):
                tile.add(f, "a", "b")
        tile.store(f, lambda i, j: f"{names.names[0]} + {i * self.width + j * lanes}")

    def _gather(self) -> None:
        """Results of all tiles; those beyond the edges are left out."""
        f, y, lanes, group = self.f, self.y, self.machinery.lanes, self.group
        names = Pointers(f, [self.pointers.names[0], "&made[0]"])
        f.line(f"float half[{STEP * SIDE * lanes}] __attribute__((aligned(64)));")
        loops: list[Loop] = [
            ("i", "0", "images", 1, (y.strides[0], group.tiles * self.width)),
            ("row", "0", f.number(group.rows), 1, (STEP * y.strides[1], group.wide * self.width)),
            ("tile", "0", f.number(group.wide), 1, (STEP * y.strides[2], self.width)),
            ("v", "0", str(self.width), lanes, (y.strides[3], 1)),
        ]
        ragged = [n % STEP != 0 for n in map(known, y.shape[1:-1])]
        with nested_loops(f, loops, names):
            first = Writer(f, ["&half[0]", names.names[1]], (1, 1), self.machinery)
            with nested_loops(f, [("j", "0", str(SIDE), 1, (lanes, self.made))], first.pointers):
                values = first.results(*(first.load(1, i * SIDE * self.made) for i in range(SIDE)))
                for i, value in enumerate(values):
                    first.store(0, i * SIDE * lanes, value)
            end = f"{f.size(y.shape[1])} - {STEP} * (first + row)"
            f.line(f"const long high = {f'{end} < {STEP} ? {end} : {STEP}' if ragged[0] else STEP};")
            then = Writer(f, [names.names[0], "&half[0]"], (y.strides[3], 1), self.machinery)
            with nested_loops(f, [("i", "0", "high", 1, (y.strides[1], SIDE * lanes))], then.pointers):
                values = then.results(*(then.load(1, j * lanes) for j in range(SIDE)))
                for j, value in enumerate(values):
                    last = known(y.shape[2]) % STEP
                    with f.block(f"if (tile < {f.number(group.wide - 1)})" if ragged[1] and j >= last else ""):
                        then.store(0, j * y.strides[2], value)


def most_tiles(own: int, machinery: Machinery) -> int:
    """Tiles for which weights are fetched once: more than a few where a tile has many products for its data, all of
    which stay in the second cache."""
    return max(TILES, min(own // 2, machinery.second_cache // 2 // (PLACES * 4 * own)))


def pays(y: Window, w: Window, machinery: Machinery) -> bool:
    """Whether this form is the faster one, of undilated convolutions of stride 1 in one group."""
    if y.dtype is not F32 or len(y.shape) != 4 or w.shape[:-2] != (3, 3):
        return False
    if not all(isinstance(n, int) for n in (*y.shape[1:], *w.shape)):
        return False
    own, results = map(known, w.shape[-2:])
    if own % machinery.lanes or results % machinery.lanes:
        return False
    group = group_of(tiles_of(y.shape[1]), tiles_of(y.shape[2]), most_tiles(own, machinery))
    if PLACES * (group.images * group.tiles + machinery.registers) * (own + panel(results, machinery)) > MOST:
        return False
    return _cost(y, own, results, machinery) < known(y.shape[1]) * known(y.shape[2]) * 9 * own * results


def _cost(y: Window, own: int, results: int, machinery: Machinery) -> int:
    """The products of one image, and what else takes as long as so many of them: sums and weights from afar."""
    tiles = tiles_of(y.shape[1]) * tiles_of(y.shape[2])
    once = tiles * PLACES * own * results + PLACES * own * results // 2
    return once + tiles * machinery.lanes * (DATA * own // machinery.lanes + RESULTS * results // machinery.lanes)
