"""What is not run is still checked: the names in a branch that was not taken, and in blocks that nothing uses."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from ...spec import tree
from ..ir import types
from . import errors, initial
from .kinds import SLOT_WORDS
from .naming import children, parts
from .scope import Scope
from .tracer import PHASE_WORDS, Tracer
from .undefined import undefined
from .values import MISSING


def check_names(t: Tracer, scope: Scope, branch: Any) -> None:
    """Reports every name in an expression or body that could not be found; the library's own are known to be."""
    if scope.in_library:
        return
    from .expression import lookup

    bound = {*_bound(branch), "true", "false", "none", *PHASE_WORDS}
    for name, is_call in _used(branch):
        if name.text in bound or name.text in scope.names or name.text in t.constants:
            continue
        if lookup(t, scope, name.text) is None:
            undefined(t, scope, name, is_call=is_call)


def check_unused_blocks(t: Tracer, used: Set[str]) -> None:
    """The names in blocks that no phase used, and whether such a block uses itself."""
    unused = [name for name in t.blocks if name not in used]
    for name in unused:
        block = t.blocks[name].block
        slots = (*block.inputs, *block.settings)
        scope = Scope("", names={s.name.text: MISSING for s in slots}, body=block.body)
        check_names(t, scope, _text(block))
    done: set[str] = set()
    for name in unused:
        _check_cycles(t, name, done)


def _text(block: tree.Block) -> tuple[Any, ...]:
    """The defaults and the body of a block."""
    return (*(s.default for s in (*block.inputs, *block.settings) if s.default is not None), *block.body)


def _check_cycles(t: Tracer, first: str, done: set[str]) -> None:
    """Reports where a block is used inside itself, on the way from the first one to those that are not done; a stack of
    our own, since chains of blocks are long."""
    way = {first: _blocks_in(t, first)}
    while way:
        name, uses = next(reversed(way.items()))
        use = next(uses, None)
        if use is None:
            done.add(name)
            del way[name]
        elif use.text in way:
            t.wrong(errors.RecursiveBlock, use.span, name=use.text)
        elif use.text not in done:
            way[use.text] = _blocks_in(t, use.text)


def _blocks_in(t: Tracer, name: str) -> Iterator[tree.Name]:
    """Where a block names blocks of the spec."""
    block = t.blocks[name].block
    own = {*_bound(block.body), *(s.name.text for s in (*block.inputs, *block.settings))}
    return (use for use, _ in _used(_text(block)) if use.text in t.blocks and use.text not in own)


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
