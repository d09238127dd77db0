"""Products of few rows with a matrix whose columns are runs of memory: vectors of sums, added up at the end."""

from __future__ import annotations

from ...spec.record import Record
from ..ir.types import F32
from .blocking import known
from .function import TYPES, Function, Machinery
from .matrices import Matrices
from .tile import VECTORS

FEW = 4  # rows at most
LINES = 1 << 14  # elements at most that are copied to lie in runs


def suits(p: Matrices, machinery: Machinery) -> bool:
    """Whether a product is one of few rows whose columns of b are runs long enough for vectors."""
    if not isinstance(p.m, int) or p.m > FEW or p.b.row != 1 or p.b.column == 1:
        return False
    if isinstance(p.k, int):
        return 2 * machinery.lanes <= p.k and (p.a.column == 1 or p.m * p.k <= LINES)
    return p.a.column == 1


class Dots(Record):
    """The text of one product while it is written: some columns of b together, some sums of each that do not wait."""

    f: Function
    p: Matrices
    machinery: Machinery
    onto: bool

    @property
    def lanes(self) -> int:
        return self.machinery.lanes if self.p.dtype is F32 else self.machinery.lanes // 2

    @property
    def together(self) -> int:
        """Columns of b that are read at once: a power of two."""
        most = min(8, self.machinery.registers // (2 * self.rows))
        return 1 << min(most, known(self.p.n)).bit_length() - 1

    @property
    def rows(self) -> int:
        assert isinstance(self.p.m, int)
        return self.p.m

    @property
    def step(self) -> str:
        """What lies between the rows of `x`."""
        return self.f.size(self.p.a.row if self.p.a.column == 1 else self.p.k)

    def print(self, first: str, end: str) -> None:
        """Lines for columns `first` to `end` of one matrix, which see its pointers c, a and b."""
        f = self.f
        self._lines()
        f.line(f"long j = {first};")
        with f.block(f"for (; j + {self.together} <= {end}; j += {self.together})"):
            self._tile(self.together)
        if not isinstance(self.p.n, int) or self.p.n % self.together:
            with f.block(f"for (; j < {end}; j++)"):
                self._tile(1)

    def _lines(self) -> None:
        """The rows of a as runs of memory."""
        f, a, scalar = self.f, self.p.a, TYPES[self.p.dtype]
        if a.column == 1:
            f.line(f"const {scalar} *const x = a;")
            return
        assert isinstance(self.p.k, int)
        f.line(f"{scalar} x[{self.rows * self.p.k}];")
        with f.loop("i", str(self.rows)), f.loop("k", self.step):
            f.line(f"x[i * {self.step} + k] = a[i * {f.size(a.row)} + k * {f.size(a.column)}];")

    def _tile(self, columns: int) -> None:
        """All rows with some columns of b."""
        f, p = self.f, self.p
        vector, _ = VECTORS[p.dtype]
        chains = max(1, 8 // (columns * self.rows))
        f.line(f"const {TYPES[p.dtype]} *const y = b + j * {f.size(p.b.column)};")
        names = [[[f"c{o}_{i}_{c}" for c in range(chains)] for i in range(self.rows)] for o in range(columns)]
        f.line(f"{vector} {', '.join(f'{c} = {{0}}' for column in names for row in column for c in row)};")
        self._steps(names, chains)
        for o, column in enumerate(names):
            for i, row in enumerate(column):
                place = f"c[{i} * {f.size(p.out.row)} + (j + {o}) * {f.size(p.out.column)}]"
                f.line(f"{place} {'+=' if self.onto else '='} {p.dtype}_total({' + '.join(row)});")

    def _steps(self, names: list[list[list[str]]], chains: int) -> None:
        """Vectors along the inner axis: as many at once as there are chains, one by one, and the last part of one."""
        f, k, lanes = self.f, self.p.k, self.lanes
        size = f.size(k)
        f.line("long k = 0;")
        if chains > 1:
            with f.block(f"for (; k + {chains * lanes} <= {size}; k += {chains * lanes})"):
                for c in range(chains):
                    self._step(names, c, "")
        with f.block(f"for (; k + {lanes} <= {size}; k += {lanes})"):
            self._step(names, 0, "")
        if not isinstance(k, int) or k % lanes:
            with f.block(f"if (k < {size})"):
                self._step(names, 0, f"{size} - k")

    def _step(self, names: list[list[list[str]]], chain: int, part: str) -> None:
        f, dtype, at = self.f, self.p.dtype, f"k + {chain * self.lanes}"
        vector, loose = VECTORS[dtype]

        def load(place: str) -> str:
            return f"{dtype}_part({place}, {part})" if part else f"*(const {loose} *)({place})"

        with f.block(""):
            for i in range(self.rows):
                f.line(f"const {vector} a{i} = {load(f'x + {i} * {self.step} + {at}')};")
            for o, column in enumerate(names):
                f.line(f"const {vector} b{o} = {load(f'y + {o} * {f.size(self.p.b.column)} + {at}')};")
                f.line(" ".join(f"{row[chain]} += a{i} * b{o};" for i, row in enumerate(column)))
