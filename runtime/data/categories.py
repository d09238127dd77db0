"""Functions from text that names one of a few classes to indices or indicators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import DataError, quoted, suggestion
from .function import Function, Learned
from .values import Origin, Texts, Value


@dataclass(frozen=True, slots=True)
class Classes(Function):
    """The index of each name among the names of its column in the training part, sorted; i64."""

    takes: ClassVar[str] = "texts"
    gives: ClassVar[str] = "numbers"
    learns: ClassVar[bool] = True

    def learn(self, value: Value, origin: Origin) -> Learned:
        return _names(value, origin)

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        assert isinstance(value, Texts)
        indices = _indices(value, learned, origin)
        return indices[:, 0] if value.alone else indices

    def count(self, learned: Learned) -> int:
        return max(len(names) for names in learned)

    def invert(self, array: np.ndarray, learned: Learned) -> np.ndarray:
        if len(learned) == 1:
            return np.take(learned[0], array)
        return np.stack([np.take(names, array[..., i]) for i, names in enumerate(learned)], axis=-1)


@dataclass(frozen=True, slots=True)
class OneHot(Function):
    """For each name of the training part, 1 where the row has it, else 0; several columns side by side; f32."""

    takes: ClassVar[str] = "texts"
    gives: ClassVar[str] = "numbers"
    learns: ClassVar[bool] = True

    def learn(self, value: Value, origin: Origin) -> Learned:
        return _names(value, origin)

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        assert isinstance(value, Texts)
        indices = _indices(value, learned, origin)
        columns = [np.eye(len(names), dtype=np.float32)[indices[:, i]] for i, names in enumerate(learned)]
        return np.concatenate(columns, axis=1)

    def invert(self, array: np.ndarray, learned: Learned) -> np.ndarray | None:
        return np.take(learned[0], array.argmax(-1)) if len(learned) == 1 else None


def _names(value: Value, origin: Origin) -> list[list[str]]:
    """The sorted names of each column; as numbers if all are numbers, so that 10 comes after 9."""
    assert isinstance(value, Texts)
    names = [_sorted(set(column) - {""}) for column in value.columns]
    for i, known in enumerate(names):
        if len(known) < 2:
            found = quoted(known[0]) if known else "nothing"
            problem = f"found {found} in every training row, expected at least two classes"
            raise origin.fault("one-class", problem, "leave the column out, or add rows of other classes", column=i)
    return names


def _sorted(names: set[str]) -> list[str]:
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)


def _indices(value: Texts, learned: Sequence[Sequence[str]], origin: Origin) -> np.ndarray:
    result = np.empty((len(value.columns[0]), len(learned)), np.int64)
    for i, (column, names) in enumerate(zip(value.columns, learned, strict=True)):
        table = {name: index for index, name in enumerate(names)}
        try:
            result[:, i] = [table[name] for name in column]
        except KeyError:
            row = next(row for row, name in enumerate(column) if name not in table)
            raise _unknown(column[row], row, i, names, origin) from None
    return result


def _unknown(name: str, row: int, column: int, names: Sequence[str], origin: Origin) -> DataError:
    if not name:
        problem = "found nothing, expected the name of a class"
        return origin.fault("missing-value", problem, "fill it in, or drop the row", row=row, column=column)
    problem = f"found {quoted(name)}, a class that no training row has"
    return origin.fault("unseen-class", problem, suggestion(name, names), row=row, column=column)
