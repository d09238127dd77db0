"""The names of instances: for each use of a word in the text of one body, the word, and from the second on a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ...spec import tree


def labels(*sections: tuple[tree.Syntax, ...]) -> dict[int, str]:
    """For each `Name` in the sections of a body, by identity, its label: `dense`, then `dense_2`, in the order of the
    text, one section after the other."""
    found: dict[int, str] = {}
    count = Counter[str]()
    for section in sections:
        for name in sorted(_names(section), key=lambda n: n.span.start):
            found[id(name)] = numbered(count, name.text)
    return found


def numbered(count: Counter[str], word: str) -> str:
    """The word, from its second time on with its number."""
    count[word] += 1
    return word if count[word] == 1 else f"{word}_{count[word]}"


def _names(part: Any) -> Iterator[tree.Name]:
    """Every name in a position where it may be a word: not a target, not an argument's name, not a member."""
    match part:
        case tree.Name():
            yield part
        case tree.Argument(value=value):
            yield from _names(value)
        case tree.Member(value=value):
            yield from _names(value)
        case tree.Assign(values=values):
            yield from _names(values)
        case tuple():
            for item in part:
                yield from _names(item)
        case tree.Syntax():
            for value in children(part):
                yield from _names(value)


def children(part: tree.Syntax) -> Iterator[Any]:
    """What a piece of syntax is made of, without the names that it gives to things."""
    return (value for field, value in vars(part).items() if field not in ("names", "name"))


def parts(part: Any) -> Iterator[Any]:
    """Every piece of syntax in a part, outer ones first."""
    if isinstance(part, tuple):
        for item in part:
            yield from parts(item)
    elif isinstance(part, tree.Syntax):
        yield part
        for value in children(part):
            yield from parts(value)


def join(*parts: str | int) -> str:
    return ".".join(str(p) for p in parts if p != "")
