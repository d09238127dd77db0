"""Reading and adding at positions along any axis: a vector of them, one for each element, or whole tuples of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..ir import dims
from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node, located
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import I64, Tensor
from .elementwise import Add, Mul
from .index import Gather, Iota, ScatterAdd, integers
from .layout import Reshape, Slice, Transpose, squeeze
from .state import size_number


class Take(Op):
    """x at a vector of positions along `axis`: x and an integer index [K] give x with K elements there.

    An index counts from 0 and lies inside the axis; what one outside does is not defined.
    """

    moves: ClassVar[bool] = True
    axis: int

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        x, index = types
        integers(c, self.word, index)
        axis = c.axis(self.word, self.axis, x.rank)
        if index.rank != 1:
            c.shape("`take` needs a vector of positions", f"{index}", advice="for a table of any index use `gather`")
        return x.with_shape((*x.shape[:axis], index.shape[0], *x.shape[axis + 1 :]))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.take(arrays[0], arrays[1], axis=self.axis)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        """Rows added where they were taken, with the axis in front."""
        if g[0] is None:
            return [None, None]
        x, index = node.inputs
        axis = self.axis % len(x.shape)
        others = [i for i in range(len(x.shape)) if i != axis]
        rows = b.add(ScatterAdd(x.shape[axis]), index, b.add(Transpose((axis, *others)), g[0]))
        back = tuple([axis, *others].index(i) for i in range(len(x.shape)))
        return [b.add(Transpose(back), rows), None]

    def axes(self, *types: Tensor) -> Axes:
        axis = self.axis % types[0].rank
        names = [f"a{i}" for i in range(types[0].rank)]
        operand = tuple(Axis("x", "whole") if i == axis else Axis(n) for i, n in enumerate(names))
        return Axes((operand, (Axis("k"),)), (tuple("k" if i == axis else n for i, n in enumerate(names)),))

    def formula(self, *names: str) -> str:
        return f"{names[0]} at {names[1]} along axis {self.axis}"


class TakeAlong(Op):
    """For each element of the index the element of x that stands there along `axis`: x and index differ there only.

    An index counts from 0 and lies inside the axis; what one outside does is not defined.
    """

    moves: ClassVar[bool] = True
    axis: int

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        x, index = types
        return x.with_shape(_beside(c, self.word, self.axis, x, index).shape)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.take_along_axis(arrays[0], arrays[1], axis=self.axis)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        x, index = node.inputs
        return [g[0] and b.add(AddAlong(self.axis, x.shape[self.axis]), index, g[0]), None]

    def axes(self, *types: Tensor) -> Axes:
        names, point, whole = _names(types[0].rank, self.axis)
        return Axes((whole, point), (names,))

    def formula(self, *names: str) -> str:
        return f"{names[0]} at {names[1]} along axis {self.axis}"


class AddAlong(Op):
    """Zeros with `size` elements along `axis`, to which values are added where the index, of their shape, says."""

    axis: int
    size: Size

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        index, values = types
        integers(c, self.word, index)
        axis = c.axis(self.word, self.axis, values.rank)
        problem, found = f"`{self.word}` needs one index for each value", f"{index} and {values}"
        if index.rank != values.rank:
            c.shape(problem, found)
        for a, z in zip(index.shape, values.shape, strict=True):
            c.same(a, z, problem, found=found)
        return values.with_shape((*values.shape[:axis], self.size, *values.shape[axis + 1 :]))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        index, values = arrays
        axis = self.axis % values.ndim
        shape = (*values.shape[:axis], self.size, *values.shape[axis + 1 :])
        result = xp.zeros(shape, dtype=values.dtype)
        at = list(xp.indices(index.shape))
        at[axis] = index
        xp.add.at(result, tuple(at), values)
        return result

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        return [None, g[0] and b.add(TakeAlong(self.axis), g[0], node.inputs[0])]

    def axes(self, *types: Tensor) -> Axes:
        names, point, whole = _names(types[0].rank, self.axis)
        output = tuple(axis.name for axis in whole)
        return Axes((point, point), (output,), frozenset(set(names) - set(output)))

    def flops(self, *types: Tensor) -> Size:
        return types[1].size


def _beside(c: Check, word: str, axis: int, x: Tensor, index: Tensor) -> Tensor:
    """The index, if it is whole numbers and has the shape of x but along the axis."""
    integers(c, word, index)
    axis = c.axis(word, axis, x.rank)
    problem, found = f"`{word}` meets shapes that do not fit", f"{x} and {index}"
    advice = f"the second has the shape of the first but along axis {axis}"
    if x.rank != index.rank:
        c.shape(problem, found, advice=advice)
    for i in set(range(x.rank)) - {axis}:
        c.same(x.shape[i], index.shape[i], problem, found=found, advice=advice)
    return index


def _names(rank: int, axis: int) -> tuple[tuple[str, ...], tuple[Axis, ...], tuple[Axis, ...]]:
    """Names of axes where `axis` is the index's, the index's axes, and those of what it points into."""
    names = tuple("k" if i == axis % rank else f"a{i}" for i in range(rank))
    return names, tuple(map(Axis, names)), tuple(Axis("x", "whole") if n == "k" else Axis(n) for n in names)


@located
def gather_nd(b: Builder, table: Node, index: Node) -> Node:
    """Parts of a table by tuples of positions: table [D…, rest…] and index [..., K] give [..., rest…], K axes D."""
    c = Check()
    depth = _depth(c, "gather_nd", index)
    if depth > len(table.shape):
        detail = f"the last axis of the index names {depth} axes"
        c.shape(f"`gather_nd` needs a table of at least {depth} axes", f"{table.type}", detail)
    sizes, rest = table.shape[:depth], table.shape[depth:]
    rows = b.add(Reshape((dims.product(sizes), *rest)), table)
    return b.add(Gather(), rows, _flat(b, index, sizes))


@located
def scatter_nd(b: Builder, index: Node, values: Node, shape: Sequence[Size]) -> Node:
    """Zeros of `shape` to which values [..., rest…] are added at tuples of positions, index [..., K]."""
    c = Check()
    depth = _depth(c, "scatter_nd", index)
    if depth > len(shape):
        detail = f"the last axis of the index names {depth} axes"
        c.shape(f"`scatter_nd` needs a shape of at least {depth} axes", f"{list(shape)}", detail)
    sizes, rest = tuple(shape[:depth]), tuple(shape[depth:])
    wanted = Tensor(values.dtype, (*index.shape[:-1], *rest))
    if values.tensor.rank != wanted.rank:
        c.shape("`scatter_nd` meets values that do not fit", f"{values.type}", f"{wanted} are wanted")
    for a, z in zip(values.shape, wanted.shape, strict=True):
        c.same(a, z, "`scatter_nd` meets values that do not fit", found=f"{values.type}", detail=f"{wanted} are wanted")
    total = b.add(ScatterAdd(dims.product(sizes)), _flat(b, index, sizes), values)
    return b.add(Reshape((*sizes, *rest)), total)


def _depth(c: Check, word: str, index: Node) -> int:
    """How many axes an index names."""
    integers(c, word, index.tensor)
    depth = index.shape[-1] if index.shape else 0
    if not isinstance(depth, int) or depth < 1:
        c.shape(f"`{word}` needs tuples of positions", f"{index.type}", "its last axis counts the axes they name")
    return depth


def _flat(b: Builder, index: Node, sizes: Sequence[Size]) -> Node:
    """Tuples of positions as positions in row-major order; each is read from a table, which checks its range."""
    total: Node | None = None
    for i, size in enumerate(sizes):
        lead = (0,) * (len(index.shape) - 1)
        one = b.add(Slice((*lead, i), (*index.shape[:-1], i + 1), (1,) * len(index.shape)), index)
        step = size_number(b, dims.product(sizes[i + 1 :]), I64)
        starts = b.add(Mul(), b.add(Iota(size, I64)), step)
        at = b.add(Gather(), starts, squeeze(b, one, -1))
        total = at if total is None else b.add(Add(), total, at)
    assert total is not None
    return total
