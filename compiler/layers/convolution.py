"""Convolutions, channels last."""

from __future__ import annotations

from typing import Any

from ..ir.dims import Dim, Size, ceil_divide
from ..ir.graph import Node
from ..ops.convolution import Conv, ConvInput
from ..ops.layout import Transpose
from ..trace import errors
from ..trace.initial import HE_NORMAL
from ..trace.kinds import Activation, Bias, Count, Extents, Padding, Tensor
from ..trace.use import Use
from ..trace.values import describe
from ..trace.words import word
from .basic import add_bias

Pairs = tuple[tuple[int, Size], ...]


@word
def conv1d(
    u: Use,
    x: Tensor,
    *,
    filters: Count,
    kernel: Extents,
    stride: Extents = 1,
    padding: Padding = "same",
    dilation: Extents = 1,
    groups: Count = 1,
    bias: Bias = True,
    activation: Activation = None,
) -> Any:
    """x [N, T, in] with weight [kernel, in / groups, filters]."""
    return _conv(u, x, 1, filters, (kernel, stride, dilation), padding, groups, bias, activation)


@word
def conv2d(
    u: Use,
    x: Tensor,
    *,
    filters: Count,
    kernel: Extents,
    stride: Extents = 1,
    padding: Padding = "same",
    dilation: Extents = 1,
    groups: Count = 1,
    bias: Bias = True,
    activation: Activation = None,
) -> Any:
    """x [N, H, W, in] with weight [kernel, kernel, in / groups, filters]."""
    return _conv(u, x, 2, filters, (kernel, stride, dilation), padding, groups, bias, activation)


@word
def conv3d(
    u: Use,
    x: Tensor,
    *,
    filters: Count,
    kernel: Extents,
    stride: Extents = 1,
    padding: Padding = "same",
    dilation: Extents = 1,
    groups: Count = 1,
    bias: Bias = True,
    activation: Activation = None,
) -> Any:
    """x [N, D, H, W, in] with weight [kernel, kernel, kernel, in / groups, filters]."""
    return _conv(u, x, 3, filters, (kernel, stride, dilation), padding, groups, bias, activation)


@word
def depthwise_conv2d(
    u: Use,
    x: Tensor,
    *,
    kernel: Extents,
    multiplier: Count = 1,
    stride: Extents = 1,
    padding: Padding = "same",
    dilation: Extents = 1,
    bias: Bias = True,
    activation: Activation = None,
) -> Any:
    """Each channel with `multiplier` kernels of its own."""
    _needs_axes(u, x, 2)
    channels = x.shape[-1]
    return _conv(u, x, 2, channels * multiplier, (kernel, stride, dilation), padding, channels, bias, activation)


@word
def separable_conv2d(
    u: Use,
    x: Tensor,
    *,
    filters: Count,
    kernel: Extents,
    multiplier: Count = 1,
    stride: Extents = 1,
    padding: Padding = "same",
    dilation: Extents = 1,
    bias: Bias = True,
    activation: Activation = None,
) -> Any:
    """Each channel with `multiplier` kernels of its own, weight `depthwise`; then all channels at each position, weight
    [1, 1, in * multiplier, filters] (Chollet 2017)."""
    kernels, strides, dilations = extents(u, x, 2, kernel, stride, dilation)
    channels = x.shape[-1]
    wide = channels * multiplier
    apart = u.weight("depthwise", (*kernels, 1, wide), HE_NORMAL)
    around = pairs(u, padding, x.shape[1:-1], kernels, strides, dilations)
    y = u.add(Conv(strides, around, dilations, _groups(u, channels, channels, wide)), x, apart)
    together = u.weight("weight", (1, 1, wide, filters), HE_NORMAL)
    y = u.add(Conv((1, 1), ((0, 0), (0, 0)), (1, 1), 1), y, together)
    return u.activate(activation, add_bias(u, y, filters, bias))


@word
def conv1d_transpose(
    u: Use,
    x: Tensor,
    *,
    filters: Count,
    kernel: Extents,
    stride: Extents = 1,
    padding: Padding = "same",
    output_padding: Padding = 0,
    dilation: Extents = 1,
    groups: Count = 1,
    bias: Bias = True,
    activation: Activation = None,
) -> Any:
    """The transpose of conv1d by its data: sizes are multiplied by the stride (padding same); weight
    [kernel, in, filters / groups]."""
    window = (kernel, stride, dilation)
    return _transposed(u, x, 1, filters, window, padding, output_padding, groups, bias, activation)


@word
def conv2d_transpose(
    u: Use,
    x: Tensor,
    *,
    filters: Count,
    kernel: Extents,
    stride: Extents = 1,
    padding: Padding = "same",
    output_padding: Padding = 0,
    dilation: Extents = 1,
    groups: Count = 1,
    bias: Bias = True,
    activation: Activation = None,
) -> Any:
    """The transpose of conv2d by its data: sizes are multiplied by the stride (padding same); weight
    [kernel, kernel, in, filters / groups]."""
    window = (kernel, stride, dilation)
    return _transposed(u, x, 2, filters, window, padding, output_padding, groups, bias, activation)


@word
def conv3d_transpose(
    u: Use,
    x: Tensor,
    *,
    filters: Count,
    kernel: Extents,
    stride: Extents = 1,
    padding: Padding = "same",
    output_padding: Padding = 0,
    dilation: Extents = 1,
    groups: Count = 1,
    bias: Bias = True,
    activation: Activation = None,
) -> Any:
    """The transpose of conv3d by its data: sizes are multiplied by the stride (padding same); weight
    [kernel, kernel, kernel, in, filters / groups]."""
    window = (kernel, stride, dilation)
    return _transposed(u, x, 3, filters, window, padding, output_padding, groups, bias, activation)


def _conv(
    u: Use,
    x: Node,
    rank: int,
    filters: Size,
    window: tuple[Any, Any, Any],
    padding: Any,
    groups: Size,
    bias: Bias,
    activation: Activation,
) -> Any:
    kernels, strides, dilations = extents(u, x, rank, *window)
    channels = x.shape[-1]
    whole = _groups(u, groups, channels, filters)
    around = pairs(u, padding, x.shape[1:-1], kernels, strides, dilations)
    weight = u.weight("weight", (*kernels, channels // whole, filters), HE_NORMAL)
    y = u.add(Conv(strides, around, dilations, whole), x, weight)
    return u.activate(activation, add_bias(u, y, filters, bias))


def _transposed(
    u: Use,
    x: Node,
    rank: int,
    filters: Size,
    window: tuple[Any, Any, Any],
    padding: Any,
    output_padding: Any,
    groups: Size,
    bias: Bias,
    activation: Activation,
) -> Any:
    kernels, strides, dilations = extents(u, x, rank, *window)
    whole = _groups(u, groups, x.shape[-1], filters)
    sizes = x.shape[1:-1]
    extra = _each(u, output_padding, rank)
    if padding == "same":
        if any(extra):
            expected = "0 where the padding is `same`, which says the size of the result"
            found = describe(output_padding)
            u.wrong(errors.WrongKind, "output_padding", subject="`output_padding`", expected=expected, found=found)
        results = tuple(n * s for n, s in zip(sizes, strides, strict=True))
        around = pairs(u, padding, results, kernels, strides, dilations)
    else:
        around = pairs(u, padding, sizes, kernels, strides, dilations)
        rows = zip(sizes, kernels, strides, dilations, around, extra, strict=True)
        results = tuple((n - 1) * s + d * (k - 1) + 1 - low - high + more for n, k, s, d, (low, high), more in rows)
    weight = u.weight("weight", (*kernels, x.shape[-1], filters // whole), HE_NORMAL)
    turned = u.add(Transpose((*range(rank), rank + 1, rank)), weight)
    y = u.add(ConvInput(strides, around, dilations, whole, results), x, turned)
    return u.activate(activation, add_bias(u, y, filters, bias))


def _each(u: Use, value: Any, rank: int) -> tuple[int, ...]:
    """The output padding of each axis."""
    values: tuple[Any, ...] = value if isinstance(value, tuple) else (value,) * rank
    if len(values) != rank or not all(isinstance(v, int) for v in values):
        expected, found = f"one whole number, or one for each of {rank} axes", describe(value)
        u.wrong(errors.WrongKind, "output_padding", subject="`output_padding`", expected=expected, found=found)
    return values


def _groups(u: Use, groups: Size, channels: Size, filters: Size) -> int:
    """The number of groups, if it divides the channels that come in and the filters that go out."""
    if not isinstance(groups, int):
        advice = "give the input's last dimension a number, or bind it with data"
        u.wrong(errors.NotKnown, "groups", subject="the number of groups", found=describe(groups), advice=advice)
    for what, total in (("input channels", channels), ("filters", filters)):
        if isinstance(total, int) and total % groups:
            u.wrong(errors.BadIndex, "groups", problem=f"{total} {what} are no {groups} equal groups")
    return groups


def _needs_axes(u: Use, x: Node, spatial: int) -> None:
    if x.tensor.rank != spatial + 2 or not x.dtype.is_float:
        names = ("length", "height, width", "depth, height, width")[spatial - 1]
        u.wrong(
            errors.WrongKind,
            subject=f"the input of `{u.word}`",
            expected=f"a tensor of floats [batch, {names}, channels]",
            found=describe(x),
            advice="add a channel axis with `unsqueeze(-1)`" if x.tensor.rank == spatial + 1 else "",
        )


def extents(u: Use, x: Node, spatial: int, *given: Any) -> tuple[tuple[Any, ...], ...]:
    """Kernel, stride and dilation, one number for each axis."""
    _needs_axes(u, x, spatial)
    found = []
    for name, value in zip(("size" if "size" in u.bound else "kernel", "stride", "dilation"), given, strict=True):
        values = value if isinstance(value, tuple) else (value,) * spatial
        if len(values) != spatial or any(isinstance(v, Dim) for v in values):
            expected = f"one whole number, or one for each of {spatial} axes"
            u.wrong(errors.WrongKind, name, subject="a window", expected=expected, found=describe(value))
        found.append(values)
    return tuple(found)


def pairs(u: Use, padding: Any, sizes: Any, kernels: Any, strides: Any, dilations: Any) -> Pairs:
    """(before, after) for each axis. `same`: the result has ceil(size / stride), the odd one after."""
    if padding == "valid":
        return ((0, 0),) * len(kernels)
    if padding == "same":
        found = [_same(*row) for row in zip(sizes, kernels, strides, dilations, strict=True)]
        if any(p is None for p in found):
            u.wrong(
                errors.NotKnown,
                "padding",
                subject="the padding `same` with a stride",
                found=f"open: the sizes {sizes} are free",
                advice="write the size as a multiple in the input's type, such as `2 * H`",
            )
        return tuple(p for p in found if p is not None)
    values = padding if isinstance(padding, tuple) else (padding,) * len(kernels)
    if len(kernels) == 1 and len(values) == 2 and not any(isinstance(v, tuple) for v in values):
        values = (values,)  # a pair is that of the one axis
    if len(values) != len(kernels):
        axes = "its axis" if len(kernels) == 1 else f"each of {len(kernels)} axes"
        expected = f"one number or pair for {axes}"
        u.wrong(errors.WrongKind, "padding", subject="`padding`", expected=expected, found=describe(padding))
    return tuple(v if isinstance(v, tuple) else (v, v) for v in values)


def _same(n: Size, k: int, s: int, d: int) -> tuple[int, int] | None:
    total = (ceil_divide(n, s) - 1) * s + d * (k - 1) + 1 - n
    if not isinstance(total, int):
        return None
    total = max(total, 0)
    return total // 2, total - total // 2
