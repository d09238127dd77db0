"""What character models have to beat on the test part of alice.txt: counts of what follows what, and compressors.

    python examples/characters/ngram.py

The n-gram model is interpolated Kneser-Ney (Chen & Goodman 1998, one discount), counted on the training part; its order
and discount are those that suit the validation part best. A compressor costs what the test part adds to the rest.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections import Counter, defaultdict
from itertools import product
from math import log2
from pathlib import Path

TEXT = Path(__file__).parent / "alice.txt"
SHARES = (0.85, 0.05, 0.1)
COMPRESSORS = {"zlib": lambda b: zlib.compress(b, 9), "bz2": bz2.compress, "xz": lzma.compress}


class KneserNey:
    """Chances of the next character from how often it followed the last ones, and in how many contexts it was seen."""

    def __init__(self, text: str, order: int, discount: float) -> None:
        self.order, self.discount = order, discount
        self.entries = len(set(text)) + 1
        self.follows = [_continuations(text, n) for n in range(order)]
        self.follows.append(_counts(text, order))

    def chance(self, before: str, character: str) -> float:
        """Of `character` after `before`; each longer context that was seen refines the chance of the shorter."""
        chance = 1 / self.entries
        for n, table in enumerate(self.follows):
            seen = table.get(before[len(before) - n :])
            if not seen:
                break
            kept = max(seen[character] - self.discount, 0) + self.discount * len(seen) * chance
            chance = kept / seen.total()
        return chance

    def bits(self, before: str, text: str) -> float:
        """Per character of `text`, which stands after `before`."""
        whole, first = before + text, len(before)
        ends = range(first, len(whole))
        return -sum(log2(self.chance(whole[max(0, i - self.order) : i], whole[i])) for i in ends) / len(text)


def _counts(text: str, order: int) -> dict[str, Counter[str]]:
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for i in range(order, len(text)):
        table[text[i - order : i]][text[i]] += 1
    return dict(table)


def _continuations(text: str, order: int) -> dict[str, Counter[str]]:
    """How many different characters stood before each context and what followed it."""
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for piece in {text[i : i + order + 2] for i in range(len(text) - order - 1)}:
        table[piece[1:-1]][piece[-1]] += 1
    return dict(table)


def parts(text: str) -> list[str]:
    """Training, validation and test part, cut as a `split` of these shares does: at the next white space."""
    ends, total = [0], 0.0
    for share in SHARES[:-1]:
        total += share
        position = round(total * len(text))
        ends.append(next(i for i in range(position, len(text)) if text[i].isspace()))
    return [text[a:b] for a, b in zip(ends, [*ends[1:], len(text)], strict=True)]


def main() -> None:
    train, validation, test = parts(TEXT.read_text(encoding="utf-8"))
    models = [KneserNey(train, *settings) for settings in product(range(4, 9), (0.7, 0.8, 0.9))]
    best = min(models, key=lambda model: model.bits(train, validation))
    bits = best.bits(train + validation, test)
    print(f"{best.order + 1}-grams with discount {best.discount}: {bits:.3f} bits for each character")
    rest = train + validation
    for name, compress in COMPRESSORS.items():
        added = len(compress((rest + test).encode())) - len(compress(rest.encode()))
        print(f"{name}: {8 * added / len(test):.3f} bits for each character")


if __name__ == "__main__":
    main()
