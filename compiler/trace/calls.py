"""Calls and pipes: instances are made, and words and blocks used."""

from __future__ import annotations

from typing import Any

from ...spec import tree
from ...spec.source import Span
from ...spec.suggest import nearest
from . import errors
from .arguments import bind, slot_named, takes_numbers, unknown_argument
from .kinds import KINDS
from .scope import Scope
from .tracer import Lost, Tracer, is_unknown
from .undefined import undefined
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
    is_tensor_like,
)


def call(t: Tracer, scope: Scope, e: tree.Call, before: tuple[Argument, ...] = ()) -> Any:
    """`f(arguments)`, with what was piped in `before`."""
    from .expression import evaluate, lookup

    if isinstance(e.function, tree.Name):
        name = e.function
        callee = lookup(t, scope, name.text)
        if isinstance(callee, Word | BlockWord):
            return _call_word(t, scope, e, callee, before)
        if callee is None and name.text not in scope.names and name.text not in t.constants:
            for argument in e.arguments:
                evaluate_if_plain(t, scope, argument.value)
            return undefined(t, scope, name, is_call=True)
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
    is_lost = False
    for a in e.arguments:
        slot = slot_named(signature, a.name.text) if a.name else _with_word(free if is_lost else free[:1], a.value)
        value = _slot_value(t, scope, a.value, slot)
        if is_unknown(value):
            is_lost = True  # whether it was an input or a setting
        elif not a.name and not is_tensor_like(value) and free:
            free.pop(0)
        found.append(_argument(a, value))
    return tuple(found)


def _argument(a: tree.Argument, value: Any) -> Argument:
    return Argument(a.name.text, value, a.value.span, a.name.span) if a.name else Argument(None, value, a.value.span)


def _with_word(slots: list[Slot], e: tree.Expression) -> Slot | None:
    """The first of the slots that offers the bare name as a word."""
    return next((s for s in slots if isinstance(e, tree.Name) and e.text in KINDS[s.kind].words), None)


def _slot_value(t: Tracer, scope: Scope, e: tree.Expression, slot: Slot | None) -> Any:
    from .expression import evaluate, lookup

    if slot is not None and isinstance(e, tree.Name) and (offered := KINDS[slot.kind].words):
        if e.text in offered:
            return e.text
        if lookup(t, scope, e.text) is None:
            expected, suggestion = KINDS[slot.kind].expected, nearest(e.text, offered)
            advice = f"did you mean `{suggestion}`?" if suggestion else ""
            t.wrong(
                errors.WrongKind,
                e.span,
                subject=f"`{slot.name}`",
                expected=expected,
                found=f"`{e.text}`",
                advice=advice,
            )
            return MISSING
    return evaluate(t, scope, e)


def _has_input(signature: Signature, arguments: tuple[Argument, ...]) -> bool:
    """Whether anything among the arguments is an input: only then is the word used at once."""
    names = {s.name for s in signature.inputs}
    first = next((s for s in signature.inputs if s.required and not s.many), None)
    numbers = first is None or takes_numbers(first)
    return any(a.name in names or (a.name is None and (numbers or is_tensor_like(a.value))) for a in arguments)


def _check_settings(t: Tracer, layer: Instance) -> bool:
    """Whether the settings of an instance are well, before it is used."""
    return bind(t, layer.callee, layer.arguments, layer.span, inputs=False) is not None


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
