"""Sizes as numbers, windows of flat ranges, and order: what ties a graph to its buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..ir import dims
from ..ir.check import Check
from ..ir.graph import Builder, Node, numpy_name
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import DType, Shape, Tensor
from .layout import Pad, Reshape


class Size(Op):
    """A size as a scalar number, known when sizes are bound."""

    dim: dims.Size
    dtype: DType

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return Tensor(self.dtype, ())

    def eval(self, xp: Array, *arrays: Array) -> Array:
        assert isinstance(self.dim, int)
        return xp.asarray(self.dim, dtype=getattr(xp, numpy_name(self.dtype)))

    def axes(self, *types: Tensor) -> Axes:
        return Axes((), ((),))

    def formula(self, *names: str) -> str:
        return f"{self.dim}"


def size_number(b: Builder, size: dims.Size, dtype: DType) -> Node:
    """A size as a scalar node: a literal if it is known."""
    return b.literal(size, dtype) if isinstance(size, int) else b.add(Size(size, dtype))


class Part(Op):
    """The window of a flat range from `offset` on, as a tensor of `shape`."""

    view: ClassVar[bool] = True
    offset: dims.Size
    shape: Shape

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        end = self.offset + dims.product(self.shape)
        left = x.size - end
        if x.rank != 1 or (isinstance(left, int) and left < 0):
            c.shape(f"`part` leaves the range {x}", f"{x}", f"it reads from {self.offset} to {end}")
        return x.with_shape(self.shape)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        size = dims.product(self.shape)
        return xp.reshape(arrays[0][self.offset : self.offset + size], self.shape)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        size = node.tensor.size
        after = node.inputs[0].tensor.size - self.offset - size
        return [b.add(Pad((self.offset,), (after,)), b.add(Reshape((size,)), g[0]))]

    def formula(self, *names: str) -> str:
        return f"{names[0]} from {self.offset} as {list(self.shape)}"


class Barrier(Op):
    """The first input, computed after the others; equal barriers stay apart."""

    view: ClassVar[bool] = True
    merges: ClassVar[bool] = False

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return types[0]

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return arrays[0]

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        return [g[0], *[None] * (len(node.inputs) - 1)]

    def axes(self, *types: Tensor) -> Axes:
        names = tuple(f"a{i}" for i in range(types[0].rank))
        waits = tuple(tuple(Axis(f"w{k}.{i}", "whole") for i in range(t.rank)) for k, t in enumerate(types[1:]))
        return Axes((tuple(map(Axis, names)), *waits), (names,))

    def formula(self, *names: str) -> str:
        return names[0]
