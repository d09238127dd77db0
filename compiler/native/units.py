"""What threads divide: the leading axes of a product times the units of one matrix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..ir import dims
from ..ir.dims import Size
from .function import TYPES, Function
from .matrices import Matrices

SMALL = 1 << 15  # multiplications up to which one thread does all


@contextmanager
def matrix_of_unit(f: Function, p: Matrices, units: Size) -> Iterator[None]:
    """Each matrix of the leading axes: lines inside see its pointers c, a, b, and its units `from` to `to`."""
    names = [f.pointer(p.out.window, write=True), f.pointer(p.a.window), f.pointer(p.b.window)]
    count = dims.product(p.lead)
    all_units = count * units
    work = dims.product((count, p.m, p.k, p.n))
    if all_units == 1 or (isinstance(work, int) and work <= SMALL):
        f.line(f"const long lo = 0, hi = {f.size(all_units)};")
    else:
        f.split(all_units)
    if not p.lead:
        _pointers(f, p, names, [])
        f.line("const long from = lo, to = hi;")
        yield
        return
    each = f.size(units)
    with f.block(f"for (long l = lo / {each}; l * {each} < hi; l++)"):
        f.line(f"const long from = lo > l * {each} ? lo - l * {each} : 0;")
        f.line(f"const long to = hi - l * {each} < {each} ? hi - l * {each} : {each};")
        _pointers(f, p, names, _indices(f, p.lead))
        yield


def _indices(f: Function, lead: tuple[Size, ...]) -> list[str]:
    """Positions along the leading axes of the matrix number `l`."""
    after: Size = 1
    found: list[str] = []
    for size in reversed(lead):
        outer = "l" if after == 1 else f"l / {f.size(after)}"
        after = after * size
        found.insert(0, outer if len(found) == len(lead) - 1 else f"{outer} % {f.size(size)}")
    return found


def _pointers(f: Function, p: Matrices, names: list[str], indices: list[str]) -> None:
    for name, pointer, x in zip("cab", names, (p.out, p.a, p.b), strict=True):
        terms = [f"({i}) * {f.size(s)}" for i, s in zip(indices, x.lead, strict=True) if s != 0]
        const = "" if name == "c" else "const "
        f.line(f"{const}{TYPES[x.window.dtype]} *const {name} = {' + '.join([pointer, *terms])};")
