"""How a product is cut to stay in registers and caches: height and width of tiles, depth of blocks, what is packed."""

from __future__ import annotations

from math import gcd, lcm
from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from ..ir.types import F32, DType
from .function import Machinery
from .matrices import Matrices

DEPTH = 1024  # rows of b at most that are multiplied before the next ones are begun
SHALLOW = 128  # of them where rows of a are copied
PANEL = 256 << 10  # bytes of packed rows of b
STREAMS = 16  # rows of b that one row is multiplied with at once, so that each is read on and on
PAGE = 4096  # bytes after which addresses fall into the same lines of the first cache
PAGES = 48  # that are found at once, beside those of b and of the result
LINE = 64  # bytes that caches hold together
WAYS = 8  # lines of a cache that addresses may share which fall into the same place of it
SHARED = 6  # rows of a tile that may, beside a panel of b
LATENCY = 4  # cycles until a sum can be added to, while two sums can begin in each cycle
TALLEST = 16  # rows of a tile where rows may remain, for which tiles of half the height follow, and so on
LOAD = 0.52  # cycles for each load
TURN = 0.5  # cycles of a loop around one step of a tile
UNEVEN = 1.2  # what a last panel of another width costs besides
NEAR, FAR = 0.35, 0.5  # cycles lost for each vector of b from the first cache, and from the second
ENDS = ((4, 2.0), (48, 0.2))  # up to which depth, cycles lost in each step for each row that is then written
SOME_TILES, MANY_TILES = 4, 16  # that meet a panel: whether to copy it for the second cache, or for the first
COMMON = 64  # samples
MANY = 1000  # stands for a size that only a run knows


class Blocking(NamedTuple):
    """Tiles of `height` rows and `vectors` vectors, `depth` rows of b at a time; `packs` say what is copied first.

    Threads divide the rows of a matrix, or its columns.
    """

    lanes: int
    height: int
    vectors: int
    depth: int
    packs_a: bool
    packs_b: bool
    by_columns: bool
    by_samples: bool  # rows are for each sample, and each thread has its own: not whole tiles, but as many as others

    @property
    def width(self) -> int:
        return self.vectors * self.lanes

    @property
    def strip(self) -> int:
        """Rows of a that are packed side by side: whole tiles that are whole vectors too."""
        return lcm(self.height, self.lanes)

    def units(self, p: Matrices) -> Size:
        """What threads divide: panels, rows, or tiles of them."""
        if self.by_samples:
            return p.m
        return dims.ceil_divide(p.n, self.width) if self.by_columns else dims.ceil_divide(p.m, self.height)


def blocking(p: Matrices, machinery: Machinery, panels: int = 0) -> Blocking:
    """The cut of one product for a processor, whose b may lie in `panels` of so many columns."""
    lanes = machinery.lanes if p.dtype is F32 else machinery.lanes // 2
    rows, columns = known(p.m), -(-known(p.n) // lanes)
    near = known(p.k) * 2 * lanes * p.dtype.bytes <= machinery.first_cache // 2
    tallest = SHARED if _is_paged(p.a.row, p.dtype) else rows if isinstance(p.m, int) else TALLEST
    shapes = _Shapes(rows, columns, tallest, machinery.registers, NEAR if near else FAR, _end(known(p.k)))
    widest = min(columns, machinery.registers // 2) if isinstance(p.n, int) else 2
    vectors = panels // lanes or min(range(1, widest + 1), key=shapes.cycles)
    height = shapes.height(vectors)
    packs_a = not isinstance(p.a.row, int) or _packs_a(p, machinery, vectors * lanes)
    packs_b = not panels and (p.b.column != 1 or _packs_b(p, machinery, -(-rows // height)))
    deepest = min(_steps(p, packs_a=packs_a), PANEL // (vectors * lanes * p.dtype.bytes))
    deepest = STREAMS if p.m == 1 and is_wide(p.b.row, p.dtype) else deepest
    by_columns = (
        isinstance(p.n, int) and not p.lead and not packs_a and _by_columns(p, height, vectors * lanes, packs_b)
    )
    by_samples = not isinstance(p.m, int) and not (by_columns or packs_a or p.lead or p.triangle)
    return Blocking(lanes, height, vectors, _evenly_deep(p.k, deepest, lanes), packs_a, packs_b, by_columns, by_samples)


def _packs_a(p: Matrices, machinery: Machinery, width: int) -> bool:
    """Whether rows of a that lie side by side push each other out of the first cache before all panels met them, or
    lie in more pages than are found at once."""
    if p.a.row != 1 or p.m == 1 or known(p.n) < 3 * width:
        return False
    is_spread = min(known(p.k), SHALLOW) * known(p.a.column) * p.dtype.bytes > PAGES * PAGE
    return is_spread or pushes_out(p.k, p.a.column, p.dtype, machinery.first_cache)


def _steps(p: Matrices, *, packs_a: bool) -> int:
    """Rows of b at most before the next are begun. Those of a copied a lie beside its panels in the first cache."""
    if packs_a:
        return SHALLOW
    return DEPTH // 2 if is_wide(p.a.column, p.dtype) else DEPTH


def _packs_b(p: Matrices, machinery: Machinery, tiles: int) -> bool:
    """Whether rows of a panel push each other out of the caches before all tiles met them, and are copied for less."""
    near = pushes_out(p.k, p.b.row, p.dtype, machinery.first_cache)
    far = pushes_out(p.k, p.b.row, p.dtype, 2 * machinery.second_cache)
    return (tiles >= MANY_TILES and near) or (tiles >= SOME_TILES and far)


def pushes_out(count: Size, step: Size, dtype: DType, cache: int) -> bool:
    """Whether a cache of so many bytes does not hold `count` lines that are so many elements apart."""
    places = cache // (WAYS * LINE)
    lines = step * dtype.bytes // LINE if isinstance(step, int) and step * dtype.bytes % LINE == 0 else 1
    return known(count) > WAYS * places // gcd(abs(lines) or places, places)


def _by_columns(p: Matrices, height: int, width: int, packs_b: bool) -> bool:
    """Whether threads had better divide columns: there are few tiles of rows, or each thread would pack all of b."""
    tiles, panels = -(-likely(p.m) // height), -(-likely(p.n) // width)
    return tiles < min(4, panels) or (packs_b and tiles <= 16 and panels >= 8)


def likely(size: Size) -> int:
    """A size for as many samples as are common."""
    found = dims.substitute(size, dict.fromkeys(dims.names(size), COMMON))
    assert isinstance(found, int)
    return found


def known(size: Size) -> int:
    """A size, or many where only a run knows it."""
    return size if isinstance(size, int) else MANY


def _end(depth: int) -> float:
    return next((cycles for most, cycles in ENDS if depth <= most), 0.0)


def is_wide(step: Size, dtype: DType) -> bool:
    """Whether elements a step apart lie in different pages."""
    return not isinstance(step, int) or abs(step) * dtype.bytes >= PAGE


def _is_paged(step: Size, dtype: DType) -> bool:
    """Whether elements a step apart meet in the same lines of the first cache, and push each other out of it."""
    return isinstance(step, int) and step != 0 and step * dtype.bytes % PAGE == 0


def _evenly_deep(k: Size, most: int, lanes: int) -> int:
    """Blocks of the inner axis: as even as vectors allow."""
    if not isinstance(k, int):
        return most
    if k <= most:
        return k
    blocks = -(-k // most)
    each = -(-k // blocks)
    return -(-each // lanes) * lanes


class _Shapes(NamedTuple):
    """What is known when the width of tiles is chosen; `columns` count vectors."""

    rows: int
    columns: int
    tallest: int
    registers: int
    wait: float
    end: float

    def height(self, vectors: int) -> int:
        """Rows of a tile, as even as possible: beside the sums stand the vectors of b and one element of a."""
        most = max(1, min((self.registers - vectors - 1) // vectors, self.registers - 4, self.tallest))
        return -(-self.rows // -(-self.rows // most))

    def cycles(self, vectors: int) -> float:
        """All tiles, for each step of the inner axis."""
        height = self.height(vectors)
        whole, rest = divmod(self.columns, vectors)
        panels = whole * self._tile(height, vectors) + (UNEVEN * self._tile(height, rest) if rest and whole else 0)
        return -(-self.rows // height) * panels

    def _tile(self, height: int, vectors: int) -> float:
        """Two sums or two loads in a cycle, and no sum waits for itself; then what vectors of b and rows of the result
        cost."""
        begun = max(height * vectors / 2, (height + vectors) * LOAD, LATENCY)
        return begun + TURN + vectors * self.wait + height * self.end
