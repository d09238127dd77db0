"""The `group` sections: patterns over the names of weights to what each weight is given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from ..spec import tree
from .parameters import Treatment
from .settings import Reader
from .trace import errors
from .trace.initial import initial
from .trace.model import Traced
from .trace.tracer import Initial, Variable

KEYS = ("frozen", "frozen_until", "rate_multiplier", "weight_decay", "l1", "l2", "max_norm")


def treatments(
    groups: Iterable[tree.Group], parameters: dict[str, Variable], traced: Traced
) -> tuple[dict[str, Treatment], dict[str, Initial]]:
    """For each weight its treatment, and its initialiser where a group gives one. Later groups win, key by key."""
    found: dict[str, Treatment] = {}
    initials: dict[str, Initial] = {}
    for group in groups:
        reader = Reader(traced.tracer, traced.scope, group.settings)
        matched = [n for n in parameters if pattern(group.pattern.value).fullmatch(n)]
        if not matched:
            shown = ", ".join(f"`{n}`" for n in list(parameters)[:8]) + (", …" if len(parameters) > 8 else "")
            traced.tracer.wrong(
                errors.NoMatch, group.pattern.span, pattern=group.pattern.value, weights=shown or "not there at all"
            )
        changes = _changes(reader)
        for name in matched:
            found[name] = replace(found.get(name, Treatment()), **changes)
            begin = reader.expression("initial")
            if begin is not None:
                made = initial(traced.tracer, traced.scope, begin, parameters[name].type)
                if made is not None:
                    initials[name] = made
    return found, initials


def pattern(text: str) -> re.Pattern[str]:
    """`*` matches within a part of the path, `**` any parts."""
    pieces = re.split(r"(\*\*|\*)", text)
    return re.compile("".join({"**": ".*", "*": "[^.]*"}.get(p, re.escape(p)) for p in pieces))


def _changes(reader: Reader) -> dict[str, object]:
    """The keys that a group gives."""
    changes: dict[str, object] = {}
    for key in KEYS:
        if reader.settings.get(key) is None:
            continue
        match key:
            case "frozen":
                changes[key] = reader.flag(key, False)
            case "frozen_until":
                changes[key] = reader.whole(key, 0)
            case _:
                changes[key] = reader.number(key, 0.0, least=0.0)
    return changes
