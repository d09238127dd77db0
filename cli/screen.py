"""What a process may write to: how wide its screen is, whether it shows colour, and the words of its tables."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from typing import TextIO

from ..spec.render import escape, width_of

PIPE_WIDTH = 120  # of text that goes to a file or a program
STYLES = {"bold": "1", "dim": "2", "good": "32", "bad": "31", "line": "36", "back": "35"}


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def is_colourful(stream: TextIO) -> bool:
    """Whether to send colour there: to a terminal that has any, unless NO_COLOR asks for none."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """How many columns a line may take: those of the terminal, or of COLUMNS where there is none."""
    return shutil.get_terminal_size((PIPE_WIDTH, 0)).columns


def painted(text: str, style: str, *, colour: bool) -> str:
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colour and text else text


def padded(text: str, columns: int) -> str:
    """`text` and spaces up to `columns`, counting as a terminal does."""
    return text + " " * (columns - width_of(text))


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns`, its end replaced by an ellipsis where it is longer."""
    if width_of(text) <= columns:
        return text
    while width_of(text) > max(columns - 1, 0):
        text = text[:-1]
    return f"{text}…" if columns else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> list[str]:
    """Lines of aligned columns: the first `left` begin at the left, the others end at the right. Text is escaped."""
    lines = [[escape(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(_aligned(line, widths, left)).rstrip() for line in lines]


def _aligned(line: Sequence[str], widths: Sequence[int], left: int) -> Iterable[str]:
    for i, (cell, columns) in enumerate(zip(line, widths, strict=True)):
        gap = " " * (columns - width_of(cell))
        yield cell + gap if i < left else gap + cell


def quantity(number: float, unit: str = "") -> str:
    """A number with three figures and a power of 1000: `1.23 M`."""
    for power in ("", "k", "M", "G", "T", "P"):
        if abs(number) < 999.5:
            figures = f"{number:.3g}" if power else f"{number:g}"
            return f"{figures} {power}{unit}".rstrip()
        number /= 1000
    return f"{number:.3g} E{unit}"


def duration(seconds: float) -> str:
    """Seconds as people read them: `12 ms`, `4.21 s`, `3:05`, `1:02:03`."""
    if seconds < 0.1:
        return f"{1000 * seconds:.2g} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
