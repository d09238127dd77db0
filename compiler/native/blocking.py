"""How a product is cut to stay in registers and caches: height and width of tiles, depth of blocks, what is packed."""

from __future__ import annotations

from typing import NamedTuple

from ..ir.dims import Size
from ..ir.types import F32
from .function import Machinery
from .matrices import Matrices, Matrix

DEPTH = 512  # rows of b that are multiplied before the next ones are begun
PAGE = 4096  # bytes after which addresses fall into the same lines of the first cache
LATENCY = 4  # cycles until a sum can be added to, while two sums can begin in each cycle
LOAD = 0.52  # cycles for each load
NEAR, FAR = 0.2, 0.5  # cycles lost for each vector of b from the first cache, and from the second
MANY = 1000  # stands for a size that only a run knows


class Blocking(NamedTuple):
    """Tiles of `height` rows and `vectors` vectors, `depth` rows of b at a time; `packs` say what is copied first."""

    lanes: int
    height: int
    vectors: int
    depth: int
    packs_a: bool
    packs_b: bool

    @property
    def width(self) -> int:
        return self.vectors * self.lanes


def blocking(p: Matrices, machinery: Machinery) -> Blocking:
    """The cut of one product for a processor."""
    lanes = machinery.lanes if p.dtype is F32 else machinery.lanes // 2
    rows, columns = known(p.m), -(-known(p.n) // lanes)
    near = known(p.k) * 2 * lanes * p.dtype.bytes <= machinery.first_cache // 2
    shapes = _Shapes(rows, columns, machinery.registers, NEAR if near else FAR)
    widest = min(columns, machinery.registers // 2) if isinstance(p.n, int) else 2
    vectors = min(range(1, widest + 1), key=shapes.cycles)
    height = shapes.height(vectors)
    depth = evenly_deep(p.k, lanes)
    tiles, panels = -(-rows // height), -(-columns // vectors)
    packs_a = _packs_a(p.a, height, panels)
    packs_b = p.b.column != 1 or (tiles > 4 and known(p.n) >= 1024)
    return Blocking(lanes, height, vectors, depth, packs_a, packs_b)


def known(size: Size) -> int:
    """A size, or many where only a run knows it."""
    return size if isinstance(size, int) else MANY


def evenly_deep(k: Size, lanes: int) -> int:
    """Blocks of the inner axis: as even as vectors allow."""
    if not isinstance(k, int):
        return DEPTH
    if k <= 2 * DEPTH:
        return k
    blocks = -(-k // DEPTH)
    each = -(-k // blocks)
    return -(-each // lanes) * lanes


class _Shapes(NamedTuple):
    """What is known when the width of tiles is chosen; `columns` count vectors."""

    rows: int
    columns: int
    registers: int
    wait: float

    def height(self, vectors: int) -> int:
        """Rows of a tile, as even as possible: beside the sums stand the vectors of b and one element of a."""
        most = max(1, min((self.registers - vectors - 1) // vectors, self.registers - 4))
        return -(-self.rows // -(-self.rows // most))

    def cycles(self, vectors: int) -> float:
        """All tiles, for each step of the inner axis."""
        height = self.height(vectors)
        whole, rest = divmod(self.columns, vectors)
        panels = whole * self._tile(height, vectors) + (self._tile(height, rest) if rest else 0)
        return -(-self.rows // height) * panels

    def _tile(self, height: int, vectors: int) -> float:
        """Two sums or two loads in a cycle, no sum waits for itself, and vectors of b come from where they are."""
        return max(height * vectors / 2, (height + vectors) * LOAD, LATENCY) + vectors * self.wait


def _packs_a(a: Matrix, height: int, panels: int) -> bool:
    """Whether the rows of a tile would push each other out of the first cache, or lie where only a run knows."""
    if not isinstance(a.row, int):
        return True
    return height > 6 and panels > 1 and a.row != 0 and a.row * a.window.dtype.bytes % PAGE == 0
