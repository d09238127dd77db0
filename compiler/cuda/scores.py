"""The two products of attention, and how tiles compute them as they compute other products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple, Protocol

from ...runtime.plan import THREADS
from ..ir.dims import Size
from ..ir.types import F32, DType
from ..native.arithmetic import stored
from ..native.function import TYPES
from ..schedule import layout
from ..schedule.kernel import Attention, Window
from .kernel import Kernel
from .tiles import BUSY, Cut, Loads, multiply, strided

SHARED = 48 << 10  # bytes of a block that every device has
LONGEST = 2048  # scores of a row, of which four and the tiles beside them still fit
KIND = "float"  # in which products are added up
Windows = tuple[Window, ...]


class Parts(NamedTuple):
    """What is multiplied: `a [..., t, d]` and `b [..., d, s]` to scores, these and `c [..., s, e]` to `out`.

    Of a triangle, scores above it are zero; so are weights, and are not multiplied.
    """

    a: Window
    b: Window
    c: Window
    out: Window
    below: bool
    weighs_below: bool

    @classmethod
    def of(cls, form: Attention, writes: Windows, reads: Windows) -> Parts:
        """The parts of a kernel, by what it writes and reads."""
        a, b, c, *_ = reads
        return cls(
            layout.swapped(a) if form.first.transpose_a else a,
            layout.swapped(b) if form.first.transpose_b else b,
            layout.swapped(c) if form.second.transpose_b else c,
            writes[-1],
            form.first.triangle == "result" and not form.first.upper,
            form.second.triangle == "left" and not form.second.upper,
        )

    @property
    def size(self) -> int:
        """Scores of a row."""
        size = self.b.shape[-1]
        assert isinstance(size, int)
        return size

    @property
    def rows(self) -> Size:
        return self.a.shape[-2]


class Products(Protocol):
    """Writes both products of a block, which has `height` rows of scores of a `dtype` in shared memory, each `stride`
    after the one before."""

    @property
    def height(self) -> int: ...

    @property
    def stride(self) -> int: ...

    @property
    def dtype(self) -> DType: ...

    def scores(self) -> None: ...

    def product(self) -> None: ...


def height_of(heights: tuple[int, ...], lead: int, rows: int) -> int:
    """How many rows of scores a block makes: what fits, but no more than there are, and fewer where blocks are few."""
    for height, less in pairwise(heights):
        if less < rows and lead * -(-rows // height) >= BUSY:
            return height
    return heights[-1]


class ByTiles(NamedTuple):
    """Both products by tiles, whose operands are brought to shared memory. Sums and scores are f32."""

    f: Kernel
    parts: Parts
    height: int

    @staticmethod
    def heights(size: int) -> tuple[int, ...]:
        """The rows that a block may have, most first."""
        return tuple(h for h in (32, 16, 8, 4) if _room(h, size) <= SHARED)

    @property
    def stride(self) -> int:
        return self.parts.size

    @property
    def dtype(self) -> DType:
        return F32

    def scores(self) -> None:
        f, size, (row, column) = self.f, self.parts.size, self.parts.a.strides[-2:]
        a, b, rows = self.parts.a, self.parts.b, self.parts.rows
        first, second = cut_of(self.height, size), self._second
        wide = max(first.columns, second.columns)
        f.line(f"AX_SHARED({KIND}, left, {first.depth * (self.height + 1)});")
        f.line(f"AX_SHARED({KIND}, right, {first.depth * (wide + 1)});")
        depth = f.size(a.shape[-1])
        with f.loop("first_column", str(size), step=first.columns):
            self._begin(first, f"first_column < first_row + {first.rows} ? {depth} : 0" if self.parts.below else depth)
            operand = strided("a", [(rows, row)], [(a.shape[-1], column)])
            left = Loads(f, KIND, a.dtype, first, operand, "left", "a", first.rows, "first_row", rows)
            right = self._right("b", b, first)
            left.fixed()
            right.fixed()
            with f.loop("k0", "end", step=first.depth):
                left.moving()
                right.moving()
                f.line("__syncthreads();")
                multiply(f, KIND, first, lambda row: f"left[k * {first.rows + 1} + {row}]")
                f.line("__syncthreads();")
            with self._each(first, str(size)) as (i, n):
                value = f"{n} > first_row + {i} ? 0 : sum[i][j]" if self.parts.below else "sum[i][j]"
                f.line(f"scores[({i}) * {size} + {n}] = {value};")

    def product(self) -> None:
        f, cut, size, out = self.f, self._second, self.parts.size, self.parts.out
        columns, (row, column) = f.size(out.shape[-1]), (f.size(s) for s in out.strides[-2:])
        with f.loop("first_column", columns, step=cut.columns):
            last = f"first_row + {cut.rows}"
            self._begin(cut, f"{last} < {size} ? {last} : {size}" if self.parts.weighs_below else str(size))
            right = self._right("c", self.parts.c, cut)
            right.fixed()
            with f.loop("k0", "end", step=cut.depth):
                right.moving()
                f.line("__syncthreads();")
                end = "k0 + k < end" if size % cut.depth else ""
                multiply(f, KIND, cut, lambda row: f"scores[({row}) * {size} + k0 + k]", end)
                f.line("__syncthreads();")
            with self._each(cut, columns) as (i, n):
                f.let("m", f"first_row + {i}")
                value = f"({TYPES[out.dtype]}){stored(out.dtype, 'sum[i][j]')}"
                f.line(f"if (m < {f.size(self.parts.rows)}) o[{row} * m + {column} * {n}] = {value};")

    @property
    def _second(self) -> Cut:
        return cut_of(self.height, self.f.most(self.parts.out.shape[-1]))

    def _begin(self, cut: Cut, end: str) -> None:
        """Declares where a thread stands in a tile, its sums, and where the inner axis ends."""
        threads = cut.columns // cut.own_columns
        self.f.line(f"const int tx = threadIdx.x % {threads}, ty = threadIdx.x / {threads};")
        self.f.line(f"{KIND} sum[{cut.own_rows}][{cut.own_columns}] = {{}};")
        self.f.let("end", end)

    def _right(self, name: str, x: Window, cut: Cut) -> Loads:
        """The right operand [..., k, n] of a product."""
        (depth, columns), (row, column) = x.shape[-2:], x.strides[-2:]
        operand = strided(name, [(columns, column)], [(depth, row)])
        return Loads(self.f, KIND, x.dtype, cut, operand, "right", name, cut.columns, "first_column", columns)

    @contextmanager
    def _each(self, cut: Cut, columns: str) -> Iterator[tuple[str, str]]:
        """Loops over a thread's sums; gives the row in the tile and the column."""
        f, threads = self.f, cut.columns // cut.own_columns
        f.line("#pragma unroll")
        with f.block(f"for (int i = 0; i < {cut.own_rows}; i++)"):
            f.line("#pragma unroll")
            with f.block(f"for (int j = 0; j < {cut.own_columns}; j++)"):
                f.let("n", f"first_column + tx + j * {threads}")
                with f.block(f"if (n < {columns})"):
                    yield f"ty + i * {THREADS // threads}", "n"


def cut_of(height: int, columns: int) -> Cut:
    """The tile for a product of so many columns: with few rows it is wide, and takes short stretches at once."""
    widest, depth = (128, 16) if height >= 16 else (256, 8)
    width = min(widest, max(1 << (columns - 1).bit_length(), THREADS // height))
    each = height * width // THREADS
    own_rows = 1 << (each.bit_length() - 1) // 2
    return Cut(height, width, depth, own_rows, each // own_rows)


def _room(height: int, size: int) -> int:
    """Bytes of shared memory for so many rows of so many scores."""
    cut = cut_of(height, LONGEST)
    return 4 * (height * size + cut.depth * (cut.rows + 1 + cut.columns + 1))
