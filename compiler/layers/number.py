"""Functions of numbers, lists and sizes, computed when compiling."""

from __future__ import annotations

from typing import Any, NoReturn

from ..ir.graph import Node
from ..trace import errors
from ..trace.kinds import Any_, Number, Position, Tensor, Whole
from ..trace.use import Use
from ..trace.values import describe
from ..trace.words import word


@word
def round_to(u: Use, *, value: Number, multiple: Whole) -> Any:
    """The nearest multiple, but never less than 0.9 of the value (Howard et al. 2017, MobileNet)."""
    if not isinstance(multiple, int) or multiple < 1:
        u.wrong(errors.WrongKind, "multiple", subject="`multiple`", expected="a whole number", found=describe(multiple))
    rounded = max(multiple, int(value + multiple / 2) // multiple * multiple)
    return rounded + multiple if rounded < 0.9 * value else rounded


@word
def len_(u: Use, *, items: Any_) -> Any:
    """How many items a list has."""
    return len(items) if isinstance(items, tuple) else _no_list(u, items)


@word
def reversed_(u: Use, *, items: Any_) -> Any:
    """A list from its end."""
    return items[::-1] if isinstance(items, tuple) else _no_list(u, items)


@word
def enumerate_(u: Use, *, items: Any_) -> Any:
    """Pairs of 0, 1, 2 … and the items of a list."""
    return tuple(enumerate(items)) if isinstance(items, tuple) else _no_list(u, items)


@word
def zip_(u: Use, *, first: Any_, second: Any_) -> Any:
    """Pairs of the items of two lists of one length."""
    for name, items in (("first", first), ("second", second)):
        if not isinstance(items, tuple):
            _no_list(u, items, name)
    if len(first) != len(second):
        u.wrong(errors.WrongCount, "second", expected=len(first), found=len(second))
    return tuple(zip(first, second, strict=True))


def _no_list(u: Use, value: Any, argument: str = "items") -> NoReturn:
    u.wrong(errors.WrongKind, argument, subject=f"`{argument}` of `{u.word}`", expected="a list", found=describe(value))


@word
def shape(u: Use, x: Tensor) -> Any:
    """The sizes of x, as a list."""
    return x.shape


@word
def last(u: Use, x: Tensor) -> Any:
    """The size of the last axis of x."""
    return size_of(u, x, -1)


@word
def size(u: Use, x: Tensor, *, axis: Position) -> Any:
    """The size of one axis of x."""
    return size_of(u, x, axis)


def size_of(u: Use, x: Node, axis: int) -> Any:
    """The size of one axis."""
    if not -x.tensor.rank <= axis < x.tensor.rank:
        u.wrong(errors.BadIndex, "axis", problem=f"{describe(x)} has no axis {axis}")
    return x.shape[axis]
