"""The arguments of a call to the slots of a signature: which goes where, and what each slot makes of it."""

from __future__ import annotations

from typing import Any

from ...spec.record import replace
from ...spec.source import Span
from ...spec.suggest import nearest
from ..ir.graph import Node
from ..ir.types import F32
from ..ops.layout import stack
from . import errors
from .kinds import KINDS, WrongValue
from .numbers import as_tensor
from .tracer import Tracer
from .values import Argument, Callee, Signature, Slot, describe, is_number, is_tensor_like

EMPTY = ("sizes", "position")  # what may be an empty list: the shape of a scalar, no axes


def bind(
    t: Tracer, callee: Callee, arguments: tuple[Argument, ...], span: Span, *, inputs: bool = True
) -> dict[str, Argument] | None:
    """Each argument at its place: positional ones at the first free place that takes their kind.

    Names that are no place are kept if they give a tensor: weights may be given from outside. None where a mistake
    was reported.
    """
    signature, word = callee.signature, callee.name
    bound: dict[str, Argument] = {}
    named = {a.name for a in arguments if a.name}
    for argument in arguments:
        if argument.name is not None:
            if argument.name in bound:
                t.wrong(errors.RepeatedArgument, argument.key or argument.span, word=word, name=argument.name)
                return None
            if slot_named(signature, argument.name) is None and not isinstance(argument.value, Node):
                unknown_argument(t, word, signature, argument)
                return None
            bound[argument.name] = argument
            continue
        slot = _place_for(signature, bound, named, argument.value)
        if slot is None:
            found = describe(argument.value)
            t.wrong(errors.TooManyArguments, argument.span, word=word, found=found, signature=str(signature))
            return None
        _put(bound, slot, argument)
    if not _complete(t, callee, bound, span, inputs):
        return None
    return _converted(t, callee, bound)


def unknown_argument(t: Tracer, word: str, signature: Signature, argument: Argument) -> None:
    assert argument.name is not None
    known = [s.name for s in (*signature.inputs, *signature.settings)]
    suggestion = nearest(argument.name, known)
    t.wrong(
        errors.UnknownArgument,
        argument.key or argument.span,
        word=word,
        name=argument.name,
        signature=str(signature),
        suggestion=suggestion,
    )


def _place_for(signature: Signature, bound: dict[str, Argument], named: set[str], value: Any) -> Slot | None:
    """The first free place that takes the value's kind; where none does, the first that is free, which will say so.

    A number is a setting, or an input of a word without settings.
    """
    free = [
        s for s in (*signature.inputs, *signature.settings) if s.many or (s.name not in bound and s.name not in named)
    ]
    tensor = is_tensor_like(value) or (is_number(value) and not signature.settings)
    inputs = [s for s in free if s in signature.inputs and (tensor or takes_numbers(s) or _may_be_none(s, value))]
    settings = [s for s in free if s in signature.settings]
    fitting = [*inputs, *(s for s in settings if _fits(s, value))]
    return next(iter(fitting or ([] if tensor else settings)), None)


def _may_be_none(slot: Slot, value: Any) -> bool:
    """Whether the value is `none` and the input may lack one."""
    return value is None and (slot.kind == "block_input" or slot.default is None)


def takes_numbers(slot: Slot) -> bool:
    return slot.kind != "block_input" and KINDS[slot.kind].takes_numbers


def _fits(slot: Slot, value: Any) -> bool:
    """Whether a setting takes a value of this sort; settings of blocks take everything but tensors."""
    if slot.kind == "block_setting":
        return not is_tensor_like(value)
    return (value is None and slot.default is None) or KINDS[slot.kind].fits(value)


def _put(bound: dict[str, Argument], slot: Slot, argument: Argument) -> None:
    if not slot.many:
        bound[slot.name] = argument
        return
    before = bound[slot.name].value if slot.name in bound else ()
    more = argument.value if isinstance(argument.value, tuple) else (argument.value,)
    bound[slot.name] = Argument(None, (*before, *more), argument.span)


def _complete(t: Tracer, callee: Callee, bound: dict[str, Argument], span: Span, inputs: bool) -> bool:
    slots = (*(callee.signature.inputs if inputs else ()), *callee.signature.settings)
    missing = next((s for s in slots if (s.required or s.many) and _is_empty(s, bound)), None)
    if missing is not None:
        t.wrong(errors.MissingArgument, span, word=callee.name, name=missing.name, signature=str(callee.signature))
    return missing is None


def _is_empty(slot: Slot, bound: dict[str, Argument]) -> bool:
    """Whether nothing was given. Sizes and axes may be an empty list: a scalar's shape."""
    if slot.name not in bound:
        return not (slot.many and slot.kind in EMPTY)
    return slot.many and slot.kind not in EMPTY and bound[slot.name].value == ()


def _converted(t: Tracer, callee: Callee, bound: dict[str, Argument]) -> dict[str, Argument] | None:
    """Every value as its slot's kind takes it; numbers given to an input are a constant tensor."""
    result = {}
    for name, argument in bound.items():
        slot = slot_named(callee.signature, name)
        value = argument.value
        if slot is not None and not (value is None and slot.default is None):
            kind = KINDS[slot.kind]
            if slot.kind in ("tensor", "block_input") and is_number(value):
                value = as_tensor(t, value, F32)
            elif slot.kind == "tensor" and not slot.many and _is_vector(value):
                value = stack(t.b, [as_tensor(t, v, F32) for v in value], 0)
            try:
                value = tuple(map(kind.accept, value)) if slot.many else kind.accept(value)
            except WrongValue:
                t.wrong(
                    errors.WrongKind,
                    argument.span,
                    subject=f"`{name}` of `{callee.name}`",
                    expected=kind.expected,
                    found=describe(value),
                    advice=f"write `{value}` without quotes" if _is_quoted(slot, value) else "",
                )
                return None
        result[name] = argument if value is argument.value else replace(argument, value=value)
    return result


def _is_vector(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(map(is_number, value))


def _is_quoted(slot: Slot, value: Any) -> bool:
    """Whether a text stands where the bare word would do."""
    return isinstance(value, str) and (slot.kind in ("layer", "activation") or value in KINDS[slot.kind].words)


def slot_named(signature: Signature, name: str) -> Slot | None:
    return signature.by_name.get(name)
