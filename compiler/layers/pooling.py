"""Pools over one to three axes, channels last: of windows that slide, and of parts that divide an axis."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

from ..ir.dims import Size, ceil_divide
from ..ir.graph import Node
from ..ops.layout import Concat, Reshape, Slice
from ..ops.pool import AveragePool, MaxPool
from ..ops.reduce import Mean, ReduceMax
from ..trace import errors
from ..trace.kinds import Extents, Flag, Padding, Tensor
from ..trace.use import Use
from ..trace.values import describe
from ..trace.words import word
from .convolution import extents, pairs

Sliding: TypeAlias = "type[MaxPool] | partial[AveragePool]"


def _declare(rank: int) -> None:
    """The pools over so many axes."""

    def max_pool(
        u: Use,
        x: Tensor,
        *,
        size: Extents,
        stride: Extents | None = None,
        padding: Padding = "valid",
        ceil: Flag = False,
    ) -> Any:
        """The maximum of each window; with `ceil` also of a last one that the data does not fill."""
        return _pool(u, x, rank, size, stride, padding, ceil, MaxPool)

    def average_pool(
        u: Use,
        x: Tensor,
        *,
        size: Extents,
        stride: Extents | None = None,
        padding: Padding = "valid",
        ceil: Flag = False,
        count_padding: Flag = False,
    ) -> Any:
        """The mean of each window; padding counts as zeros if `count_padding`, else not at all."""
        return _pool(u, x, rank, size, stride, padding, ceil, partial(AveragePool, count_padding=count_padding))

    def adaptive_max_pool(u: Use, x: Tensor, *, size: Extents) -> Any:
        """The maximum of each of `size` parts of an axis: part i goes from floor(i · n / size) to before
        ceil((i + 1) · n / size)."""
        return _adaptive(u, x, rank, size, ReduceMax)

    def adaptive_average_pool(u: Use, x: Tensor, *, size: Extents) -> Any:
        """The mean of each of `size` parts of an axis: part i goes from floor(i · n / size) to before
        ceil((i + 1) · n / size)."""
        return _adaptive(u, x, rank, size, Mean)

    for build in (max_pool, average_pool, adaptive_max_pool, adaptive_average_pool):
        build.__name__ += f"{rank}d"
        word(build)


for _rank in (1, 2, 3):
    _declare(_rank)


def _pool(u: Use, x: Node, rank: int, size: Any, stride: Any, padding: Any, ceil: bool, make: Sliding) -> Node:
    sizes, strides, ones = extents(u, x, rank, size, size if stride is None else stride, 1)
    around = pairs(u, padding, x.shape[1:-1], sizes, strides, ones)
    if ceil:
        around = tuple(map(_up, x.shape[1:-1], sizes, strides, around))
    return u.add(make(sizes, strides, around), x)


def _up(n: Size, k: int, s: int, pair: tuple[int, Size]) -> tuple[int, Size]:
    """Padding after, so that the last window that begins inside is kept."""
    low, high = pair
    windows = ceil_divide(n + low + high - k, s) + 1
    if isinstance(n, int) and isinstance(windows, int) and (windows - 1) * s >= n + low:
        windows -= 1
    after = (windows - 1) * s + k - n - low
    return low, max(after, 0) if isinstance(after, int) else after


def _adaptive(u: Use, x: Node, rank: int, size: Any, reduce: type[Mean] | type[ReduceMax]) -> Node:
    """One axis after the other: parts are products of parts of axes."""
    counts, _, _ = extents(u, x, rank, size, 1, 1)
    for axis, count in enumerate(counts, 1):
        n = x.shape[axis]
        if (n // count) * count == n:
            parts = u.add(Reshape((*x.shape[:axis], count, n // count, *x.shape[axis + 1 :])), x)
            x = u.add(reduce((axis + 1,)), parts)
        elif isinstance(n, int):
            bounds = [(i * n // count, ceil_divide((i + 1) * n, count)) for i in range(count)]
            x = u.add(Concat(axis), *(u.add(reduce((axis,), True), _part(u, x, axis, *b)) for b in bounds))
        else:
            advice = f"write it as a multiple in the input's type, such as `{count} * H`"
            subject = f"whether {count} parts divide an axis"
            u.wrong(errors.NotKnown, "size", subject=subject, found=describe(n), advice=advice)
    return x


def _part(u: Use, x: Node, axis: int, start: int, stop: Size) -> Node:
    starts = tuple(start if i == axis else 0 for i in range(len(x.shape)))
    stops = tuple(stop if i == axis else n for i, n in enumerate(x.shape))
    return u.add(Slice(starts, stops, (1,) * len(x.shape)), x)
