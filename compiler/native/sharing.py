"""Kernels that differ in sizes alone to one function that is given them: a compiler takes longer than many calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from .function import MARKED, name_of

Column: TypeAlias = tuple[int, ...]  # what stands at one place of a text, in each of the kernels


class Shared(NamedTuple):
    """The text of a function, and for each kernel that it stands for the sizes that it is given before all else."""

    text: str
    given: Mapping[str, tuple[int, ...]]

    @property
    def name(self) -> str:
        return name_of(self.text)

    def calls(self) -> dict[str, str]:
        """How the call of each kernel begins."""
        return {kernel: f"{self.name}({''.join(f'{n}, ' for n in sizes)}" for kernel, sizes in self.given.items()}


def shared(drafts: Mapping[str, str]) -> list[Shared]:
    """Kernels, whose drafts are given by name, as few functions as there are drafts but for marked sizes."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name, draft in drafts.items():
        alike[MARKED.sub("#", draft)].append(name)
    return [_merged({name: drafts[name] for name in names}) for names in alike.values()]


def _merged(drafts: Mapping[str, str]) -> Shared:
    """One function of drafts that differ in marked sizes alone: where they do, it says a multiple of an argument."""
    columns = list(zip(*(map(int, MARKED.findall(draft)) for draft in drafts.values()), strict=True))
    bases = _bases(c for c in columns if len(set(c)) > 1)
    terms = (_term(c, bases) for c in columns)
    text = MARKED.sub(lambda _: next(terms), next(iter(drafts.values())))
    formals = "".join(f"long size{i}, " for i in range(len(bases)))
    given = [tuple(base[i] for base in bases) for i in range(len(drafts))]
    return Shared(text.replace("@(", f"@({formals}", 1), dict(zip(drafts, given, strict=True)))


def _bases(columns: Iterable[Column]) -> list[Column]:
    """As few of the columns as all are multiples of."""
    bases: list[Column] = []
    for column in sorted(set(columns)):
        if _multiple(column, bases) is None:
            bases.append(column)
    return bases


def _multiple(column: Column, bases: Sequence[Column]) -> tuple[int, int] | None:
    """How many times which base a column is."""
    for i, base in enumerate(bases):
        times = column[0] // base[0]
        if column == tuple(times * n for n in base):
            return times, i
    return None


def _term(column: Column, bases: Sequence[Column]) -> str:
    """The C of the sizes of a column: a literal where they are the same."""
    found = _multiple(column, bases)
    if found is None:
        return str(column[0])
    times, i = found
    return f"size{i}" if times == 1 else f"({times} * size{i})"
