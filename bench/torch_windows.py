"""Convolutions and pools as PyTorch's own calls, which have their channels first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name in this field


def channels_first(x: Tensor) -> Tensor:
    return x.movedim(-1, 1)


def channels_last(x: Tensor) -> Tensor:
    return x.movedim(1, -1)


def kernel(w: Tensor) -> Tensor:
    """Weights [kernel..., in, out] as [out, in, kernel...]."""
    return w.permute((w.ndim - 1, w.ndim - 2, *range(w.ndim - 2)))


def _even(x: Tensor, padding: Sequence[tuple[int, int]], value: float = 0.0) -> tuple[Tensor, list[int]]:
    """Data [N, C, spatial...] and a padding alike on both sides: what differs is added to the data."""
    if all(low == high for low, high in padding):
        return x, [low for low, _ in padding]
    sides = [n for pair in reversed(padding) for n in pair]
    return F.pad(x, sides, value=value), [0] * len(padding)


def conv(
    x: Tensor,
    w: Tensor,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
    stored: bool = False,
) -> Tensor:
    """A convolution; a weight that is `stored` has the order of PyTorch already."""
    data, sides = _even(channels_first(x), padding)
    if all(k == 1 for k in (w.shape[2:] if stored else w.shape[:-2])) and not any(sides):
        # oneDNN sometimes gives such weights a wrong gradient when a stride skips data whose channels are last
        data, stride = data[(..., *(slice(None, None, step) for step in stride))], (1,) * len(stride)
    function = (F.conv1d, F.conv2d, F.conv3d)[len(stride) - 1]
    return channels_last(function(data, w if stored else kernel(w), None, stride, sides, dilation, groups))


def conv_input(
    y: Tensor,
    w: Tensor,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
    size: Sequence[int],
    stored: bool = False,
) -> Tensor:
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[len(stride) - 1]
    whole = function(channels_first(y), w if stored else kernel(w), None, stride, 0, 0, groups, dilation)
    missing = [max(low + n - have, 0) for (low, _), n, have in zip(padding, size, whole.shape[2:], strict=True)]
    if any(missing):
        whole = F.pad(whole, [n for m in reversed(missing) for n in (0, m)])
    for axis, ((low, _), n) in enumerate(zip(padding, size, strict=True), 2):
        whole = whole.narrow(axis, low, n)
    return channels_last(whole)


def max_pool(x: Tensor, size: Sequence[int], stride: Sequence[int], padding: Sequence[tuple[int, int]]) -> Tensor:
    data, sides = channels_first(x), [low for low, _ in padding]
    if any(low != high or 2 * low > k for (low, high), k in zip(padding, size, strict=True)):
        data, sides = F.pad(data, [n for p in reversed(padding) for n in p], value=-torch.inf), [0] * len(sides)
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(size) - 1]
    return channels_last(function(data, size, stride, sides))


def average_pool(
    x: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    count_padding: bool,
) -> Tensor:
    function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(size) - 1]
    data = channels_first(x)
    if all(low == high and 2 * low <= k for (low, high), k in zip(padding, size, strict=True)):
        return channels_last(function(data, size, stride, [low for low, _ in padding], False, count_padding))
    sides = [n for p in reversed(padding) for n in p]
    made = function(F.pad(data, sides), size, stride)
    if not count_padding:
        made = made / function(F.pad(torch.ones_like(data), sides), size, stride)
    return channels_last(made)
