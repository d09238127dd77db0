"""Files of text: how they are opened, and running text as one continuous source that is cut by shares."""

from __future__ import annotations

from io import TextIOWrapper
from itertools import pairwise
from pathlib import Path

from ..errors import DataError, FileError
from ..files import open_regular
from .values import DataFile, Field, Source, Whole

COLUMN = "text"


def look(path: Path) -> DataFile:
    """The file with the one column that it has, its whole text."""
    return DataFile(str(path), {COLUMN: Field("continuous")}, lambda numbers, texts: _load(path), continuous=True)


def _load(path: Path) -> Source:
    with open_text(path) as file:
        try:
            text = file.read()
        except UnicodeDecodeError:
            raise not_utf8(path) from None
    if not text:
        raise DataError("empty-file", "is empty, expected text", file=str(path))
    return _source(str(path), text)


def open_text(path: Path, newline: str | None = None) -> TextIOWrapper:
    """`path` as UTF-8, with or without its mark at the beginning. FileError if there is no such file."""
    try:
        return TextIOWrapper(open_regular(path), encoding="utf-8-sig", newline=newline)
    except OSError as error:
        raise FileError("cannot-read", f"cannot be read: {error.strerror or error}", path=path) from None


def not_utf8(path: Path) -> DataError:
    """The error for a file that could not be decoded, naming its first line at fault."""
    with open_regular(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                problem = f"found the byte {line[error.start]:#04x}, which is not UTF-8"
                return DataError("not-utf-8", problem, "save the file as UTF-8", file=str(path), row=number)
    raise AssertionError("the file changed")


def cut(source: Source, shares: tuple[float, ...]) -> list[Source]:
    """The text in pieces that are these shares of it, in order, cut at white space where there is some near."""
    whole = source.texts[COLUMN]
    assert isinstance(whole, Whole)
    ends, total = [0], 0.0
    for share in shares:
        total += share
        ends.append(_near_space(whole.text, round(total * len(whole.text))))
    return [_source(source.file, whole.text[a:b]) for a, b in pairwise(ends)]


def _near_space(text: str, position: int) -> int:
    if position >= len(text):
        return len(text)
    return next((i for i in range(position, min(position + 100, len(text))) if text[i].isspace()), position)


def _source(file: str, text: str) -> Source:
    return Source(file, len(text), texts={COLUMN: Whole(text)})
