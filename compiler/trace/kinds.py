"""What arguments may be: each kind of slot, the words it offers, and how a value becomes one of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..ir.dims import Dim, Size
from ..ir.graph import Node
from ..ir.types import WORDS, DType
from .values import Chain, Instance, is_number, is_size, is_tensor

# The kinds as Python types; a builder's annotations use these names, in lower case they are the keys below.
Tensor: TypeAlias = Node
Operand: TypeAlias = "Node | int | float | Dim"
Count: TypeAlias = Size
Whole: TypeAlias = Size
Number: TypeAlias = "int | float"
Flag: TypeAlias = bool
Bias: TypeAlias = "bool | Node"
Layer: TypeAlias = "Instance | Chain"
Activation: TypeAlias = "Instance | Chain | None"
Axis: TypeAlias = "int | tuple[int, ...] | None"
Padding: TypeAlias = "str | int | tuple[Any, ...]"
Extents: TypeAlias = "Size | tuple[Size, ...]"
Sizes: TypeAlias = tuple[Size, ...]
Element: TypeAlias = DType
Text: TypeAlias = str
Any_: TypeAlias = Any


class WrongValue(Exception):
    """A value that a kind refuses."""


@dataclass(frozen=True)
class Kind:
    """What a slot takes: `expected` in words, `accept` turns a value into one or raises WrongValue, `words` are bare
    names that stand for themselves here."""

    expected: str
    accept: Callable[[Any], Any]
    words: frozenset[str] = frozenset()
    tensors: bool = False
    values: bool = True


def _when(test: Callable[[Any], bool], convert: Callable[[Any], Any] = lambda v: v) -> Callable[[Any], Any]:
    def accept(value: Any) -> Any:
        if not test(value):
            raise WrongValue
        return convert(value)

    return accept


def _is_count(value: Any) -> bool:
    return is_size(value) and not (isinstance(value, int) and value < 1)


def _is_layer(value: Any) -> bool:
    return isinstance(value, Instance | Chain)


def _is_axis(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(v, int) and not isinstance(v, bool) for v in value)
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _is_padding(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_padding, value))
    return value in ("same", "valid") or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _is_extents(value: Any) -> bool:
    return all(map(_is_count, value)) and value != () if isinstance(value, tuple) else _is_count(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


KINDS = {
    "tensor": Kind("a tensor", _when(is_tensor), tensors=True, values=False),
    "operand": Kind("a tensor or a number", _when(lambda v: is_tensor(v) or is_number(v)), tensors=True),
    "count": Kind("a whole number of at least 1", _when(_is_count)),
    "whole": Kind("a whole number", _when(is_size)),
    "number": Kind("a number", _when(lambda v: isinstance(v, int | float) and not isinstance(v, bool))),
    "flag": Kind("true or false", _when(_is_flag)),
    "bias": Kind("true, false or a tensor", _when(lambda v: _is_flag(v) or is_tensor(v)), tensors=True),
    "layer": Kind("a layer, such as `dense(64)`", _when(_is_layer)),
    "activation": Kind("an activation, such as `relu`", _when(lambda v: v is None or _is_layer(v))),
    "axis": Kind("an axis, or a list of axes", _when(_is_axis)),
    "padding": Kind(
        "same, valid, a number, or a number or pair for each axis", _when(_is_padding), frozenset(("same", "valid"))
    ),
    "extents": Kind("a whole number of at least 1, or one for each axis", _when(_is_extents)),
    "sizes": Kind("whole numbers", _when(is_size)),
    "element": Kind(
        "an element type, such as f32",
        _when(lambda v: isinstance(v, DType) or v in WORDS, lambda v: v if isinstance(v, DType) else WORDS[v]),
        frozenset(WORDS),
    ),
    "text": Kind("a text in quotes", _when(lambda v: isinstance(v, str))),
    "any_": Kind("a value", lambda v: v, tensors=True),
    "block_input": Kind("a tensor", _when(lambda v: not _is_layer(v)), tensors=True, values=False),
    "block_setting": Kind("a value known when compiling", lambda v: v),
}
