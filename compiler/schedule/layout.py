"""Windows under index maps: what a view operation reads of its operand's memory, where strides can say it."""

from __future__ import annotations

from ..ir import dims
from ..ir.dims import Size
from ..ir.op import Op
from ..ir.types import Shape
from ..ops.layout import Expand, Flip, Reshape, Slice, Transpose
from .kernel import Window, row_major


def view(op: Op, x: Window, shape: Shape) -> Window | None:
    """The window that `op` makes of `x`, or None where its elements must be copied first."""
    match op:
        case Reshape():
            return reshape(x, shape)
        case Transpose(order):
            return transpose(x, order)
        case Expand():
            return expand(x, shape)
        case Slice(starts, _, steps):
            return cut(x, starts, steps, shape)
        case Flip(positions):
            return flip(x, positions)
    return None


def transpose(x: Window, order: tuple[int, ...]) -> Window:
    """Axis `order[i]` becomes axis i."""
    return x._replace(shape=tuple(x.shape[i] for i in order), strides=tuple(x.strides[i] for i in order))


def swapped(x: Window) -> Window:
    """The last two axes exchanged."""
    rank = len(x.shape)
    return transpose(x, (*range(rank - 2), rank - 1, rank - 2))


def expand(x: Window, shape: Shape) -> Window:
    """Stretched axes have stride 0."""
    lead = len(shape) - len(x.shape)
    strides = tuple(0 if n == 1 != m else s for n, m, s in zip(x.shape, shape[lead:], x.strides, strict=True))
    return x._replace(shape=shape, strides=(0,) * lead + strides)


def cut(x: Window, starts: tuple[Size, ...], steps: tuple[int, ...], shape: Shape) -> Window:
    """Every `steps[i]`-th element of axis i from `starts[i]` on, as many as `shape` says."""
    offset = x.offset
    for start, stride in zip(starts, x.strides, strict=True):
        offset = offset + start * stride
    return x._replace(offset=offset, shape=shape, strides=tuple(s * t for s, t in zip(x.strides, steps, strict=True)))


def stretch(x: Window, axis: int, start: Size, size: Size) -> Window:
    """`size` elements along an axis from `start` on."""
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    return x._replace(offset=x.offset + start * x.strides[axis], shape=shape)


def flip(x: Window, positions: tuple[int, ...]) -> Window:
    """The elements along axes in reverse order."""
    turned = {p % len(x.shape) for p in positions}
    starts = tuple(n - 1 if i in turned else 0 for i, n in enumerate(x.shape))
    return cut(x, starts, tuple(-1 if i in turned else 1 for i in range(len(x.shape))), x.shape)


def reshape(x: Window, shape: Shape) -> Window | None:
    """Groups of axes of equal product, each of which must be one run of memory to be cut another way."""
    if is_contiguous(x):
        return x._replace(shape=shape, strides=row_major(shape))
    strides: list[Size] = []
    old = [(n, s) for n, s in zip(x.shape, x.strides, strict=True) if n != 1]
    at = 0
    new = list(shape)
    done = 0
    while at < len(old):
        total, end = old[at][0], at + 1
        made: Size = 1
        stop = done
        while made != total:
            grow_old = end < len(old) and (stop >= len(new) or not _divides(made * new[stop], total))
            if grow_old:
                if old[end - 1][1] != old[end][1] * old[end][0]:
                    return None
                total, end = total * old[end][0], end + 1
            elif stop < len(new):
                made, stop = made * new[stop], stop + 1
            else:
                return None
        step = old[end - 1][1]
        strides += [step * s for s in row_major(tuple(new[done:stop]))]
        at, done = end, stop
    if dims.product(new[done:]) != 1:
        return None
    strides += [1] * (len(new) - done)
    return x._replace(shape=shape, strides=tuple(strides))


def _divides(part: Size, total: Size) -> bool:
    quotient = dims.floor_divide(total, part)
    return bool(quotient * part == total)


def is_contiguous(x: Window) -> bool:
    """Whether the elements lie in row-major order without gaps."""
    wanted = row_major(x.shape)
    return x.strides == wanted or all(n == 1 or s == w for n, s, w in zip(x.shape, x.strides, wanted, strict=True))


def collapse(x: Window, first: int) -> Window | None:
    """The leading `first` axes as one, where they are one run of memory."""
    return reshape(x, (dims.product(x.shape[:first]), *x.shape[first:]))


def squeeze(x: Window, axes: tuple[int, ...]) -> Window:
    """Without axes (of size 1)."""
    kept = [i for i in range(len(x.shape)) if i not in axes]
    return x._replace(shape=tuple(x.shape[i] for i in kept), strides=tuple(x.strides[i] for i in kept))
