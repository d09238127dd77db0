"""Which kernels hardly take of a run's time: to compile them well takes longer than they ever gain."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate

from ..schedule import cost
from ..schedule.code import Block, Instruction
from ..schedule.kernel import Window
from .sharing import Shared

SHARE = 2e-4  # of a run, that all of them take together; without optimisation they take some ten times as long
FLOPS = 4  # operations in the time of a byte
CALL = 1000  # bytes in the time of a call
APART = 6000  # characters from which on a text of their own takes less time than they do beside others


@dataclass
class Work:
    """About how long kernels take, by name, in a run where sizes have these `values`; in bytes moved."""

    values: dict[str, int]
    of: Counter[str] = field(default_factory=Counter)
    turns: int = 1  # of all loops around together

    def add(self, kernel: str, line: Instruction) -> None:
        """An instruction, all its turns."""
        windows = [w for w in (*line.writes, *line.reads) if isinstance(w, Window)]
        moved = sum(cost.at(cost.covered(w), self.values) for w in windows)
        self.of[kernel] += self.turns * (CALL + moved + cost.at(line.flops, self.values) // FLOPS)

    @contextmanager
    def inside(self, block: Block) -> Iterator[None]:
        """Inside, instructions have the turns of a loop; the last one counts as a whole one."""
        turns, extent = self.turns, cost.at(block.extent, self.values)
        self.turns *= -(-extent // block.chunk)
        self.values[block.length] = min(extent, block.chunk)
        yield
        self.turns = turns


def light(functions: Sequence[Shared], works: Iterable[Work]) -> list[Shared]:
    """The functions that take less than `SHARE` of each run together; none where they are too few to stand apart."""
    least = set.intersection(*(_least(functions, work) for work in works))
    found = [f for f in functions if f.name in least]
    return found if sum(len(f.text) for f in found) >= APART else []


def _least(functions: Sequence[Shared], work: Work) -> set[str]:
    """The functions of the least work, while it is less than `SHARE` of all."""
    of = {f.name: sum(work.of[kernel] for kernel in f.given) for f in functions}
    least = sorted(of, key=lambda name: (of[name], name))
    until = bisect(list(accumulate(of[name] for name in least)), SHARE * sum(of.values()))
    return set(least[:until])
