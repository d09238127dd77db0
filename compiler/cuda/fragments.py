"""The products of attention in halves, by tensor cores: each warp makes fragments of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ...runtime.plan import THREADS
from ..ir.dims import Size
from ..ir.types import DType
from ..native.arithmetic import stored
from ..native.function import TYPES
from ..schedule import layout
from ..schedule.kernel import Attention, Call, Window
from .kernel import Kernel
from .reduce import WARP
from .scores import SHARED, Parts

ROWS, COLUMNS, INNER = 16, 8, 16  # of the products that tensor cores compute
FLOPS = 2 * ROWS * COLUMNS * INNER
WIDEST = 128  # elements of a query that a warp holds in registers


class ByFragments(NamedTuple):
    """Both products by tensor cores, as `tensor.h` has them: a warp makes some columns of all rows of a block.

    A warp has its columns for itself, so what is multiplied goes from memory to registers, with no stop in shared
    memory. With 8 rows half of each fragment is empty. Rows of scores are filled up with zeros to whole fragments, and
    begin 16 bytes after a multiple of 32, so that the words of a fragment lie in different banks.
    """

    f: Kernel
    parts: Parts
    height: int

    @staticmethod
    def heights(size: int) -> tuple[int, ...]:
        """The rows that a block may have, most first; none where rows are too long."""
        return tuple(h for h in (32, 16, 8) if 2 * h * _stride(size) <= SHARED)

    @property
    def stride(self) -> int:
        return _stride(self.parts.size)

    @property
    def dtype(self) -> DType:
        return self.parts.a.dtype

    def scores(self) -> None:
        f, parts, size = self.f, self.parts, self.parts.size
        depth = parts.a.shape[-1]
        assert isinstance(depth, int)
        f.line(f"const int warp = threadIdx.x / {WARP}, g = threadIdx.x % {WARP} / 4, t = threadIdx.x % 4;")
        with f.block(""):
            f.line(f"uint32_t x[{depth // INNER}][{self._tiles}][4];")
            with self._over("k", depth // INNER), self._over("i", self._tiles), self._over("r", 4):
                f.let("m", f"first_row + {ROWS} * i + g + r % 2 * 8")
                word = self._word("a", parts.a, "m", f"{INNER} * k + 2 * t + r / 2 * 8")
                f.line(f"x[k][i][r] = {self._is_row} && m < {f.size(parts.rows)} ? {word} : 0;")
            with self._columns(_padded(size)):
                with f.block(f"if (column < first_row + {self.height})" if parts.below else ""):
                    f.let("n", "column + g")
                    with self._over("k", depth // INNER):
                        f.line("uint32_t y[2];")
                        word = self._word("b", layout.swapped(parts.b), "n", f"{INNER} * k + 2 * t + r * 8")
                        with self._over("r", 2):
                            f.line(f"y[r] = {self._filled(word, 'n', '0')};")
                        with self._over("i", self._tiles):
                            f.line(f"{self._multiply}(sum[i], x[k][i], y);")
                with self._each() as (m, n):
                    kept = f"{n} > first_row + {m} ? 0 : sum[i][r]" if parts.below else "sum[i][r]"
                    value = self._filled(kept, n, "0")
                    f.line(f"scores[({m}) * {self.stride} + {n}] = {self._stored(value)};")

    def product(self) -> None:
        f, parts, out = self.f, self.parts, self.parts.out
        columns, (row, column) = out.shape[-1], (f.size(s) for s in out.strides[-2:])
        assert isinstance(columns, int)
        f.line("__syncthreads();")
        with self._columns(columns):
            last = f"first_row + {self.height}"
            f.let("end", f"{last} < {parts.size} ? {last} : {parts.size}" if parts.weighs_below else str(parts.size))
            f.line("#pragma unroll 2")
            with f.loop("k0", "end", step=INNER):
                f.line("uint32_t y[2];")
                with self._over("r", 2):
                    f.let("k", "k0 + 2 * t + r * 8")
                    f.line(f"y[r] = {self._word('c', layout.swapped(parts.c), 'column + g', 'k', ends=True)};")
                with self._over("i", self._tiles):
                    f.line("uint32_t x[4];")
                    with self._over("r", 4):
                        at = f"({ROWS} * i + g + r % 2 * 8) * {self.stride} + k0 + 2 * t + r / 2 * 8"
                        f.line(f"x[r] = {self._is_row} ? AX_WORD(scores, {at}) : 0;")
                    f.line(f"{self._multiply}(sum[i], x, y);")
            with self._each() as (m, n):
                f.let("m", f"first_row + {m}")
                to = f"o[{row} * m + {column} * ({n})]"
                f.line(f"if (m < {f.size(parts.rows)}) {to} = {self._stored('sum[i][r]')};")

    def _word(self, name: str, x: Window, outer: str, inner: str, *, ends: bool = False) -> str:
        """Two elements of an operand [..., outer, inner] from an even inner one on, as one load where they lie so.

        Where the inner axis `ends` is where rows of scores do, which are filled up with zeros."""
        f, (row, column) = self.f, x.strides[-2:]
        ends = ends and self._is_filled
        if column == 1 and not ends and all(_is_even(n) for n in (x.offset, *x.strides[:-1])):
            return f"ax_word({name} + {f.size(row)} * ({outer}) + {inner})"
        both = []
        for at in (inner, f"{inner} + 1"):
            element = f"{name}[{f.size(row)} * ({outer}) + {f.size(column)} * ({at})]"
            both.append(self._filled(element, at, f"({TYPES[x.dtype]})0") if ends else element)
        return f"ax_joined({', '.join(both)})"

    @property
    def _is_filled(self) -> bool:
        """Whether rows of scores are not whole fragments."""
        return self.parts.size % INNER != 0

    def _filled(self, value: str, column: str, zero: str) -> str:
        """A value, or zero in a column where there are no scores."""
        return f"({column} < {self.parts.size} ? {value} : {zero})" if self._is_filled else f"({value})"

    @property
    def _tiles(self) -> int:
        return -(-self.height // ROWS)

    @property
    def _is_row(self) -> str:
        """What holds for words r of a left fragment that are of rows of the block."""
        return "true" if self.height >= ROWS else "r % 2 == 0"

    @property
    def _multiply(self) -> str:
        return f"ax_multiply_{self.dtype}"

    def _stored(self, value: str) -> str:
        return f"({TYPES[self.dtype]}){stored(self.dtype, value)}"

    @contextmanager
    def _over(self, index: str, count: int) -> Iterator[None]:
        """A loop of which nothing is left, so that arrays are registers."""
        self.f.line("#pragma unroll")
        with self.f.block(f"for (int {index} = 0; {index} < {count}; {index}++)"):
            yield

    @contextmanager
    def _columns(self, columns: int) -> Iterator[None]:
        """A loop of a warp over its columns, `COLUMNS` at once, with sums for them."""
        with self.f.loop("column", str(columns), f"{COLUMNS} * warp", step=COLUMNS * THREADS // WARP):
            self.f.line(f"float sum[{self._tiles}][4] = {{}};")
            yield

    @contextmanager
    def _each(self) -> Iterator[tuple[str, str]]:
        """Loops over the sums of a lane; gives the row in the block and the column."""
        with self._over("i", self._tiles), self._over("r", 4 if self.height >= ROWS else 2):
            yield f"{ROWS} * i + g + r / 2 * 8", "column + 2 * t + r % 2"


def suits_tensor_cores(parts: Parts) -> bool:
    """Whether all is of one type of two bytes, and whole fragments fit."""
    depth, columns = parts.a.shape[-1], parts.out.shape[-1]
    if len({w.dtype for w in (parts.a, parts.b, parts.c, parts.out)}) > 1 or not parts.out.dtype.is_half:
        return False
    if not isinstance(depth, int) or depth % INNER or depth > WIDEST:
        return False
    return isinstance(columns, int) and columns % COLUMNS == 0


def parts_of(call: Call) -> Parts:
    """The parts of a call that is attention."""
    form = call.kernel.form
    assert isinstance(form, Attention)
    return Parts.of(form, call.writes, tuple(r for r in call.reads if isinstance(r, Window)))


def pays(call: Call) -> bool:
    """Whether attention as one kernel is predicted faster than three: halves are not without tensor cores."""
    parts = parts_of(call)
    return not parts.out.dtype.is_half or suits_tensor_cores(parts)


def loads_of(parts: Parts) -> int:
    """About how many loads and stores a warp begins for as many multiplications as fragments have."""
    return 6 if ROWS in ByFragments.heights(parts.size) else 9


def _padded(size: int) -> int:
    """Scores of a row with what fills it up."""
    return -(-size // INNER) * INNER


def _stride(size: int) -> int:
    return _padded(size) + 8


def _is_even(size: Size) -> bool:
    return size % 2 == 0 if isinstance(size, int) else all(factor % 2 == 0 for _, factor in size.terms)
