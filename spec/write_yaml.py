"""Model -> the canonical text of its YAML notation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .record import replace
from .tree import (
    Assert,
    Block,
    Comments,
    Data,
    Generate,
    Group,
    Loss,
    Metric,
    Model,
    Setting,
    Settings,
    Slot,
    Statement,
    Text,
)
from .write_expression import flat, type_text
from .write_items import assertions, call_value, clause, items_of
from .yaml_text import Entry, Item, Listing, Mapping, Phrase, Value, comment_line, literal, to_lines, value_of, word

# A blank line stands before each of these, where it comes after another of its line or of a line above.
_PARTS = (
    ("axonc", "name", "constants", "include"),
    ("data",),
    ("inputs",),
    ("blocks",),
    ("layers",),
    ("outputs", "loss", "metrics"),
    ("groups", "train", "generate"),
    ("assert",),
)


def write(model: Model) -> str:
    """The whole document."""
    entries = [*_heads(model), *_sections(model)]
    parts = [next(part for part in _PARTS if entry.key in part) for entry in entries]
    for i in range(1, len(entries)):
        if parts[i] is not parts[i - 1]:
            entries[i] = replace(entries[i], comments=replace(entries[i].comments, gap=True))
    lines = to_lines(Mapping(tuple(entries), is_open=True), "")
    lines += [comment_line(text) for text in model.comments.below]
    return "\n".join(lines) + "\n"


def _heads(model: Model) -> Iterator[Entry]:
    comments = Comments(model.comments.before, model.comments.after)
    if model.version:
        yield Entry("axonc", flat(model.version), comments)
        comments = Comments()
    if model.name:
        yield Entry("name", word(model.name.text), comments)


def _sections(model: Model) -> Iterator[Entry]:
    if model.constants:
        found = tuple(_entry(node, node.name.text, value_of(node.value)) for node in model.constants)
        yield Entry("constants", Mapping(found))
    if model.includes:
        files = tuple(Item(literal(node.path.value), _bare(node)) for node in model.includes)
        yield Entry("include", Listing(files))
    if model.data:
        yield _entry(model.data, "data", _data(model.data))
    if model.inputs:
        found = tuple(_entry(node, node.name.text, Phrase(type_text(node.type, "'"))) for node in model.inputs)
        yield Entry("inputs", Mapping(found, is_open=True))
    if model.blocks:
        yield Entry("blocks", Mapping(tuple(_block(block) for block in model.blocks), is_open=True))
    if model.body:
        first = model.inputs[0].name.text if model.inputs else None
        yield Entry("layers", items_of(model.body, first))
    if model.outputs:
        found = tuple(_entry(n, n.name.text, value_of(n.value) if n.value else None) for n in model.outputs)
        yield Entry("outputs", Mapping(found))
    yield from _clauses("loss", model.losses)
    yield from _clauses("metrics", model.metrics)
    if model.groups:
        yield Entry("groups", Mapping(tuple(_group(group) for group in model.groups), is_open=True))
    if model.train:
        yield _entry(model.train, "train", _settings(model.train.settings, is_open=True))
    if model.generate:
        yield _entry(model.generate, "generate", _generate(model.generate))
    if model.asserts:
        yield Entry("assert", _asserts(model.asserts))


def _bare(node: Statement) -> Comments:
    """The comments of something that is never set off by a blank line."""
    return replace(node.comments, gap=False)


def _entry(node: Statement, key: str, value: Value | None) -> Entry:
    return Entry(word(key), value, _bare(node))


def _clauses(key: str, nodes: Sequence[Loss | Metric]) -> Iterator[Entry]:
    if len(nodes) == 1:
        yield _entry(nodes[0], key, clause(nodes[0]))
    elif nodes:
        yield Entry(key, Listing(tuple(Item(clause(node), _bare(node)) for node in nodes), is_open=True))


def _asserts(nodes: tuple[Assert, ...]) -> Value:
    """One mapping, or a list of them where a left side comes again."""
    groups: list[dict[str | Phrase, Entry]] = [{}]
    for entry in (entry for node in nodes for entry in assertions(node)):
        if entry.key in groups[-1]:
            groups.append({})
        groups[-1][entry.key] = entry
    found = [Mapping(tuple(group.values())) for group in groups]
    return found[0] if len(found) == 1 else Listing(tuple(Item(mapping) for mapping in found), is_open=True)


def _block(block: Block) -> Entry:
    entries = []
    if block.settings:
        entries.append(Entry("parameters", _slots(block.settings)))
    if block.inputs:
        entries.append(Entry("inputs", _slots(block.inputs)))
    first = block.inputs[0].name.text if block.inputs else None
    entries.append(Entry("layers", items_of(block.body, first, of="block")))
    return _entry(block, block.name.text, Mapping(tuple(entries), is_open=True))


def _slots(slots: tuple[Slot, ...]) -> Listing:
    return Listing(tuple(Item(_slot(slot)) for slot in slots))


def _slot(slot: Slot) -> Value:
    name = word(slot.name.text)
    return name if slot.default is None else Mapping((Entry(name, value_of(slot.default)),))


def _data(data: Data) -> Mapping:
    entries = [Entry("source", literal(data.source.value))] if data.source else []
    for key, target in (("inputs", False), ("targets", True)):
        found = tuple(_entry(b, b.name.text, value_of(b.value)) for b in data.bindings if b.target is target)
        if found:
            entries.append(Entry(key, Mapping(found)))
    entries += _settings(data.settings).entries
    return Mapping(tuple(entries), is_open=True)


def _group(group: Group) -> Entry:
    return Entry(literal(group.pattern.value), _settings(group.settings), _bare(group))


def _generate(generate: Generate) -> Mapping:
    first = (Entry("input", word(generate.input.text)), Entry("from", value_of(generate.origin)))
    return Mapping((*first, *_settings(generate.settings).entries))


def _settings(settings: Settings, *, is_open: bool = False) -> Mapping:
    return Mapping(tuple(_setting(item) for item in settings.items), is_open=is_open)


def _setting(setting: Setting) -> Entry:
    key = literal(setting.name.value) if isinstance(setting.name, Text) else word(setting.name.text)
    value = _settings(setting.value) if isinstance(setting.value, Settings) else call_value(setting.value)
    return Entry(key, value, _bare(setting))
