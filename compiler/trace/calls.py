"""Calls: arguments to their places, instances, and the use of words and blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...spec import tree
from ...spec.source import Span
from ...spec.suggest import nearest
from ..ir.graph import Node
from ..ir.types import F32
from . import errors
from .kinds import KINDS, WrongValue
from .numbers import as_tensor
from .scope import Scope
from .tracer import Lost, Tracer, is_unknown
from .use import Use, use_block
from .values import (
    MISSING,
    Argument,
    BlockWord,
    Callee,
    Chain,
    Instance,
    Signature,
    Slot,
    Word,
    describe,
    is_number,
    is_tensor_like,
)


def call(t: Tracer, scope: Scope, e: tree.Call, before: tuple[Argument, ...] = ()) -> Any:
    """`f(arguments)`, with what was piped in `before`."""
    from .expression import evaluate, known_names, lookup

    if isinstance(e.function, tree.Name):
        name = e.function
        callee = lookup(t, scope, name.text)
        if isinstance(callee, Word | BlockWord):
            return _call_word(t, scope, e, callee, before)
        if callee is None and name.text not in scope.names and name.text not in t.constants:
            suggestion = nearest(name.text, known_names(t, scope))
            for argument in e.arguments:
                evaluate_if_plain(t, scope, argument.value)
            return t.wrong(errors.UnknownLayer, name.span, name=name.text, suggestion=suggestion)
    function = evaluate(t, scope, e.function)
    arguments = tuple(_argument(a, evaluate(t, scope, a.value)) for a in e.arguments)
    if is_unknown(function) or any(is_unknown(a.value) for a in arguments):
        return MISSING
    if not isinstance(function, Instance | Chain):
        return t.wrong(
            errors.WrongKind,
            e.function.span,
            subject="what is called",
            expected="a layer",
            found=describe(function),
            advice=_hidden(t, e.function),
        )
    return _apply_named(t, function, (*before, *arguments), e.function.span)


def _hidden(t: Tracer, function: tree.Expression) -> str:
    """What to do where a name of the spec hides the word that was meant."""
    from .expression import built_in

    if isinstance(function, tree.Name) and (t.blocks.get(function.text) or built_in(function.text)):
        return f"the name `{function.text}` hides the word `{function.text}` here: give the value another name"
    return ""


def evaluate_if_plain(t: Tracer, scope: Scope, e: tree.Expression) -> None:
    """Looks for mistakes in an argument of an unknown word; a bare name may have been a word of its own."""
    from .expression import evaluate

    if not isinstance(e, tree.Name):
        evaluate(t, scope, e)


def piped(t: Tracer, scope: Scope, value: Any, e: tree.Pipe) -> Any:
    """`value |> step`."""
    from .expression import evaluate

    before = _spread(value, e.value.span)
    if isinstance(e.step, tree.Call) and not isinstance(value, Instance | Chain):
        return call(t, scope, e.step, before)
    step = evaluate(t, scope, e.step)
    if is_unknown(step) or is_unknown(value):
        return MISSING
    if not isinstance(step, Instance | Chain):
        return t.wrong(
            errors.WrongKind,
            e.step.span,
            subject="a step after `|>`",
            expected="a layer",
            found=describe(step),
            advice=_hidden(t, e.step),
        )
    if isinstance(value, Instance | Chain):
        return Chain((*_steps(value), *_steps(step)))
    return _apply_named(t, step, before, e.step.span)


def _spread(value: Any, span: Span) -> tuple[Argument, ...]:
    """A piped list fills the inputs in order."""
    values = value if isinstance(value, tuple) else (value,)
    return tuple(Argument(None, v, span) for v in values)


def _apply_named(t: Tracer, layer: Instance | Chain, inputs: tuple[Argument, ...], span: Span) -> Any:
    """Uses a layer that may have been made elsewhere: then what it makes came through here."""
    if isinstance(layer, Instance) and layer.span == span:
        return apply_layer(t, layer, inputs, span)
    with t.frame(f"`{span.text}`" if span.text.isidentifier() else "a layer", span):
        return apply_layer(t, layer, inputs, span)


def _steps(layer: Instance | Chain) -> tuple[Instance, ...]:
    return layer.steps if isinstance(layer, Chain) else (layer,)


def apply_layer(t: Tracer, layer: Instance | Chain, inputs: tuple[Argument, ...], span: Span) -> Any:
    """Uses a layer on inputs; the place of what it makes is the layer's own text."""
    if isinstance(layer, Chain):
        for step in layer.steps:
            value = apply_layer(t, step, inputs, span)
            if is_unknown(value):
                return MISSING
            inputs = _spread(value, span)
        return value
    if any(is_unknown(a.value) for a in inputs):
        return MISSING
    bound = bind(t, layer.callee, (*inputs, *layer.arguments), layer.span)
    return MISSING if bound is None else _use(t, layer, bound)


def _call_word(t: Tracer, scope: Scope, e: tree.Call, callee: Callee, before: tuple[Argument, ...]) -> Any:
    """A word with its arguments: used, or an instance if it has none of the inputs that it needs."""
    assert isinstance(e.function, tree.Name)
    arguments = _arguments(t, scope, e, callee.signature, len(before))
    if any(is_unknown(a.value) for a in arguments):
        return MISSING
    layer = Instance(callee, arguments, scope.label_path(e.function), e.function.span)
    if any(is_unknown(a.value) for a in before):
        _check_settings(t, layer)
        return MISSING
    if not before and callee.signature.needs_input and not _has_input(callee.signature, arguments):
        return layer if _check_settings(t, layer) else MISSING
    return apply_layer(t, layer, before, e.function.span)


def _arguments(t: Tracer, scope: Scope, e: tree.Call, signature: Signature, piped_in: int) -> tuple[Argument, ...]:
    """The arguments as values; where the slot offers words, a bare name is its word."""
    taken = {a.name.text for a in e.arguments if a.name}
    free = [s for s in signature.settings if s.name not in taken]
    found = []
    for a in e.arguments:
        slot = _named(signature, a.name.text) if a.name else _next_with_word(free, a.value)
        value = _slot_value(t, scope, a.value, slot)
        if not a.name and not is_tensor_like(value) and free:
            free.pop(0)
        found.append(_argument(a, value))
    return tuple(found)


def _argument(a: tree.Argument, value: Any) -> Argument:
    return Argument(a.name.text, value, a.value.span, a.name.span) if a.name else Argument(None, value, a.value.span)


def _next_with_word(free: list[Slot], e: tree.Expression) -> Slot | None:
    return free[0] if free and isinstance(e, tree.Name) and e.text in KINDS[free[0].kind].words else None


def _named(signature: Signature, name: str) -> Slot | None:
    return next((s for s in (*signature.inputs, *signature.settings) if s.name == name), None)


def _slot_value(t: Tracer, scope: Scope, e: tree.Expression, slot: Slot | None) -> Any:
    from .expression import evaluate

    if slot is not None and isinstance(e, tree.Name) and e.text in KINDS[slot.kind].words:
        return e.text
    return evaluate(t, scope, e)


def _has_input(signature: Signature, arguments: tuple[Argument, ...]) -> bool:
    """Whether anything among the arguments is an input: only then is the word used at once."""
    names = {s.name for s in signature.inputs}
    first = next((s for s in signature.inputs if s.required and not s.many), None)
    takes_numbers = first is None or _takes_numbers(first)
    return any(a.name in names or (a.name is None and (takes_numbers or is_tensor_like(a.value))) for a in arguments)


def _check_settings(t: Tracer, layer: Instance) -> bool:
    """Whether the settings of an instance are well, before it is used."""
    return bind(t, layer.callee, layer.arguments, layer.span, inputs=False) is not None


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
            if _named(signature, argument.name) is None and not isinstance(argument.value, Node):
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
    """The first free place that takes the value's kind; where none does, the first that is free, which will say so."""
    free = [
        s for s in (*signature.inputs, *signature.settings) if s.many or (s.name not in bound and s.name not in named)
    ]
    tensor = is_tensor_like(value)
    inputs = [s for s in free if s in signature.inputs and (tensor or _takes_numbers(s) or _may_be_none(s, value))]
    settings = [s for s in free if s in signature.settings]
    fitting = [*inputs, *(s for s in settings if _fits(s, value))]
    return next(iter(fitting or ([] if tensor else settings)), None)


def _may_be_none(slot: Slot, value: Any) -> bool:
    """Whether the value is `none` and the input may lack one."""
    return value is None and (slot.kind == "block_input" or slot.default is None)


def _takes_numbers(slot: Slot) -> bool:
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


EMPTY = ("sizes", "position")  # what may be an empty list: the shape of a scalar, no axes


def _is_empty(slot: Slot, bound: dict[str, Argument]) -> bool:
    """Whether nothing was given. Sizes and axes may be an empty list: a scalar's shape."""
    if slot.name not in bound:
        return not (slot.many and slot.kind in EMPTY)
    return slot.many and slot.kind not in EMPTY and bound[slot.name].value == ()


def _converted(t: Tracer, callee: Callee, bound: dict[str, Argument]) -> dict[str, Argument] | None:
    """Every value as its slot's kind takes it; a number given to an input by name is a constant tensor."""
    result = {}
    for name, argument in bound.items():
        slot = _named(callee.signature, name)
        value = argument.value
        if slot is not None and not (value is None and slot.default is None):
            kind = KINDS[slot.kind]
            if slot.kind in ("tensor", "block_input") and argument.name and is_number(value):
                value = as_tensor(t, value, F32)
            try:
                value = tuple(map(kind.accept, value)) if slot.many else kind.accept(value)
            except WrongValue:
                t.wrong(
                    errors.WrongKind,
                    argument.span,
                    subject=f"`{name}` of `{callee.name}`",
                    expected=kind.expected,
                    found=describe(value),
                )
                return None
        result[name] = replace(argument, value=value)
    return result


def _use(t: Tracer, layer: Instance, bound: dict[str, Argument]) -> Any:
    if isinstance(layer.callee, BlockWord):
        return use_block(t, layer, bound)
    use = Use(t, layer, bound)
    values = {name: a.value for name, a in bound.items()}
    slots = (*layer.callee.signature.inputs, *layer.callee.signature.settings)
    plain = {s.name: values.pop(s.name, s.default) for s in slots}
    inputs: list[Any] = []
    for slot in layer.callee.signature.inputs:
        given = plain.pop(slot.name)
        inputs.extend(given) if slot.many else inputs.append(given)
    try:
        with t.at(layer.span):
            result = layer.callee.build(use, *inputs, **plain)
    except Lost:
        return MISSING
    unknown = next((n for n in values if n not in layer.weights), None)
    if unknown is not None:
        unknown_argument(t, layer.callee.name, layer.callee.signature, bound[unknown])
        return MISSING
    return result
