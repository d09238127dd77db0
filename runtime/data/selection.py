"""Selectors of columns to the names that a file has for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import DataError, quoted, suggestion
from .recipe import AllExcept, Column, Pattern, Selector


def resolve(selectors: Sequence[Selector], known: Sequence[str], file: str) -> tuple[str, ...]:
    """The names of the columns that `selectors` choose from `known`, each at most once."""
    chosen: list[str] = []
    for selector in selectors:
        chosen.extend(_resolve(selector, known, file))
    twice = next((name for i, name in enumerate(chosen) if name in chosen[:i]), None)
    if twice is not None:
        raise DataError("column-twice", "is asked for twice in one binding", "name it once", file=file, column=twice)
    return tuple(chosen)


def _resolve(selector: Selector, known: Sequence[str], file: str) -> Sequence[str]:
    match selector:
        case Column(name):
            if name not in known:
                advice = suggestion(name, known)
                if len(known) == 1 and ";" in known[0]:
                    advice = "the line of names holds `;`: separate the columns by commas"
                if len(known) == 1 and "\t" in known[0]:
                    advice = "the line of names holds tabs: call the file .tsv, or separate the columns by commas"
                raise DataError("missing-column", "there is no such column", advice, file=file, column=name)
            return (name,)
        case Pattern(text):
            pattern = re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)
            found = [name for name in known if pattern.fullmatch(name)]
            if not found:
                problem = f"no column matches {quoted(text)}"
                raise DataError("missing-column", problem, suggestion(text, known), file=file)
            return found
        case AllExcept(selectors):
            left_out = resolve(selectors, known, file)
            found = [name for name in known if name not in left_out]
            if not found:
                raise DataError("missing-column", "no column is left", "leave out fewer", file=file)
            return found
