"""Other sizes and frames of an axis: each is the axis read at positions that are arithmetic on 0, 1, 2 …

Positions are computed in whole numbers, so that they are the same on every backend and for every size.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node, located
from ..ir.types import I64
from .along import Take
from .elementwise import Add, Cast, Div, FloorDiv, Max, Min, Mod, Mul, Sub
from .index import Iota
from .layout import Reshape
from .state import size_number
from .unary import Abs


class Positions:
    """The positions 0, 1 … of an axis of `count` elements and arithmetic on them, as nodes."""

    def __init__(self, b: Builder, count: Size) -> None:
        self.b = b
        self.node = b.add(Iota(count, I64))

    def number(self, value: Size) -> Node:
        return size_number(self.b, value, I64)

    def times(self, x: Node, value: Size) -> Node:
        return self.b.add(Mul(), x, self.number(value))

    def less(self, x: Node, value: Size) -> Node:
        return self.b.add(Sub(), x, self.number(value))

    def below(self, x: Node, value: Size) -> Node:
        """`value - x`."""
        return self.b.add(Sub(), self.number(value), x)

    def over(self, x: Node, value: Size) -> Node:
        return self.b.add(FloorDiv(), x, self.number(value))

    def between(self, x: Node, low: Size, high: Size) -> Node:
        return self.b.add(Min(), self.b.add(Max(), x, self.number(low)), self.number(high))


def nearest(b: Builder, x: Node, axis: int, size: Size) -> Node:
    """The axis with `size` elements, element i being the one at floor(i · old / new)."""
    old = x.shape[axis]
    p = Positions(b, size)
    return b.add(Take(axis), x, p.over(p.times(p.node, old), size))


def linear(b: Builder, x: Node, axis: int, size: Size, *, align_corners: bool = False) -> Node:
    """The axis with `size` elements, each between the two old ones that it lies between.

    Elements are points in the middle of equal cells, and outside the first and last middle the axis goes on as it
    ends; or with `align_corners` the first and last elements stay where they are.
    """
    old = x.shape[axis]
    p = Positions(b, size)
    if align_corners:
        scale = size - 1 if not isinstance(size, int) else max(size - 1, 1)
        place = p.times(p.node, old - 1)
    else:
        scale = size * 2
        middle = p.b.add(Add(), p.times(p.node, old * 2), p.number(old))
        place = b.add(Max(), p.less(middle, size), p.number(0))
    low = p.over(place, scale)
    high = p.between(b.add(Add(), low, p.number(1)), 0, old - 1)
    share = b.add(Div(), *(b.add(Cast(x.dtype), n) for n in (b.add(Mod(), place, p.number(scale)), p.number(scale))))
    share = b.add(Reshape((size, *(1,) * (len(x.shape) - axis - 1))), share)
    first, second = (b.add(Take(axis), x, at) for at in (low, high))
    return b.add(Add(), first, b.add(Mul(), share, b.add(Sub(), second, first)))


def _mirrored(p: Positions, before: Size, size: Size) -> Node:
    """i - before, thrown back at the first and the last element, neither of which is doubled."""
    start = p.b.add(Abs(), p.less(p.node, before))
    return p.below(p.b.add(Abs(), p.below(start, size - 1)), size - 1)


def _held(p: Positions, before: Size, size: Size) -> Node:
    """i - before, held at the first and the last element."""
    return p.between(p.less(p.node, before), 0, size - 1)


def _round(p: Positions, before: Size, size: Size) -> Node:
    """i - before, going round."""
    return p.b.add(Mod(), p.less(p.node, before), p.number(size))


FRAMES: dict[str, Callable[[Positions, Size, Size], Node]] = {"reflect": _mirrored, "edge": _held, "wrap": _round}


@located
def framed(b: Builder, x: Node, axis: int, before: int, after: int, mode: str) -> Node:
    """The axis with elements of its own on both sides: mirrored at its ends, the last ones again, or going round."""
    size = x.shape[axis]
    most = size - 1 if mode == "reflect" else size
    for count in (before, after):
        left = (0 if mode == "edge" else most - count) if count else 0
        if isinstance(left, int) and (left < 0 or (count and size == 0)):
            detail = f"axis {axis} has {size} elements, {count} are wanted beside it"
            Check().shape(f"`pad` by {mode} needs more elements than it adds", f"{x.type}", detail)
    p = Positions(b, size + before + after)
    return b.add(Take(axis), x, FRAMES[mode](p, before, size))
