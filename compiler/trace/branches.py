"""What is not run is still checked: the names in a branch that was not taken, and in blocks that nothing uses."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from ...spec import tree
from ...spec.suggest import nearest
from ..ir import types
from . import errors, initial
from .kinds import SLOT_WORDS
from .naming import children, parts
from .scope import Scope
from .tracer import PHASE_WORDS, Tracer
from .values import MISSING


def check_names(t: Tracer, scope: Scope, branch: Any) -> None:
    """Reports every name in an expression or body that could not be found; the library's own are known to be."""
    if scope.in_library:
        return
    from .expression import known_names, lookup

    bound = {*_bound(branch), "true", "false", "none", *PHASE_WORDS}
    for name, is_call in _used(branch):
        if name.text in bound or name.text in scope.names or name.text in t.constants:
            continue
        if lookup(t, scope, name.text) is None:
            kind = errors.UnknownLayer if is_call else errors.UnknownName
            t.wrong(kind, name.span, name=name.text, suggestion=nearest(name.text, known_names(t, scope)))


def check_unused_blocks(t: Tracer, used: Set[str]) -> None:
    """The names in blocks that no phase used."""
    for name, word in t.blocks.items():
        if name in used:
            continue
        slots = (*word.block.inputs, *word.block.settings)
        scope = Scope("", names={s.name.text: MISSING for s in slots})
        check_names(t, scope, (*(s.default for s in slots if s.default is not None), *word.block.body))


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
    """Names that are values, and whether they are called; not the words that a slot, a type or a weight offers."""
    match part:
        case tree.Name():
            yield part, False
        case tree.Call(function=tree.Name() as name, arguments=arguments):
            yield name, True
            for a in arguments:
                if not (isinstance(a.value, tree.Name) and a.value.text in SLOT_WORDS):
                    yield from _used(a.value)
        case tree.Type(dtype=dtype, sizes=sizes):
            if dtype.text not in types.WORDS:
                yield dtype, False
            yield from _used(sizes)
        case tree.Declare(type=type_, initial=begin):
            yield from _used(type_)
            yield from ((n, c) for n, c in _used(begin) if n.text not in initial.WORDS)
        case tree.Assign(values=values):
            yield from _used(values)
        case tuple():
            for item in part:
                yield from _used(item)
        case tree.Syntax():
            for item in children(part):
                yield from _used(item)
