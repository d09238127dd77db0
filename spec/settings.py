"""The mappings of `data`, `train`, `groups` and `generate` in YAML -> bindings and settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .cursor import Mistake
from .document import Document, Node, joined
from .entries import S, across, commented, each, entries
from .record import replace
from .scalars import attempt, expression, name, text
from .sections import DATA, GENERATE, GROUP, TEXTS, TRAIN, VALUE, Takes, data_of, takes_of, unknown
from .tree import Binding, Comments, Data, Generate, Group, Name, Setting, Settings, Text, Train
from .yaml_errors import MissingKey

_DATA: dict[str, Takes] = {"source": VALUE, "inputs": {}, "targets": {}, **DATA}
_GENERATE: dict[str, Takes] = {"input": VALUE, "from": VALUE, **GENERATE}


def data(d: Document, node: Node) -> Iterator[Data]:
    source: Text | None = None
    bindings: list[Binding] = []
    others: list[Setting] = []
    lead: tuple[str, ...] = ()
    for key, value, before in entries(d, node, "data"):
        if key.text in ("inputs", "targets"):
            found = attempt(d, _bindings, d, value, target=key.text == "targets") or ()
            bindings.extend(_led(found, before))
            lead += () if found else before
        elif key.text == "source":
            source = attempt(d, text, d, value, "`source`")
            lead += before
        else:
            others.extend(_setting(d, key, value, before, _DATA, "`data`"))
    items: tuple[Binding | Setting, ...] = (*sorted(bindings, key=lambda binding: binding.target), *others)
    yield data_of(d.span(node), source, _with_below(d, node, items), Comments(lead))


def _led(found: tuple[S, ...], before: tuple[str, ...]) -> tuple[S, ...]:
    """Statements with more comments before the first."""
    if not found or not before:
        return found
    return (replace(found[0], comments=joined(Comments(before), found[0].comments)), *found[1:])


def _with_below(d: Document, node: Node, found: tuple[S, ...]) -> tuple[S, ...]:
    """Statements with the comments that stand below the last, at the end of the mapping they are in."""
    if not found or node.in_flow:
        return found
    below = d.take_below(node.entries[-1][1].end, d.column(node.start))
    return (*found[:-1], replace(found[-1], comments=joined(found[-1].comments, Comments((), "", below))))


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
    lead: tuple[str, ...] = ()
    for key, value, before in entries(d, node, "generate"):
        if key.text in ("input", "from"):
            lead += before
        else:
            others.extend(_setting(d, key, value, before, _GENERATE, "`generate`"))
    for needed in ("input", "from"):
        if node.get(needed) is None:
            raise Mistake(MissingKey(d.place(node), needed, "`generate`"))
    grown, origin = node.get("input"), node.get("from")
    assert grown
    assert origin
    label = name(d, grown, "an input", new=False)
    settings = Settings(d.span(node), _with_below(d, node, tuple(others)))
    yield Generate(d.span(node), label, expression(d, origin), settings, comments=Comments(lead))


def _settings(d: Document, node: Node, keys: dict[str, Takes], where: str) -> Settings:
    found = tuple(
        setting
        for key, value, before in entries(d, node, where.strip("`"))
        for setting in _setting(d, key, value, before, keys, where)
    )
    return Settings(d.span(node), _with_below(d, node, found))


def _setting(
    d: Document, key: Node, value: Node, before: tuple[str, ...], keys: dict[str, Takes], where: str
) -> Iterable[Setting]:
    """The setting under a key; none where the key or the value is at fault, which is reported."""
    takes = takes_of(keys, key.text)
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

    return Settings(d.span(node), _with_below(d, node, tuple(each(d, node, "rename", read))))
