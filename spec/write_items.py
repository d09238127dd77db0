"""Statements -> the items of a YAML list of layers, with the running value left unsaid wherever that reads the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, assert_never

from .items import KEYS, LAYER_KEYS, RUNNING
from .tree import (
    Argument,
    Assert,
    Assign,
    Body,
    Call,
    Comments,
    Declare,
    Expression,
    If,
    ListOf,
    Loss,
    Metric,
    Name,
    Over,
    Repeat,
    Result,
    Scan,
)
from .write_expression import SUM, flat, pipe_parts, type_text
from .yaml_text import Entry, Item, Listing, Mapping, Phrase, Value, phrase, value_of, word

_RESERVED = frozenset(key for keys in KEYS.values() for key in keys) | frozenset(KEYS) | frozenset(LAYER_KEYS)


def items_of(body: Sequence[Body], running: str | None, *, of: Literal["block", "scan", ""] = "") -> Listing:
    """A body whose running value has the name `running` before its first item, or None where it has none.

    An unnamed value at the end is the result of a block or a scan; elsewhere it is called `x`.
    """
    writer = _Writer(running, is_block=of == "block")
    for i, node in enumerate(body):
        following = body[i + 1] if i + 1 < len(body) else None
        writer.write(node, following, is_last_named=not of and following is None)
    return Listing(tuple(writer.items), is_open=True)


class _Writer:
    """The items of one list so far, and the name of the value that the next layer would take."""

    def __init__(self, running: str | None, *, is_block: bool) -> None:
        self.running = running
        self.is_block = is_block
        self.items: list[Item] = []
        self.after_body = False

    def write(self, node: Body, following: Body | None, *, is_last_named: bool) -> None:
        known = len(self.items)
        after_body, self.after_body = self.after_body, self.is_block and isinstance(node, Repeat | If)
        match node:
            case Assign():
                self._assign(node, following, is_last_named=is_last_named)
            case Result():
                if after_body and _is_name(node.values, RUNNING) and node.comments == Comments():
                    return
                self._values(node.values, ())
            case Declare() | Assert():
                self._declare(node)
                return
            case Repeat():
                self._repeat(node)
            case If():
                self._if(node)
            case Loss():
                self._add(Entry("loss", clause(node)))
            case _:
                assert_never(node)
        self._comment(node.comments, known)

    def _comment(self, comments: Comments, known: int) -> None:
        """The lines before a statement before its first item, the rest with its last."""
        first, last = self.items[known], self.items[-1]
        before = Comments(comments.before, gap=comments.gap)
        if first is last:
            self.items[known] = Item(first.value, comments)
            return
        self.items[known] = Item(first.value, before)
        self.items[-1] = Item(last.value, Comments((), comments.after, comments.below))

    def _add(self, *entries: Entry) -> None:
        self.items.append(Item(Mapping(entries, is_open=True)))

    # Chains

    def _assign(self, node: Assign, following: Body | None, *, is_last_named: bool) -> None:
        names = tuple(name.text for name in node.targets)
        steps = pipe_parts(node.values[0])[1] if isinstance(node.values, tuple) and len(node.values) == 1 else ()
        unsaid = names == (RUNNING,) and bool(steps) and (is_last_named or self._breaks(following))
        self._values(node.values, () if unsaid else names)
        self.running = names[0] if len(names) == 1 else None

    def _breaks(self, following: Body | None) -> bool:
        """Whether a statement ends a chain without a name that stands before it."""
        if isinstance(following, Repeat | If):
            return True
        if not isinstance(following, Assign | Result):
            return False
        values = following.values
        if isinstance(values, Scan) or len(values) > 1:
            return True
        head, steps = pipe_parts(values[0])
        takes_running = isinstance(head, Name) and head.text == RUNNING and bool(steps)
        return not (takes_running and _are_layers(steps))

    def _values(self, values: tuple[Expression, ...] | Scan, names: tuple[str, ...]) -> None:
        if isinstance(values, Scan):
            self._scan(values, names)
        elif len(values) > 1:
            text = ", ".join(flat(value, quote="'") for value in values)
            self._add(Entry("expression", Phrase(text)), *_as(names))
        else:
            self._chain(values[0], names)

    def _chain(self, value: Expression, names: tuple[str, ...]) -> None:
        head, steps = pipe_parts(value)
        if not _are_layers(steps):
            head, steps = value, ()
        last = _as(names)
        if not steps and isinstance(head, Name):
            self._add(Entry("from", value_of(head)), *last)
            return
        origin: tuple[Entry, ...] = ()
        if isinstance(head, Name | ListOf) and steps:
            is_running = isinstance(head, Name) and head.text == self.running
            origin = () if is_running else (Entry("from", value_of(head)),)
        else:
            self._add(Entry("expression", _expression(head)), *(() if steps else last))
        for i, step in enumerate(steps):
            entries = (call_entry(step), *(origin if i == 0 else ()), *(last if i == len(steps) - 1 else ()))
            if len(entries) == 1 and entries[0].value is None:
                self.items.append(Item(entries[0].key))
            else:
                self._add(*entries)

    def _scan(self, scan: Scan, names: tuple[str, ...]) -> None:
        entries = [Entry("scan", _overs(scan.over))]
        if scan.carried:
            entries.append(Entry("with", _overs(scan.carried)))
        entries += [Entry(a.name.text, value_of(a.value)) for a in scan.settings if a.name]
        entries.append(Entry("layers", items_of(scan.body, scan.over[0].name.text, of="scan")))
        self._add(*entries, *_as(names))

    # Other items

    def _declare(self, node: Declare | Assert) -> None:
        """Weights, states and assertions: neighbours share an item while their keys differ."""
        kind, entries = ("assert", assertions(node)) if isinstance(node, Assert) else (f"{node.kind}s", declares(node))
        last = self.items[-1].value if self.items else None
        if isinstance(last, Mapping) and last.entries[0].key == kind and not node.comments.gap:
            inner = last.entries[0].value
            assert isinstance(inner, Mapping)
            known = {entry.key for entry in inner.entries}
            if known.isdisjoint(entry.key for entry in entries):
                joined = Mapping((*inner.entries, *entries), is_open=True)
                self.items[-1] = Item(Mapping((Entry(kind, joined),), is_open=True), self.items[-1].comments)
                return
        item = Mapping((Entry(kind, Mapping(entries)),), is_open=True)
        self.items.append(Item(item, Comments(gap=node.comments.gap)))

    def _repeat(self, node: Repeat) -> None:
        over = value_of(node.over)
        value: Value = over
        if node.names:
            key = ", ".join(name.text for name in node.names)
            value = Mapping((Entry(word(key) if len(node.names) == 1 else f'"{key}"', over),))
        self._add(Entry("repeat", value), Entry("layers", self._inner(node.body)))
        self.running = RUNNING

    def _if(self, node: If) -> None:
        entries = [Entry("if", value_of(node.condition)), Entry("then", self._inner(node.then))]
        if node.otherwise:
            entries.append(Entry("else", self._inner(node.otherwise)))
        self._add(*entries)
        self.running = RUNNING

    def _inner(self, body: tuple[Body, ...]) -> Listing:
        return items_of(body, RUNNING if self.running == RUNNING else None)


def _is_name(values: tuple[Expression, ...] | Scan, text: str) -> bool:
    return isinstance(values, tuple) and len(values) == 1 and isinstance(values[0], Name) and values[0].text == text


def _as(names: tuple[str, ...]) -> tuple[Entry, ...]:
    if not names:
        return ()
    if len(names) == 1:
        return (Entry("as", word(names[0])),)
    return (Entry("as", Listing(tuple(Item(word(name)) for name in names))),)


def _overs(found: tuple[Over, ...]) -> Mapping:
    return Mapping(tuple(Entry(word(over.name.text), value_of(over.value)) for over in found))


def _expression(e: Expression) -> Value:
    return phrase(e) if isinstance(e, ListOf) else value_of(e)


def declares(node: Declare) -> tuple[Entry, ...]:
    """`W: "f32[a, b] = normal(0.02)"`."""
    text = type_text(node.type, quote="'")
    if node.initial is not None:
        text += " = " + flat(node.initial, quote="'")
    value = text if text.isidentifier() else Phrase(text)
    bare = Comments(node.comments.before, node.comments.after, node.comments.below)
    return tuple(Entry(word(name.text), value, bare) for name in node.names)


def assertions(node: Assert) -> tuple[Entry, ...]:
    """`"d % heads": "== 0"`."""
    bare = Comments(node.comments.before, node.comments.after, node.comments.below)
    texts = (f"{relation.operator} " + flat(relation.right, SUM, quote="'") for relation in node.relations)
    return tuple(Entry(_key(r.left), Phrase(text), bare) for r, text in zip(node.relations, texts, strict=True))


def _key(e: Expression) -> str | Phrase:
    """An expression as a key."""
    text = flat(e, SUM, quote="'")
    return value if isinstance(value := value_of(e), str) else Phrase(text)


# Calls


def _are_layers(steps: Sequence[Expression]) -> bool:
    return all(is_layer(step) for step in steps)


def is_layer(step: Expression) -> bool:
    """Whether a step can be written as `word: arguments`."""
    if isinstance(step, Name):
        return step.text not in _RESERVED
    if not isinstance(step, Call) or not isinstance(step.function, Name) or step.function.text in _RESERVED:
        return False
    if step.function.text == "residual":
        return len(step.arguments) == 1 and step.arguments[0].name is None and _is_residual(step.arguments[0].value)
    return named_last(step.arguments)


def named_last(found: tuple[Argument, ...]) -> bool:
    """Whether no argument without a name stands behind one with a name."""
    names = [argument.name is not None for argument in found]
    return names == sorted(names)


def _is_residual(value: Expression) -> bool:
    head, steps = pipe_parts(value)
    return (is_layer(head) and _are_layers(steps)) or not isinstance(value, ListOf)


def call_entry(step: Expression) -> Entry:
    """A layer as the entry of a mapping."""
    if isinstance(step, Name):
        return Entry(step.text, None)
    assert isinstance(step, Call)
    assert isinstance(step.function, Name)
    if step.function.text == "residual":
        return Entry("residual", _residual(step.arguments[0].value))
    return Entry(step.function.text, arguments_value(step.arguments))


def _residual(value: Expression) -> Value:
    head, steps = pipe_parts(value)
    if not (is_layer(head) and _are_layers(steps)):
        return value_of(value)
    found = (call_entry(step) for step in (head, *steps))
    return Listing(tuple(Item(entry.key if entry.value is None else Mapping((entry,))) for entry in found))


def arguments_value(found: tuple[Argument, ...]) -> Value:
    """`a`, `[a, b]`, `{k: c}` or `[a, {k: c}]`."""
    plain = [Item(value_of(argument.value)) for argument in found if argument.name is None]
    named = Mapping(tuple(Entry(word(a.name.text), value_of(a.value)) for a in found if a.name))
    if named.entries and not plain:
        return named
    if len(plain) == 1 and not named.entries and not isinstance(plain[0].value, Listing):
        return plain[0].value
    return Listing((*plain, Item(named)) if named.entries else tuple(plain))


def call_value(e: Expression) -> Value:
    """A setting's value: a call as a mapping, anything else as an expression."""
    if isinstance(e, Call) and is_layer(e):
        return Mapping((call_entry(e),))
    return value_of(e)


def clause(node: Loss | Metric) -> Mapping:
    """`{mse: [a, b], as: name}`."""
    name = (Entry("as", word(node.name.text)),) if node.name else ()
    if isinstance(node.value, Call) and is_layer(node.value):
        return Mapping((call_entry(node.value), *name))
    return Mapping((Entry("expression", _expression(node.value)), *name))
