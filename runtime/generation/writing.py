"""Prompts to texts: the loop that feeds a model its own tokens, one position of all rows at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import InputError
from .beam import Beams
from .sampling import Uniforms, draw, log_shares, shares

Array = Any
WORTH = 2  # chunks of a prompt that pay for the machine that reads them


class Scorer(Protocol):
    """A model that computes the scores of one position after the other, for a number of rows at once.

    `chunk` is how many positions it can read together, 0 if it reads them one by one only.
    """

    chunk: int

    def begin(self, inputs: Mapping[str, Array], rows: int) -> None:
        """Forgets what was written; `inputs` are those that do not grow, for so many rows."""

    def advance(self, tokens: Array, position: int) -> Array:
        """The scores f[rows, entries] of what follows `tokens`, i64[rows], at `position`, counted from 0."""

    def read(self, tokens: Array, position: int) -> None:
        """Reads `chunk` positions, i64[rows, chunk], from `position` on."""

    def follow(self, rows: Array) -> None:
        """Row i goes on from what row `rows[i]` has written."""


@dataclass(frozen=True)
class Manner:
    """How tokens are chosen, until `stop` or until a text has `limit` tokens, those of its prompt among them.

    With a `beam` the `best` likeliest texts are searched for; otherwise tokens are drawn, the likeliest at
    temperature 0. Only `words` and `stop` are written, if those are said.
    """

    limit: int
    words: range | None = None
    start: int | None = None
    stop: int | None = None
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0
    beam: int | None = None
    best: int = 1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Written:
    """One text: the tokens of its prompt, and those that were written after it, without `start` and `stop`.

    `score` is the sum of the logarithms of the written tokens' shares in the model's own softmax, that of `stop` among
    them; `stopped` says whether the text came to its end. `text` is all of it as data has it, where there is a way
    back.
    """

    prompt: Array
    tokens: Array
    score: float
    stopped: bool
    text: str | None = None


def write(
    stepper: Scorer, inputs: Mapping[str, Array], prompts: Sequence[Array], manner: Manner, first: int = 0
) -> list[Written]:
    """A text for each prompt, i[tokens], or its best texts; `inputs` have a row for each prompt.

    The stepper has `beam` rows for each of them. `first` is the number of the first prompt among all that draw with
    the same seed. Raises InputError.
    """
    width = manner.beam or 1
    rows = len(prompts) * width
    tokens, lengths = _begun(prompts, manner)
    tokens, lengths = np.repeat(tokens, width, axis=0), np.repeat(lengths, width)
    stepper.begin({name: np.repeat(array, width, axis=0) for name, array in inputs.items()}, rows)
    choice: _Beam | _Draw = _Beam(stepper, rows, manner) if manner.beam else _Draw(rows, manner, first)
    for position in range(_read(stepper, tokens, int(lengths.min())), manner.limit - 1):
        scores = stepper.advance(tokens[:, position], position)
        _check(scores)
        forced = np.where(position + 1 < lengths, tokens[:, position + 1], -1)
        tokens = choice.next(tokens, _writable(log_shares(scores), manner), forced, position + 1)
        if choice.finished:
            break
    found = (row + place for row in range(0, rows, width) for place in range(manner.best))
    return [_written(row, tokens, lengths, choice, manner) for row in found if choice.end(row)[0] > -np.inf]


def _read(stepper: Scorer, tokens: Array, length: int) -> int:
    """Reads the beginning of prompts of at least `length` tokens in chunks, where there are some; how many were read.

    The last token of a prompt is left: its scores are wanted.
    """
    chunk, position = stepper.chunk, 0
    if not chunk or length <= WORTH * chunk:
        return 0
    while position + chunk < length:
        stepper.read(tokens[:, position : position + chunk], position)
        position += chunk
    return position


def _begun(prompts: Sequence[Array], manner: Manner) -> tuple[Array, Array]:
    """Tokens i64[rows, limit] that begin with the prompts, and how many of them stand. Raises InputError."""
    first = [] if manner.start is None else [manner.start]
    rows = [np.concatenate([np.asarray(first, np.int64), np.asarray(p, np.int64)]) for p in prompts]
    lengths = np.array([len(row) for row in rows])
    if not lengths.all():
        raise InputError("no-prompt", "there is nothing to begin with", "give a prompt, or a `start` in `generate`")
    if lengths.max() > manner.limit:
        problem = f"the prompt has {lengths.max()} tokens, the limit is {manner.limit}"
        raise InputError("too-long", problem, "give a larger limit, or a shorter prompt")
    tokens = np.zeros((len(rows), manner.limit), np.int64)
    for i, row in enumerate(rows):
        tokens[i, : len(row)] = row
    return tokens, lengths


def _check(scores: Array) -> None:
    if not np.isfinite(scores.max(axis=1)).all():
        raise InputError("not-finite", "the scores of the next token are no finite numbers", "look at the weights")


def _writable(shares: Array, manner: Manner) -> Array:
    """The logarithms of shares, with nothing left of tokens that are not to be written."""
    if manner.words is None:
        return shares
    kept = np.isin(np.arange(shares.shape[1]), [*manner.words, *([] if manner.stop is None else [manner.stop])])
    return np.where(kept, shares, -np.inf)


class _Draw:
    """Each row by itself. A choice is given the logarithms of shares, f64[rows, entries]."""

    def __init__(self, rows: int, manner: Manner, first: int) -> None:
        self.manner = manner
        self.totals = np.zeros(rows)
        self.ends = np.zeros(rows, np.int64)
        self._first = first
        self._uniforms = Uniforms(first + rows, manner.seed)

    def next(self, tokens: Array, logarithms: Array, forced: Array, position: int) -> Array:
        """The tokens with those of `position` in them."""
        manner = self.manner
        if manner.temperature:
            found = shares(logarithms, manner.temperature, manner.top_k, manner.top_p)
            chosen = draw(found, self._uniforms.at(position)[self._first :])
        else:
            chosen = logarithms.argmax(axis=1)
        free = (forced < 0) & (self.ends == 0)
        self.totals += np.where(free, np.take_along_axis(logarithms, chosen[:, None], axis=1)[:, 0], 0)
        tokens[:, position] = np.where(forced < 0, chosen, forced)
        if manner.stop is not None:
            self.ends[free & (chosen == manner.stop)] = position
        return tokens

    @property
    def finished(self) -> bool:
        return bool(self.ends.all())

    def end(self, row: int) -> tuple[float, int]:
        """The score of a row, and where it stopped, 0 if it did not."""
        return float(self.totals[row]), int(self.ends[row])


class _Beam:
    """The rows of a sample together."""

    def __init__(self, stepper: Scorer, rows: int, manner: Manner) -> None:
        assert manner.beam
        self.stepper = stepper
        self.beams = Beams(rows // manner.beam, manner.beam, manner.stop)
        self.ends = np.zeros(rows, np.int64)

    def next(self, tokens: Array, logarithms: Array, forced: Array, position: int) -> Array:
        """The tokens of the kept rows with those of `position` in them."""
        rows, chosen = self.beams.advance(logarithms, forced[:: self.beams.width])
        if (rows != np.arange(len(rows))).any():
            self.stepper.follow(rows)
            tokens = tokens[rows]
        tokens[:, position] = chosen
        ended = self.beams.ended.reshape(-1)
        self.ends = np.where(ended & (self.ends[rows] == 0), position, self.ends[rows])
        return tokens

    @property
    def finished(self) -> bool:
        return self.beams.finished

    def end(self, row: int) -> tuple[float, int]:
        return float(self.beams.totals.reshape(-1)[row]), int(self.ends[row])


def _written(row: int, tokens: Array, lengths: Array, choice: _Beam | _Draw, manner: Manner) -> Written:
    score, end = choice.end(row)
    first = 0 if manner.start is None else 1
    length = int(lengths[row])
    return Written(tokens[row, first:length], tokens[row, length : end or manner.limit], score, bool(end))
