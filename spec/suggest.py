"""What somebody may have meant: the known word nearest to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of `known` that a slip of the fingers turns into `word`; empty where none is near."""
    best, best_distance = "", _reach(word) + 1
    for candidate in sorted(known):
        distance = _distance(word.lower(), candidate.lower(), best_distance)
        if candidate != word and distance < best_distance:
            best, best_distance = candidate, distance
    return best


def _reach(word: str) -> int:
    return 1 if len(word) < 4 else 2 if len(word) < 8 else 3


def _distance(a: str, b: str, limit: int) -> int:
    """How many letters are wrong, missing, extra or swapped with their neighbour; `limit` or more stops counting."""
    if abs(len(a) - len(b)) >= limit:
        return limit
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        two_before, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, two_before[j - 2] + 1)
            row.append(cost)
    return row[-1]
