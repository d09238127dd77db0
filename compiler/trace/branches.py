"""What is not run is still checked: the names in the branch that was not taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...spec import tree
from ...spec.suggest import nearest
from . import errors
from .naming import parts
from .scope import Scope
from .tracer import PHASE_WORDS, Tracer


def check_names(t: Tracer, scope: Scope, branch: Any) -> None:
    """Reports every name in an expression or body that could not be found."""
    from .expression import known_names, lookup

    bound = set(_bound(branch))
    for name, is_call in _used(branch):
        if name.text in bound or name.text in ("true", "false", "none", *PHASE_WORDS):
            continue
        if name.text in scope.names or lookup(t, scope, name.text) is not None or name.text in t.constants:
            continue
        kind = errors.UnknownLayer if is_call else errors.UnknownName
        t.wrong(kind, name.span, name=name.text, suggestion=nearest(name.text, known_names(t, scope)))


def _bound(part: Any) -> Iterator[str]:
    for item in parts(part):
        match item:
            case tree.Assign(targets=targets):
                yield from (n.text for n in targets)
            case tree.Declare(names=names) | tree.Repeat(names=names):
                yield from (n.text for n in names)
            case tree.Over(name=name):
                yield name.text


def _used(part: Any) -> Iterator[tuple[tree.Name, bool]]:
    """Names that are values, and whether they are called. Arguments that are bare names may be words of a slot."""
    slots = set()
    for item in parts(part):
        match item:
            case tree.Call(function=tree.Name() as name, arguments=arguments):
                slots |= {id(name), *(id(a.value) for a in arguments)}
                yield name, True
            case tree.Name() if id(item) not in slots:
                yield item, False
