"""Convolutions and pools, channels last."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..ir.dims import Dim, Size, ceil_divide
from ..ir.graph import Node
from ..ir.op import Op
from ..ops.convolution import Conv, ConvInput
from ..ops.layout import Transpose
from ..ops.pool import AveragePool, MaxPool
from ..trace import errors
from ..trace.initial import HE_NORMAL
from ..trace.kinds import Activation, Bias, Count, Extents, Flag, Padding, Tensor
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
    kernels, strides, dilations = _extents(u, x, 2, kernel, stride, dilation)
    channels = x.shape[-1]
    wide = channels * multiplier
    apart = u.weight("depthwise", (*kernels, 1, wide), HE_NORMAL)
    pairs = _pairs(u, padding, x.shape[1:-1], kernels, strides, dilations)
    y = u.add(Conv(strides, pairs, dilations, _groups(u, channels, channels, wide)), x, apart)
    together = u.weight("weight", (1, 1, wide, filters), HE_NORMAL)
    y = u.add(Conv((1, 1), ((0, 0), (0, 0)), (1, 1), 1), y, together)
    return u.activate(activation, add_bias(u, y, filters, bias))


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
    bias: Bias = True,
    activation: Activation = None,
) -> Any:
    """The transpose of conv2d by its data: sizes are multiplied by the stride (padding same); weight
    [kernel, kernel, in, filters]."""
    window = _extents(u, x, 2, kernel, stride, 1)
    kernels, strides, dilations = window
    extra = output_padding if isinstance(output_padding, tuple) else (output_padding, output_padding)
    if padding == "same":
        results = tuple(n * s for n, s in zip(x.shape[1:-1], strides, strict=True))
        pairs = _pairs(u, padding, results, kernels, strides, dilations)
    else:
        pairs = _pairs(u, padding, x.shape[1:-1], kernels, strides, dilations)
        rows = zip(x.shape[1:-1], kernels, strides, pairs, extra, strict=False)
        results = tuple((n - 1) * s + k - low - high + more for n, k, s, (low, high), more in rows)
    weight = u.weight("weight", (*kernels, x.shape[-1], filters), HE_NORMAL)
    turned = u.add(Transpose((0, 1, 3, 2)), weight)
    y = u.add(ConvInput(strides, pairs, dilations, 1, results), x, turned)
    return u.activate(activation, add_bias(u, y, filters, bias))


@word
def max_pool2d(
    u: Use, x: Tensor, *, size: Extents, stride: Extents | None = None, padding: Padding = "valid", ceil: Flag = False
) -> Any:
    return _pool(u, x, size, stride, padding, ceil, MaxPool)


@word
def average_pool2d(
    u: Use, x: Tensor, *, size: Extents, stride: Extents | None = None, padding: Padding = "valid", ceil: Flag = False
) -> Any:
    """The mean of each window; padding is not counted."""
    return _pool(u, x, size, stride, padding, ceil, partial(AveragePool, count_padding=False))


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
    kernels, strides, dilations = _extents(u, x, rank, *window)
    channels = x.shape[-1]
    whole = _groups(u, groups, channels, filters)
    pairs = _pairs(u, padding, x.shape[1:-1], kernels, strides, dilations)
    weight = u.weight("weight", (*kernels, channels // whole, filters), HE_NORMAL)
    y = u.add(Conv(strides, pairs, dilations, whole), x, weight)
    return u.activate(activation, add_bias(u, y, filters, bias))


def _groups(u: Use, groups: Size, channels: Size, filters: Size) -> int:
    """The number of groups, if it divides the channels that come in and the filters that go out."""
    if not isinstance(groups, int):
        advice = "give the input's last dimension a number, or bind it with data"
        u.wrong(errors.NotKnown, "groups", subject="the number of groups", found=describe(groups), advice=advice)
    for what, total in (("input channels", channels), ("filters", filters)):
        if isinstance(total, int) and total % groups:
            u.wrong(errors.BadIndex, "groups", problem=f"{total} {what} are no {groups} equal groups")
    return groups


def _pool(u: Use, x: Node, size: Any, stride: Any, padding: Any, ceil: bool, make: Callable[..., Op]) -> Any:
    window = _extents(u, x, 2, size, size if stride is None else stride, 1)
    sizes, strides, ones = window
    pairs = _pairs(u, padding, x.shape[1:-1], sizes, strides, ones)
    if ceil:
        pairs = tuple(map(_up, x.shape[1:-1], sizes, strides, pairs))
    return u.add(make(sizes, strides, pairs), x)


def _up(n: Size, k: int, s: int, pair: tuple[int, Size]) -> tuple[int, Size]:
    """Padding after, so that the last window that begins inside is kept."""
    low, high = pair
    windows = ceil_divide(n + low + high - k, s) + 1
    if isinstance(n, int) and isinstance(windows, int) and (windows - 1) * s >= n + low:
        windows -= 1
    after = (windows - 1) * s + k - n - low
    return low, max(after, 0) if isinstance(after, int) else after


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


def _extents(u: Use, x: Node, spatial: int, *given: Any) -> tuple[tuple[Any, ...], ...]:
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


def _pairs(u: Use, padding: Any, sizes: Any, kernels: Any, strides: Any, dilations: Any) -> Pairs:
    """(before, after) for each axis. `same`: the result has ceil(size / stride), the odd one after."""
    if padding == "valid":
        return ((0, 0),) * len(kernels)
    if padding == "same":
        pairs = [_same(*row) for row in zip(sizes, kernels, strides, dilations, strict=True)]
        if any(p is None for p in pairs):
            u.wrong(
                errors.NotKnown,
                "padding",
                subject="the padding `same` with a stride",
                found=f"open: the sizes {sizes} are free",
                advice="write the size as a multiple in the input's type, such as `2 * H`",
            )
        return tuple(p for p in pairs if p is not None)
    values = padding if isinstance(padding, tuple) else (padding,) * len(kernels)
    if len(values) != len(kernels):
        expected = f"one number or pair for each of {len(kernels)} axes"
        u.wrong(errors.WrongKind, "padding", subject="`padding`", expected=expected, found=describe(padding))
    return tuple(v if isinstance(v, tuple) else (v, v) for v in values)


def _same(n: Size, k: int, s: int, d: int) -> tuple[int, int] | None:
    total = (ceil_divide(n, s) - 1) * s + d * (k - 1) + 1 - n
    if not isinstance(total, int):
        return None
    total = max(total, 0)
    return total // 2, total - total // 2
