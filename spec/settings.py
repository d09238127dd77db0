"""The mappings of `data`, `train`, `groups` and `generate` in YAML -> bindings and settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .cursor import Mistake
from .document import Document, Node
from .entries import across, commented, each, entries
from .record import replace
from .scalars import attempt, expression, name, text
from .sections import DATA, GENERATE, GROUP, TEXTS, TRAIN, VALUE, Takes, unknown
from .tree import Binding, Comments, Data, Generate, Group, Name, Setting, Settings, Text, Train
from .yaml_errors import MissingKey

_DATA: dict[str, Takes] = {"source": VALUE, "inputs": {}, "targets": {}, **DATA}
_GENERATE: dict[str, Takes] = {"input": VALUE, "from": VALUE, **GENERATE}


def data(d: Document, node: Node) -> Iterator[Data]:
    source: Text | None = None
    bindings: list[Binding] = []
    others: list[Setting] = []
    for key, value, before in entries(d, node, "data"):
        if key.text == "source":
            source = attempt(d, text, d, value, "`source`")
        elif key.text in ("inputs", "targets"):
            found = attempt(d, _bindings, d, value, target=key.text == "targets")
            bindings.extend(found or ())
        else:
            others.extend(_setting(d, key, value, before, _DATA, "`data`"))
            continue
        if before and bindings:
            first = bindings[0]
            bindings[0] = replace(first, comments=replace(first.comments, before=before + first.comments.before))
    ordered = tuple(sorted(bindings, key=lambda binding: binding.target))
    yield Data(d.span(node), source, ordered, Settings(d.span(node), tuple(others)))


def _bindings(d: Document, node: Node, *, target: bool) -> tuple[Binding, ...]:
    def read(key: Node, value: Node) -> Binding:
        label = name(d, key, "an input", new=False)
        return Binding(across(d, key, value), target, label, expression(d, value, free=True))

    return tuple(each(d, node, "targets" if target else "inputs", read))


def train(d: Document, node: Node) -> Iterator[Train]:
    yield Train(d.span(node), _settings(d, node, TRAIN, "`train`"))


def groups(d: Document, node: Node) -> Iterator[Group]:
    def read(key: Node, value: Node) -> Group:
        header = d.take_on_line(key.end)
        found = _settings(d, value, GROUP, "`group`")
        return Group(across(d, key, value), text(d, key, "a pattern"), found, comments=Comments((), header))

    return each(d, node, "groups", read)


def generate(d: Document, node: Node) -> Iterator[Generate]:
    others: list[Setting] = []
    for key, value, before in entries(d, node, "generate"):
        if key.text not in ("input", "from"):
            others.extend(_setting(d, key, value, before, _GENERATE, "`generate`"))
    for needed in ("input", "from"):
        if node.get(needed) is None:
            raise Mistake(MissingKey(d.place(node), needed, "`generate`"))
    grown, origin = node.get("input"), node.get("from")
    assert grown
    assert origin
    label = name(d, grown, "an input", new=False)
    yield Generate(d.span(node), label, expression(d, origin), Settings(d.span(node), tuple(others)))


def _settings(d: Document, node: Node, keys: dict[str, Takes], where: str) -> Settings:
    found = [
        setting
        for key, value, before in entries(d, node, where.strip("`"))
        for setting in _setting(d, key, value, before, keys, where)
    ]
    return Settings(d.span(node), tuple(found))


def _setting(
    d: Document, key: Node, value: Node, before: tuple[str, ...], keys: dict[str, Takes], where: str
) -> Iterable[Setting]:
    """The setting under a key; none where the key or the value is at fault, which is reported."""
    takes = keys.get(key.text)
    if takes is None:
        d.report(unknown(d.place(key), key.text, keys, where))
        return ()
    found = attempt(d, _known_setting, d, key, value, takes)
    return (commented(d, found, before, value),) if found else ()


def _known_setting(d: Document, key: Node, value: Node, takes: Takes) -> Setting:
    label = Name(d.span(key), key.text)
    span = across(d, key, value)
    if value.kind == "map" and (isinstance(takes, dict) or takes == TEXTS):
        header = Comments((), d.take_on_line(key.end))
        found = _texts(d, value) if not isinstance(takes, dict) else _settings(d, value, takes, f"`{key.text}`")
        return Setting(span, label, found, comments=header)
    return Setting(span, label, expression(d, value))


def _texts(d: Document, node: Node) -> Settings:
    def read(key: Node, value: Node) -> Setting:
        return Setting(across(d, key, value), text(d, key, "a pattern"), expression(d, value))

    return Settings(d.span(node), tuple(each(d, node, "rename", read)))
