"""The scalar functions that kernels call, as C: `ax_`, a word of the scalar vocabulary, and a type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

HEADERS = tuple(Path(__file__).with_name(name) for name in ("arithmetic.h", "mathematics.h"))

NAME = re.compile(r"\b(?:ax|AX)_\w+")
DEFINED = re.compile(r"#define (AX_\w+)|AX_INLINE [\w ]+?\b(ax_\w+)\(")
MADE = re.compile(r"(AX_\w+)\((\w+),")  # functions that a macro makes for a type


class Part(NamedTuple):
    """A definition, or some that stand together: the names it gives, those it needs, and its text."""

    gives: frozenset[str]
    needs: frozenset[str]
    text: str


@cache
def header() -> str:
    """The C of all functions; it includes the standard headers that it needs."""
    return "".join(path.read_text(encoding="utf-8") for path in HEADERS)


def definitions(text: str) -> str:
    """The C of the functions that `text` calls, with what these call, which comes after standard.h; nothing where it
    calls none."""
    wanted = set(NAME.findall(text))
    chosen: list[str] = []
    for part in reversed(_parts()):
        if part.gives & wanted:
            wanted |= part.needs
            chosen.append(part.text)
    return "\n\n".join(reversed(chosen)) + "\n" if chosen else ""


@cache
def _parts() -> tuple[Part, ...]:
    """The definitions in order; each needs only such as stand before it."""
    bodies: dict[str, str] = {}
    parts = []
    for text in _paragraphs():
        made = MADE.match(text)
        meaning = text + bodies[made[1]].replace("##S", made[2]) if made else text
        gives = frozenset(a or b for a, b in DEFINED.findall(meaning))
        bodies |= dict.fromkeys(gives, text.partition("\n")[2])
        parts.append(Part(gives, frozenset(NAME.findall(meaning)), text))
    return tuple(parts)


def _paragraphs() -> Iterator[str]:
    """What stands between empty lines; of lines that make functions each by itself."""
    for text in re.split(r"\n{2,}", header()):
        yield from text.splitlines() if MADE.match(text) else (text,)
