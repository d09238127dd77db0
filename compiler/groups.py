"""The `group` sections: patterns over the names of weights to what each weight is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..spec import tree
from ..spec.record import Record, replace
from ..spec.source import Place
from .parameters import Treatment
from .settings import Reader
from .trace import errors
from .trace.initial import initial
from .trace.scope import Scope
from .trace.tracer import Initial, Tracer, Variable

KEYS = ("frozen", "frozen_until", "rate_multiplier", "weight_decay", "l1", "l2", "max_norm")


class Origin(Record):
    """Where a weight comes from: the array `name` of a file, which `place` asks for."""

    file: str
    name: str
    place: Place


class Grouped(Record):
    """What groups give: for each weight its treatment, and where they say so its initialiser and its origin, which
    states have too."""

    treatments: Mapping[str, Treatment]
    initials: Mapping[str, Initial]
    origins: Mapping[str, Origin]


class Change(Record):
    """What one group asks of the weights that its pattern matches."""

    pattern: tree.Text
    treatment: Mapping[str, Any]
    initial: Initial | None
    origin: tree.Text | None
    renames: tuple[tuple[str, str], ...] = ()

    def matches(self, name: str) -> bool:
        return bool(pattern(self.pattern.value).fullmatch(name))


def changes(groups: Iterable[tree.Group], t: Tracer, scope: Scope) -> tuple[Change, ...]:
    """What the groups of a spec ask for; mistakes are reported to the tracer."""
    return tuple(_change(group, t, scope) for group in groups)


def grouped(
    asked: Iterable[Change], parameters: Mapping[str, Variable], states: Iterable[str], t: Tracer, *, whole: bool
) -> Grouped:
    """The changes applied to the weights that there are. Later groups win, key by key.

    Where mistakes hid some of the weights they are not `whole`, and a pattern may match nothing.
    """
    treatments: dict[str, Treatment] = {}
    initials: dict[str, Initial] = {}
    origins: dict[str, Origin] = {}
    for change in asked:
        matched = [n for n in parameters if change.matches(n)]
        if whole and not matched:
            _report_no_match(change, parameters, t)
        for name in matched:
            treatments[name] = replace(treatments.get(name, Treatment()), **change.treatment)
            if change.initial is not None:
                initials[name] = change.initial
        if change.origin is not None:
            names = (*matched, *(n for n in states if change.matches(n)))
            place = Place(change.origin.span)
            origins |= {n: Origin(change.origin.value, _theirs(change.renames, n), place) for n in names}
    return Grouped(treatments, initials, origins)


def pattern(text: str) -> re.Pattern[str]:
    """`*` matches within a part of the path, `**` any parts; each is a group of the match."""
    pieces = re.split(r"(\*\*|\*)", text)
    return re.compile("".join({"**": "(.*)", "*": "([^.]*)"}.get(p, re.escape(p)) for p in pieces))


def _theirs(renames: tuple[tuple[str, str], ...], name: str) -> str:
    """The name of one of our weights in a file of others: `"theirs.*" "ours.*"`, the first that matches."""
    for theirs, ours in renames:
        found = pattern(ours).fullmatch(name)
        if found:
            for star in found.groups():
                theirs = re.sub(r"\*\*|\*", star.replace("\\", ""), theirs, count=1)
            return theirs
    return name


def _change(group: tree.Group, t: Tracer, scope: Scope) -> Change:
    reader = Reader(t, scope, group.settings)
    begin = reader.expression("initial")
    origin = reader.expression("source")
    renames = reader.inner("rename")
    pairs = tuple((p.name, p.value) for p in renames.settings.items) if renames else ()
    return Change(
        group.pattern,
        _treatment(reader),
        initial(t, scope, begin) if begin is not None else None,
        origin if isinstance(origin, tree.Text) else None,
        tuple((a.value, b.value) for a, b in pairs if isinstance(a, tree.Text) and isinstance(b, tree.Text)),
    )


def _treatment(reader: Reader) -> dict[str, Any]:
    """The keys of a treatment that a group gives."""
    found: dict[str, Any] = {}
    for key in KEYS:
        if reader.settings.get(key) is None:
            continue
        match key:
            case "frozen":
                found[key] = reader.flag(key, False)
            case "frozen_until":
                found[key] = reader.whole(key, 0)
            case _:
                found[key] = reader.number(key, 0.0, least=0.0)
    return found


def _report_no_match(change: Change, parameters: Mapping[str, Variable], t: Tracer) -> None:
    shown = ", ".join(f"`{n}`" for n in list(parameters)[:8]) + (", …" if len(parameters) > 8 else "")
    t.wrong(errors.NoMatch, change.pattern.span, pattern=change.pattern.value, weights=shown or "not there at all")
