"""Convolutions towards their weights as a form: taps by channels of results stay in registers while pixels go by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from ..schedule.kernel import Window
from .convolution import channels_of, known
from .function import TYPES, Function, Machinery
from .loops import Axis, Pointers
from .sliding import copied, half_cycles, lanes_of, most_rows
from .tile import Tile, evenly, several

W, X, Y = range(3)  # the operands, in the order of pointers and steps
PIXELS = 256  # that are added up before the next taps take their turn: their data stays in the first caches
NARROW = 20  # rows of one vector, each of which spreads a number: more of them keep up less


class ConvWeight(NamedTuple):
    """w [kernel..., C / groups, K] of framed x [N, spatial..., C] and y [N, windows..., K].

    `accumulate` adds to what lies in the result.
    """

    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    machinery: Machinery
    accumulate: bool = False

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (w,), (x, y) = writes, reads
        names = [f.pointer(w, write=True), f.pointer(x), f.pointer(y)]
        _Printer(self, f, Pointers(f, names), w, x, y).print()


class Chunk(NamedTuple):
    """Tiles that are alike: how much of an axis of taps each takes, how many there are, and where they begin."""

    length: int
    many: int
    start: int


class Blocking(NamedTuple):
    """Tiles of taps: stretches of one axis with all of the axes below it, by vectors of channels."""

    axis: int
    chunks: tuple[Chunk, ...]
    vectors: int


def blocking(taps: list[int], channels: int, lanes: int, registers: int, *, own: bool) -> Blocking:
    """The tiles that are expected to keep the multipliers busiest."""
    found = []
    for vectors in (v for v in (1, 2, 3) if v == 1 or (-(-channels // lanes) % v == 0 and not own)):
        below, most = 1, most_rows(vectors, registers) if vectors > 1 else min(NARROW, most_rows(1, registers))
        for axis in reversed(range(len(taps))):
            if below <= most:
                tiles = evenly(taps[axis], most // below)
                time = sum(n * half_cycles(below * count, vectors, vectors) for count, n in tiles) / (
                    taps[axis] * below * vectors
                )
                found.append((time, axis, vectors, tiles))
            below *= taps[axis]
    _, axis, vectors, tiles = min(found)
    chunks, start = [], 0
    for count, many in tiles:
        chunks.append(Chunk(count, many, start))
        start += count * many
    return Blocking(axis, tuple(chunks), vectors)


class Pieces(NamedTuple):
    """How pixels are cut: single turns of the axes `above`, stretches of at most `most` of `cut`, all `inside`."""

    above: tuple[Axis, ...]
    cut: Axis
    most: int
    inside: tuple[Axis, ...]

    @property
    def stretches(self) -> Size:
        return dims.ceil_divide(self.cut.size, self.most)

    @property
    def number(self) -> Size:
        return dims.product((*(a.size for a in self.above), self.stretches))


def pieces(axes: list[Axis]) -> Pieces:
    """Axes of pixels in pieces of about PIXELS."""
    inside, many = len(axes), 1
    while inside > 1 and isinstance(size := axes[inside - 1].size, int) and many * size <= PIXELS * 3 // 2:
        inside, many = inside - 1, many * size
    cut = axes[inside - 1]
    most = max(1, PIXELS // many)
    if isinstance(cut.size, int):
        most = -(-cut.size // -(-cut.size // most)) if cut.size * many > PIXELS * 3 // 2 else cut.size
    return Pieces(tuple(axes[: inside - 1]), cut, max(1, most), tuple(axes[inside:]))


class _Printer:
    """Writes one sum over pixels."""

    def __init__(self, form: ConvWeight, f: Function, pointers: Pointers, w: Window, x: Window, y: Window) -> None:
        self.form, self.f, self.pointers, self.dtype = form, f, pointers, w.dtype
        self.lanes = lanes_of(w.dtype, form.machinery)
        groups, inner, outer = (Axis(a.size, a.steps[::-1]) for a in channels_of(y, x, w, form.groups))
        self.groups, self.outer, self.is_own = groups, outer, outer.steps[X] != 0
        (self.channels,) = known((outer.size,))
        kernel = zip(known(w.shape[:-2]), form.dilation, strict=True)
        lattice = [Axis(n, (w.strides[i], x.strides[1 + i] * gap, 0)) for i, (n, gap) in enumerate(kernel)]
        self.taps = joined([*lattice, inner])
        strides = enumerate((1, *form.stride))
        self.pieces = pieces(joined([Axis(y.shape[i], (0, x.strides[i] * s, y.strides[i])) for i, s in strides]))
        sizes = list(known([a.size for a in self.taps]))
        self.blocking = blocking(sizes, self.channels, self.lanes, form.machinery.registers, own=self.is_own)
        self.width = self.blocking.vectors * self.lanes
        self.is_ragged = self.channels % self.width != 0
        self.is_packed = outer.steps[Y] != 1 or (self.is_ragged and form.machinery.lanes != 16)

    def print(self) -> None:
        """Units are tiles, those that share channels of results next to each other."""
        f, above = self.f, self.taps[: self.blocking.axis]
        across = sum(chunk.many for chunk in self.blocking.chunks)
        tiles = dims.product(a.size for a in above) * across
        panels = -(-self.channels // self.width)
        f.split(self.groups.size * panels * tiles)
        many = f.number(tiles)
        with self._each_piece(), f.block("for (long unit = lo, next; unit < hi; unit = next)"):
            f.line(f"const long panel = unit / {many}, from = unit % {many};")
            f.line(f"const long to = {many} - from < hi - unit ? {many} : from + hi - unit;")
            f.line("next = unit + to - from;")
            with self._panel(panels), f.loop("tile", "to", "from"), ExitStack() as stack:
                index = f"(tile / {f.number(across)})"
                for axis in reversed(above):
                    stack.enter_context(self.pointers.advanced(axis, f"({index} % {f.size(axis.size)})"))
                    index = f"({index} / {f.size(axis.size)})"
                f.line(f"const long chunk = tile % {f.number(across)};")
                self._chunks()

    @contextmanager
    def _each_piece(self) -> Iterator[None]:
        """One piece of pixels after the other; at least one, so that there is a result where there are no pixels."""
        f, cut, most = self.f, self.pieces.cut, self.pieces.most
        if self.pieces.number == 1:
            f.line(f"const long piece = 0, turns = {f.number(cut.size)};")
            yield
            return
        count, index = f.size(self.pieces.number), "piece"
        with f.block(f"for (long piece = 0; piece == 0 || piece < {count}; piece++)"), ExitStack() as stack:
            stretches = Axis(self.pieces.stretches, tuple(s * most for s in cut.steps))
            axes = (*self.pieces.above, stretches)
            for axis in reversed(axes):
                own = index if axis is axes[0] else f"({index} % {f.size(axis.size)})"
                index = f"({index} / {f.size(axis.size)})"
                if axis is stretches:
                    longest = f.size(most)
                    f.line(f"const long left = {f.size(cut.size)} - {own} * {longest};")
                    f.line(f"const long turns = {count} == 0 ? 0 : left < {longest} ? left : {longest};")
                stack.enter_context(self.pointers.advanced(axis, own))
            yield

    @contextmanager
    def _panel(self, panels: int) -> Iterator[None]:
        """The channels of one panel, copied where tiles cannot read them as they lie."""
        f, before = self.f, list(self.pointers.names)
        with ExitStack() as stack:
            if self.groups.size != 1:
                stack.enter_context(self.pointers.advanced(self.groups, f"(panel / {f.number(panels)})"))
            f.line(f"const long first = panel % {f.number(panels)} * {self.width};")
            stack.enter_context(self.pointers.advanced(self.outer, "first"))
            if self.is_ragged:
                rest = f"{f.size(self.channels)} - first"
                f.line(f"const long width = {rest} < {self.width} ? {rest} : {self.width};")
                f.line(f"const long last = width - {self.width - self.lanes};")
            if self.is_packed:
                self._pack()
            yield
        self.pointers.names = before

    def _pack(self) -> None:
        """The panel's results with their channels side by side, pixel by pixel."""
        f, axes = self.f, self.pieces.inside
        size = self.pieces.most * dims.product(a.size for a in axes)
        f.line(f"{TYPES[self.dtype]} packed[{size} * {self.width}] __attribute__((aligned(64)));")
        both = Pointers(f, ["&packed[0]", self.pointers.names[Y]])
        loops = [(str(n), steps[Y], packed) for n, steps, packed in self._turns()]
        width = "width" if self.is_ragged else str(self.width)
        with ExitStack() as stack:
            for count, step, packed in loops[:-1]:
                index = f.fresh("i")
                stack.enter_context(f.loop(index, count))
                stack.enter_context(both.advanced(Axis(0, (packed, step)), index))
            count, step, _ = loops[-1]
            steps = step, self.outer.steps[Y]
            copied(f, self.dtype, both.names[0], self.width, both.names[1], steps, count, width)
        self.pointers.names[Y] = "packed"

    def _turns(self) -> list[tuple[str, tuple[Size, ...], Size]]:
        """The loops over the pixels of a piece: how often, with which steps, and with which in packed results."""
        given = [("turns", self.pieces.cut), *((self.f.number(a.size), a) for a in self.pieces.inside)]
        found: list[tuple[str, tuple[Size, ...], Size]] = []
        step: Size = self.width
        for count, axis in reversed(given):
            found.insert(0, (count, axis.steps, step))
            step = step * axis.size
        return found

    def _chunks(self) -> None:
        """The tile of this unit: tiles of one size, or of either."""
        f, axis = self.f, self.taps[self.blocking.axis]
        for chunk in self.blocking.chunks:
            first = chunk.start // chunk.length if chunk is self.blocking.chunks[0] else self.blocking.chunks[0].many
            with ExitStack() as stack:
                if len(self.blocking.chunks) > 1:
                    own = f"chunk < {f.number(chunk.many)}" if chunk.start == 0 else f"chunk >= {f.number(first)}"
                    stack.enter_context(f.block(f"if ({own})"))
                index = f"({f.number(chunk.start)} + (chunk - {f.number(first)}) * {chunk.length})"
                stack.enter_context(self.pointers.advanced(axis, index))
                self._tile(chunk.length)

    def _tile(self, count: int) -> None:
        """All pixels of the piece for one tile."""
        f, names = self.f, self.pointers.names
        places = [self._places(count, operand) for operand in (W, X)]
        tile = Tile(self.dtype, places[X], self.blocking.vectors, self.lanes)
        tile.begin(f)
        last = "last" if self.is_ragged else ""
        with ExitStack() as stack:
            x, y = names[X], names[Y]
            loops = self._turns()
            for depth, (turns, steps, packed) in enumerate(loops, 1):
                a, b, index = f.fresh("a"), f.fresh("b"), f.fresh("i")
                kind = f"const {TYPES[self.dtype]}"
                f.line(f"{kind} *{a} = {x}, *{b} = {y};")
                step = packed if self.is_packed else steps[Y]
                if depth == len(loops):
                    several(f)
                turn = f"{index}++, {a} += {f.size(steps[X])}, {b} += {f.size(step)}"
                stack.enter_context(f.block(f"for (long {index} = 0; {index} < {turns}; {turn})"))
                x, y = a, b
            tile.renew(f, x, steps[X])
            if self.is_own:
                tile.add_own(f, x, y, last=last)
            else:
                tile.add(f, x, y, last="" if self.is_packed else last)
        self._store(tile, places[W], last)

    def _places(self, count: int, operand: int) -> tuple[str, ...]:
        """Where the taps of a tile stand, from its first."""
        offsets: list[Size] = [0]
        stretch = Axis(count, self.taps[self.blocking.axis].steps)
        for axis in (stretch, *self.taps[self.blocking.axis + 1 :]):
            (size,) = known((axis.size,))
            offsets = [o + i * axis.steps[operand] for o in offsets for i in range(size)]
        return tuple(self.f.size(o) for o in offsets)

    def _store(self, tile: Tile, places: tuple[str, ...], last: str) -> None:
        """The sums of a tile: added to what lies there, but for the first ones."""
        f, w, step = self.f, self.pointers.names[W], self.outer.steps[W]
        if step == 1:

            def target(i: int, j: int) -> str:
                return f"{w} + {places[i]} + {j * self.lanes}"

            if not self.form.accumulate:
                with f.block("if (piece == 0)"):
                    tile.store(f, target, last=last)
            if self.form.accumulate or self.pieces.number != 1:
                with f.block("" if self.form.accumulate else "else"):
                    tile.store(f, target, last=last, onto=True)
            return
        old = "" if self.form.accumulate else "piece == 0 ? 0 : "
        for i, j in tile.each():
            many = last if last and j == self.blocking.vectors - 1 else str(self.lanes)
            with f.loop("lane", many):
                place = f"{w}[{places[i]} + {f.size(step)} * ({j * self.lanes} + lane)]"
                f.line(f"{place} = ({old}{place}) + c{i}_{j}[lane];")


def joined(axes: list[Axis]) -> list[Axis]:
    """Axes that lie one after the other in all operands as one; at least one axis."""
    found: list[Axis] = []
    for axis in axes:
        last = found[-1] if found else None
        if axis.size == 1:
            continue
        if last is not None and last.steps == tuple(s * axis.size for s in axis.steps):
            found[-1] = Axis(last.size * axis.size, axis.steps)
        else:
            found.append(axis)
    return found or [Axis(1, (0, 0, 0))]
