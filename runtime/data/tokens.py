"""Functions from text to rows of indices: 0 pads, 1 stands for what the training part did not have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np

from .function import Function, Learned
from .values import Field, Origin, Texts, Tokens, Value, Whole

PADDING, UNKNOWN = 0, 1
RESERVED = 2  # so many tokens stand for nothing that the data have
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class _Pieces(Function):
    """The index of each piece of a text in the vocabulary: the pieces of the training part, commonest first.

    At most `entries` different indices; rows of more than `limit` pieces lose their end. A continuous text gives one
    row for each piece.
    """

    entries: int | None = None
    limit: int | None = None
    takes: ClassVar[str] = "texts"
    gives: ClassVar[str] = "tokens"
    learns: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_count("entries", self.entries, RESERVED + 1)
        _check_count("limit", self.limit, 1)

    def split(self, text: str) -> Sequence[str]:
        raise NotImplementedError

    def learn(self, value: Value, origin: Origin) -> Learned:
        counted = Counter(chain.from_iterable(self.split(text) for text in _texts(value)))
        pieces = sorted(counted, key=lambda piece: (-counted[piece], piece))
        return pieces if self.entries is None else pieces[: self.entries - RESERVED]

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        self._check(value, origin)
        rows = [self.split(text)[: self.limit] for text in _texts(value)]
        table = {piece: index for index, piece in enumerate(learned, RESERVED)}
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        pieces = chain.from_iterable(rows)
        flat = np.fromiter((table.get(piece, UNKNOWN) for piece in pieces), np.int32, int(lengths.sum()))
        return flat if isinstance(value, Whole) else Tokens(flat, lengths, self.limit)

    def infer(self, field: Field) -> Field | None:
        if self.entries is None:
            return None
        if field.dtype == "continuous":
            return Field("i32", (), self.entries)
        return None if self.limit is None else Field("i32", (self.limit,), self.entries)

    def count(self, learned: Learned) -> int:
        return self.entries or len(learned) + RESERVED

    def _check(self, value: Value, origin: Origin) -> None:
        if isinstance(value, Texts) and len(value.columns) > 1:
            raise origin.fault("several-columns", "found another column of text, expected one", column=1)
        if isinstance(value, Whole) and self.limit is not None:
            problem = "found a `limit` for one continuous text, which has no rows to cut"
            raise origin.fault("no-rows-to-cut", problem, "use `window` instead")


@dataclass(frozen=True, slots=True)
class Words(_Pieces):
    """Words and signs of punctuation, in small letters."""

    def split(self, text: str) -> Sequence[str]:
        return _WORD.findall(text.lower())

    def invert(self, array: np.ndarray, learned: Learned) -> np.ndarray:
        return _joined(array, learned, " ")


@dataclass(frozen=True, slots=True)
class Characters(_Pieces):
    """Single characters, as they are."""

    def split(self, text: str) -> Sequence[str]:
        return text

    def invert(self, array: np.ndarray, learned: Learned) -> np.ndarray:
        return _joined(array, learned, "")


@dataclass(frozen=True, slots=True)
class Length(Function):
    """The number of tokens in each row, i32."""

    takes: ClassVar[str] = "tokens"
    gives: ClassVar[str] = "numbers"

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        if not isinstance(value, Tokens):
            raise origin.fault("no-rows", "found one continuous text, `length` takes rows of text")
        return value.lengths.astype(np.int32)

    def infer(self, field: Field) -> Field:
        return Field("i32")


def _texts(value: Value) -> Iterable[str]:
    if isinstance(value, Whole):
        return (value.text,)
    assert isinstance(value, Texts)
    return value.columns[0]


def _joined(array: np.ndarray, learned: Learned, between: str) -> np.ndarray:
    """The texts that rows of indices (last axis) stand for, without padding.

    A model may have more entries than the training part had pieces: what stands for none of them is unknown.
    """
    pieces = ("", "\N{REPLACEMENT CHARACTER}", *learned)
    known = np.where(array < len(pieces), array, UNKNOWN).reshape(-1, array.shape[-1])
    texts = [between.join(pieces[index] for index in row if index != PADDING) for row in known]
    return np.array(texts, dtype=object).reshape(array.shape[:-1])


def _check_count(name: str, value: object, least: int) -> None:
    if value is not None and (type(value) is not int or value < least):
        raise ValueError(f"`{name}` is {value}, expected a whole number from {least}")
