"""Attention as a CUDA kernel: a block makes some rows of scores in shared memory, goes through them, and multiplies
them.

Rows are whole, so that whatever goes through them is printed as for rows in memory. They are as many as fit, since
matrices of keys and values are read once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ...runtime.plan import THREADS
from ..ir import dims
from ..ir.types import F32, Tensor
from ..native.arithmetic import stored
from ..native.function import TYPES
from ..native.loops import Axis, Pointers
from ..schedule import kernel as schedule
from ..schedule import layout
from ..schedule.kernel import Window, fresh
from .kernel import Kernel, decoded, place, standing
from .reduce import WARP
from .rows import Operands, Row, strides_of
from .tiles import BUSY, Cut, Loads, multiply, strided

SHARED = 48 << 10  # bytes of a block that every device has
HEIGHTS = (32, 16, 8, 4)  # rows of a block
LONGEST = 2048  # scores of a row, of which four and the tiles beside them still fit
KIND = "float"  # in which products are added up
Windows = tuple[Window, ...]


class Attention(NamedTuple):
    """A nest by rows between two products, as the schedule says it."""

    form: schedule.Attention

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        _Printer(f, self.form, writes, reads).print()


class _Held(Operands):
    """Operands of which the scores, and the weights that take their place, are in shared memory."""

    def __init__(self, form: schedule.Attention, writes: Windows, reads: Windows, pointers: Pointers, row: str) -> None:
        super().__init__(dict(zip(form.kept, writes, strict=True)), reads, pointers)
        self.form, self.row = form, row

    def load(self, i: int, index: str) -> str:
        return f"scores[{self.row} + {index}]" if i == self.form.scores else super().load(i, index)

    def store(self, f: Kernel, i: int, index: str, value: str) -> None:
        super().store(f, i, index, value)
        if i == self.form.weights:
            f.line(f"scores[{self.row} + {index}] = {value};")


class _Printer:
    """Writes one kernel."""

    def __init__(self, f: Kernel, form: schedule.Attention, writes: Windows, reads: Windows) -> None:
        self.f, self.form = f, form
        *self.lead, self.rows, size = form.nest.shape
        assert isinstance(size, int)
        self.size = size
        *kept, self.out = writes
        a, b, c, *others = reads
        self.a = layout.swapped(a) if form.first.transpose_a else a
        self.b = layout.swapped(b) if form.first.transpose_b else b
        self.c = layout.swapped(c) if form.second.transpose_b else c
        self.kept = tuple(kept)
        self.is_below = form.first.triangle == "result" and not form.first.upper
        scores = fresh("scores", Tensor(F32, form.nest.shape))
        self.reads = (*others[: form.scores], scores, *others[form.scores :])
        most = f.most(dims.product(self.lead)), f.most(self.rows)
        self.height = height_of(size, *most)
        self.first = cut_of(self.height, size)
        self.second = cut_of(self.height, f.most(self.out.shape[-1]))

    def print(self) -> None:
        f, height = self.f, self.height
        tiles = f.stretches(self.rows, height)
        for n in self.lead:
            f.stretches(n, 1)
        f.let("first_row", f"({f.integer})(blockIdx.x % {tiles}) * {height}")
        at = decoded(f, f"({f.integer})(blockIdx.x / {tiles})", self.lead)
        pointers = self._pointers(at)
        wide, deep = max(self.first.columns, self.second.columns), self.first.depth
        f.line(f"AX_SHARED({KIND}, scores, {height * self.size});")
        f.line(f"AX_SHARED({KIND}, left, {deep * (height + 1)});")
        f.line(f"AX_SHARED({KIND}, right, {deep * (wide + 1)});")
        self._scores()
        f.line("__syncthreads();")
        self._through(at, pointers)
        self._product()

    def _pointers(self, at: list[str]) -> Pointers:
        """The pointers of the nest; those of products are declared at their place along the leading axes."""
        f, lead = self.f, len(self.lead)
        names = [f.pointer(w, write=True) for w in self.kept]
        names += ["scores" if i == self.form.scores else f.pointer(r) for i, r in enumerate(self.reads)]
        for name, w in (("o", self.out), ("a", self.a), ("b", self.b), ("c", self.c)):
            pointer, kind = f.pointer(w, write=name == "o"), f"{'' if name == 'o' else 'const '}{TYPES[w.dtype]}"
            f.line(f"{kind} *const {name} = {pointer} + {place(w.strides[:lead], at, f)};")
        return Pointers(f, names)

    def _scores(self) -> None:
        """The first product, to shared memory."""
        f, cut, (row, column) = self.f, self.first, self.a.strides[-2:]
        depth = f.size(self.a.shape[-1])
        with f.loop("first_column", str(self.size), step=cut.columns):
            self._begin(cut, f"first_column < first_row + {cut.rows} ? {depth} : 0" if self.is_below else depth)
            rows = strided("a", [(self.rows, row)], [(self.a.shape[-1], column)])
            left = Loads(f, KIND, self.a.dtype, cut, rows, "left", "a", cut.rows, "first_row", self.rows)
            right = self._right("b", self.b, cut)
            left.fixed()
            right.fixed()
            with f.loop("k0", "end", step=cut.depth):
                left.moving()
                right.moving()
                f.line("__syncthreads();")
                multiply(f, KIND, cut, lambda row: f"left[k * {cut.rows + 1} + {row}]")
                f.line("__syncthreads();")
            with self._each(cut, str(self.size)) as (i, n):
                value = f"{n} > first_row + {i} ? 0 : sum[i][j]" if self.is_below else "sum[i][j]"
                f.line(f"scores[({i}) * {self.size} + {n}] = {value};")

    def _through(self, at: list[str], pointers: Pointers) -> None:
        """The nest: each warp goes through rows of its own."""
        f, nest = self.f, self.form.nest
        steps = strides_of(nest, self.kept, self.reads)
        steps[len(self.kept) + self.form.scores] = (0,) * len(nest.shape)
        axes = [Axis(n, tuple(s[i] for s in steps)) for i, n in enumerate(nest.shape)]
        f.let("lane", f"threadIdx.x % {WARP}")
        with f.loop("i", str(self.height), f"threadIdx.x / {WARP}", step=THREADS // WARP):
            f.let("r", "first_row + i")
            with f.block(f"if (r < {f.size(self.rows)})"), standing(axes[:-1], [*at, "r"], pointers):
                held = _Held(self.form, self.kept, self.reads, pointers, f"i * {self.size}")
                Row(f, nest, held, axes[-1:], WARP).print()

    def _product(self) -> None:
        """The second product, from shared memory."""
        f, cut, columns = self.f, self.second, self.f.size(self.out.shape[-1])
        row, column = (f.size(s) for s in self.out.strides[-2:])
        with f.loop("first_column", columns, step=cut.columns):
            last = f"first_row + {cut.rows}"
            is_below = self.form.second.triangle == "left" and not self.form.second.upper
            self._begin(cut, f"{last} < {self.size} ? {last} : {self.size}" if is_below else str(self.size))
            right = self._right("c", self.c, cut)
            right.fixed()
            with f.loop("k0", "end", step=cut.depth):
                right.moving()
                f.line("__syncthreads();")
                end = "k0 + k < end" if self.size % cut.depth else ""
                multiply(f, KIND, cut, lambda row: f"scores[({row}) * {self.size} + k0 + k]", end)
                f.line("__syncthreads();")
            with self._each(cut, columns) as (i, n):
                f.let("m", f"first_row + {i}")
                value = f"({TYPES[self.out.dtype]}){stored(self.out.dtype, 'sum[i][j]')}"
                f.line(f"if (m < {f.size(self.rows)}) o[{row} * m + {column} * {n}] = {value};")

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


def height_of(size: int, lead: int, rows: int) -> int:
    """How many rows of so many scores a block makes: what fits, but no more than there are, and fewer where blocks are
    few."""
    height = next(h for h in HEIGHTS if _room(h, size) <= SHARED)
    while height > HEIGHTS[-1] and (height // 2 >= rows or lead * -(-rows // height) < BUSY):
        height //= 2
    return height


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
