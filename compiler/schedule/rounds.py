"""A nest's expressions to rounds over a row: in which each part is computed, and what is kept for later ones."""

from __future__ import annotations

from ...spec.record import Record
from ..ir.scalar import FOLDS, PICKED, PLACE, Expr, parts
from . import layout
from .kernel import Nest, Window

LIGHT = frozenset("add sub mul neg square abs max min where cast eq ne lt le gt ge and or xor logical_not".split())
HEAVY = 8  # what any other operation costs, in light ones
AGAIN, STORED = 4, 2  # loads and light operations up to which a value is computed again; and if it is stored anyway
FOLDED = frozenset(FOLDS.values())


class Rounds(Record):
    """`of` says in which round over the elements of a row a part is computed; what is the same for the whole row
    (`steady`), before which. `needed` are the rounds that use a part; one that is `kept` is computed in the first only.
    """

    parts: tuple[Expr, ...]
    of: dict[Expr, int]
    steady: frozenset[Expr]
    needed: dict[Expr, frozenset[int]]
    kept: frozenset[Expr]

    @property
    def count(self) -> int:
        return max((r + 1 for found in self.needed.values() for r in found), default=0)

    def last_load(self, read: int) -> int:
        """The last round that loads elements of a read; -1 where none does."""
        loads = (x for x in self.parts if x.word == "load" and x.value == read and x not in self.steady)
        return max((r for x in loads for r in self.needed.get(x, ())), default=-1)


def moving(nest: Nest, reads: tuple[Window, ...]) -> frozenset[int]:
    """The reads that have different elements within a row."""
    first = len(nest.rows)
    of_rows = nest.reads_of_rows
    steps = [layout.expand(r, nest.shape).strides[first:] if i not in of_rows else () for i, r in enumerate(reads)]
    return frozenset(i for i, along in enumerate(steps) if any(s != 0 for s in along))


def rounds(nest: Nest, moving: frozenset[int], *, keeps: bool = True) -> Rounds:
    """The rounds of a nest whose reads `moving` have different elements within a row; one that `keeps` nothing computes
    again whatever a later round needs."""
    found = parts(nest.stores)
    of: dict[Expr, int] = {}
    steady: set[Expr] = set()
    for x in found:
        of[x] = max((of[o] for o in x.operands), default=0) + (x.word in FOLDED)
        moves = x.word == PLACE or (x.word == "load" and int(x.value) in moving)
        if x.word in FOLDED or x.word == PICKED or (not moves and all(o in steady for o in x.operands)):
            steady.add(x)
    needed: dict[Expr, set[int]] = {}
    kept: set[Expr] = set()
    elements = {x for i, x in enumerate(nest.stores) if i not in nest.sums}
    for x in (*nest.stores, *(f.operands[0] for f in found if f.word in FOLDED or f.word == PICKED)):
        needed.setdefault(x, set()).add(of[x])
    efforts = _efforts(found, steady)
    for x in reversed(found):
        if x in steady or x not in needed:
            continue
        if keeps and max(needed[x]) > of[x] and efforts[x] > (STORED if x in elements else AGAIN):
            kept.add(x)
        for operand in x.operands:
            needed.setdefault(operand, set()).update({of[x]} if x in kept else needed[x])
    users = {x: frozenset(r) for x, r in needed.items()}
    return Rounds(tuple(found), of, frozenset(steady), users, frozenset(kept))


def _efforts(found: list[Expr], steady: set[Expr]) -> dict[Expr, int]:
    """What it costs to compute each part from loads."""
    efforts: dict[Expr, int] = {}
    for x in found:
        own = 1 if x.word == "load" or x.word in LIGHT else HEAVY
        efforts[x] = 0 if x in steady or x.word in ("const", PLACE) else own + sum(efforts[o] for o in x.operands)
    return efforts
