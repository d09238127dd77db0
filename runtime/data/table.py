"""Tables of text, comma- or tab-separated with a line of names, to columns of numbers and of text."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from ..errors import DataError, quoted
from .text import not_utf8, open_text
from .values import DataFile, Field, Source

_MISSING = frozenset({"", "na", "n/a", "null", "none", "?", "-"})
_ADVICE = (  # what somebody may write who means a number
    (r"true|false", "write 1 and 0, or use `classes`"),
    (r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?", "write a date as numbers, such as the days since the first"),
    (r"[-+]?\d+,\d+", "write a decimal point"),
    (r"[-+]?\d{1,3}(([,._' ])\d{3})(\2\d{3})*([.,]\d+)?", "leave out what parts the thousands"),
    (r"[^\w.+-]?\s*[-+]?\d+([.,]\d+)?\s*([^\w\s]|[a-z]{1,3})", "write the number alone; for text use `classes`"),
)
_BLOCK = 512  # rows at a time: fast, and the texts of a whole file are never in memory


def look(path: Path, separator: str) -> DataFile:
    """The table with the columns of its first line; each holds one number or text in every row.

    Loading gives numbers as f64[rows], all finite. Every row is checked, whatever is asked for; a DataError names the
    first line at fault, and its column.
    """
    names = _names(path, separator)
    return DataFile(str(path), {name: Field("f32") for name in names}, partial(_load, path, separator, names))


def _load(path: Path, separator: str, names: Sequence[str], numbers: Sequence[str], texts: Sequence[str]) -> Source:
    number_at, text_at = [names.index(name) for name in numbers], [names.index(name) for name in texts]
    blocks, columns = [], [list[str]() for _ in texts]
    rows = 0
    for block in _blocks(path, separator, len(names)):
        blocks.append(_floats(path, separator, block, number_at, names, rows))
        for column, at in zip(columns, text_at, strict=True):
            column.extend(row[at] for row in block)
        rows += len(block)
    if not rows:
        raise DataError("no-rows", "has a line of names but no rows", "add rows", file=str(path))
    matrix = np.concatenate(blocks, axis=1)
    return Source(
        str(path),
        rows,
        dict(zip(numbers, matrix, strict=True)),
        dict(zip(texts, columns, strict=True)),
        _line_finder(path, separator),
        "line",
        home=path.parent,
    )


def _names(path: Path, separator: str) -> tuple[str, ...]:
    first = next(_records(path, separator), None)
    if first is None:
        raise DataError("empty-file", "is empty, expected a line of column names", file=str(path))
    names = tuple(name.strip() for name in first[1])
    if len(names) > 1 and all(_is_number(name) for name in names):
        problem = f"found numbers ({quoted(names[0])}, …) in the first line, expected the names of the columns"
        raise DataError("no-names", problem, "put a line of names before it", file=str(path), row=1)
    if "" in names:
        problem = f"has no name for column {names.index('') + 1}"
        raise DataError("nameless-column", problem, "name it, or leave it out", file=str(path), row=1)
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        problem = f"found the name {count} times"
        raise DataError("duplicate-column", problem, "give each its own", file=str(path), row=1, column=name)
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the line that it begins on."""
    with open_text(path, newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True, skipinitialspace=True)
        begin = 1
        try:
            for record in reader:
                if record:
                    yield begin, record
                begin = reader.line_num + 1
        except csv.Error as error:
            advice = "look for a quote that is not closed"
            raise DataError("bad-table", f"is no table: {error}", advice, file=str(path), row=begin) from None
        except UnicodeDecodeError:
            raise not_utf8(path) from None


def _blocks(path: Path, separator: str, width: int) -> Iterator[list[list[str]]]:
    records = islice(_records(path, separator), 1, None)
    while block := list(islice(records, _BLOCK)):
        if any(len(record) != width for _, record in block):
            line, record = next((line, record) for line, record in block if len(record) != width)
            problem = f"found {len(record)} values, the line of names has {width}"
            raise DataError("ragged-row", problem, "quote values that hold separators", file=str(path), row=line)
        yield [record for _, record in block]


def _floats(
    path: Path, separator: str, block: list[list[str]], at: list[int], names: Sequence[str], before: int
) -> np.ndarray:
    """f64[columns, rows] of the columns `at`; `before` rows came in earlier blocks."""
    fields = [row[i] for i in at for row in block]
    joined = "".join(fields)
    try:
        if "_" in joined or not joined.isascii():
            raise ValueError("Python would read 1_000 and ١")
        values = np.fromiter(map(float, fields), np.float64, len(fields)).reshape(len(at), len(block))
    except ValueError:
        values = np.full((len(at), len(block)), np.nan)
    if not np.isfinite(values).all():
        for row, record in enumerate(block):
            for i in at:
                if fault := _number_fault(record[i]):
                    line = _line_finder(path, separator)(before + row)
                    raise DataError(*fault, file=str(path), row=line, column=names[i])
    return values


def _number_fault(text: str) -> tuple[str, str, str] | None:
    """What keeps `text` from being a finite number: code, problem and help."""
    if text.strip().lower() in _MISSING:
        found = quoted(text) if text.strip() else "nothing"
        return "missing-value", f"found {found}, expected a number", "fill it in, or drop the row"
    if "_" in text or not text.isascii() or not _is_number(text):
        advices = (advice for form, advice in _ADVICE if re.fullmatch(form, text.strip(), re.IGNORECASE))
        return "not-a-number", f"found {quoted(text)}, expected a number", next(advices, "for text use `classes`")
    if not np.isfinite(float(text)):
        return "not-finite", f"found {quoted(text)}, expected a finite number", "fill it in, or drop the row"
    return None


def _line_finder(path: Path, separator: str) -> Callable[[int], int]:
    """From a row (from 0) to its line: by reading again, since only an error asks."""
    return lambda row: next(islice(_records(path, separator), row + 1, None))[0]
