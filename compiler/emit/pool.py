"""Pools as NumPy instructions: one pass over all windows for each position in the window."""

from __future__ import annotations

import numpy as np

from ..ir.types import BOOL, Shape, Tensor
from ..ops.pool import Average, AveragePool, AveragePoolInput, MaxPool, MaxPoolInput, MaxPoolPick, Pool
from ..schedule.kernel import Operand, Window
from .numpy import NumpyEmitter
from .windows import Sliding, framed, framed_shape, interior

Windows = tuple[Window, ...]


def max_pool(e: NumpyEmitter, op: MaxPool, writes: Windows, reads: Windows) -> None:
    """The greatest along each axis of the window in turn, which are fewer passes; rows first, whose runs are long."""
    ((out,), (x,)) = writes, reads
    sliding = _sliding(op)
    x = framed(e, x, sliding.before, sliding.after, -np.inf)
    axes = sorted(range(len(op.size)), key=lambda axis: op.size[axis] > 1)
    for axis in axes:
        found = (*x.shape[1 : 1 + axis], out.shape[1 + axis], *x.shape[2 + axis : -1])
        x, *others = sliding.along(axis).taps(x, found)
        made = out if axis == axes[-1] or not others else e.scratch(x.type)
        for tap in others:
            e.add("max", (made,), (x, tap))
            x = made
    if x is not out:
        e.add("copy", (out,), (x,))


def max_pool_input(e: NumpyEmitter, op: MaxPoolInput, writes: Windows, reads: Windows) -> None:
    """The cotangent goes to the first position that holds the maximum; what goes there is made where it lies together,
    since a copy is the fastest pass over short runs."""
    ((out,), (x, y, g)) = writes, reads
    sliding, found = _sliding(op), y.shape[1:-1]
    wide = framed(e, x, sliding.before, sliding.after, -np.inf)
    flow = _zeros(e, out, sliding, found)
    chosen = _Chosen(e, y)
    part = e.scratch(g.type)
    for tap, target in zip(sliding.taps(wide, found), sliding.taps(flow, found), strict=True):
        e.add("keep", (part,), (chosen.among(tap), g))
        if _apart(op):
            e.add("copy", (target,), (part,))
        else:
            e.add("add", (target,), (target, part), replaces=(0,))
    _give(e, out, flow, sliding)


def max_pool_pick(e: NumpyEmitter, op: MaxPoolPick, writes: Windows, reads: Windows) -> None:
    """What another tensor has where each window has its first maximum."""
    ((out,), (x, y, t)) = writes, reads
    sliding, found = _sliding(op), y.shape[1:-1]
    wide = framed(e, x, sliding.before, sliding.after, -np.inf)
    values = framed(e, t, sliding.before, sliding.after, 0.0)
    e.add("fill", (out,), (), value=0.0)
    chosen = _Chosen(e, y)
    for tap, value in zip(sliding.taps(wide, found), sliding.taps(values, found), strict=True):
        e.add("put_where", (out,), (out, chosen.among(tap), value), replaces=(0,), tied=True)


class _Chosen:
    """For each tap the windows whose first maximum it is."""

    def __init__(self, e: NumpyEmitter, y: Window) -> None:
        self.e, self.y = e, y
        self.left: Window | None = None

    def among(self, tap: Window) -> Window:
        e, truths = self.e, Tensor(BOOL, self.y.shape)
        here = e.scratch(truths, "here")
        e.add("eq", (here,), (tap, self.y))
        left = e.scratch(truths, "left")
        if self.left is None:
            e.add("logical_not", (left,), (here,))
            self.left = left
            return here
        first = e.scratch(truths, "first")
        e.add("and", (first,), (here, self.left), replaces=(0,))
        e.add("xor", (left,), (self.left, first), replaces=(0,))
        self.left = left
        return first


def average_pool(e: NumpyEmitter, op: AveragePool, writes: Windows, reads: Windows) -> None:
    """The sum over all positions in the window, times the share of one."""
    ((out,), (x,)) = writes, reads
    sliding = _sliding(op)
    first, *others = sliding.taps(framed(e, x, sliding.before, sliding.after, 0.0), out.shape[1:-1])
    for tap in others:
        e.add("add", (out,), (first, tap))
        first = out
    e.add("mul", (out,), (first, shares(e, op, x, x.shape[1:-1])))


def average_pool_input(e: NumpyEmitter, op: AveragePoolInput, writes: Windows, reads: Windows) -> None:
    """Each element of the cotangent, by its share, to all positions of its window."""
    ((out,), (g,)) = writes, reads
    sliding, found = _sliding(op), g.shape[1:-1]
    scaled = e.scratch(g.type)
    e.add("mul", (scaled,), (g, shares(e, op, g, op.extent)), replaces=(0,))
    flow = _zeros(e, out, sliding, found)
    for target in sliding.taps(flow, found):
        if _apart(op):
            e.add("copy", (target,), (scaled,))
        else:
            e.add("add", (target,), (target, scaled), replaces=(0,))
    _give(e, out, flow, sliding)


def shares(e: NumpyEmitter, op: Average, like: Window, sizes: Shape) -> Operand:
    """1 / the number of elements of each window: one number, or an array where windows differ."""
    assert all(isinstance(n, int) for n in sizes), sizes
    values = op.shares(np, np.empty(0, np.float64), sizes)
    if (values == values.flat[0]).all():
        return float(values.flat[0])
    given = tuple(float(v) for v in values.flat)
    return e.made_once("shares", Tensor(like.dtype, values.shape), "constant", (), values=given)


def _sliding(op: Pool) -> Sliding:
    return Sliding(op.size, op.stride, (1,) * len(op.size), op.padding)


def _apart(op: Pool) -> bool:
    """Whether no two windows share an element."""
    return all(step >= k for step, k in zip(op.stride, op.size, strict=True))


def _zeros(e: NumpyEmitter, out: Window, sliding: Sliding, found: Shape) -> Window:
    """Zeros into which windows write: the result itself, or scratch with a frame; nothing where they write it all."""
    flow = out
    if any(n != 0 for n in (*sliding.before, *sliding.after)):
        flow = e.scratch(Tensor(out.dtype, framed_shape(out.shape, sliding.before, sliding.after)), "framed")
    covered = tuple(n * k for n, k in zip(found, sliding.kernel, strict=True))
    if sliding.stride != sliding.kernel or flow.shape[1:-1] != covered:
        e.add("fill", (flow,), (), value=0.0)
    return flow


def _give(e: NumpyEmitter, out: Window, flow: Window, sliding: Sliding) -> None:
    if flow is not out:
        e.add("copy", (out,), (interior(flow, out.shape, sliding.before),))
