"""A diagnostic -> the screen a person reads, and the data a tool reads."""

from __future__ import annotations

from bisect import bisect_right
from functools import partial

from .source import Diagnostic, Span

_TAB = 4
_WINDOW = 110
_STYLES = {"error": "1;31", "warning": "1;33", "title": "1", "gutter": "34", "help": "32"}


def render(diagnostic: Diagnostic, *, colour: bool = False) -> str:
    """The lines that show a mistake in its text. User text is escaped, so that it cannot steer a terminal."""
    paint = partial(_paint, colour=colour)
    span = diagnostic.place.span
    number = str(span.line)
    margin = " " * len(number)
    bar = paint(f"{margin} |", "gutter")
    severity = paint(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity)
    lines = [
        severity + paint(f": {escape(diagnostic.render_title())}", "title"),
        paint(f"{margin}--> ", "gutter") + escape(str(span) if span.source.text else span.source.name),
    ]
    if span.source.text:
        text, before, width = excerpt(span)
        label = escape(diagnostic.render_label())
        mark = paint(f"{'^' * width}{' ' if label else ''}{label}", diagnostic.severity)
        lines += [bar, paint(f"{number} |", "gutter") + f" {text}".rstrip(), f"{bar} {' ' * before}{mark}"]
    head = paint(f"{margin} = ", "gutter")
    lines += [head + text for text in _remarks(diagnostic, colour=colour)]
    return "\n".join(lines)


def _remarks(diagnostic: Diagnostic, *, colour: bool) -> list[str]:
    paint = partial(_paint, colour=colour)
    found = []
    if frames := diagnostic.place.frames:
        found.append("in: " + escape(", ".join(map(str, frames))))
    found += [f"{escape(text)} --> {escape(str(span))}" for text, span in diagnostic.related]
    found += [escape(note) for note in diagnostic.render_notes()]
    if advice := diagnostic.render_help():
        found.append(paint("help", "help") + f": {escape(advice)}")
    return found


def _paint(text: str, style: str, *, colour: bool) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if colour else text


def excerpt(span: Span) -> tuple[str, int, int]:
    """The line a span begins on as it is shown, how far in the span begins, and how wide it is, in terminal columns."""
    line = span.source.line(span.line)
    start = span.column - 1
    stop = max(start + 1, min(len(line), start + span.end - span.start))
    prefix, marked, rest = line[:start], line[start:stop], line[stop:]
    shown = _shown(prefix, 0)
    middle = _shown(marked, width_of(shown))
    if len(line) > _WINDOW:
        shown, rest = _cropped(shown, rest, _WINDOW - min(width_of(middle), _WINDOW // 2))
        middle = middle if width_of(middle) <= _WINDOW // 2 else middle[: _WINDOW // 2] + "…"
    tail = _shown(rest, width_of(shown) + width_of(middle))
    return shown + middle + tail, width_of(shown), max(1, width_of(middle))


def _cropped(before: str, after: str, room: int) -> tuple[str, str]:
    """Both sides of the mark, cut so that they fit."""
    left = room * 2 // 3
    if len(before) > left:
        before = "…" + before[-left:]
    right = room - len(before)
    return before, after if len(after) <= right else after[:right] + "…"


def _shown(text: str, column: int) -> str:
    """Text with its tabs as spaces and its control characters as escapes, from a column on."""
    if text.isascii() and text.isprintable():
        return text
    shown = ""
    for character in text:
        if character == "\t":
            shown += " " * (_TAB - (column + width_of(shown)) % _TAB)
        else:
            shown += escape(character)
    return shown


def escape(text: str) -> str:
    """Text whose control characters, those that turn its direction too, are written as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\u3000" else repr(c)[1:-1] for c in text)


def width_of(text: str) -> int:
    """How many terminal columns a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def as_json(diagnostic: Diagnostic) -> dict[str, object]:
    """The same for tools: plain data, lines and columns from 1, ends exclusive."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.render_title(),
        **_where(diagnostic.place.span),
        "label": diagnostic.render_label(),
        "chain": [{"what": frame.what, **_where(frame.span)} for frame in diagnostic.place.frames],
        "notes": list(diagnostic.render_notes()),
        "help": diagnostic.render_help(),
        "related": [{"message": text, **_where(span)} for text, span in diagnostic.related],
    }


def _where(span: Span) -> dict[str, object]:
    starts = span.source.line_starts
    end_line = bisect_right(starts, span.end)
    return {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": span.end - starts[end_line - 1] + 1,
    }
