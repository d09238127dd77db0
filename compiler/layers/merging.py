"""Words that make one tensor of several of the same shape."""

from __future__ import annotations

from typing import Any

from ..ops.elementwise import Div
from ..trace.kinds import Operand
from ..trace.use import Use
from ..trace.words import word
from .arithmetic import fold


@word
def average(u: Use, *xs: Operand) -> Any:
    """The mean of several tensors, element by element."""
    total = fold(u, "add", xs)
    return u.add(Div(), total, u.literal(len(xs), total.dtype))


@word
def maximum(u: Use, *xs: Operand) -> Any:
    """The greatest of several tensors, element by element."""
    return fold(u, "max", xs)


@word
def minimum(u: Use, *xs: Operand) -> Any:
    """The least of several tensors, element by element."""
    return fold(u, "min", xs)
