"""Products of matrices as C: by tiles of registers, by totals of vectors, or element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ..ir import dims
from ..schedule.kernel import Operand, Window
from .blocking import COMMON, Blocking, blocking, likely
from .dots import Dots, suits
from .function import TYPES, Function, Machinery
from .matrices import Matrices, Triangle, matrices
from .tile import VECTORS
from .tiles import Tiles
from .units import Lead, matrix_of_unit


class Product(NamedTuple):
    """`out[lead..., m, n] = a[lead..., m, k] @ b[lead..., k, n]`; a vector lacks m or n, and leading axes broadcast.

    Windows may have any strides. `accumulate` adds to what lies in the result. Where there are `panels`, b is given as
    `[n / panels, k, panels]`: so many of its columns after the other, and each of them row by row. What a `triangle`
    says to be zero is not multiplied.
    """

    machinery: Machinery
    accumulate: bool = False
    panels: int = 0
    triangle: Triangle | None = None

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Operand, ...]) -> None:
        """The function of one product; threads divide its leading axes and rows, or its columns."""
        given = _given(writes, reads, self.panels, self.triangle)
        if self.panels:
            self._tiles(f, given, blocking(given, self.machinery, self.panels))
            return
        few = next((p for p in (given, given.turned) if suits(p, self.machinery) and not self.triangle), None)
        p = oriented(given)
        if _is_by_elements(p):
            _elements(f, p, onto=self.accumulate)
        elif few:
            dots = Dots(f, few, self.machinery, self.accumulate)
            with matrix_of_unit(f, few, dims.ceil_divide(few.n, dots.together)):
                dots.print(*_columns(f, few, dots.together))
        else:
            self._tiles(f, p, blocking(p, self.machinery))

    def _tiles(self, f: Function, p: Matrices, cut: Blocking) -> None:
        """By tiles, but for a single row if there may be one."""
        with matrix_of_unit(f, p, cut.units(p)) as lead:
            f.steps = (p.out.row, p.a.row, 0) if cut.by_samples else ()
            alone = self._single_row(f, p, cut, lead)
            if alone:
                with f.block(f"if ({f.size(p.m)} == 1)"):
                    alone()
            with f.block("else" if alone else ""):
                Tiles(f, p, cut, lead, self.accumulate, self.masks).print()

    def _single_row(self, f: Function, p: Matrices, cut: Blocking, lead: Lead) -> Callable[[], None] | None:
        """What prints the product of one row, which is all about reading b once, where a run may have one row; threads
        divide its columns."""
        row = p._replace(m=1)
        if isinstance(p.m, int) or p.lead or self.triangle or likely(p.m) > COMMON or cut.packs_a:
            return None
        alone = cut._replace(height=1, by_columns=True, by_samples=False)
        printer: Callable[[], None]
        if not self.panels and suits(row, self.machinery):
            dots = Dots(f, row, self.machinery, self.accumulate)
            if cut.width % dots.together:
                return None
            printer = partial(dots.print, *_columns(f, p, cut.width))
        else:
            if not self.panels:
                if p.b.column != 1 or cut.by_columns:
                    return None
                alone = blocking(row, self.machinery)._replace(by_columns=True, by_samples=False)
            printer = Tiles(f, row, alone, lead, self.accumulate, self.masks).print
        if cut.by_samples:
            f.parts = alone.units(row)
        return printer

    @property
    def masks(self) -> bool:
        """Whether the processor loads a part of a vector as fast as a whole one."""
        return self.machinery.lanes == 16


def _columns(f: Function, p: Matrices, width: int) -> tuple[str, str]:
    """The first column of the units `from` to `to`, and the end of the last, for units of so many columns."""
    size = f.size(p.n)
    return f"from * {width}", f"(to * {width} < {size} ? to * {width} : {size})"


def _given(writes: tuple[Window, ...], reads: tuple[Operand, ...], panels: int, triangle: Triangle | None) -> Matrices:
    (out,), (a, b) = writes, reads
    assert isinstance(a, Window)
    assert isinstance(b, Window)
    if not panels:
        return matrices(out, a, b, triangle)
    number, k, _ = b.shape
    p = matrices(out, a, b._replace(shape=(k, number * panels), strides=(panels, k)))  # where panels begin
    return p._replace(b=p.b._replace(window=b))


def _is_by_elements(p: Matrices) -> bool:
    """Whether there are no vectors of the dtype, or several dtypes, or nothing to multiply."""
    mixed = any(x.window.dtype is not p.dtype for x in (p.a, p.b))
    return mixed or p.dtype not in VECTORS or 0 in (*p.lead, p.m, p.k, p.n)


def oriented(p: Matrices) -> Matrices:
    """Results as rows that are runs of memory, where they lie so in either order; a column as a row."""
    if p.m == 1:
        return p
    is_column = p.n == 1 or (p.out.column != 1 and p.out.row == 1)
    return p.turned if is_column else p


def _elements(f: Function, p: Matrices, *, onto: bool) -> None:
    """One sum after the other; of integers without sign, whose overflow is defined."""
    kind = "uint64_t" if p.dtype.is_integer else TYPES[p.dtype]
    with matrix_of_unit(f, p, p.m), f.loop("i", "to", "from"), f.loop("j", f.size(p.n)):
        f.line(f"{TYPES[p.dtype]} *const z = c + i * {f.size(p.out.row)} + j * {f.size(p.out.column)};")
        f.line(f"{kind} sum = {f'({kind})*z' if onto else '0'};")
        with f.loop("k", f.size(p.k)):
            left = f"a[i * {f.size(p.a.row)} + k * {f.size(p.a.column)}]"
            right = f"b[k * {f.size(p.b.row)} + j * {f.size(p.b.column)}]"
            f.line(f"sum += ({kind}){left} * ({kind}){right};")
        f.line(f"*z = ({TYPES[p.dtype]})sum;")
