"""How windows slide over the spatial axes of a tensor [N, spatial..., C]: the arithmetic of convolutions and pools."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from types import EllipsisType

from ..ir.check import Check
from ..ir.dims import Size
from ..ir.op import Array
from ..ir.types import Shape, Tensor

Padding = tuple[tuple[Size, Size], ...]
Where = tuple[slice | EllipsisType, ...]


def counts(sizes: Shape, kernel: Shape, stride: tuple[int, ...], padding: Padding, dilation: tuple[int, ...]) -> Shape:
    """How many windows fit along each spatial axis."""
    rows = zip(sizes, kernel, stride, padding, dilation, strict=True)
    return tuple((n + low + high - gap * (k - 1) - 1) // step + 1 for n, k, step, (low, high), gap in rows)


def check_windows(c: Check, word: str, x: Tensor, *settings: tuple[object, ...]) -> None:
    """Refuses a tensor that is not [N, spatial..., C] for settings that have one entry for each spatial axis."""
    rank = len(settings[0])
    assert all(len(setting) == rank for setting in settings), (word, settings)
    if x.rank != rank + 2:
        advice = "the layout is batch, spatial axes, channels"
        c.shape(f"`{word}` over {rank} axes needs a tensor of rank {rank + 2}", f"{x}", advice=advice)


def check_counts(c: Check, word: str, x: Tensor, kernel: Shape, found: Shape) -> Shape:
    """Refuses windows that are larger than the padded tensor."""
    if any(isinstance(n, int) and n < 1 for n in found):
        shown = "×".join(map(str, kernel))
        detail = f"no window of {shown} fits into {list(x.shape[1:-1])}"
        c.shape(f"`{word}` has no result", f"{x}", detail, "use a smaller window, or more padding")
    return found


def padded(xp: Array, x: Array, padding: Padding, value: float) -> Array:
    """x with `value` around its spatial axes."""
    shape = [n + low + high for n, (low, high) in zip(x.shape[1:-1], padding, strict=True)]
    result = xp.full((x.shape[0], *shape, x.shape[-1]), value, dtype=x.dtype)
    result[interior(x.shape[1:-1], padding)] = x
    return result


def interior(sizes: Shape, padding: Padding) -> Where:
    """Where a tensor of spatial `sizes` stands in its padded form."""
    inner = (slice(low, low + n) for n, (low, _) in zip(sizes, padding, strict=True))
    return (slice(None), *inner, ...)


def taps(
    kernel: Shape, found: Shape, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], Where]]:
    """Each position in the window, and the slice of the padded tensor that it reads over all windows."""
    for tap in product(*(range(k) for k in kernel)):  # type: ignore[arg-type]
        rows = zip(tap, found, stride, dilation, strict=True)
        yield tap, (slice(None), *(slice(t * gap, t * gap + (n - 1) * step + 1, step) for t, n, step, gap in rows), ...)
