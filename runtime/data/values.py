"""What flows through the preparing functions: numbers, texts, tokens, with the place in the file they came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..errors import DataError


@dataclass(frozen=True, slots=True)
class Field:
    """What one column, array or binding gives: dtype, shape of one row, and the number of classes or words if known.

    The dtype `text` is no number yet; `continuous` is a text whose pieces become the rows.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    entries: int | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """Columns of text of equal length. `alone` if they are one column called by its name, not a list of one."""

    columns: tuple[Sequence[str], ...]
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Whole:
    """One continuous text, whose pieces become the rows."""

    text: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """A row of indices for each row of text, of differing lengths: i32[sum of lengths] and i64[rows].

    `limit` is the length that rows are cut to; None where nobody set one.
    """

    flat: np.ndarray
    lengths: np.ndarray
    limit: int | None = None

    @property
    def longest(self) -> int:
        return int(self.lengths.max(initial=0))

    def padded(self, width: int) -> np.ndarray:
        """i32[rows, width], with 0 after the end of each row; no row may be longer than `width`."""
        inside = np.arange(width) < self.lengths[:, None]
        rows = np.zeros(inside.shape, np.int32)
        rows[inside] = self.flat
        return rows


@dataclass(frozen=True, slots=True)
class Images:
    """Files of images that were not read yet, and what they are to be: grey, and of which height and width."""

    files: tuple[Path, ...]
    grey: bool = False
    size: tuple[int, int] | None = None


Value: TypeAlias = "np.ndarray | Texts | Whole | Tokens | Images"


@dataclass(frozen=True, slots=True)
class Source:
    """A data file in memory: the columns that were asked for, as numbers (rows on axis 0) or as texts.

    `images` are those of a folder, if they were asked for. Texts that name files begin in the folder `home` and may
    not lead out of it; without one, of arrays in memory, they are paths like any other.
    """

    file: str
    rows: int
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, Sequence[str] | Whole] = field(default_factory=dict)
    line: Callable[[int], int] = int
    unit: str = "row"
    images: Images | None = None
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file (or arrays in memory) that was looked into: its columns, and how to load some as numbers and as texts.

    `slow` to read are images: nobody does that only to know what there is.
    """

    name: str
    fields: Mapping[str, Field]
    load: Callable[[Sequence[str], Sequence[str]], Source]
    continuous: bool = False
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """The columns of a source that a value was made from: what an error about one of its elements names."""

    source: Source
    columns: tuple[str, ...]

    def fault(self, code: str, problem: str, advice: str = "", *, row: int | None = None, column: int = 0) -> DataError:
        """A DataError about `row` (from 0) of the `column`-th column."""
        source = self.source
        line = None if row is None else source.line(row)
        name = self.columns[column]
        return DataError(code, problem, advice, file=source.file, row=line, column=name, unit=source.unit)

    def fault_at(self, wrong: np.ndarray, values: np.ndarray, code: str, expected: str, advice: str = "") -> DataError:
        """A DataError about the first of `values` that is `wrong`."""
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
        column = index[1] if len(self.columns) > 1 else 0
        inner = index[1:] if len(self.columns) == 1 else index[2:]
        position = f" at [{', '.join(map(str, inner))}]" if inner else ""
        problem = f"found {values[index]}{position}, {expected}"
        return self.fault(code, problem, advice, row=index[0], column=column)


def dtype_of(word: str) -> np.dtype:
    """The NumPy type of a word like `f32` or `bool`."""
    return np.dtype("?" if word == "bool" else f"{word[0]}{int(word[1:]) // 8}")


def word_of(dtype: np.dtype) -> str | None:
    """The word for a NumPy type; `text` for text, None for what no model can take."""
    if dtype.kind in "US":
        return "text"
    if dtype.kind == "b":
        return "bool"
    return f"{dtype.kind}{8 * dtype.itemsize}" if dtype.kind in "iuf" and dtype.itemsize <= 8 else None
