"""Order along an axis: the positions that sort it, and what is built from them."""

from __future__ import annotations

from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node, located
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import BOOL, I64, Shape, Tensor
from .along import TakeAlong
from .layout import Slice
from .random import RandomBits


class Argsort(Op):
    """The positions, as i64, that put x in order along `axis`: equal elements keep theirs, NaN counts as greatest."""

    axis: int
    descending: bool = False

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        if x.dtype is BOOL:
            c.dtype("`argsort` needs numbers", f"{x}", advice="convert with `cast(x, i64)`")
        c.axis(self.word, self.axis, x.rank)
        return x.with_dtype(I64)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        (x,) = arrays
        if not self.descending:
            return xp.argsort(x, axis=self.axis, stable=True)
        last = x.shape[self.axis] - 1
        return last - xp.flip(xp.argsort(xp.flip(x, axis=self.axis), axis=self.axis, stable=True), axis=self.axis)

    def axes(self, *types: Tensor) -> Axes:
        rank = types[0].rank
        axis = self.axis % rank
        inputs = tuple(Axis(f"a{i}", "whole" if i == axis else "point") for i in range(rank))
        return Axes((inputs,), (tuple("y" if i == axis else f"a{i}" for i in range(rank)),))


def sort(b: Builder, x: Node, axis: int, *, descending: bool = False) -> Node:
    """x in order along `axis`; the gradient of each element goes where it came from."""
    return b.add(TakeAlong(axis), x, b.add(Argsort(axis, descending), x))


@located
def top_positions(b: Builder, x: Node, count: Size, axis: int) -> Node:
    """Where the `count` greatest elements along `axis` stand, the greatest first, the first of equal ones before."""
    c = Check()
    axis = c.axis("topk", axis, len(x.shape))
    left = x.shape[axis] - count
    if isinstance(left, int) and left < 0:
        c.shape(f"`topk` wants {count} of {x.shape[axis]} elements", f"{x.type}", f"axis {axis} is too short")
    stops = tuple(count if i == axis else n for i, n in enumerate(x.shape))
    order = b.add(Argsort(axis, True), x)
    return b.add(Slice((0,) * len(stops), stops, (1,) * len(stops)), order)


def permutation(b: Builder, stream: str, shape: Shape, key: Node, step: Node) -> Node:
    """A random order of 0, 1, 2 … along the last axis of `shape`, as i64: the same on every backend, bit for bit."""
    return b.add(Argsort(-1), b.add(RandomBits(stream, shape), key, step))
