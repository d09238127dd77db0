"""Texts with positions, and mistakes with places: what every layer uses to say where something was written."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from .record import Record


@dataclass(frozen=True, eq=False)
class Source:
    """A text that people wrote: a spec file, a `--set` argument, or the node of a model file.

    `included` says through which `include` statements it was reached, innermost first.
    """

    name: str
    text: str
    included: tuple[Frame, ...] = ()

    @cached_property
    def line_starts(self) -> list[int]:
        return [0, *(i + 1 for i, c in enumerate(self.text) if c == "\n")]

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its end."""
        start = self.line_starts[number - 1]
        return self.text[start:].split("\n", 1)[0].rstrip("\r")

    def has_gap(self, position: int) -> bool:
        """Whether the line on which something begins at `position` comes after a blank line."""
        start = self.text.rfind("\n", 0, position) + 1
        before = self.text[self.text.rfind("\n", 0, max(start - 1, 0)) + 1 : start]
        return start > 0 and not before.strip() and not self.text[start:position].strip(" \t-")

    def __repr__(self) -> str:
        return f"Source({self.name!r})"


@dataclass(frozen=True, slots=True)
class Span:
    """A range of characters of a source, `start` inclusive, `end` exclusive."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """Line number, from 1."""
        return bisect_right(self.source.line_starts, self.start)

    @property
    def column(self) -> int:
        """Column number in characters, from 1."""
        return self.start - self.source.line_starts[self.line - 1] + 1

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of the other."""
        return Span(self.source, self.start, max(self.end, other.end))

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Frame:
    """One step of how the compiler came to a place: a block's use, a turn of a repeat, an include."""

    what: str
    span: Span

    def __str__(self) -> str:
        return f"{self.what} ({self.span.source.name}:{self.span.line})"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written, and the chain of uses that led there, innermost first."""

    span: Span
    chain: tuple[Frame, ...] = ()

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The chain, and behind it the includes through which the file was reached."""
        return self.chain + self.span.source.included

    def __str__(self) -> str:
        return str(self.span)


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Diagnostic(Record):
    """A user's mistake. Each kind is a subclass: its fields are what is known, its texts are templates over them.

    `title` says what is wrong, `label` stands under the caret, each of `notes` gives what was found and expected,
    `help` says what to write instead. A `label`, note or help that mentions an empty field is left out.
    """

    place: Place

    code: ClassVar[str]
    severity: ClassVar[str] = "error"
    apart: ClassVar[bool] = False  # whether the rest of the spec means the same with or without the mistake
    title: ClassVar[str]
    label: ClassVar[str] = ""
    notes: ClassVar[tuple[str, ...]] = ()
    help: ClassVar[str] = ""

    related: tuple[tuple[str, Span], ...] = field(default=(), kw_only=True)

    def render_title(self) -> str:
        return self.title.format_map(self._values)

    def render_label(self) -> str:
        return self._optional(self.label)

    def render_notes(self) -> tuple[str, ...]:
        return tuple(text for note in self.notes if (text := self._optional(note)))

    def render_help(self) -> str:
        return self._optional(self.help)

    @property
    def _values(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self._fields}

    def _optional(self, template: str) -> str:
        values = self._values
        empty = any("{" + name in template and value in ("", None, ()) for name, value in values.items())
        return "" if empty else template.format_map(values)


class CompileError(Exception):
    """A spec at fault. `diagnostics` holds every independent mistake that was found, in the order of the text.

    `rest` is what could be read, where no mistake changes what the rest of it means: more may be found in it.
    """

    def __init__(self, diagnostics: tuple[Diagnostic, ...], rest: object = None) -> None:
        super().__init__("\n".join(f"{d.place}: {d.severity}[{d.code}]: {d.render_title()}" for d in diagnostics))
        self.diagnostics = diagnostics
        self.rest = rest if all(d.apart for d in diagnostics) else None
