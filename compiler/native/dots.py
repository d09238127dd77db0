"""Products of few rows with a matrix whose columns are runs of memory: vectors of sums, added up at the end."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import dims
from ..ir.types import F32
from .function import TYPES, Function, Machinery
from .matrices import Matrices
from .tile import VECTORS
from .units import matrix_of_unit

FEW = 4  # rows at most
LINES = 1 << 14  # elements at most that are copied to lie in runs


def suits(p: Matrices, machinery: Machinery) -> bool:
    """Whether a product is one of few rows whose columns of b are runs long enough for vectors."""
    if not isinstance(p.m, int) or p.m > FEW or p.b.row != 1 or p.b.column == 1:
        return False
    if isinstance(p.k, int):
        return 2 * machinery.lanes <= p.k and (p.a.column == 1 or p.m * p.k <= LINES)
    return p.a.column == 1


@dataclass
class Dots:
    """The text of one product while it is written: `together` columns of b, `chains` sums of each that do not wait."""

    f: Function
    p: Matrices
    machinery: Machinery
    onto: bool

    def print(self) -> None:
        """The whole function."""
        f, p = self.f, self.p
        assert isinstance(p.m, int)
        self.rows = p.m
        self.lanes = self.machinery.lanes if p.dtype is F32 else self.machinery.lanes // 2
        self.together = max(1, min(8, self.machinery.registers // 2 // self.rows))
        names = [f.pointer(p.out.window, write=True), f.pointer(p.a.window), f.pointer(p.b.window)]
        if isinstance(p.n, int):
            self.together = min(self.together, p.n)
        with matrix_of_unit(f, p, names, dims.ceil_divide(p.n, self.together)):
            self._lines()
            self._columns()

    def _lines(self) -> None:
        """The rows of a as runs of memory."""
        f, a = self.f, self.p.a
        scalar = TYPES[self.p.dtype]
        if a.column == 1:
            f.line(f"const {scalar} *const x = a;")
            self.step = f.size(a.row)
            return
        assert isinstance(self.p.k, int)
        f.line(f"{scalar} x[{self.rows * self.p.k}];")
        self.step = str(self.p.k)
        with f.loop("i", str(self.rows)), f.loop("k", self.step):
            f.line(f"x[i * {self.step} + k] = a[i * {f.size(a.row)} + k * {f.size(a.column)}];")

    def _columns(self) -> None:
        """Units `from` to `to`: columns together, and what remains of them."""
        f, n, each = self.f, self.p.n, self.together
        whole = f"{f.size(n)} / {each}" if not isinstance(n, int) else str(n // each)
        with f.loop("u", f"(to < {whole} ? to : {whole})", "from"):
            f.line(f"const long j = u * {each};")
            self._tile(each)
        if isinstance(n, int) and n % each == 0:
            return
        with f.block(f"if (to > {whole})"):
            if isinstance(n, int):
                f.line(f"const long j = {n // each * each};")
                self._tile(n % each)
                return
            with f.loop("j", f.size(n), f"{whole} * {each}"):
                self._tile(1)

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
