"""Scalars, lists and mappings -> YAML text: in `{ }` and `[ ]` where that fits on a line, else one entry a line."""

from __future__ import annotations

import re
from typing import TypeAlias

from .record import Record
from .tree import Comments, Expression, ListOf, Name, Number, Unary
from .write_expression import STEP, WIDTH, flat, laid_out

Value: TypeAlias = "str | Phrase | Listing | Mapping"

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*\Z")
# Words that YAML 1.2 does not read as the text they are.
_OTHER = frozenset(("null", "Null", "NULL", "True", "TRUE", "False", "FALSE"))
_TRUTHS = frozenset(("true", "false"))
_MANY = 10


class Phrase(Record):
    """An expression of more than one word: in quotes, or in a `|` block where it is too long or holds both quotes."""

    text: str
    expression: Expression | None = None

    @property
    def in_quotes(self) -> str | None:
        if '"' not in self.text and "\\" not in self.text:
            return f'"{self.text}"'
        return f"'{self.text}'" if "'" not in self.text else None

    def block(self, indent: str) -> str:
        """The lines of a `|` block."""
        if self.expression is None:
            return indent + self.text
        return indent + laid_out(self.expression, indent, len(indent), quote="'")


class Listing(Record):
    """A list; `is_open` keeps it from standing on one line."""

    items: tuple[Item, ...]
    is_open: bool = False


class Mapping(Record):
    """A mapping; `is_open` keeps it from standing on one line."""

    entries: tuple[Entry, ...]
    is_open: bool = False


class Item(Record):
    """An item of a list with the comments that belong to it."""

    value: Value
    comments: Comments = Comments()


class Entry(Record):
    """A key, which is a phrase where an expression stands there, and its value, None for nothing; with its comments."""

    key: str | Phrase
    value: Value | None
    comments: Comments = Comments()

    @property
    def key_text(self) -> str | None:
        """The key on one line; None where it needs a `|` block."""
        return self.key.in_quotes if isinstance(self.key, Phrase) else self.key


def comment_line(text: str) -> str:
    return f"#{text}" if text[:1] in ("#", "!") else f"# {text}".rstrip()


# Scalars


def word(text: str) -> str:
    """A name as a literal."""
    return f'"{text}"' if text in _OTHER or text in _TRUTHS else text


def literal(text: str) -> str:
    """A text as a literal: a file name, a pattern."""
    if _PLAIN.match(text) and text not in _OTHER and text not in _TRUTHS:
        return text
    return "'" + text.replace("'", "''") + "'" if '"' in text or "\\" in text else f'"{text}"'


def value_of(e: Expression) -> Value:
    """An expression at a place for one."""
    if isinstance(e, Name):
        return f'"{e.text}"' if e.text in _OTHER else e.text
    if isinstance(e, Number) or (isinstance(e, Unary) and isinstance(e.value, Number) and e.operator != "not"):
        return flat(e)
    if isinstance(e, ListOf):
        return Listing(tuple(Item(value_of(item)) for item in e.items))
    return phrase(e)


def phrase(e: Expression) -> Phrase:
    """An expression as a string."""
    return Phrase(flat(e, quote="'"), e)


# Lines


def to_lines(value: Mapping | Listing, indent: str) -> list[str]:
    """One entry or item a line, or as many lines as each needs."""
    lines: list[str] = []
    for part in value.entries if isinstance(value, Mapping) else value.items:
        if part.comments.gap and lines:
            lines.append("")
        lines += _entry_lines(part, indent) if isinstance(part, Entry) else _item_lines(part, indent)
    return lines


def _entry_lines(entry: Entry, indent: str) -> list[str]:
    before, after, below = _comment_texts(entry.comments, indent)
    head = entry.key_text
    if isinstance(entry.key, Phrase) and head is None:
        before = [*before, f"{indent}? |", entry.key.block(indent + STEP)]
    return [*before, *_valued(f"{indent}{head or ''}:", entry.value, indent + STEP, after), *below]


def _item_lines(item: Item, indent: str) -> list[str]:
    before, after, below = _comment_texts(item.comments, indent)
    if isinstance(item.value, Mapping) and (_flow(item.value, len(indent) + 2) is None or not item.value.entries):
        lines = to_lines(item.value, indent + STEP)
        first = f"{indent}- {lines[0].lstrip()}"
        return [*before, first + after, *lines[1:], *below]
    return [*before, *_valued(f"{indent}-", item.value, indent + STEP, after), *below]


def _valued(head: str, value: Value | None, indent: str, after: str) -> list[str]:
    """A key or a dash with its value."""
    if value is None:
        return [head + after]
    text = value if isinstance(value, str) else _flow(value, len(head) + 1)
    if text is not None:
        return [f"{head} {text}{after}"]
    if isinstance(value, Phrase):
        return [f"{head} |{after}", value.block(indent)]
    assert not isinstance(value, str)
    if isinstance(value, Listing) and (filled := _filled(value, indent)):
        return [head + after, *filled]
    return [head + after, *to_lines(value, indent)]


def _filled(value: Listing, indent: str) -> list[str]:
    """Many words or numbers in `[ ]` over several lines; nothing where some item is more than that."""
    words = [item.value for item in value.items if isinstance(item.value, str) and item.comments == Comments()]
    if len(words) < len(value.items) or len(words) < _MANY or value.is_open:
        return []
    lines = [f"{indent}["]
    for i, text in enumerate(words):
        piece = text + ("]" if i == len(words) - 1 else ",")
        if len(lines[-1]) + 1 + len(piece) > WIDTH:
            lines.append(f"{indent} ")
        lines[-1] += piece if lines[-1].endswith(("[", "  ")) else f" {piece}"
    return lines


def _comment_texts(comments: Comments, indent: str) -> tuple[list[str], str, list[str]]:
    before = [indent + comment_line(text) for text in comments.before]
    after = f"  {comment_line(comments.after)}" if comments.after else ""
    return before, after, [indent + comment_line(text) for text in comments.below]


def _flow(value: Value, column: int) -> str | None:
    """On one line from a column on; None where that does not fit or cannot hold what is inside."""
    text = _flow_text(value)
    return text if text is not None and column + len(text) <= WIDTH else None


def _flow_text(value: Value | None) -> str | None:
    if value is None:
        return "null"
    if isinstance(value, str):
        return value
    if isinstance(value, Phrase):
        return value.in_quotes
    if value.is_open and (value.items if isinstance(value, Listing) else value.entries):
        return None
    if isinstance(value, Listing):
        found = [_flow_text(item.value) if item.comments == Comments() else None for item in value.items]
        return None if None in found else f"[{', '.join(text or '' for text in found)}]"
    pairs = [_pair(entry) if entry.comments == Comments() else None for entry in value.entries]
    return None if None in pairs else f"{{{', '.join(text or '' for text in pairs)}}}"


def _pair(entry: Entry) -> str | None:
    text = _flow_text(entry.value)
    return None if text is None or entry.key_text is None else f"{entry.key_text}: {text}"
