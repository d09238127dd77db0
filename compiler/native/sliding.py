"""Sums of products over windows that slide, given as strides, as C: what convolutions forward and back are made of.

Results are computed in tiles, some neighbouring pixels by some vectors of channels, which stay in registers while
the taps go by. Nothing here knows of edges: data has its frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import NamedTuple

from ...spec.record import Record, replace
from ..ir import dims
from ..ir.dims import Size
from ..ir.types import F32, DType
from .blocking import pushes_out
from .function import TYPES, Function, Machinery
from .loops import Axis, Pointers
from .tile import Tile, evenly

Y, X, W = range(3)  # the operands, in the order of pointers and steps
SHORT = 48  # products of a result, below which tiles are small: while one is stored, the next one begins
UNROLLED = 9  # turns of an innermost loop, with those around it, that are written one after the other
ROOM = 4096  # elements of which packed weights take a multiple, so that kernels of several sizes have equal text


class Phase(NamedTuple):
    """Results that see the same taps: how many along each axis, of how many taps; the first of them, of each axis of
    weights; and where data and results begin."""

    counts: tuple[Size, ...]
    taps: tuple[int, ...]
    first: tuple[int, ...]
    start: tuple[Size, Size] = (0, 0)  # in y and in x


class Slide(Record):
    """y[p, k] = Σ over taps t and channels c of x[p + t, c] · w[t, c, k], all axes with their steps in y, x and w.

    `pixels` and `taps` have one entry for each spatial axis. Tap i of a phase is weight `first + i · stride` of its
    axis. The first phase has the most pixels.
    """

    dtype: DType
    images: Axis
    pixels: tuple[Axis, ...]
    taps: tuple[Axis, ...]
    stride: tuple[int, ...]
    groups: Axis
    inner: Axis
    outer: Axis
    phases: tuple[Phase, ...]

    @property
    def is_own(self) -> bool:
        """Whether each channel of results has its own channel of data."""
        return self.outer.steps[X] != 0


class Block(NamedTuple):
    """A tile's size: rows by columns of pixels, by vectors of channels."""

    rows: int
    columns: int
    vectors: int


def known(size: Size) -> int:
    """A size that must be a number."""
    assert isinstance(size, int), size
    return size


def lanes_of(dtype: DType, machinery: Machinery) -> int:
    """Elements of a vector."""
    return machinery.lanes if dtype is F32 else machinery.lanes // 2


def most_rows(vectors: int, registers: int) -> int:
    """How many rows of so many vectors fit in registers, beside the vectors of weights and one spread number."""
    return registers - 4 if vectors == 1 else (registers - 1 - vectors) // vectors


def block_of(counts: tuple[Size, ...], channels: int, depth: int, lanes: int, m: Machinery, *, fold: bool) -> Block:
    """The tile that is expected to keep the multipliers busiest, for results that are sums of `depth` products.

    With `fold` it may span rows of pixels.
    """
    rows, length = counts[-2:]
    across = length if isinstance(length, int) else m.registers
    heights = [h for h in range(1, 9) if h == 1 or (fold and isinstance(rows, int) and rows % h == 0)]
    found = []
    for vectors in (v for v in (1, 2, 3) if v == 1 or v * lanes <= channels):
        most = most_rows(vectors, m.registers)
        if depth <= SHORT:
            most = min(most, m.registers // 2 // vectors)
        weights = vectors if depth * vectors * m.lanes * 4 <= m.first_cache else 2 * vectors
        for high in (h for h in heights if h == 1 or (h * across <= most and isinstance(length, int))):
            wide = min(across, most)
            times = -(-channels // (vectors * lanes))
            time = times * sum(n * half_cycles(high * w, vectors, weights) for w, n in evenly(across, wide)) / high
            found.append((time, Block(high, wide, vectors)))
    return min(found)[1]


def half_cycles(pixels: int, vectors: int, weights: int) -> int:
    """Half-cycles of a tile's step: two products or two loads in each cycle, sums that wait where they are few, and the
    loop.

    Loads of weights count for more where they do not stay in the first cache.
    """
    return max(pixels * vectors, pixels + weights, 11) + 1


def copied(
    f: Function, dtype: DType, to: str, width: int, source: str, steps: tuple[Size, Size], rows: str, columns: str
) -> None:
    """Copies a matrix, of such steps from row to row and from column to column, to a panel of so many columns."""
    row, column = map(f.size, steps)
    if steps[1] == 1:
        f.line(f"{dtype}_rows({to}, {width}, {source}, {row}, {rows}, {columns});")
    else:
        f.line(f"{dtype}_gathered({to}, {width}, {source}, {row}, {column}, {rows}, {columns});")


def print_slide(f: Function, slide: Slide, names: Sequence[str], machinery: Machinery) -> None:
    """Writes a whole slide between the pointers of y, x and w. Units are rows of results."""
    _Printer(f, _in_rows(slide), Pointers(f, names), machinery).print()


def _in_rows(slide: Slide) -> Slide:
    """One axis of pixels as two, so that there are rows to divide."""
    if len(slide.pixels) > 1:
        return slide
    (axis,), counts = slide.pixels, {phase.counts for phase in slide.phases}
    length = _row(*next(iter(counts))) if len(counts) == 1 else None

    def split(count: Size) -> tuple[Size, Size]:
        return (1, count) if length is None else (dims.floor_divide(count, length), length)

    phases = tuple(phase._replace(counts=split(*phase.counts)) for phase in slide.phases)
    return replace(slide, pixels=(times(axis, length or 0), axis), phases=phases)


def _row(count: Size) -> int | None:
    """A length of 16 to 64 that divides a long axis."""
    if not isinstance(count, int) or count <= 64:
        return None
    return next((n for n in range(64, 15, -1) if count % n == 0), None)


def times(axis: Axis, number: int) -> Axis:
    """An axis with longer steps."""
    return Axis(axis.size, tuple(s * number for s in axis.steps))


class _Printer:
    """Writes one slide."""

    def __init__(self, f: Function, slide: Slide, pointers: Pointers, machinery: Machinery) -> None:
        self.f, self.slide, self.pointers = f, slide, pointers
        self.lanes = lanes_of(slide.dtype, machinery)
        self.channels = known(slide.outer.size)
        self.alike: dict[tuple[Size, ...], list[Phase]] = {}
        for phase in slide.phases:
            self.alike.setdefault(phase.counts, []).append(phase)
        first, fold = slide.phases[0].counts, len(self.alike) == 1
        depth = max(prod(phase.taps) for phase in slide.phases) * known(slide.inner.size)
        across = self.channels if not slide.is_own else 1
        self.block = block_of(first, across, depth, self.lanes, machinery, fold=fold)
        self.width = self.block.vectors * self.lanes
        *others, last = first[:-1]
        self.rows = (*others, dims.floor_divide(last, self.block.rows))
        self.last = str(self.channels) if self.channels < self.lanes else ""
        ragged, apart = bool(self.last) and machinery.lanes != 16, slide.inner.steps[W]
        pushed = self.channels > self.width and pushes_out(depth, apart, slide.dtype, machinery.first_cache)
        self.is_packed = slide.outer.steps[W] != 1 or ragged or pushed

    def print(self) -> None:
        self.f.split(self.slide.images.size * dims.product(self.rows))
        with ExitStack() as stack:
            if self.is_packed:
                stack.enter_context(self._blocks())
                self.slide = self._packed()
                stack.enter_context(self._stretches())
            else:
                stack.enter_context(self._stretches())
                stack.enter_context(self._blocks())
            for phases in self.alike.values():
                self._phases(phases)

    @contextmanager
    def _stretches(self) -> Iterator[None]:
        """Units as rows of one image after the other."""
        f, rows = self.f, self.f.number(dims.product(self.rows))
        with f.block("for (long unit = lo, next; unit < hi; unit = next)"):
            f.line(f"const long image = unit / {rows}, from = unit % {rows};")
            f.line(f"const long to = {rows} - from < hi - unit ? {rows} : from + hi - unit;")
            f.line("next = unit + to - from;")
            with self.pointers.advanced(self.slide.images, "image"):
                yield

    @contextmanager
    def _blocks(self) -> Iterator[None]:
        """Blocks of channels of each group. The last block begins earlier where it would not be full."""
        f, width = self.f, self.width
        with ExitStack() as stack:
            if self.slide.groups.size != 1:
                stack.enter_context(f.loop("group", f.size(self.slide.groups.size)))
                stack.enter_context(self.pointers.advanced(self.slide.groups, "group"))
            if self.channels > width:
                stack.enter_context(f.loop("block", f.size(self.channels), step=width))
                last = f.size(self.channels - width)
                first = f"(block < {last} ? block : {last})" if self.channels % width else "block"
                stack.enter_context(self.pointers.advanced(self.slide.outer, first))
            yield

    def _packed(self) -> Slide:
        """The block's weights copied side by side, with zeros where there are none; and the slide that reads them."""
        f, slide, width = self.f, self.slide, self.width
        axes: list[Axis] = []
        size = width
        for axis in reversed((*slide.taps, slide.inner)):
            axes.insert(0, Axis(axis.size, (*axis.steps[:W], size)))
            size *= known(axis.size)
        room = -(-size // ROOM) * ROOM
        f.line(f"{TYPES[slide.dtype]} packed[{room}] __attribute__((aligned(64)));")
        both = Pointers(f, ["&packed[0]", self.pointers.names[W]])
        columns, steps = min(self.channels, width), (slide.inner.steps[W], slide.outer.steps[W])
        with ExitStack() as stack:
            for copy, axis in zip(axes[:-1], slide.taps, strict=True):
                index = f.fresh("i")
                stack.enter_context(f.loop(index, f.size(axis.size)))
                stack.enter_context(both.advanced(Axis(axis.size, (copy.steps[W], axis.steps[W])), index))
            inner = f.size(slide.inner.size)
            copied(f, slide.dtype, both.names[0], width, both.names[1], steps, inner, str(columns))
        self.pointers.names[W] = "packed"
        return replace(slide, taps=tuple(axes[:-1]), inner=axes[-1])

    def _phases(self, phases: list[Phase]) -> None:
        """All results that come in equal numbers."""
        f, rank = self.f, len(self.slide.taps)
        if len(phases) == 1:
            with self._from([f.size(s) for s in self._starts(phases[0])]):
                self._rows(phases[0].counts, [str(n) for n in phases[0].taps])
            return
        table, phase = f.fresh("phases"), f.fresh("phase")
        rows = ", ".join(f"{{{', '.join(map(f.size, (*self._starts(p), *p.taps)))}}}" for p in phases)
        f.line(f"const long {table}[{len(phases)}][{3 + rank}] = {{{rows}}};")
        with f.loop(phase, str(len(phases))), self._from([f"{table}[{phase}][{i}]" for i in range(3)]):
            self._rows(phases[0].counts, [f"{table}[{phase}][{3 + i}]" for i in range(rank)])

    def _starts(self, phase: Phase) -> tuple[Size, Size, Size]:
        weights: Size = 0
        for axis, first in zip(self.slide.taps, phase.first, strict=True):
            weights = weights + axis.steps[W] * first
        return (*phase.start, weights)

    @contextmanager
    def _from(self, distances: Sequence[str]) -> Iterator[None]:
        """Inside, each pointer stands further on."""
        before = list(self.pointers.names)
        for i, distance in enumerate(distances):
            if distance != "0":
                self.pointers.names[i] = self._declared(i, f"{before[i]} + {distance}")
        yield
        self.pointers.names = before

    def _declared(self, operand: int, value: str) -> str:
        name = self.f.fresh("q")
        self.f.line(f"{'' if operand == Y else 'const '}{TYPES[self.slide.dtype]} *{name} = {value};")
        return name

    def _rows(self, counts: tuple[Size, ...], taps: list[str]) -> None:
        """The tiles of rows `from` to `to`; rows are counted through all axes but the last."""
        f, block = self.f, self.block
        with f.loop("row", "to", "from"), ExitStack() as stack:
            index = "row"
            axes = [*self.slide.pixels[:-2], times(self.slide.pixels[-2], block.rows)]
            for i in reversed(range(len(axes))):
                own = index if i == 0 else f"{index} % {f.size(self.rows[i])}"
                if self.rows[i] != counts[i] and block.rows == 1:
                    stack.enter_context(f.block(f"if ({own} < {f.size(counts[i])})"))
                stack.enter_context(self.pointers.advanced(axes[i], f"({own})"))
                index = f"({index} / {f.size(self.rows[i])})"
            self._row(counts[-1], taps)

    def _row(self, length: Size, taps: list[str]) -> None:
        """One row of tiles, as even as possible; of unknown length, one tile after the other and then single pixels."""
        f, across, wide = self.f, self.slide.pixels[-1], self.block.columns
        if isinstance(length, int):
            done = 0
            for columns, many in evenly(length, wide):
                with ExitStack() as stack:
                    stack.enter_context(self.pointers.advanced(across, f.number(done)))
                    stack.enter_context(f.loop("tile", f.number(many)))
                    stack.enter_context(self.pointers.advanced(times(across, columns), "tile"))
                    self._tile(columns, taps)
                done += columns * many
            return
        f.line("long pixel = 0;")
        for columns in (wide, 1) if wide > 1 else (1,):
            head = f"for (; pixel + {columns} <= {f.size(length)}; pixel += {columns})"
            with f.block(head), self.pointers.advanced(across, "pixel"):
                self._tile(columns, taps)

    def _tile(self, columns: int, taps: list[str]) -> None:
        """One tile: all taps, then the results."""
        slide, rows = self.slide, range(self.block.rows)
        high, wide = slide.pixels[-2].steps, slide.pixels[-1].steps
        places = [
            tuple(self.f.size(i * h + j * w) if i + j else "0" for i in rows for j in range(columns))
            for h, w in zip(high, wide, strict=True)
        ]
        tile = Tile(slide.dtype, places[X], self.block.vectors, self.lanes)
        with self.f.block(""):
            tile.begin(self.f)
            before = list(self.pointers.names)
            with ExitStack() as stack:
                loops = self._loops(taps)
                for i, (count, steps) in enumerate(loops):
                    counts = [n for n, _ in loops[i:]]
                    short = all(n.isdigit() for n in counts) and prod(map(int, counts)) <= UNROLLED
                    stack.enter_context(self._walk(count, steps, unrolled=short))
                tile.renew(self.f, self.pointers.names[X], steps[0])
                last = "" if self.is_packed and not slide.is_own else self.last
                add = tile.add_own if slide.is_own else tile.add
                add(self.f, self.pointers.names[X], self.pointers.names[W], last=last)
            self.pointers.names = before
            self._store(tile, places[Y])

    def _loops(self, taps: list[str]) -> list[tuple[str, tuple[Size, Size]]]:
        """Loops over taps and channels as counts and steps in x and w, those that lie in one run as one."""
        slide = self.slide
        number = self.f.size(slide.inner.size)
        loops = [(number, (slide.inner.steps[X], slide.inner.steps[W]))]
        for axis, stride, count in reversed(list(zip(slide.taps, slide.stride, taps, strict=True))):
            steps = (axis.steps[X], axis.steps[W] * stride)
            inner, last = loops[0]
            if count == "1":
                continue
            if inner.isdigit() and steps == tuple(s * int(inner) for s in last):
                both = self.f.size(int(count) * int(inner)) if count.isdigit() else f"{count} * {inner}"
                loops[0] = (both, last)
            else:
                loops.insert(0, (count, steps))
        return loops

    @contextmanager
    def _walk(self, count: str, steps: tuple[Size, Size], *, unrolled: bool) -> Iterator[None]:
        """A loop whose turns move x and w."""
        f, index = self.f, self.f.fresh("i")
        x, w = (self._declared(i, self.pointers.names[i]) for i in (X, W))
        turn = ", ".join(f"{name} += {f.size(step)}" for name, step in zip((x, w), steps, strict=True))
        if unrolled:
            f.line(f"#pragma GCC unroll {count}")
        with f.block(f"for (long {index} = 0; {index} < {count}; {index}++, {turn})"):
            self.pointers.names[X], self.pointers.names[W] = x, w
            yield

    def _store(self, tile: Tile, places: tuple[str, ...]) -> None:
        """The tile's results, which may not lie side by side."""
        f, y, step = self.f, self.pointers.names[Y], self.slide.outer.steps[Y]
        if step == 1:
            tile.store(f, lambda i, j: f"{y} + {places[i]} + {j * self.lanes}", last=self.last)
            return
        for i, j in tile.each():
            with f.loop("lane", str(min(self.channels, self.lanes))):
                f.line(f"{y}[{places[i]} + {f.size(step)} * ({j * self.lanes} + lane)] = c{i}_{j}[lane];")
