"""A name that nothing has where it stands: a mistake that says whether something further down has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...spec import tree
from ...spec.suggest import OPERATORS, nearest
from . import errors
from .scope import Scope
from .tracer import Tracer
from .values import Missing


def undefined(t: Tracer, scope: Scope, name: tree.Name, *, is_call: bool = False) -> Missing:
    """Reports the name, for which there is no value here."""
    from .expression import known_names

    below = next((n.span for n in _definitions(scope.body) if n.text == name.text), None)
    if below is not None and below.source is name.span.source and below.start > name.span.start:
        return t.wrong(errors.DefinedBelow, name.span, name=name.text, line=below.line)
    suggestion = nearest(name.text, known_names(t, scope))
    if is_call:
        return t.wrong(
            errors.UnknownLayer, name.span, name=name.text, suggestion=OPERATORS.get(name.text) or suggestion
        )
    return t.wrong(errors.UnknownName, name.span, name=name.text, suggestion=suggestion)


def _definitions(body: tuple[Any, ...]) -> Iterator[tree.Name]:
    """The names that a body gives, in their order; those of turns and branches too, which are known after them."""
    for statement in body:
        match statement:
            case tree.Constant(name=name) | tree.Input(name=name):
                yield name
            case tree.Assign(targets=names) | tree.Declare(names=names):
                yield from names
            case tree.Repeat(body=inner):
                yield from _definitions(inner)
            case tree.If(then=then, otherwise=otherwise):
                yield from _definitions((*then, *otherwise))
