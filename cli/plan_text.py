"""An explained plan -> text for a terminal: the lines of the spec, forward steps on the left, backward on the right."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..compiler.explain import Explanation, Group, Step
from ..spec.render import escape, width_of
from .plan_facts import KINDS, heading, totals
from .screen import cut, padded, painted, quantity, table

if TYPE_CHECKING:
    from ..specification import Specification

LONGEST = 5  # lines of a formula
NARROW = 72  # columns below which backward steps stand under forward steps
_UNBROKEN = "\N{NO-BREAK SPACE}"
_STREAM = re.compile(r"stream='[^']*'")


class View:
    """One screen. `unfolded` shows every turn of what repeats."""

    def __init__(
        self,
        specification: Specification,
        phase: str,
        found: Explanation,
        *,
        columns: int,
        colour: bool,
        unfolded: bool,
    ) -> None:
        self.specification = specification
        self.phase = phase
        self.found = found
        self.columns = columns
        self.colour = colour
        self.unfolded = unfolded
        self.beside = bool(found.of("backward")) and columns >= NARROW
        self.width = (columns - 3) // 2 if self.beside else columns
        self._line: tuple[object, ...] = ()

    def text(self) -> str:
        return "".join(f"{line.rstrip()}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield from (self._dim(line) if i else self._bold(line) for i, line in enumerate(self._heading()))
        if self.beside:
            yield ""
            yield f"{self._bold(padded('forward', self.width))} │ {self._back('backward')}"
        for groups, more in self._folded():
            for group in groups:
                yield from self._group(group)
            if more:
                yield from self._again(groups, more)
        for title, steps in (("update of the weights", self.found.update), ("once, before the first", self.found.once)):
            if steps:
                yield from ("", self._bold(title))
                for step in steps:
                    yield from self._step(step, self.columns)
        yield from ("", *totals_table(self.found, self.columns))

    def _heading(self) -> list[str]:
        texts = heading(self.specification, self.phase, self.found)
        return [line for text in texts for line in _wrapped(escape(text), self.columns)]

    def _folded(self) -> Iterator[tuple[Sequence[Group], int]]:
        """The groups, where they repeat only the first turn, and how often it comes again."""
        groups = self.found.groups
        if self.unfolded:
            yield groups, 0
            return
        for start, period, turns in repeats([key_of(g) for g in groups]):
            yield groups[start : start + period], turns - 1

    def _again(self, groups: Sequence[Group], more: int) -> Iterator[str]:
        """A line in place of the turns that were left out."""
        start = self.found.groups.index(groups[-1]) + 1
        hidden = self.found.groups[start : start + more * len(groups)]
        numbers = [s.number for g in hidden for s in g.forward]
        shown = f", up to step {max(numbers)}" if numbers else ""
        these = "it" if len(groups) == 1 else f"these {len(groups)} places"
        text = f"⋮ and {more} more {'turn' if more == 1 else 'turns'} like {these}{shown} (--all shows them)"
        yield from (self._dim(f"  {line}") for line in _wrapped(text, self.columns - 2, "  "))
        self._line = ()

    def _group(self, group: Group) -> Iterator[str]:
        span = group.place.span
        here = (span.source.name, span.line, group.place.chain)
        if here != self._line:
            self._line = here
            yield from ("", *self._spec_line(group))
        left = [line for step in group.forward for line in self._step(step, self.width)]
        right = [line for step in group.backward for line in self._step(step, self.width)]
        if not self.beside:
            yield from left
            yield from right
            return
        bar = self._dim("│")
        for a, b in zip_longest(left, right, fillvalue=""):
            yield f"{a}{' ' * (self.width - _visible(a))} {bar} {b}"

    def _spec_line(self, group: Group) -> list[str]:
        """The line of the spec, and how it was reached."""
        span = group.place.span
        number = f"{span.line} "
        text = cut(escape(span.source.line(span.line).strip()), self.columns - len(number))
        lines = [painted(number, "line", colour=self.colour) + self._bold(text)]
        chain = escape(", ".join(map(str, group.place.frames)))
        if chain:
            margin = " " * len(number)
            lines += [self._dim(margin + line) for line in _wrapped(f"in {chain}", self.columns - len(number))]
        return lines

    def _step(self, step: Step, columns: int) -> Iterator[str]:
        """Number and formulas, then what it makes, costs and keeps."""
        number = f"{step.number:>4} "
        style = "back" if step.kind == "backward" else "bold"
        first = True
        for formula in step.formulas:
            for line in self._shortened(_wrapped(escape(formula), columns - 5, "  ")):
                yield (painted(number, style, colour=self.colour) if first else " " * len(number)) + line
                first = False
        whole = (fact.replace(" ", _UNBROKEN) for fact in _facts(step))
        for line in _wrapped(" · ".join(whole), columns - 7):
            yield "       " + self._dim(line.replace(_UNBROKEN, " "))

    def _shortened(self, lines: list[str]) -> list[str]:
        """The first lines of a long formula, such as one that joins the gradients of all weights."""
        return lines if self.unfolded or len(lines) <= LONGEST else [*lines[: LONGEST - 1], "  …"]

    def _bold(self, text: str) -> str:
        return painted(text, "bold", colour=self.colour)

    def _dim(self, text: str) -> str:
        return painted(text, "dim", colour=self.colour)

    def _back(self, text: str) -> str:
        return painted(text, "back", colour=self.colour)


def totals_table(found: Explanation, columns: int) -> list[str]:
    """Steps, operations and bytes of each part, then the memory."""
    parts = totals(found)
    rows = [(KINDS[kind], f"{steps:,}", quantity(flops), quantity(moved, "B")) for kind, steps, flops, moved in parts]
    lines = table(("", "steps", "FLOPs", "bytes moved"), rows)
    peak = found.arena + found.named
    shares = f"{found.arena:,} in the arena + {found.named:,} of weights, states and optimizer"
    memory = f"memory: {peak:,} bytes at most = {shares}"
    return [*lines, "", *_wrapped(memory, columns)]


def _facts(step: Step) -> Iterator[str]:
    """What stands below a formula."""
    yield ", ".join(dict.fromkeys(v.type for v in step.results))
    if step.flops:
        yield f"{quantity(step.flops, 'FLOP')}"
    yield quantity(step.bytes, "B")
    offsets = [v.offset for v in step.results if v.offset is not None]
    if offsets:
        yield "@" + ", ".join(map(str, offsets))
    for loop in step.loop:
        yield f"for {loop}"
    if step.kept_for:
        yield "kept for " + ", ".join(map(str, step.kept_for))


def key_of(group: Group) -> tuple[object, ...]:
    """Equal for groups that differ only in the turn of a repeat."""
    span = group.place.span
    shapes = [
        tuple(_STREAM.sub("stream", part) if isinstance(part, str) else part for part in step.shape)
        for step in (*group.forward, *group.backward)
    ]
    chain = tuple((f.span.source.name, f.span.start) for f in group.place.frames)
    return span.source.name, span.start, span.end, chain, *shapes


def repeats(keys: Sequence[object]) -> Iterator[tuple[int, int, int]]:
    """A sequence as runs: where each begins, its period, and how many times the period comes."""
    short = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    numbers = [short[key] for key in keys]
    at = 0
    while at < len(numbers):
        period, turns = _best_run(numbers, at)
        yield at, period, turns
        at += period * turns


def _best_run(numbers: Sequence[int], at: int) -> tuple[int, int]:
    """The shortest period that comes again at once, and how many times it comes."""
    for end in range(at + 1, (len(numbers) + at) // 2 + 1):
        if numbers[end] != numbers[at]:
            continue
        period = end - at
        first = numbers[at:end]
        turns = 1
        while numbers[at + turns * period : at + (turns + 1) * period] == first:
            turns += 1
        if turns > 1:
            return period, turns
    return 1, 1


def _wrapped(text: str, columns: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, max(columns, 20), subsequent_indent=indent, break_on_hyphens=False) or [""]


def _visible(text: str) -> int:
    return width_of(re.sub(r"\x1b\[[0-9;]*m", "", text))
