"""What threads divide: the leading axes of a product times the units of one matrix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from .function import TYPES, Function
from .matrices import Matrices, Matrix

SMALL = 1 << 15  # multiplications up to which one thread does all


class Lead(NamedTuple):
    """The leading axes of a product: so many `units` has each matrix, of which those from `lo` to `hi` are to do."""

    f: Function
    sizes: tuple[Size, ...]
    pointers: dict[str, str]
    units: str

    def place(self, name: str, x: Matrix, number: str) -> str:
        """Where an operand's matrix of a number begins."""
        terms = [self.pointers[name]]
        for index, step in zip(self._indices(number), x.lead, strict=True):
            if step != 0:
                terms.append(f"({index}) * {self.f.size(step)}")
        return " + ".join(terms)

    def _indices(self, number: str) -> list[str]:
        """The positions along the leading axes."""
        after: Size = 1
        found: list[str] = []
        for size in reversed(self.sizes):
            outer = number if after == 1 else f"{number} / {self.f.size(after)}"
            after = after * size
            found.insert(0, outer if len(found) == len(self.sizes) - 1 else f"{outer} % {self.f.size(size)}")
        return found


@contextmanager
def matrix_of_unit(f: Function, p: Matrices, units: Size) -> Iterator[Lead]:
    """Each matrix of the leading axes, number `l`: lines inside see its pointers c, a, b, and its units `from` to
    `to`."""
    windows = {"c": p.out.window, "a": p.a.window, "b": p.b.window}
    lead = Lead(f, p.lead, {x: f.pointer(w, write=x == "c") for x, w in windows.items()}, f.size(units))
    count = dims.product(p.lead)
    all_units = count * units
    work = dims.product((count, p.m, p.k, p.n))
    if all_units == 1 or (isinstance(work, int) and work <= SMALL):
        f.line(f"const long lo = 0, hi = {f.size(all_units)};")
    else:
        f.split(all_units)
    if not p.lead:
        _pointers(f, p, lead)
        f.line("const long from = lo, to = hi;")
        yield lead
        return
    each = lead.units
    with f.block(f"for (long l = lo / {each}; l * {each} < hi; l++)"):
        f.line(f"const long from = lo > l * {each} ? lo - l * {each} : 0;")
        f.line(f"const long to = hi - l * {each} < {each} ? hi - l * {each} : {each};")
        _pointers(f, p, lead)
        yield lead


def _pointers(f: Function, p: Matrices, lead: Lead) -> None:
    for name, x in (("c", p.out), ("a", p.a), ("b", p.b)):
        const = "" if name == "c" else "const "
        f.line(f"{const}{TYPES[x.window.dtype]} *const {name} = {lead.place(name, x, 'l')};")
