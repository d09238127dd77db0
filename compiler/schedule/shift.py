"""Windows to windows elsewhere: where the elements of a buffer lie when it has become a part of another one."""

from __future__ import annotations

from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from ..ir.types import Shape
from . import layout
from .kernel import Buffer, Window

NO_ROWS = 0


class Shift(NamedTuple):
    """Element a lies at `offset + a`; with rows at `offset + a // row * pitch + a % row`."""

    offset: Size
    row: Size = NO_ROWS
    pitch: Size = NO_ROWS


class Lying(NamedTuple):
    """A window without its buffer."""

    offset: Size
    shape: Shape
    strides: tuple[Size, ...]


class Move(NamedTuple):
    """A buffer becomes a part of `target`."""

    target: Buffer
    shift: Shift


STILL = Shift(0)


def move_of(source: Window, target: Window) -> Move | None:
    """The move of all of `source`'s buffer that puts the window `source` at the window `target`."""
    if source.offset != 0 or source.buffer.size != source.type.size or not layout.is_contiguous(source):
        return None
    shift = region_of(target)
    return Move(target.buffer, shift) if shift is not None else None


def region_of(target: Window) -> Shift | None:
    """The shift of row-major elements to a window: of all of them, or of rows with a pitch."""
    if layout.is_contiguous(target):
        return Shift(target.offset)
    for first in range(len(target.shape) - 1, 0, -1):
        row = dims.product(target.shape[first:])
        inner = target._replace(shape=target.shape[first:], strides=target.strides[first:])
        outer = target._replace(shape=target.shape[:first], strides=target.strides[:first])
        pitch = layout.reshape(outer, (dims.product(outer.shape),))
        if layout.is_contiguous(inner) and pitch is not None and _is_wider(pitch.strides[0], row):
            return Shift(target.offset, row, pitch.strides[0])
    return None


def _is_wider(pitch: Size, row: Size) -> bool:
    return isinstance(pitch, int) and isinstance(row, int) and pitch > row


def shifted(window: Window, shift: Shift) -> Lying | None:
    """Where a window lies after a shift of its buffer, or None where strides cannot say it."""
    if not shift.row:
        return Lying(window.offset + shift.offset, window.shape, window.strides)
    row, pitch = shift.row, shift.pitch
    start = dims.floor_divide(window.offset, row)
    within = window.offset - start * row
    strides: list[Size] = []
    reach: Size = within
    for n, s in zip(window.shape, window.strides, strict=True):
        rows = dims.floor_divide(s, row)
        if rows * row == s:
            strides.append(rows * pitch)
        else:
            strides.append(s)
            reach = reach + (n - 1) * s
    if not (isinstance(within, int) and isinstance(reach, int) and isinstance(row, int)):
        return None
    if not (0 <= within < row and 0 <= reach < row):
        return None
    return Lying(shift.offset + start * pitch + within, window.shape, tuple(strides))


def composed(first: Shift, second: Shift) -> Shift | None:
    """Both shifts as one, where that is again a shift."""
    if not second.row:
        return Shift(first.offset + second.offset, first.row, first.pitch)
    row, pitch = second.row, second.pitch
    if not first.row:
        if first.offset != 0:
            whole = dims.floor_divide(first.offset, row)
            if whole * row != first.offset:
                return None
            return Shift(second.offset + whole * pitch, row, pitch)
        return second
    if first.pitch != row:
        return None
    return Shift(second.offset + first.offset, first.row, pitch)
