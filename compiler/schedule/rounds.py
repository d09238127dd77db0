"""A nest's expressions to rounds over a row: in which each part is computed, and what is kept for later ones."""

from __future__ import annotations

from itertools import count

from ...spec.record import Record
from ..ir import dims
from ..ir.scalar import FOLDS, PICKED, PLACE, Expr, parts
from . import layout
from .kernel import Nest, Window

LIGHT = frozenset("add sub mul neg square abs max min where cast eq ne lt le gt ge and or xor logical_not".split())
HEAVY = 8  # what any other operation costs, in light ones
FUNCTIONS = frozenset("exp log log1p expm1 sin cos tan asin acos atan atan2 sinh cosh tanh sigmoid erf pow".split())
TOGETHER = 2  # functions that are computed in one round; of more of them a processor does not see two elements at once
SHORT = 64  # elements of a row that is gone through round by round although nothing is folded
HELD = 8192  # elements that rounds keep for each other at most: they stay in the first cache
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
    again whatever a later round needs. Otherwise each function may have a round of its own."""
    found = parts(nest.stores)
    apart = FUNCTIONS if keeps and goes_by_functions(nest) else frozenset()
    of: dict[Expr, int] = {}
    steady: set[Expr] = set()
    taken: set[int] = set()
    for x in found:
        of[x] = max((of[o] for o in x.operands), default=0) + (x.word in FOLDED)
        moves = x.word == PLACE or (x.word == "load" and int(x.value) in moving)
        if x.word in FOLDED or x.word == PICKED or (not moves and all(o in steady for o in x.operands)):
            steady.add(x)
        elif x.word in apart:
            of[x] = next(r for r in count(of[x]) if r not in taken)
            taken.add(of[x])
    needed: dict[Expr, set[int]] = {}
    kept: set[Expr] = set()
    elements = {x for i, x in enumerate(nest.stores) if i not in nest.sums}
    for x in (*nest.stores, *(f.operands[0] for f in found if f.word in FOLDED or f.word == PICKED)):
        needed.setdefault(x, set()).add(of[x])
    efforts = _efforts(found, steady)
    for x in reversed(found):
        if x in steady or x not in needed:
            continue
        if x.word not in apart:
            of[x] = min(needed[x])
        if keeps and max(needed[x]) > of[x] and efforts[x] > (STORED if x in elements else AGAIN):
            kept.add(x)
        for operand in x.operands:
            needed.setdefault(operand, set()).update({of[x]} if x in kept else needed[x])
    users = {x: frozenset(r) for x, r in needed.items()}
    return Rounds(tuple(found), of, frozenset(steady), users, frozenset(kept))


def goes_by_functions(nest: Nest) -> bool:
    """Whether each function of a nest with rows has a round of its own: where there are many, and rows not too long."""
    size, functions = dims.product(nest.shape[len(nest.rows) :]), sum(x.word in FUNCTIONS for x in parts(nest.stores))
    return functions > TOGETHER and isinstance(size, int) and size * functions <= HELD


def row_of_rounds(nest: Nest) -> int:
    """How many of the last axes of a nest without rows are one, so that it goes by functions; 0 where it does not."""
    for axes in range(1, len(nest.shape)):
        size = dims.product(nest.shape[-axes:])
        if isinstance(size, int) and size >= SHORT:
            return axes if goes_by_functions(nest._replace(row=axes)) else 0
    return 0


def _efforts(found: list[Expr], steady: set[Expr]) -> dict[Expr, int]:
    """What it costs to compute each part from loads."""
    efforts: dict[Expr, int] = {}
    for x in found:
        own = 1 if x.word == "load" or x.word in LIGHT else HEAVY
        efforts[x] = 0 if x in steady or x.word in ("const", PLACE) else own + sum(efforts[o] for o in x.operands)
    return efforts
