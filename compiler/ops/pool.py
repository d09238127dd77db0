"""Pooling over one to three spatial axes, channels last: the maximum or the average of each window.

Every `size` is at least one and every padding is smaller than its window, so that each window sees an element.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import dims
from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import Shape, Tensor
from .window import Padding, Where, check_counts, check_windows, counts, interior, padded, taps


class Pool(Op, abstract=True):
    """How a window slides over [N, spatial..., C]: one size, stride and pair of paddings for each spatial axis."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding

    def windows(self, c: Check, x: Tensor) -> Tensor:
        """The type of a result with one element for each window over data x."""
        check_windows(c, self.word, x, self.size, self.stride, self.padding)
        c.floats(self.word, x)
        for k, sides in zip(self.size, self.padding, strict=True):
            if any(isinstance(side, int) and not 0 <= side < k for side in sides):
                shown = f"padding {sides} for a window of {k}"
                c.shape(f"`{self.word}` has windows that see padding only", shown, advice="pad less than a window")
        found = check_counts(c, self.word, x, self.size, self.count(x.shape[1:-1]))
        return x.with_shape((x.shape[0], *found, x.shape[-1]))

    def count(self, sizes: Shape) -> Shape:
        """How many windows fit along each spatial axis."""
        return counts(sizes, self.size, self.stride, self.padding, (1,) * len(self.size))

    def reads(self, found: Shape) -> list[Where]:
        """For each position in the window, in order, the slice of the padded data that all windows read there."""
        return [where for _, where in taps(self.size, found, self.stride, (1,) * len(self.size))]

    def same(self, c: Check, a: Tensor, z: Tensor) -> None:
        """Refuses two tensors of different shape."""
        if a.rank != z.rank:
            c.shape(f"`{self.word}` meets shapes that do not fit", f"{a} and {z}")
        for m, n in zip(a.shape, z.shape, strict=True):
            c.same(m, n, f"`{self.word}` meets shapes that do not fit", found=f"{a} and {z}")

    def axes(self, *types: Tensor) -> Axes:
        names = ("n", *(f"h{i}" for i in range(len(self.size))), "c")
        operand = tuple(Axis(n, "window" if n[0] == "h" else "point") for n in names)
        return Axes((operand,) * len(types), (names,))

    def flops(self, *types: Tensor) -> Size:
        return types[-1].size * dims.product(self.size)


class MaxPool(Pool):
    """The maximum of each window; padding never wins, NaN always does.

    The gradient goes to the first maximum of each window, in row-major order. It is found again in the backward
    pass, by comparing the data with the result: both are there, and an index would be one more array to write.
    """

    precision = "exact"

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return self.windows(c, types[0])

    def eval(self, xp: Array, *arrays: Array) -> Array:
        (x,) = arrays
        wide = padded(xp, x, self.padding, -xp.inf)
        return xp.max(xp.stack([wide[where] for where in self.reads(self.count(x.shape[1:-1]))]), axis=0)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        settings = (self.size, self.stride, self.padding)
        return [g[0] and b.add(MaxPoolInput(*settings), node.inputs[0], node, g[0])]

    def formula(self, *names: str) -> str:
        return f"max of {names[0]} over {'×'.join(map(str, self.size))}"


class Winner(Pool, abstract=True):
    """What looks for the first maximum of each window, given data x and its max-pool y."""

    def chosen(self, xp: Array, x: Array, y: Array) -> list[tuple[Where, Array]]:
        """Each slice of the padded data, with the windows whose first maximum it holds."""
        wide = padded(xp, x, self.padding, -xp.inf)
        left, result = xp.full(y.shape, True), []
        for where in self.reads(y.shape[1:-1]):
            here = (wide[where] == y) & left
            left = left & ~here
            result.append((where, here))
        return result


class MaxPoolInput(Winner):
    """The cotangent of the data of a max-pool: data x, its result y and y's cotangent g give x's."""

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        x, y, g = types
        self.same(c, self.windows(c, x), y)
        self.same(c, y, g)
        return x

    def eval(self, xp: Array, *arrays: Array) -> Array:
        x, y, g = arrays
        wide = padded(xp, xp.zeros_like(x), self.padding, 0)
        for where, here in self.chosen(xp, x, y):
            wide[where] += xp.where(here, g, xp.zeros_like(g))
        return wide[interior(x.shape[1:-1], self.padding)]

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        x, y, _ = node.inputs
        return [None, None, g[0] and b.add(MaxPoolPick(self.size, self.stride, self.padding), x, y, g[0])]


class MaxPoolPick(Winner):
    """What stands in t at the first maximum of each window of x: data x, its max-pool y and t of x's shape."""

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        x, y, t = types
        self.same(c, self.windows(c, x), y)
        self.same(c, x, t)
        return y

    def eval(self, xp: Array, *arrays: Array) -> Array:
        x, y, t = arrays
        wide, result = padded(xp, t, self.padding, 0), xp.zeros_like(y)
        for where, here in self.chosen(xp, x, y):
            result = xp.where(here, wide[where], result)
        return result

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        x, y, _ = node.inputs
        return [None, None, g[0] and b.add(MaxPoolInput(self.size, self.stride, self.padding), x, y, g[0])]


class Average(Pool, abstract=True):
    """What divides by the number of elements of a window: all of them, or without the padding."""

    count_padding: bool

    def shares(self, xp: Array, like: Array, sizes: Shape) -> Array:
        """1 / the number of elements of each window, as [1, windows..., 1]."""
        ones = xp.ones((1, *sizes, 1), dtype=like.dtype)
        wide = padded(xp, ones, self.padding, 1 if self.count_padding else 0)
        return 1 / sum(wide[where] for where in self.reads(self.count(sizes)))


class AveragePool(Average):
    """The average of each window; padding counts as zeros, or not at all."""

    precision = "same"

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return self.windows(c, types[0])

    def eval(self, xp: Array, *arrays: Array) -> Array:
        (x,) = arrays
        wide, sizes = padded(xp, x, self.padding, 0), x.shape[1:-1]
        return sum(wide[where] for where in self.reads(self.count(sizes))) * self.shares(xp, x, sizes)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        settings = (self.size, self.stride, self.padding, self.count_padding)
        return [g[0] and b.add(AveragePoolInput(*settings, node.inputs[0].shape[1:-1]), g[0])]

    def formula(self, *names: str) -> str:
        return f"average of {names[0]} over {'×'.join(map(str, self.size))}"


class AveragePoolInput(Average):
    """The cotangent of the data, of spatial sizes `extent`, of an average-pool, given its result's."""

    extent: Shape

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (g,) = types
        data = g.with_shape((g.shape[0], *self.extent, g.shape[-1]))
        self.same(c, self.windows(c, data), g)
        return data

    def eval(self, xp: Array, *arrays: Array) -> Array:
        (g,) = arrays
        wide = padded(xp, xp.zeros((g.shape[0], *self.extent, g.shape[-1]), dtype=g.dtype), self.padding, 0)
        scaled = g * self.shares(xp, g, self.extent)
        for where in self.reads(g.shape[1:-1]):
            wide[where] += scaled
        return wide[interior(self.extent, self.padding)]

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        settings = (self.size, self.stride, self.padding, self.count_padding)
        return [g[0] and b.add(AveragePool(*settings), g[0])]
