"""Reductions: what is left of a tensor when some of its axes are combined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..ir import dims
from ..ir.check import Check
from ..ir.graph import Builder, Node
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import BOOL, F32, I64, DType, Shape, Tensor
from .elementwise import Add, Cast, Div, Eq, Mul, Sub, Where, converted
from .layout import Expand, Reshape
from .state import size_number
from .unary import Exp, Log, Square


class Reduction(Op, abstract=True):
    """Combines the axes `over`, which leave the shape, or stay with size 1 if `keep`.

    Axes may be counted from the right. `added` says that partial results combine by addition, `law` how elements
    combine where the operation is no composite: sum, prod, max, min, any or all.
    """

    law: ClassVar[str] = ""
    added: ClassVar[bool] = False
    empty: ClassVar[bool] = True  # whether nothing to combine has a value
    over: tuple[int, ...]
    keep: bool = False

    def along(self, rank: int) -> tuple[int, ...]:
        """The combined axes, counted from the left, sorted."""
        return tuple(sorted(axis % rank for axis in self.over))

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        self.accept(c, x)
        for axis in self.over:
            c.axis(self.word, axis, x.rank)
        along = self.along(x.rank)
        if len(set(along)) < len(along):
            c.shape(f"`{self.word}` names an axis twice", f"{list(self.over)}")
        if not self.empty and any(x.shape[i] == 0 for i in along):
            c.shape(f"`{self.word}` of no elements has no value", f"{x}")
        return x.with_shape(self.left(x.shape, self.keep))

    def accept(self, c: Check, x: Tensor) -> None:
        """Refuses element types that cannot be combined."""
        if x.dtype is BOOL:
            c.dtype(f"`{self.word}` needs numbers", f"{x}", advice="convert with `cast(x, i64)`")

    def left(self, shape: Shape, keep: bool) -> Shape:
        """The shape that is left of `shape`."""
        along = self.along(len(shape))
        return tuple(1 if i in along else n for i, n in enumerate(shape) if keep or i not in along)

    def count(self, shape: Shape) -> dims.Size:
        """How many elements are combined into one."""
        return dims.product(shape[i] for i in self.along(len(shape)))

    def kept(self, b: Builder, node: Node, result: Node) -> Node:
        """A value of the result's shape with the combined axes of the input `node` back, of size 1."""
        return result if self.keep else b.add(Reshape(self.left(node.shape, True)), result)

    def axes(self, *types: Tensor) -> Axes:
        rank = types[0].rank
        along = self.along(rank)
        inputs = tuple(Axis(f"a{i}", "whole" if i in along and not self.added else "point") for i in range(rank))
        output = tuple("" if i in along else f"a{i}" for i in range(rank) if self.keep or i not in along)
        return Axes((inputs,), (output,), frozenset(f"a{i}" for i in along if self.added))

    def flops(self, *types: Tensor) -> dims.Size:
        return types[0].size if types[0].dtype.is_float else 0

    def formula(self, *names: str) -> str:
        return f"{self.word.removeprefix('reduce_')} of {names[0]} over {list(self.over)}"


class Sum(Reduction):
    """The sum over the axes."""

    law: ClassVar[str] = "sum"
    added: ClassVar[bool] = True

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.sum(arrays[0], axis=self.over, keepdims=self.keep, dtype=arrays[0].dtype)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        (x,) = node.inputs
        return [g[0] and b.add(Expand(x.shape), self.kept(b, x, g[0]))]

    def formula(self, *names: str) -> str:
        return f"Σ {names[0]} over {list(self.over)}"


class Extreme(Reduction, abstract=True):
    """The greatest or the least element; equal ones share the gradient equally."""

    precision = "exact"
    empty: ClassVar[bool] = False

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        (x,) = node.inputs
        chosen = b.add(Cast(x.dtype), b.add(Eq(), x, self.kept(b, x, node)))
        ties = b.add(Sum(self.over, True), chosen)
        return [b.add(Mul(), chosen, b.add(Div(), self.kept(b, x, g[0]), ties))]


class ReduceMax(Extreme):
    """The greatest element over the axes, NaN if one is NaN; equal ones share the gradient equally."""

    law: ClassVar[str] = "max"

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.max(arrays[0], axis=self.over, keepdims=self.keep)


class ReduceMin(Extreme):
    """The least element over the axes, NaN if one is NaN; equal ones share the gradient equally."""

    law: ClassVar[str] = "min"

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.min(arrays[0], axis=self.over, keepdims=self.keep)


class Prod(Reduction):
    """The product over the axes.

    The gradient is the product of the others, also where elements are zero; a second derivative is right only
    where none of the combined elements is.
    """

    law: ClassVar[str] = "prod"

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.prod(arrays[0], axis=self.over, keepdims=self.keep, dtype=arrays[0].dtype)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        (x,) = node.inputs
        zero, one = b.literal(0, x.dtype), b.literal(1, x.dtype)
        is_zero = b.add(Eq(), x, zero)
        safe = b.add(Where(), is_zero, one, x)
        zeros = b.add(Cast(x.dtype), is_zero)
        alone = b.add(Eq(), b.add(Sum(self.over, True), zeros), zeros)
        others = b.add(Where(), alone, b.add(Div(), b.add(Prod(self.over, True), safe), safe), zero)
        return [b.add(Mul(), self.kept(b, x, g[0]), others)]

    def formula(self, *names: str) -> str:
        return f"Π {names[0]} over {list(self.over)}"


class Mean(Reduction):
    """The sum over the axes divided by the number of elements."""

    def accept(self, c: Check, x: Tensor) -> None:
        c.floats(self.word, x)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.mean(arrays[0], axis=self.over, keepdims=self.keep)

    def expand(self, b: Builder, *inputs: Node) -> Node:
        (x,) = inputs
        total = b.add(Sum(self.over, self.keep), converted(b, x, _wide(x.dtype)))
        return converted(b, _divided(b, total, self.count(x.shape)), x.dtype)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        (x,) = node.inputs
        share = _divided(b, converted(b, g[0], _wide(x.dtype)), self.count(x.shape))
        return [b.add(Expand(x.shape), self.kept(b, x, converted(b, share, x.dtype)))]


class Var(Reduction):
    """The mean of the squared distances from the mean, divided by the count less `correction` (1: unbiased)."""

    correction: int = 0

    def accept(self, c: Check, x: Tensor) -> None:
        c.floats(self.word, x)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.var(arrays[0], axis=self.over, keepdims=self.keep, correction=self.correction)

    def expand(self, b: Builder, *inputs: Node) -> Node:
        (x,) = inputs
        squares = b.add(Square(), self._away(b, converted(b, x, _wide(x.dtype))))
        total = b.add(Sum(self.over, self.keep), squares)
        return converted(b, _divided(b, total, self.count(x.shape) - self.correction), x.dtype)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        (x,) = node.inputs
        flow = converted(b, g[0], _wide(x.dtype))
        twice = b.add(Mul(), flow, b.literal(2, flow.dtype))
        share = self.kept(b, x, _divided(b, twice, self.count(x.shape) - self.correction))
        return [converted(b, b.add(Mul(), self._away(b, converted(b, x, flow.dtype)), share), x.dtype)]

    def _away(self, b: Builder, x: Node) -> Node:
        """The distance of each element from the mean."""
        return b.add(Sub(), x, b.add(Mean(self.over, True), x))


def _wide(dtype: DType) -> DType:
    """The type in which sums and counts of a float type are kept: a size has no place in half a word."""
    return F32 if dtype.bytes == 2 else dtype


def _divided(b: Builder, x: Node, count: dims.Size) -> Node:
    return b.add(Div(), x, size_number(b, count, x.dtype))


class Logsumexp(Reduction):
    """log Σ exp x over the axes, with the greatest element taken out before exp."""

    empty: ClassVar[bool] = False

    def accept(self, c: Check, x: Tensor) -> None:
        c.floats(self.word, x)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        (x,) = arrays
        top = xp.max(x, axis=self.over, keepdims=True)
        total = xp.log(xp.sum(xp.exp(x - top), axis=self.over, keepdims=True)) + top
        return total if self.keep else xp.reshape(total, self.left(x.shape, False))

    def expand(self, b: Builder, *inputs: Node) -> Node:
        (x,) = inputs
        top = b.add(ReduceMax(self.over, True), x)
        total = b.add(Sum(self.over, True), b.add(Exp(), b.add(Sub(), x, top)))
        result = b.add(Add(), b.add(Log(), total), top)
        return result if self.keep else b.add(Reshape(self.left(x.shape, False)), result)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        (x,) = node.inputs
        share = b.add(Exp(), b.add(Sub(), x, self.kept(b, x, node)))
        return [b.add(Mul(), share, self.kept(b, x, g[0]))]


class Truth(Reduction, abstract=True):
    """A combination of truths."""

    def accept(self, c: Check, x: Tensor) -> None:
        if x.dtype is not BOOL:
            c.dtype(f"`{self.word}` needs truths", f"{x}", advice="compare, as in `x != 0`")


class Any(Truth):
    """True where one element over the axes is."""

    law: ClassVar[str] = "any"

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.any(arrays[0], axis=self.over, keepdims=self.keep)


class All(Truth):
    """True where every element over the axes is."""

    law: ClassVar[str] = "all"

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.all(arrays[0], axis=self.over, keepdims=self.keep)


class Position(Op, abstract=True):
    """Where along `axis` the wanted element stands, as i64; the first of equal ones."""

    axis: int
    keep: bool = False

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        if x.dtype is BOOL:
            c.dtype(f"`{self.word}` needs numbers", f"{x}", advice="convert with `cast(x, i64)`")
        axis = c.axis(self.word, self.axis, x.rank)
        if x.shape[axis] == 0:
            c.shape(f"`{self.word}` of no elements has no value", f"{x}")
        return Tensor(I64, tuple(1 if i == axis else n for i, n in enumerate(x.shape) if self.keep or i != axis))

    def axes(self, *types: Tensor) -> Axes:
        rank = types[0].rank
        axis = self.axis % rank
        inputs = tuple(Axis(f"a{i}", "whole" if i == axis else "point") for i in range(rank))
        return Axes((inputs,), (tuple("" if i == axis else f"a{i}" for i in range(rank) if self.keep or i != axis),))


class Argmax(Position):
    """The index of the greatest element along `axis`, the first of equal ones, as i64."""

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.argmax(arrays[0], axis=self.axis, keepdims=self.keep)


class Argmin(Position):
    """The index of the least element along `axis`, the first of equal ones, as i64."""

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.argmin(arrays[0], axis=self.axis, keepdims=self.keep)


class Cumsum(Op):
    """The sum of the elements up to each one along `axis`, from the end if `reverse`."""

    axis: int
    reverse: bool = False

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        if x.dtype is BOOL:
            c.dtype("`cumsum` needs numbers", f"{x}", advice="convert with `cast(x, i64)`")
        c.axis(self.word, self.axis, x.rank)
        return x

    def eval(self, xp: Array, *arrays: Array) -> Array:
        (x,) = arrays
        turned = xp.flip(x, axis=self.axis) if self.reverse else x
        total = xp.cumulative_sum(turned, axis=self.axis, dtype=x.dtype)
        return xp.flip(total, axis=self.axis) if self.reverse else total

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        return [g[0] and b.add(Cumsum(self.axis, not self.reverse), g[0])]

    def axes(self, *types: Tensor) -> Axes:
        rank = types[0].rank
        axis = self.axis % rank
        inputs = tuple(Axis(f"a{i}", "whole" if i == axis else "point") for i in range(rank))
        return Axes((inputs,), (tuple("y" if i == axis else f"a{i}" for i in range(rank)),))

    def flops(self, *types: Tensor) -> dims.Size:
        return types[0].size if types[0].dtype.is_float else 0
