"""Convolutions over one to three spatial axes, channels last, and their two transposes.

The three operations are the partial products of one trilinear form of data x, result y and weights w, so each is
the gradient of the others: `conv(x, w) = y`, `conv_input(y, w) = x`, `conv_weight(x, y) = w`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import dims
from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import Shape, Tensor
from .window import Padding, check_counts, check_windows, counts, interior, padded, taps


class Convolution(Op, abstract=True):
    """How a kernel slides: one stride, pair of paddings (before, after) and dilation for each spatial axis.

    With groups, channel k of the result sees the input channels of its own group only; `groups` equal to the input
    channels is a depthwise convolution.
    """

    precision = "half"
    stride: tuple[int, ...]
    padding: Padding
    dilation: tuple[int, ...]
    groups: int

    @property
    def settings(self) -> tuple[tuple[int, ...], Padding, tuple[int, ...], int]:
        return self.stride, self.padding, self.dilation, self.groups

    def check(self, c: Check, x: Tensor, kernel: Shape, *others: Tensor) -> None:
        """Refuses what does not slide over data `x`."""
        check_windows(c, self.word, x, self.stride, self.padding, self.dilation)
        if len(kernel) != len(self.stride):
            c.shape(f"`{self.word}` over {len(self.stride)} axes meets a kernel over {len(kernel)}", f"{list(kernel)}")
        c.floats(self.word, x, *others)
        c.one_dtype(self.word, x, *others)

    def windows(self, sizes: Shape, kernel: Shape) -> Shape:
        """The spatial sizes of the result."""
        return counts(sizes, kernel, self.stride, self.padding, self.dilation)

    def group(self, c: Check, channels: Size) -> Size:
        """The channels of one group."""
        if isinstance(channels, int) and channels % self.groups:
            advice = "the channels must be a multiple of the groups"
            c.shape(f"`{self.word}` cannot divide its channels", f"{channels} by {self.groups} groups", advice=advice)
        return channels // self.groups

    def grouped(self, xp: Array, a: Array) -> Array:
        """An array [..., channels] as [..., groups, channels of a group]."""
        return xp.reshape(a, (*a.shape[:-1], self.groups, a.shape[-1] // self.groups))

    def span(self, need: str) -> tuple[Axis, ...]:
        """The spatial axes of data or result: `window` towards each other, else whole."""
        return tuple(Axis(f"h{i}", "window" if need == "window" else "whole") for i in range(len(self.stride)))

    def channel(self, name: str) -> Axis:
        """An axis of channels: free to cut only where there is one group."""
        return Axis(name) if self.groups == 1 else Axis(f"{name}.whole", "whole")

    def kernel_axes(self) -> tuple[Axis, ...]:
        return tuple(Axis(f"r{i}", "whole") for i in range(len(self.stride)))

    def formula(self, *names: str) -> str:
        return f"{names[0]} * {names[1]}"


class Conv(Convolution):
    """The convolution of x [N, spatial..., C] with weights [kernel..., C / groups, K]: [N, windows..., K].

    As everywhere in this field the kernel is not mirrored: y[p] = Σ_t x[p·stride + t·dilation - before] w[t].
    """

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        x, w = types
        kernel = w.shape[:-2]
        self.check(c, x, kernel, w)
        own, _ = self.group(c, x.shape[-1]), self.group(c, w.shape[-1])
        detail = f"the data has {own} channels in each group, the weights have {w.shape[-2]}"
        c.same(own, w.shape[-2], "`conv` meets weights for other channels", found=f"{x} and {w}", detail=detail)
        found = check_counts(c, self.word, x, kernel, self.windows(x.shape[1:-1], kernel))
        return x.with_shape((x.shape[0], *found, w.shape[-1]))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        x, w = arrays
        found = self.windows(x.shape[1:-1], w.shape[:-2])
        wide = padded(xp, x, self.padding, 0)
        y = xp.zeros((x.shape[0], *found, self.groups, w.shape[-1] // self.groups), dtype=x.dtype)
        for tap, where in taps(w.shape[:-2], found, self.stride, self.dilation):
            y += xp.einsum("...gc,cgk->...gk", self.grouped(xp, wide[where]), self.grouped(xp, w[tap]))
        return xp.reshape(y, (*y.shape[:-2], w.shape[-1]))

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None, None]
        x, w = node.inputs
        dx = b.add(ConvInput(*self.settings, x.shape[1:-1]), g[0], w)
        return [dx, b.add(ConvWeight(*self.settings, w.shape[:-2]), x, g[0])]

    def axes(self, *types: Tensor) -> Axes:
        c, k = self.channel("c"), self.channel("k")
        inputs = ((Axis("n"), *self.span("window"), c), (*self.kernel_axes(), c, k))
        output = (a.name for a in (Axis("n"), *self.span("window"), k))
        return Axes(inputs, (tuple(output),), frozenset("c" if self.groups == 1 else ()))

    def flops(self, *types: Tensor) -> Size:
        (out,) = self.result_types(*types)
        return out.size * dims.product(types[1].shape[:-1]) * 2


class ConvInput(Convolution):
    """The data whose products with weights make y: y [N, windows..., K] and w [kernel..., C / groups, K] give
    [N, size..., C], each y[p] w[t] being added at p·stride + t·dilation - before.

    It is the gradient of `conv` towards its data, and the forward of a transposed convolution.
    """

    size: Shape

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        y, w = types
        kernel = w.shape[:-2]
        self.check(c, y, kernel, w)
        self.group(c, w.shape[-1])
        problem, found = "`conv_input` meets weights for other channels", f"{y} and {w}"
        c.same(y.shape[-1], w.shape[-1], problem, found=found)
        for a, z in zip(y.shape[1:-1], self.windows(self.size, kernel), strict=True):
            detail = f"data of {list(self.size)} has {z} windows, not {a}"
            c.same(a, z, "`conv_input` cannot have come from data of this size", found=found, detail=detail)
        return y.with_shape((y.shape[0], *self.size, w.shape[-2] * self.groups))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        y, w = arrays
        shape = (y.shape[0], *self.size, w.shape[-2] * self.groups)
        wide = padded(xp, xp.zeros(shape, dtype=y.dtype), self.padding, 0)
        for tap, where in taps(w.shape[:-2], y.shape[1:-1], self.stride, self.dilation):
            flow = xp.einsum("...gk,cgk->...gc", self.grouped(xp, y), self.grouped(xp, w[tap]))
            wide[where] += xp.reshape(flow, (*flow.shape[:-2], shape[-1]))
        return wide[interior(self.size, self.padding)]

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None, None]
        y, w = node.inputs
        return [b.add(Conv(*self.settings), g[0], w), b.add(ConvWeight(*self.settings, w.shape[:-2]), g[0], y)]

    def axes(self, *types: Tensor) -> Axes:
        c, k = self.channel("c"), self.channel("k")
        inputs = ((Axis("n"), *self.span("window"), k), (*self.kernel_axes(), c, k))
        output = (a.name for a in (Axis("n"), *self.span("window"), c))
        return Axes(inputs, (tuple(output),), frozenset("k" if self.groups == 1 else ()))

    def flops(self, *types: Tensor) -> Size:
        y, w = types
        return y.size * dims.product(w.shape[:-1]) * 2

    def formula(self, *names: str) -> str:
        return f"{names[0]} *ᵀ {names[1]}"


class ConvWeight(Convolution):
    """The weights of a `kernel` that data and result speak for: x [N, spatial..., C] and y [N, windows..., K] give
    [kernel..., C / groups, K], at t the sum of x[p·stride + t·dilation - before] y[p].

    It is the gradient of `conv` towards its weights.
    """

    kernel: Shape

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        x, y = types
        self.check(c, x, self.kernel, y)
        own, _ = self.group(c, x.shape[-1]), self.group(c, y.shape[-1])
        windows = (x.shape[0], *self.windows(x.shape[1:-1], self.kernel))
        if x.rank != y.rank:
            c.shape("`conv_weight` meets shapes that do not fit", f"{x} and {y}")
        for a, z in zip(windows, y.shape[:-1], strict=True):
            c.same(a, z, "`conv_weight` meets shapes that do not fit", found=f"{x} and {y}")
        return x.with_shape((*self.kernel, own, y.shape[-1]))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        x, y = arrays
        wide = padded(xp, x, self.padding, 0)
        w = xp.zeros((*self.kernel, x.shape[-1] // self.groups, y.shape[-1]), dtype=x.dtype)
        for tap, where in taps(self.kernel, y.shape[1:-1], self.stride, self.dilation):
            product = xp.einsum("pgc,pgk->cgk", *(self._pixels(xp, a) for a in (wide[where], y)))
            w[tap] = xp.reshape(product, w.shape[-2:])
        return w

    def _pixels(self, xp: Array, a: Array) -> Array:
        """An array as [pixels of all images, groups, channels of a group]."""
        return xp.reshape(a, (dims.product(a.shape[:-1]), self.groups, a.shape[-1] // self.groups))

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None, None]
        x, y = node.inputs
        return [b.add(ConvInput(*self.settings, x.shape[1:-1]), y, g[0]), b.add(Conv(*self.settings), x, g[0])]

    def axes(self, *types: Tensor) -> Axes:
        c, k = self.channel("c"), self.channel("k")
        whole = tuple(Axis(f"y{i}", "whole") for i in range(len(self.stride)))
        inputs = ((Axis("n"), *self.span("whole"), c), (Axis("n"), *whole, k))
        output = (a.name for a in (*self.kernel_axes(), c, k))
        return Axes(inputs, (tuple(output),), frozenset("n"))

    def flops(self, *types: Tensor) -> Size:
        x, y = types
        return y.size * dims.product(self.kernel) * (x.shape[-1] // self.groups) * 2

    def formula(self, *names: str) -> str:
        return f"{names[0]} ⋆ {names[1]}"
