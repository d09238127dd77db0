"""A nest over one element to the program of a single instruction, where Python is faster than NumPy."""

from __future__ import annotations

from ...runtime.plan import SCALAR_WORDS, Attribute
from ..ir.scalar import Expr, parts
from ..schedule.kernel import Nest


def program(nest: Nest, reads: int) -> dict[str, Attribute] | None:
    """The attributes of the instruction `scalars` for a nest with that many operands; None where it does not fit."""
    order = parts(nest.stores)
    if nest.shape != () or not all(map(_fits, order)):
        return None
    constants = [x for x in order if x.word == "const"]
    register = {x: i for i, x in enumerate(constants)}
    register |= {x: len(constants) + int(x.value) for x in order if x.word == "load"}
    lines: list[Attribute] = []
    for x in order:
        if x not in register:
            register[x] = len(constants) + reads + len(lines)
            lines.append((x.word, *(register[o] for o in x.operands)))
    return {
        "constants": tuple(float(x.value) for x in constants),
        "program": tuple(lines),
        "results": tuple(register[x] for x in nest.stores),
    }


def _fits(x: Expr) -> bool:
    """Floats of four or eight bytes throughout; integers only to be made floats of, truths only to choose by."""
    if x.dtype.is_half:
        return False
    if x.word == "load":
        return True
    if x.word == "cast":
        return x.dtype.is_float
    floats = all(o.dtype.is_float for o in x.operands[-2:])
    return (x.word == "const" or x.word in SCALAR_WORDS) and floats and (x.dtype.is_float or x.dtype.value == "bool")
