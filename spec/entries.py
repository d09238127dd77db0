"""The keys of a YAML mapping -> one statement each, with its comments, going on after a mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from .document import Document, Node, expected, joined
from .record import replace
from .scalars import attempt
from .source import Span
from .tree import Comments, Statement

S = TypeVar("S", bound=Statement)


def entries(d: Document, node: Node, where: str) -> Iterator[tuple[Node, Node, tuple[str, ...]]]:
    """The keys and values of a mapping, each with the comments before it."""
    if node.kind != "map":
        raise expected(d, node, f"`{where}`", "a mapping of keys")
    for key, value in node.entries:
        yield key, value, d.take_before(key.start)


def commented(d: Document, node: S, before: tuple[str, ...], value: Node) -> S:
    """A statement with the comments before it, in it, and on the line on which it ends."""
    around = d.take_around(0, value.end)
    if not before and around == Comments():
        return node
    return replace(node, comments=joined(joined(Comments(before), node.comments), around))


def each(d: Document, node: Node, where: str, read: Callable[[Node, Node], S]) -> Iterator[S]:
    """One statement for each key, going on after a mistake."""
    for key, value, before in entries(d, node, where):
        found = attempt(d, read, key, value)
        if found is not None:
            yield commented(d, found, before, value)


def across(d: Document, key: Node, value: Node) -> Span:
    return Span(d.source, key.start, value.end)
