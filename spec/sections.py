"""What the fixed sections of a spec may say: one table, and the check of a tree against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from .record import Record, replace
from .section_errors import DuplicateSetting, MisplacedBraces, MissingBraces, UnknownSetting, WrongSetting
from .source import Diagnostic, Place, Span
from .suggest import called, nearest
from .tree import Binding, Comments, Data, Expression, ListOf, Model, Name, Number, Setting, Settings, Text

NUMBER = "a number"
COUNT = "a whole number"
TRUTH = "`true` or `false`"
TEXT = "a text in quotes"
VALUE = "a value"
TEXTS = "pairs of texts"

Takes: TypeAlias = "str | dict[str, Takes]"

ANY = "*"  # stands for the names of inputs, of which this table knows nothing
DATA: dict[str, Takes] = {
    "split": {"train": NUMBER, "validation": NUMBER, "test": NUMBER},
    "batch": COUNT,
    "shuffle": TRUTH,
    "augment": {ANY: {"flip": VALUE, "crop": COUNT, "noise": NUMBER, "erase": COUNT, "with": VALUE}},
}
TRAIN: dict[str, Takes] = {
    "optimizer": VALUE,
    "schedule": VALUE,
    "warmup": COUNT,
    "epochs": COUNT,
    "steps": COUNT,
    "clip": {"norm": NUMBER, "value": NUMBER},
    "stop": {"monitor": VALUE, "patience": COUNT},
    "average": VALUE,
    "precision": VALUE,
    "seed": COUNT,
}
GROUP: dict[str, Takes] = {
    "frozen": TRUTH,
    "frozen_until": COUNT,
    "rate_multiplier": NUMBER,
    "weight_decay": NUMBER,
    "l1": NUMBER,
    "l2": NUMBER,
    "max_norm": NUMBER,
    "initial": VALUE,
    "source": TEXT,
    "rename": TEXTS,
}
GENERATE: dict[str, Takes] = {
    "start": VALUE,
    "stop": VALUE,
    "limit": COUNT,
    "temperature": NUMBER,
    "top_k": COUNT,
    "top_p": NUMBER,
    "beam": COUNT,
}
SECTIONS = {"data": DATA, "train": TRAIN, "group": GROUP, "generate": GENERATE}


def data_of(span: Span, source: Text | None, items: Sequence[Binding | Setting], comments: Comments) -> Data:
    """The data section of what stands in it: inputs before targets, and settings behind both."""
    below = tuple(text for item in items for text in item.comments.below)
    bare = [replace(item, comments=replace(item.comments, below=())) for item in items]
    ordered = sorted(bare, key=lambda item: 2 if isinstance(item, Setting) else item.target)
    if ordered:
        ordered[-1] = replace(ordered[-1], comments=replace(ordered[-1].comments, below=below))
    bindings = tuple(item for item in ordered if isinstance(item, Binding))
    settings = tuple(item for item in ordered if isinstance(item, Setting))
    return Data(span, source, bindings, Settings(span, settings), comments=comments)


class Checked(Record):
    """A table of keys, what it belongs to in words, and where mistakes go."""

    keys: dict[str, Takes]
    where: str
    report: Callable[[Diagnostic], None]


def check(model: Model) -> list[Diagnostic]:
    """The settings of a model that do not exist, stand twice, or plainly have a value of the wrong kind."""
    found: list[Diagnostic] = []
    if model.data:
        _check_settings(model.data.settings, Checked(DATA, "`data`", found.append))
        _check_bindings(model.data, model, found.append)
    if model.train:
        _check_settings(model.train.settings, Checked(TRAIN, "`train`", found.append))
    for group in model.groups:
        _check_settings(group.settings, Checked(GROUP, "`group`", found.append))
    if model.generate:
        _check_settings(model.generate.settings, Checked(GENERATE, "`generate`", found.append))
    return found


def _check_settings(settings: Settings, table: Checked) -> None:
    first: dict[str, Setting] = {}
    for item in settings.items:
        label = item.name.text if isinstance(item.name, Name) else item.name.value
        place = Place(item.name.span)
        takes = takes_of(table.keys, label) if isinstance(item.name, Name) else None
        if takes is None:
            table.report(unknown(place, label, table.keys, table.where))
            continue
        known = first.setdefault(label, item)
        if known is not item:
            related = (("first given here", known.name.span),)
            table.report(DuplicateSetting(place, label, table.where, related=related))
        _check_value(item, label, takes, table)


def takes_of(keys: dict[str, Takes], label: str) -> Takes | None:
    """What the setting of that name takes, None where there is no such setting."""
    return keys.get(label, keys.get(ANY))


def unknown(place: Place, label: str, keys: dict[str, Takes], where: str) -> UnknownSetting:
    """The mistake of a setting that does not exist, with what was meant as far as it can be guessed."""
    meant = nearest(label, keys)
    return UnknownSetting(place, label, where, meant, "" if meant else _elsewhere(label, keys), _list(keys))


def _list(keys: dict[str, Takes]) -> str:
    return ", ".join(f"`{key}`" for key in keys if key != ANY)


def _elsewhere(label: str, keys: dict[str, Takes]) -> str:
    """Which other section has that setting, or the one that is meant."""
    for name, others in SECTIONS.items():
        found = label if label in others else called(label, others)
        if found and others is not keys:
            return f"`{found}` belongs to `{name}`"
    return ""


def _check_value(item: Setting, label: str, takes: Takes, table: Checked) -> None:
    value = item.value
    if isinstance(takes, dict) or takes == TEXTS:
        if not isinstance(value, Settings):
            known = _list(takes) if isinstance(takes, dict) else ""
            table.report(MissingBraces(Place(value.span), label, known))
        elif isinstance(takes, dict):
            _check_settings(value, Checked(takes, f"`{label}`", table.report))
        else:
            _check_texts(value, label, table)
    elif isinstance(value, Settings):
        table.report(MisplacedBraces(Place(value.span), label, takes))
    elif found := wrong_kind(value, takes):
        table.report(WrongSetting(Place(value.span), label, takes, found))


def _check_texts(settings: Settings, label: str, table: Checked) -> None:
    first: dict[str, Text] = {}
    for item in settings.items:
        if isinstance(item.name, Text) and first.setdefault(item.name.value, item.name) is not item.name:
            related = (("first given here", first[item.name.value].span),)
            table.report(DuplicateSetting(Place(item.name.span), item.name.value, f"`{label}`", related=related))
        for part in (item.name, item.value):
            if not isinstance(part, Text):
                table.report(WrongSetting(Place(part.span), label, TEXT, f"`{part.span.text}`"))


def wrong_kind(value: Expression, takes: str) -> str:
    """What a value is, in words, where it plainly is not what is asked; empty where only compiling can tell."""
    if takes == VALUE:
        return ""
    if isinstance(value, Text):
        return "" if takes == TEXT else "a text"
    if isinstance(value, ListOf):
        return "a list"
    if isinstance(value, Name) and value.text in ("true", "false"):
        return "" if takes == TRUTH else f"`{value.text}`"
    if isinstance(value, Number):
        if takes == COUNT and isinstance(value.value, float):
            return f"`{value.text}`"
        return "" if takes in (NUMBER, COUNT) else f"the number `{value.text}`"
    return ""


def _check_bindings(data: Data, model: Model, report: Callable[[Diagnostic], None]) -> None:
    """A setting of `data` written with `=` would be a binding of an input that does not exist."""
    inputs = {node.name.text for node in model.inputs}
    first: dict[str, Binding] = {}
    for item in data.bindings:
        label = item.name.text
        if label in DATA and label not in inputs:
            report(UnknownSetting(Place(item.name.span), f"{label} =", "`data`", label))
        known = first.setdefault(label, item)
        if known is not item:
            related = (("first bound here", known.name.span),)
            report(DuplicateSetting(Place(item.name.span), label, "`data`", related=related))
