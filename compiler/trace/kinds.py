"""What arguments may be: each kind of slot, the words it offers, and how a value becomes one of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from ...spec.record import Record
from ..ir.dims import Dim, Size
from ..ir.graph import Node
from ..ir.types import WORDS, DType
from .values import Chain, Instance, is_number, is_size, is_tensor, is_tensor_like

# The kinds as Python types; a builder's annotations use these names, in lower case they are the keys below.
Tensor: TypeAlias = Node
Operand: TypeAlias = "Node | int | float | Dim"
Count: TypeAlias = Size
Whole: TypeAlias = Size
Number: TypeAlias = "int | float"
Share: TypeAlias = "int | float"
Flag: TypeAlias = bool
Bias: TypeAlias = "bool | Node"
Layer: TypeAlias = "Instance | Chain"
Activation: TypeAlias = "Instance | Chain | None"
Axis: TypeAlias = "int | tuple[int, ...] | None"
Padding: TypeAlias = "str | int | tuple[Any, ...]"
Widths: TypeAlias = "int | tuple[Any, ...]"
Frame: TypeAlias = str
Method: TypeAlias = str
Extents: TypeAlias = "Size | tuple[Size, ...]"
Sizes: TypeAlias = Size
Position: TypeAlias = int
Element: TypeAlias = DType
Text: TypeAlias = str
Any_: TypeAlias = Any


class WrongValue(Exception):
    """A value that a kind refuses."""


class Kind(Record):
    """What a slot takes: `expected` in words.

    `fits` says whether a value is of this sort at all, which decides the slot that a positional argument goes to;
    `convert` makes a fitting value one of the kind or raises WrongValue. `words` are bare names that stand for
    themselves here.
    """

    expected: str
    fits: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value
    words: frozenset[str] = frozenset()

    def accept(self, value: Any) -> Any:
        if not self.fits(value):
            raise WrongValue
        return self.convert(value)

    @property
    def takes_numbers(self) -> bool:
        return self.fits(1)


def _at_least_one(value: Any) -> Any:
    """Counts below 1 are refused, in lists too."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int) and number < 1:
            raise WrongValue
    return value


def _not_negative(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_not_negative, value))
    if isinstance(value, int) and value < 0:
        raise WrongValue
    return value


def _finite(value: Any) -> Any:
    if not math.isfinite(value):
        raise WrongValue
    return value


def _share(value: Any) -> Any:
    if not 0 <= value < 1:
        raise WrongValue
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_layer(value: Any) -> bool:
    return isinstance(value, Instance | Chain)


def _is_axis(value: Any) -> bool:
    return value is None or _is_whole(value) or (isinstance(value, tuple) and all(map(_is_whole, value)))


def _is_padding(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_whole(v) or _is_pair(v) for v in value)
    return value in ("same", "valid") or _is_whole(value)


def _is_widths(value: Any) -> bool:
    return _is_padding(value) and not isinstance(value, str)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_whole, value))


def _is_extents(value: Any) -> bool:
    return all(map(is_size, value)) and value != () if isinstance(value, tuple) else is_size(value)


def _is_bias(value: Any) -> bool:
    return _is_flag(value) or is_tensor(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_operand(value: Any) -> bool:
    return is_tensor(value) or is_number(value)


def _is_element(value: Any) -> bool:
    return isinstance(value, DType) or (isinstance(value, str) and value in WORDS)


def _element(value: Any) -> DType:
    return value if isinstance(value, DType) else WORDS[value]


PADDINGS = frozenset(("same", "valid"))
FRAMES = frozenset(("constant", "reflect", "edge", "wrap"))
METHODS = frozenset(("nearest", "linear", "bilinear"))
KINDS = {
    "tensor": Kind("a tensor", is_tensor),
    "operand": Kind("a tensor or a number", _is_operand),
    "count": Kind("a whole number of at least 1", is_size, _at_least_one),
    "whole": Kind("a whole number", is_size),
    "position": Kind("an axis: a whole number, from the end if negative", _is_whole),
    "number": Kind("a number", _is_number, _finite),
    "share": Kind("at least 0 and less than 1", _is_number, _share),
    "flag": Kind("true or false", _is_flag),
    "bias": Kind("true, false or a tensor", _is_bias),
    "layer": Kind("a layer, such as `dense(64)`", _is_layer),
    "activation": Kind("an activation, such as `relu`", lambda v: v is None or _is_layer(v)),
    "axis": Kind("an axis, or a list of axes", _is_axis),
    "padding": Kind("same, valid, or a number or pair for each axis", _is_padding, _not_negative, PADDINGS),
    "widths": Kind("a number, or a number or pair for each axis", _is_widths, _not_negative),
    "frame": Kind("constant, reflect, edge or wrap", FRAMES.__contains__, words=FRAMES),
    "method": Kind("nearest or linear", METHODS.__contains__, words=METHODS),
    "extents": Kind("a whole number of at least 1, or one for each axis", _is_extents, _at_least_one),
    "sizes": Kind("whole numbers", is_size),
    "element": Kind("an element type, such as f32", _is_element, _element, frozenset(WORDS)),
    "text": Kind("a text in quotes", lambda v: isinstance(v, str)),
    "any_": Kind("a value", lambda v: True),
    "block_input": Kind("a tensor", lambda v: not _is_layer(v)),
    "block_setting": Kind("a value known when compiling", lambda v: not is_tensor_like(v)),
}
SLOT_WORDS = frozenset().union(*(kind.words for kind in KINDS.values()))
