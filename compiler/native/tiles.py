"""Products by tiles: panels of b, one after the other, meet all tiles of rows of a."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ...spec.record import Record
from ..ir import dims
from .ahead import Ahead
from .blocking import Blocking
from .function import TYPES, Function
from .matrices import Matrices, Matrix
from .tile import Tile, several
from .units import Lead

GROUP = 192 << 10  # bytes of rows of a that meet all panels
COPIED = 48 << 10  # of them where they are copied
TOGETHER = 16  # tiles of them: what they touch is found by few pages
BLOCK = 512 << 10  # bytes of b that are packed together
ENOUGH = 8  # sums that are begun before the first of them is done
UNROLLED = 64  # sums up to which a short inner axis is written out


class Panels(NamedTuple):
    """Panels of equal width from column `start` to `stop`; `last` is the C of the elements of their last vector."""

    vectors: int
    start: str
    stop: str
    last: str
    columns: str


class Tiles(Record):
    """The text of one product while it is written; `onto` adds it to what lies in the result."""

    f: Function
    p: Matrices
    cut: Blocking
    lead: Lead
    onto: bool
    masks: bool

    def print(self) -> None:
        """Lines for one matrix, which see its pointers c, a and b, and its units `from` to `to`."""
        self._memory()
        with self._depths():
            if self.cut.by_columns:
                self._columns()
            else:
                self._rows()

    @property
    def _ahead(self) -> Ahead:
        return Ahead(self.f, self.p, self.cut, self.lead, self._group())

    @property
    def scalar(self) -> str:
        return TYPES[self.p.dtype]

    def _memory(self) -> None:
        """Copies on the stack."""
        cut = self.cut
        aligned = "__attribute__((aligned(64)))"
        if any(self._packs(panels) for panels in self._panels()):
            width = cut.width if cut.by_columns or not cut.packs_b else self._breadth()
            self.f.line(f"{self.scalar} copied[{self.f.size(cut.depth * width)}] {aligned};")
        if cut.packs_a:
            self.f.line(f"{self.scalar} rows[{self.f.size(self._group() * cut.height * cut.depth)}] {aligned};")

    def _breadth(self) -> int:
        """Columns of b that are packed together: whole panels."""
        width, n = self.cut.width, self.p.n
        most = max(1, BLOCK // (width * self.cut.depth * self.p.dtype.bytes))
        return (min(most, -(-n // width)) if isinstance(n, int) else most) * width

    def _group(self) -> int:
        """Tiles of a that meet all panels before the next ones do; whole strips, where they are packed."""
        cut, m = self.cut, self.p.m
        tile = cut.height * cut.depth * self.p.dtype.bytes
        if cut.packs_a:
            each = cut.strip // cut.height
            return max(1, COPIED // tile // each) * each
        most = max(1, min(TOGETHER, GROUP // tile))
        return min(most, -(-m // cut.height)) if isinstance(m, int) else most

    @contextmanager
    def _depths(self) -> Iterator[None]:
        """The inner axis, block by block: lines inside see its start `k0` and its size `kb`."""
        f, k, depth = self.f, self.p.k, self.cut.depth
        if k == depth:
            f.line(f"const long k0 = 0, kb = {f.size(depth)};")
            yield
            return
        with f.loop("k0", f.size(k), step=depth):
            f.line(f"const long kb = {f.size(k)} - k0 < {depth} ? {f.size(k)} - k0 : {depth};")
            yield

    def _panels(self) -> list[Panels]:
        """Panels of the full width, and what remains."""
        n, cut = self.p.n, self.cut
        if not isinstance(n, int):
            size = self.f.size(n)
            whole = f"{size} / {cut.width} * {cut.width}"
            rest = f"(j + {cut.lanes} > {size} ? {size} - j : {cut.lanes})"
            return [Panels(cut.vectors, "0", whole, "", str(cut.width)), Panels(1, whole, size, rest, rest)]
        rest_ = n % cut.width
        found = [Panels(cut.vectors, "0", self.f.size(n - rest_), "", str(cut.width))] if n > rest_ else []
        if rest_:
            last = str(rest_ % cut.lanes) if rest_ % cut.lanes else ""
            found.append(Panels(-(-rest_ // cut.lanes), self.f.size(n - rest_), self.f.size(n), last, str(rest_)))
        return found

    def _packs(self, panels: Panels) -> bool:
        return self.cut.packs_b or bool(panels.last and not self.masks)

    def _columns(self) -> None:
        """Panels `from` to `to`, each with all rows."""
        f, width = self.f, self.cut.width
        tiles = f.size(dims.ceil_divide(self.p.m, self.cut.height))
        f.line(f"const long first = from * {width}, last = to * {width};")
        for panels in self._panels():
            with self._each_panel(panels):
                if self._packs(panels):
                    self._pack("copied", panels)
                self._tiles(panels, "copied", "0", tiles)

    def _rows(self) -> None:
        """Units `from` to `to` of rows, a group after the other, each with all panels."""
        f, group = self.f, self._group() * (self.cut.height if self.cut.by_samples else 1)
        ahead = self._ahead
        with self._blocks():
            for panels in filter(self._packs, self._panels()):
                self._pack_all(panels)
            if ahead.pays:
                ahead.of_next_panels()
            with f.loop("g", "to", "from", group):
                f.line(f"const long end = g + {group} < to ? g + {group} : to;")
                if self.cut.packs_a:
                    with f.block(""):
                        self._pack_a()
                if ahead.pays:
                    ahead.of_next_group()
                for panels in self._panels():
                    with self._each_panel(panels):
                        self._tiles(panels, self._place(panels), "g", "end")

    @contextmanager
    def _blocks(self) -> Iterator[None]:
        """Columns of b, as many as are packed together: lines inside see the `first`, and `last` behind them."""
        f, size, breadth = self.f, self.f.size(self.p.n), self._breadth()
        if not self.cut.packs_b or (isinstance(self.p.n, int) and self.p.n <= breadth):
            f.line(f"const long first = 0, last = {size};")
            yield
            return
        with f.loop("first", size, step=breadth):
            f.line(f"const long last = {size} - first < {breadth} ? {size} : first + {breadth};")
            yield

    @contextmanager
    def _each_panel(self, panels: Panels) -> Iterator[None]:
        """Panels between the columns `first` and `last`: lines inside see where each begins, `j`."""
        start = f"(first > {panels.start} ? first : {panels.start})"
        end = f"(last < {panels.stop} ? last : {panels.stop})"
        with self.f.loop("j", end, start, panels.vectors * self.cut.lanes):
            yield

    def _place(self, panels: Panels) -> str:
        """Where the copy of the panel of column `j` begins."""
        return f"copied + (j - {'first' if self.cut.packs_b else panels.start}) * {self.f.size(self.cut.depth)}"

    def _pack_all(self, panels: Panels) -> None:
        """Copies panels between `first` and `last`; of full ones each row at once, where it is a run of memory."""
        f, cut, b = self.f, self.cut, self.p.b
        if b.column != 1 or panels.start != "0":
            with self._each_panel(panels):
                self._pack(self._place(panels), panels)
            return
        with f.block(""):
            f.line(f"const long end = last < {panels.stop} ? last : {panels.stop};")
            given = (cut.width, f.size(cut.width * cut.depth), self._at("b", b, "k0", "first"), f.size(b.row))
            f.line(f"{self.p.dtype}_strips(copied, {', '.join(map(str, given))}, kb, end - first);")

    def _pack(self, to: str, panels: Panels) -> None:
        """Copies a panel of b."""
        b = self.p.b
        self.f.line(self._copy(to, panels.vectors * self.cut.lanes, self._at("b", b, "k0", "j"), b, panels.columns))

    def _copy(self, to: str, width: int, source: str, x: Matrix, columns: str) -> str:
        """The call that copies `kb` rows of a matrix from `source` on to a panel."""
        head = f"({to}, {width}, {source}"
        f, kind = self.f, self.p.dtype
        if x.column == 1:
            return f"{kind}_rows{head}, {f.size(x.row)}, kb, {columns});"
        if x.row == 1:
            return f"{kind}_turned{head}, {f.size(x.column)}, kb, {columns});"
        return f"{kind}_gathered{head}, {f.size(x.row)}, {f.size(x.column)}, kb, {columns});"

    def _at(self, name: str, x: Matrix, row: str, column: str) -> str:
        """The C pointer to an element of a matrix."""
        terms = [name]
        for index, stride in ((row, x.row), (column, x.column)):
            if stride != 0 and index != "0":
                terms.append(index if stride == 1 else f"{index} * {self.f.size(stride)}")
        return " + ".join(terms)

    def _tiles(self, panels: Panels, copied: str, first: str, end: str) -> None:
        if self.p.triangle and self.p.triangle.of == "out":
            with self._met(panels, first, end, upper=self.p.triangle.upper) as (low, high):
                self._each_tile(low, high, lambda height: self._tile(panels, copied, height))
            return
        self._each_tile(first, end, lambda height: self._tile(panels, copied, height))

    @contextmanager
    def _met(self, panels: Panels, first: str, end: str, *, upper: bool) -> Iterator[tuple[str, str]]:
        """Units of the panel of column `j` that a triangle of the result has a part in; the others are zeros."""
        f, height, size = self.f, self.cut.height, self.f.size(self.p.m)
        with f.block(""):
            f.line(f"const long edge = {f'(j + {panels.columns} + {height - 1})' if upper else 'j'} / {height};")
            f.line(f"const long met = edge < {first} ? {first} : edge < {end} ? edge : {end};")
            if not self.onto:
                low, high = ("met", end) if upper else (first, "met")
                rows = f"({high} * {height} < {size} ? {high} * {height} : {size})"
                with f.loop("row", rows, f"{low} * {height}"), f.loop("o", panels.columns):
                    f.line(f"({self._at('c', self.p.out, 'row', 'j')})[o * {f.size(self.p.out.column)}] = 0;")
            yield (first, "met") if upper else ("met", end)

    def _each_tile(self, first: str, end: str, print_tile: Callable[[int], None]) -> None:
        """Units `first` to `end`: lines of `print_tile` see the first `row` of a tile of the height it is given."""
        f, m, height = self.f, self.p.m, self.cut.height
        if isinstance(m, int):
            whole = f.number(m // height)
            with f.loop("u", f"({end} < {whole} ? {end} : {whole})", first):
                f.line(f"const long row = u * {height};")
                print_tile(height)
            if m % height:
                with f.block(f"if ({first} <= {whole} && {end} > {whole})"):
                    f.line(f"const long row = {f.size(m // height * height)};")
                    print_tile(m % height)
            return
        if not self.cut.by_samples:
            size = f.size(m)
            first, end = f"{first} * {height}", f"({end} * {height} < {size} ? {end} * {height} : {size})"
        self._each_tile_of_samples(first, end, print_tile)

    def _each_tile_of_samples(self, first: str, end: str, print_tile: Callable[[int], None]) -> None:
        """As `_each_tile`, for rows `first` to `end`: full tiles, then such of 8, 4, 2 and 1 for what they leave.

        Two tiles of 4 stand for one of 6 and one of 2, whose few sums would wait for each other; but rows that are
        copied lie as full tiles find them.
        """
        f, height = self.f, self.cut.height
        lower = [1 << bit for bit in reversed(range((height - 1).bit_length()))]
        is_pair = lower and 2 * lower[0] > height and not self.cut.packs_a
        f.line(f"long row = {first};")
        f.line(f"const long stop = {end};")
        but = f" && stop - row != {2 * lower[0]}" if is_pair else ""
        with f.block(f"for (; row + {height} <= stop{but}; row += {height})"):
            print_tile(height)
        for rows in lower:
            with f.block(f"for (; row + {rows} <= stop; row += {rows})"):
                print_tile(rows)

    def _pack_a(self) -> None:
        """Copies the rows of tiles `g` to `end`, strip by strip."""
        f, cut, a, kind = self.f, self.cut, self.p.a.turned, self.p.dtype
        f.line(f"const long row = g * {cut.height}, below = {f.size(self.p.m)} - row;")
        f.line(f"const long high = (end - g) * {cut.height} < below ? (end - g) * {cut.height} : below;")
        source = self._at("a", a, "k0", "row")
        if a.column == 1:
            size = f.size(cut.strip * cut.depth)
            f.line(f"{kind}_strips(rows, {cut.strip}, {size}, {source}, {f.size(a.row)}, kb, high);")
            return
        with f.loop("r", "high", step=cut.strip):
            columns = f"(high - r < {cut.strip} ? high - r : {cut.strip})"
            to, source = f"rows + r * {f.size(cut.depth)}", f"{source} + r * {f.size(a.column)}"
            f.line(self._copy(to, cut.strip, source, a, columns))

    def _packed(self) -> str:
        """Where the packed tile of a begins whose first row is `row`."""
        cut, row = self.cut, f"(row - g * {self.cut.height})"
        if cut.strip == cut.height:
            return f"rows + {row} * {self.f.size(cut.depth)}"
        return f"rows + {row} / {cut.strip} * {self.f.size(cut.strip * cut.depth)} + {row} % {cut.strip}"

    def _tile(self, panels: Panels, copied: str, height: int) -> None:
        """One tile: all its steps, and its place in the result."""
        f, p, cut = self.f, self.p, self.cut
        packs = self._packs(panels)
        a = self._packed() if cut.packs_a else self._at("a", p.a, "row", "k0")
        b = copied if packs else self._at("b", p.b, "k0", "j")
        f.line(f"const {self.scalar} *x = {a}, *y = {b};")
        f.line(f"{self.scalar} *z = {self._at('c', p.out, 'row', 'j')};")
        row, step = (1, str(cut.strip)) if cut.packs_a else (p.a.row, f.size(p.a.column))
        assert isinstance(row, int)
        tile = Tile(p.dtype, tuple(f.size(i * row) for i in range(height)), panels.vectors, cut.lanes)
        if height == cut.height and self._ahead.pays:
            self._ahead.ask()
        tile.begin(f)
        width = panels.vectors * cut.lanes
        down = str(width) if packs else f.size(p.b.row)
        if self._cuts_steps:
            self._reach(height, width)
            f.line(f"x += first_k * {step}, y += first_k * {down};")
        self._steps(tile, f"x += {step}, y += {down}", "" if packs else panels.last)
        if p.triangle and p.triangle.of == "out":
            self._clear(tile, panels, upper=p.triangle.upper)
        self._store(tile, panels)

    @property
    def _cuts_steps(self) -> bool:
        """Whether an operand has zeros that tiles need not multiply."""
        return self.p.triangle is not None and self.p.triangle.of != "out"

    def _reach(self, height: int, width: int) -> None:
        """The steps `first_k` to `last_k` of the block that a triangle leaves to a tile."""
        assert self.p.triangle
        of, upper = self.p.triangle
        begin, end = ("row", f"row + {height}") if of == "a" else ("j", f"j + {width}")
        first, last = (
            (f"ax_between({begin} - k0, kb)", "kb") if (of == "a") == upper else ("0", f"ax_between({end} - k0, kb)")
        )
        self.f.line(f"const long first_k = {first}, last_k = {last};")

    def _clear(self, tile: Tile, panels: Panels, *, upper: bool) -> None:
        """Zeros in the sums of a tile that the diagonal goes through."""
        f, kind, lanes = self.f, self.p.dtype, self.cut.lanes
        with f.block(f"if ({f'row + {len(tile.offsets) - 1} > j' if upper else f'j + {panels.columns} - 1 > row'})"):
            f.line(f"const {kind}i place = {{{', '.join(map(str, range(lanes)))}}};")
            for i, v in tile.each():
                kept = f"place {'>=' if upper else '<='} (({kind}i){{0}} + (int)(row + {i - v * lanes} - j))"
                f.line(f"{tile.sums}{i}_{v} = ({kind}v)(({kind}i){tile.sums}{i}_{v} & ({kept}));")

    def _steps(self, tile: Tile, steps: str, last: str) -> None:
        """All steps of the inner axis; few of them without a loop."""
        f, k = self.f, self.p.k
        first, end = ("first_k", "last_k") if self._cuts_steps else ("0", "kb")
        if isinstance(k, int) and k <= 16 and k * len(tile.each()) <= UNROLLED and not self._cuts_steps:
            for i in range(k):
                with f.block("" if i == 0 else f"{steps};"):
                    tile.add(f, "x", "y", last=last)
            return
        f.line(f"long k = {first};")
        chains = [tile._replace(sums=f"c{c}_") for c in range(1, max(1, ENOUGH // len(tile.each())))]
        if chains and len(tile.offsets) == self.cut.height:
            self._chained(tile, chains, steps, last, end)
        elif len(tile.offsets) == self.cut.height:
            several(f)
        with f.block(f"for (; k < {end}; k++, {steps})"):
            tile.add(f, "x", "y", last=last)

    def _chained(self, tile: Tile, chains: list[Tile], steps: str, last: str, end: str) -> None:
        """Several steps at once, each with sums of its own, so that no sum waits for itself."""
        f = self.f
        for chain in chains:
            chain.begin(f)
        with f.block(f"for (; k + {len(chains)} < {end}; k += {len(chains) + 1})"):
            for chain in (tile, *chains):
                with f.block(""):
                    chain.add(f, "x", "y", last=last)
                f.line(f"{steps};")
        for i, j in tile.each():
            f.line(f"{tile.sums}{i}_{j} += {' + '.join(f'{c.sums}{i}_{j}' for c in chains)};")

    def _store(self, tile: Tile, panels: Panels) -> None:
        """Writes the tile, or adds it: to what the caller left there, or to blocks of the inner axis before."""
        f, single = self.f, self.p.k == self.cut.depth
        if self.onto or single:
            self._write(tile, panels, onto=self.onto)
            return
        with f.block("if (k0)"):
            self._write(tile, panels, onto=True)
        with f.block("else"):
            self._write(tile, panels, onto=False)

    def _write(self, tile: Tile, panels: Panels, *, onto: bool) -> None:
        """Writes the tile: by vectors where rows are runs of memory, else one by one."""
        f, out, lanes = self.f, self.p.out, self.cut.lanes
        if out.column == 1:
            row = f.size(out.row)
            tile.store(f, lambda i, j: f"z + {i} * {row} + {j * lanes}", last=panels.last, onto=onto)
            return
        width = tile.vectors * lanes
        f.line(f"{self.scalar} kept[{len(tile.offsets) * width}];")
        tile.store(f, lambda i, j: f"kept + {i * width + j * lanes}")
        with f.loop("i", str(len(tile.offsets))), f.loop("o", panels.columns):
            place = f"z[i * {f.size(out.row)} + o * {f.size(out.column)}]"
            f.line(f"{place} {'+=' if onto else '='} kept[i * {width} + o];")
