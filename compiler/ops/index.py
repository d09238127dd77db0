"""Reading and writing at positions that are values: rows of a table, one element of an axis, a moving window.

An index counts from 0 and lies inside its axis; what one outside does is not defined.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node, numpy_name
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import DType, Shape, Tensor
from .elementwise import Cast, Eq, Where
from .layout import Expand, Reshape


def integers(c: Check, word: str, index: Tensor) -> None:
    """Refuses an index that is no integer."""
    if not index.dtype.is_integer:
        c.dtype(f"`{word}` needs integers as its index", f"{index}", advice="convert with `cast(x, i64)`")


def paired(c: Check, word: str, values: Tensor, index: Tensor) -> Shape:
    """The axes that an integer index of one rank less shares with the values it chooses from."""
    integers(c, word, index)
    problem, found = f"`{word}` meets shapes that do not fit", f"{values} and {index}"
    advice = "the second has the shape of the first without its last axis"
    if values.rank != index.rank + 1:
        c.shape(problem, found, advice=advice)
    pairs = zip(values.shape[:-1], index.shape, strict=True)
    return tuple(c.same(a, z, problem, found=found, advice=advice) for a, z in pairs)


class Gather(Op):
    """Rows of a table: table [V, ...] and an integer index [...] give [*index, ...]. An embedding is this."""

    moves: ClassVar[bool] = True

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        table, index = types
        integers(c, self.word, index)
        if table.rank == 0:
            c.shape("`gather` needs a table with rows", f"{table}")
        return table.with_shape((*index.shape, *table.shape[1:]))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        table, index = arrays
        rows = xp.take(table, xp.reshape(index, (-1,)), axis=0)
        return xp.reshape(rows, (*index.shape, *table.shape[1:]))

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        table, index = node.inputs
        return [g[0] and b.add(ScatterAdd(table.shape[0]), index, g[0]), None]

    def axes(self, *types: Tensor) -> Axes:
        table, index = types
        rows = tuple(f"i{k}" for k in range(index.rank))
        columns = tuple(f"a{k}" for k in range(1, table.rank))
        return Axes(((Axis("v", "whole"), *map(Axis, columns)), tuple(map(Axis, rows))), ((*rows, *columns),))

    def formula(self, *names: str) -> str:
        return f"{names[0]}[{names[1]}]"


class ScatterAdd(Op):
    """Zeros with `rows` rows, to which the values are added: index [...] and values [*index, ...] give [rows, ...]."""

    rows: Size

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        index, values = types
        integers(c, self.word, index)
        problem, found = "`scatter_add` meets shapes that do not fit", f"{index} and {values}"
        if values.rank < index.rank:
            c.shape(problem, found)
        for a, z in zip(index.shape, values.shape, strict=False):
            c.same(a, z, problem, found=found)
        return values.with_shape((self.rows, *values.shape[index.rank :]))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        index, values = arrays
        result = xp.zeros((self.rows, *values.shape[index.ndim :]), dtype=values.dtype)
        xp.add.at(result, index, values)
        return result

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        return [None, g[0] and b.add(Gather(), g[0], node.inputs[0])]

    def axes(self, *types: Tensor) -> Axes:
        index, values = types
        rows = tuple(f"i{k}" for k in range(index.rank))
        columns = tuple(f"a{k}" for k in range(index.rank, values.rank))
        inputs = (tuple(map(Axis, rows)), tuple(map(Axis, rows + columns)))
        return Axes(inputs, (("v", *columns),), frozenset(rows))

    def flops(self, *types: Tensor) -> Size:
        return types[1].size


class Pick(Op):
    """One element of the last axis: x [..., C] and an integer index [...] give [...]."""

    moves: ClassVar[bool] = True

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return types[0].with_shape(paired(c, self.word, *types))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        x, index = arrays
        return xp.take_along_axis(x, xp.expand_dims(index, axis=-1), axis=-1)[..., 0]

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        x, index = node.inputs
        return [g[0] and b.add(Place(x.shape[-1]), index, g[0]), None]

    def axes(self, *types: Tensor) -> Axes:
        names = tuple(f"a{i}" for i in range(types[1].rank))
        return Axes(((*map(Axis, names), Axis("c", "whole")), tuple(map(Axis, names))), (names,))

    def formula(self, *names: str) -> str:
        return f"{names[0]}[…, {names[1]}]"


class Place(Op):
    """Values at positions of a new last axis, zeros elsewhere: index [...] and values [...] give [..., depth]."""

    depth: Size

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        index, values = types
        return values.with_shape((*paired(c, self.word, values.with_shape((*values.shape, 1)), index), self.depth))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        index, values = (xp.expand_dims(a, axis=-1) for a in arrays)
        return xp.where(index == xp.arange(self.depth, dtype=index.dtype), values, xp.zeros_like(values))

    def expand(self, b: Builder, *inputs: Node) -> Node:
        index, values = (b.add(Reshape((*n.shape, 1)), n) for n in inputs)
        chosen = b.add(Eq(), index, b.add(Iota(self.depth, index.dtype)))
        return b.add(Where(), chosen, values, b.literal(0, values.dtype))

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        return [None, g[0] and b.add(Pick(), g[0], node.inputs[0])]

    def axes(self, *types: Tensor) -> Axes:
        names = tuple(f"a{i}" for i in range(types[0].rank))
        return Axes((tuple(map(Axis, names)),) * 2, ((*names, "c"),))


class AddAt(Op):
    """x [..., C] with values [...] added at positions of its last axis, index [...]; the rest of x as it is."""

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        x, index, values = types
        shape = paired(c, self.word, x, index)
        c.one_dtype(self.word, x, values)
        if values.shape != shape:
            c.shape(f"`{self.word}` adds one value for each index", f"{values}", f"the index is {index}")
        return x

    def eval(self, xp: Array, *arrays: Array) -> Array:
        x, index, values = arrays
        return x + Place(x.shape[-1]).eval(xp, index, values)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        return [g[0], None, g[0] and b.add(Pick(), g[0], node.inputs[1])]

    def axes(self, *types: Tensor) -> Axes:
        names = tuple(f"a{i}" for i in range(types[1].rank))
        rows = tuple(map(Axis, names))
        return Axes(((*rows, Axis("c", "whole")), rows, rows), ((*names, "c"),))

    def flops(self, *types: Tensor) -> Size:
        return types[1].size


class OneHot(Op):
    """1 where the last axis counts to the index, 0 elsewhere: an integer index [...] gives [..., depth]."""

    depth: Size
    dtype: DType

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (index,) = types
        integers(c, self.word, index)
        return Tensor(self.dtype, (*index.shape, self.depth))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        index = xp.expand_dims(arrays[0], axis=-1)
        dtype = getattr(xp, numpy_name(self.dtype))
        return xp.astype(index == xp.arange(self.depth, dtype=index.dtype), dtype)

    def expand(self, b: Builder, *inputs: Node) -> Node:
        index = b.add(Reshape((*inputs[0].shape, 1)), inputs[0])
        chosen = b.add(Eq(), index, b.add(Iota(self.depth, index.dtype)))
        return b.add(Cast(self.dtype), chosen)

    def axes(self, *types: Tensor) -> Axes:
        names = tuple(f"a{i}" for i in range(types[0].rank))
        return Axes((tuple(map(Axis, names)),), ((*names, "c"),))


class Iota(Op):
    """0, 1, 2 ... as a vector of `size` elements."""

    size: Size
    dtype: DType

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return Tensor(self.dtype, (self.size,))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.arange(self.size, dtype=getattr(xp, numpy_name(self.dtype)))

    def formula(self, *names: str) -> str:
        return f"0..{self.size}"


class Window(Op):
    """`size` elements of x along `axis`, from `position` (an integer scalar) on: x, position give the slice."""

    moves: ClassVar[bool] = True
    axis: int
    size: Size

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        x, position = types
        _scalar(c, self.word, position)
        axis = c.axis(self.word, self.axis, x.rank)
        return x.with_shape((*x.shape[:axis], _inside(c, self.word, x, axis, self.size), *x.shape[axis + 1 :]))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        x, position = arrays
        return xp.take(x, int(position) + xp.arange(self.size), axis=self.axis)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None, None]
        x, position = node.inputs
        zeros = b.add(Expand(x.shape), b.literal(0, x.dtype))
        return [b.add(Update(self.axis), zeros, g[0], position), None]

    def axes(self, *types: Tensor) -> Axes:
        return Axes(*_moving(types[0].rank, self.axis, "x", "y"))

    def formula(self, *names: str) -> str:
        return f"{names[0]}[{names[1]}:{names[1]} + {self.size}]"


class Update(Op):
    """x with a slice written over it: x, value, position. The value has the shape of x but along `axis`, where it
    stands from `position` (an integer scalar) on.
    """

    moves: ClassVar[bool] = True
    axis: int

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        x, value, position = types
        _scalar(c, self.word, position)
        axis = c.axis(self.word, self.axis, x.rank)
        problem, found = "`update` meets shapes that do not fit", f"{x} and {value}"
        if x.rank != value.rank:
            c.shape(problem, found)
        for i in set(range(x.rank)) - {axis}:
            c.same(x.shape[i], value.shape[i], problem, found=found, detail=f"axis {i} differs")
        _inside(c, self.word, x, axis, value.shape[axis])
        return Tensor(c.one_dtype(self.word, x, value), x.shape)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        x, value, position = arrays
        axis, start = self.axis % x.ndim, int(position)
        result = xp.asarray(x, copy=True)
        result[(*(slice(None),) * axis, slice(start, start + value.shape[axis]), ...)] = value
        return result

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None, None, None]
        _, value, position = node.inputs
        zeros = b.add(Expand(value.shape), b.literal(0, value.dtype))
        axis = self.axis % len(value.shape)
        written = b.add(Window(axis, value.shape[axis]), g[0], position)
        return [b.add(self, g[0], zeros, position), written, None]

    def axes(self, *types: Tensor) -> Axes:
        inputs, outputs = _moving(types[0].rank, self.axis, "x", "y")
        values = tuple(Axis("v", "whole") if axis.name == "x" else axis for axis in inputs[0])
        return Axes((inputs[0], values, ()), outputs)


def _scalar(c: Check, word: str, position: Tensor) -> None:
    integers(c, word, position)
    if position.rank:
        c.shape(f"`{word}` needs one position", f"{position}", advice="a position is a scalar")


def _inside(c: Check, word: str, x: Tensor, axis: int, size: Size) -> Size:
    """A size that must fit into an axis."""
    left = x.shape[axis] - size
    if isinstance(left, int) and left < 0:
        c.shape(f"`{word}` leaves the tensor in axis {axis}", f"{x}", f"{size} elements do not fit")
    return size


def _moving(
    rank: int, axis: int, old: str, new: str
) -> tuple[tuple[tuple[Axis, ...], ...], tuple[tuple[str, ...], ...]]:
    """Axes of an operand and a scalar position, where one axis of the operand is needed whole."""
    names = [f"a{i}" for i in range(rank)]
    names[axis % rank] = old
    operand = tuple(Axis(n, "whole" if n == old else "point") for n in names)
    return (operand, ()), (tuple(new if n == old else n for n in names),)
