"""Operations that only move data, the same for all targets: numbers, copies, joins, and frames."""

from __future__ import annotations

from typing import TypeAlias

from ..ir.dims import Size
from ..ir.graph import Literal
from ..ops.layout import Concat, Pad, Reshape
from ..schedule import layout
from ..schedule.kernel import Window
from .emitter import Emitter, Rules

Windows: TypeAlias = tuple[Window, ...]


def number(e: Emitter, op: Literal, writes: Windows, reads: Windows) -> None:
    """A literal in memory."""
    e.fill(writes[0], op.value)


def copy(e: Emitter, op: Reshape, writes: Windows, reads: Windows) -> None:
    """A reshape of what strides cannot say."""
    out = layout.reshape(writes[0], reads[0].shape)
    assert out is not None
    e.copy(out, reads[0], replaces=(0,))


def concat(e: Emitter, op: Concat, writes: Windows, reads: Windows) -> None:
    """Each operand into its stretch; most are then computed there in the first place."""
    (out,) = writes
    axis = op.axis % len(out.shape)
    start: Size = 0
    for x in reads:
        e.copy(layout.stretch(out, axis, start, x.shape[axis]), x, replaces=(0,))
        start = start + x.shape[axis]


def pad(e: Emitter, op: Pad, writes: Windows, reads: Windows) -> None:
    """x inside what surrounds it."""
    ((out,), (x,)) = writes, reads
    between = op.between or (0,) * len(x.shape)
    e.fill(out, op.value)
    e.copy(layout.cut(out, op.before, tuple(n + 1 for n in between), x.shape), x)


RULES: Rules = {Literal: number, Reshape: copy, Concat: concat, Pad: pad}
