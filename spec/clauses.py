"""Mappings of a YAML document -> weights, states, losses, metrics and assertions, each with its comments."""

from __future__ import annotations

from collections.abc import Iterator

from .document import Document, Node, expected
from .fragment import declaration, relation
from .record import Record
from .scalars import attempt, call, expression, fragment, name
from .source import Span
from .tree import Assert, Binary, Comments, Declare, Expression, Loss, Name


class Clause(Record):
    """A value that may have a name: a loss or a metric."""

    span: Span
    name: Name | None
    value: Expression
    comments: Comments


def declares(d: Document, node: Node, kind: str) -> Iterator[Declare]:
    """`{W: "f32[a, b] = normal(0.02)", ...}`."""
    if node.kind != "map":
        raise expected(d, node, f"`{kind}s`", "a mapping", f'write `{kind}s: {{W: "f32[a, b]"}}`')
    for key, value in node.entries:
        before = d.take_before(key.start)
        label = name(d, key, f"a {kind}")
        declared, initial = fragment(d, value, declaration)
        span = label.span.to(d.span(value))
        around = d.take_around(key.start, value.end)
        comments = Comments((*before, *around.before), around.after)
        yield Declare(span, kind, (label,), declared, initial, comments=comments)


def asserts(d: Document, node: Node) -> Iterator[Assert]:
    """`{parameters: <= 1M, "d % heads": "== 0"}`, or a list of such mappings."""
    for entries in node.items if node.kind == "list" else [node]:
        if entries.kind != "map":
            raise expected(d, entries, "`assert`", "a mapping", "write `assert: {parameters: <= 1M}`")
        for key, value in entries.entries:
            before = d.take_before(key.start)
            found = attempt(d, _relation, d, key, value)
            around = d.take_around(key.start, value.end)
            if found:
                comments = Comments((*before, *around.before), around.after)
                yield Assert(found.span, (found,), comments=comments)


def _relation(d: Document, key: Node, value: Node) -> Binary:
    left = expression(d, key)
    operator, place, right = fragment(d, value, relation)
    return Binary(Span(d.source, key.start, value.end), operator, left, right, place)


def losses(d: Document, node: Node) -> Iterator[Loss]:
    """What `loss` holds, one or a list."""
    for clause in clauses(d, node, "loss"):
        yield Loss(clause.span, clause.name, clause.value, comments=clause.comments)


def clauses(d: Document, node: Node, what: str) -> Iterator[Clause]:
    """`{mse: [a, b], as: name}` or `{expression: "...", as: name}`, one or a list of them."""
    for item in node.items if node.kind == "list" else [node]:
        before = d.take_before(item.start)
        found = attempt(d, _clause, d, item, what, before)
        if found:
            yield found


def _clause(d: Document, item: Node, what: str, before: tuple[str, ...]) -> Clause:
    section = "metrics" if what == "metric" else what
    instead = f"write `{section}: {{mse: [a, b]}}` or `{section}: {{expression: ...}}`"
    if item.kind == "scalar" and item.text:
        written = f"{item.text}: [a, b]" if item.text.isidentifier() else f'expression: "{item.text}"'
        instead = f"write `{section}: {{{written}}}`"
    values = [(key, value) for key, value in item.entries if key.text != "as"]
    if item.kind != "map" or len(values) != 1:
        raise expected(d, item, f"a {what}", "one call or expression", instead)
    key, value = values[0]
    label = item.get("as")
    title = name(d, label, f"a {what}", new=False) if label else None
    found = expression(d, value) if key.text == "expression" else call(d, key, value)
    around = d.take_around(item.start, item.end)
    return Clause(d.span(item), title, found, Comments((*before, *around.before), around.after))
