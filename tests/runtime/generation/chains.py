"""A model small enough to be known whole: the scores of the next token are a function of all tokens so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np


def table(text: Sequence[int], entries: int) -> np.ndarray:
    """Scores f64[entries] of what follows a text: made up, but always the same."""
    return np.random.default_rng([7, len(text), *text]).normal(0, 2, entries)


def log_shares(scores: np.ndarray) -> np.ndarray:
    return scores - np.log(np.exp(scores).sum())


class Chain:
    """A stepper that looks its scores up."""

    def __init__(self, entries: int, chunk: int = 0) -> None:
        self.entries, self.chunk = entries, chunk
        self.texts: list[list[int]] = []

    def begin(self, inputs: Mapping[str, Any], rows: int) -> None:
        self.texts = [[] for _ in range(rows)]

    def advance(self, tokens: np.ndarray, position: int) -> np.ndarray:
        for text, token in zip(self.texts, tokens, strict=True):
            assert len(text) == position
            text.append(int(token))
        return np.array([table(text, self.entries) for text in self.texts])

    def read(self, tokens: np.ndarray, position: int) -> None:
        assert tokens.shape[1] == self.chunk
        for text, several in zip(self.texts, tokens, strict=True):
            assert len(text) == position
            text += several.tolist()

    def follow(self, rows: np.ndarray) -> None:
        self.texts = [list(self.texts[row]) for row in rows]


def every_text(prompt: Sequence[int], entries: int, limit: int, stop: int | None) -> dict[tuple[int, ...], float]:
    """Every text that can be written, with `stop` where it ends, and the logarithm of its probability."""
    found: dict[tuple[int, ...], float] = {}
    for rest in product(range(entries), repeat=limit - len(prompt)):
        end = rest.index(stop) + 1 if stop in rest else len(rest)
        text = (*prompt, *rest[:end])
        steps = range(len(prompt), len(text))
        found[text] = sum(float(log_shares(table(text[:i], entries))[text[i]]) for i in steps)
    return found
