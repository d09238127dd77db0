"""Specs with a few seeded accidents: tokens deleted, doubled, swapped, names and numbers exchanged."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

MODELS = Path(__file__).parents[2] / "spec" / "models"
TOKEN = re.compile(r"\s+|[A-Za-z_]\w*|\d[\w.]*|\|>|//|\*\*|[<>=!]=|\"[^\"\n]*\"|.")
NUMBERS = ("0", "1", "-1", "2", "3", "7", "1.5", "1e9", "1e400", "10 ** 10 ** 10", "99_999_999_999")
WORDS = (
    "x", "dense", "relu", "conv2d", "flatten", "residual", "concat", "reshape", "transpose", "split", "lstm", "sum",
    "attention", "true", "false", "none", "training", "shape", "last", "size", "len", "reversed", "zip", "where", "max",
    "N", "T", "random_normal", "dropout", "batch_norm", "embedding", "cast", "f32", "i32", "zeros", "argmax",
)  # fmt: skip
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "@", "==", "<", "and", "or", "|>", ",", ".", "=", ":", ";")

Edit = Callable[[random.Random, list[str], int], None]


def _delete(r: random.Random, tokens: list[str], at: int) -> None:
    del tokens[at]


def _double(r: random.Random, tokens: list[str], at: int) -> None:
    tokens.insert(at, tokens[at])


def _swap(r: random.Random, tokens: list[str], at: int) -> None:
    other = r.choice(_solid(tokens))
    tokens[at], tokens[other] = tokens[other], tokens[at]


def _replace(r: random.Random, tokens: list[str], at: int) -> None:
    """Another token of the same sort: most such texts can be read, so that the mistake is one of meaning."""
    at = r.choice([i for i, t in enumerate(tokens) if t[0].isalnum()] or [at])
    if tokens[at][0].isdigit():
        tokens[at] = r.choice(NUMBERS)
    elif tokens[at][0].isalpha():
        names = [t for t in tokens if t[0].isalpha()]
        tokens[at] = r.choice(r.choice((names, names, WORDS, NUMBERS)))


def _operate(r: random.Random, tokens: list[str], at: int) -> None:
    signs = [i for i, t in enumerate(tokens) if t in OPERATORS]
    if signs:
        tokens[r.choice(signs)] = r.choice(OPERATORS)


def _drop_line(r: random.Random, tokens: list[str], at: int) -> None:
    start = next((i + 1 for i in range(at, -1, -1) if "\n" in tokens[i]), 0)
    end = next((i for i in range(at, len(tokens)) if "\n" in tokens[i]), len(tokens))
    del tokens[start:end]


EDITS: tuple[Edit, ...] = (_delete, _double, _swap, _operate, *(_drop_line,) * 2, *(_replace,) * 24)


def _solid(tokens: list[str]) -> list[int]:
    return [i for i, t in enumerate(tokens) if t.strip()]


def mutant(text: str, seed: int) -> str:
    """The text with one to three accidents, the same for the same seed."""
    r = random.Random(seed)
    tokens = TOKEN.findall(text)
    for _ in range(r.choice((1, 1, 2, 3))):
        r.choice(EDITS)(r, tokens, r.choice(_solid(tokens)))
    return "".join(tokens)


def mutants(seeds: range, *, slow: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """A file name and a mutant of that model for each seed, without the models whose names begin as one in `slow`."""
    files = [p for p in sorted(MODELS.iterdir()) if p.suffix in (".axon", ".yaml") and p.name[:2] not in slow]
    texts = [(p.name, p.read_text(encoding="utf-8")) for p in files]
    for seed in seeds:
        name, text = texts[seed % len(texts)]
        yield name, mutant(text, seed)
