"""The split of a recipe to sources and the rows of them that each part gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, quoted
from . import text
from .preparation import Pipeline, Preparation, read
from .recipe import PARTS, Recipe
from .streams import SPLIT, generator
from .values import DataFile, Source

SHARED = ""  # the name under which the file stands that parts share

Rows = np.ndarray | slice


@dataclass(frozen=True, slots=True)
class Division:
    """A checked split: parts that are shares of the source, and parts that have files of their own."""

    shares: Mapping[str, float]
    files: Mapping[str, str]

    @property
    def training(self) -> str:
        """Under which name the file stands that is learned from."""
        return "train" if "train" in self.files else SHARED


@dataclass(frozen=True, slots=True)
class Piece:
    """A source under preparation, and the rows of its prepared arrays that each part gets."""

    preparation: Preparation
    rows: Mapping[str, Rows]


def divide(recipe: Recipe) -> Division:
    """The split of `recipe`. DataError unless it has a part `train`, and shares above 0 that are 1 together."""
    shares = {part: value for part, value in recipe.split if not isinstance(value, str)}
    files = {part: value for part, value in recipe.split if isinstance(value, str)}
    problem = ""
    if unknown := [part for part in (*shares, *files) if part not in PARTS]:
        problem = f"has a part {quoted(unknown[0])} in its split, expected {', '.join(PARTS)}"
    elif "train" not in {**shares, **files}:
        problem = "has no part `train` in its split"
    elif shares and (min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-6):
        problem = f"is split into {', '.join(map(str, shares.values()))}, expected shares above 0 that are 1 together"
    if problem:
        advice = "write, for instance, train 0.8, validation 0.1, test 0.1"
        raise DataError("bad-split", problem, advice, file=recipe.source)
    return Division(shares, files)


def pieces(
    division: Division, files: Mapping[str, DataFile], needed: Sequence[Pipeline], seed: int, *, in_order: bool
) -> list[Piece]:
    """Every source, read, the one to learn from first. `files` are by part, what is shared under SHARED.

    Rows are dealt to parts by chance, or `in_order` in stretches; text is cut.
    """
    made = [Piece(Preparation(read(files[part], needed)), {part: slice(None)}) for part in division.files]
    if division.shares:
        source = read(files[SHARED], needed)
        if files[SHARED].continuous:
            texts = text.cut(source, tuple(division.shares.values()))
            made += [
                Piece(Preparation(one), {part: slice(None)}) for part, one in zip(division.shares, texts, strict=True)
            ]
        else:
            rows = _deal(source, division.shares, seed, in_order=in_order)
            made.append(Piece(Preparation(source, rows.get("train")), rows))
    return sorted(made, key=lambda piece: "train" not in piece.rows)


def _deal(source: Source, shares: Mapping[str, float], seed: int, *, in_order: bool) -> dict[str, np.ndarray]:
    """For each part the numbers of its rows, rising."""
    order = np.arange(source.rows)
    if not in_order:
        generator(seed, SPLIT).shuffle(order)
    ends = [round(end * source.rows) for end in np.cumsum([0.0, *shares.values()])]
    rows = {part: np.sort(order[a:b]) for part, a, b in zip(shares, ends, ends[1:], strict=False)}
    for part, chosen in rows.items():
        if not len(chosen):
            problem = f"would leave the part `{part}` without rows: there are {source.rows} in all"
            raise DataError("empty-part", problem, "add rows or enlarge its share", file=source.file)
    return rows
