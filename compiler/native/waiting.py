"""Where the threads of a program wait for each other: before what touches memory that another may be at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from ...spec.record import Record
from ..ir import dims
from ..ir.dims import Size
from ..schedule.kernel import Window
from ..schedule.members import number


class Units(NamedTuple):
    """So many units from byte `start` on, `pitch` bytes for each: a thread is at the bytes of its own units."""

    many: Size
    start: int
    pitch: int


class Span(NamedTuple):
    """Bytes `low` to `high` of a memory; where they are divided as `units`, each thread is at its part of them."""

    memory: int
    low: int
    high: int
    units: Units | None = None

    def meets(self, other: Span, *, divided: bool = True) -> bool:
        """Whether two threads may be at the same byte: those that divide bytes alike have the same parts."""
        if divided and self.units is not None and self.units == other.units:
            return False
        return self.memory == other.memory and self.low < other.high and other.low < self.high


class Reach(Record):
    """How far programs go: the most samples, and by the name of where turns of a loop start, the last such place."""

    most: int
    turns: dict[str, int]

    def span(self, window: Window, memory: int, start: int, unit: tuple[Size, Size] = (1, 0)) -> Span:
        """What a window of a buffer that begins at byte `start` of a memory may touch, in all turns of loops.

        Its elements may be divided as a `unit` says: so many, and how many elements lie between two.
        """
        item, size = window.dtype.bytes, number(window.buffer.size, self.most)
        places = self._places(window.offset)
        if places is None or not all(isinstance(s, int) and s >= 0 for s in window.strides):
            return Span(memory, start, start + size * item)
        low, high = places
        axes = list(zip(window.shape, window.strides, strict=True))
        end = min(high + self._length(axes, size), size)
        units = None
        many, step = unit
        if unit in axes and isinstance(step, int) and step > 0:
            axes.remove(unit)
            inside = low % step
            if inside + high - low + self._length(axes, size) <= step:
                units = Units(many, start + (low - inside) * item, step * item)
        return Span(memory, start + low * item, start + end * item, units)

    def _places(self, offset: Size) -> tuple[int, int] | None:
        """The first and the last place of an offset, if but one loop moves it."""
        names = dims.names(offset)
        if len(names) > 1 or not names <= self.turns.keys():
            return None
        ends = [number(dims.substitute(offset, {n: turn}), 0) for n in names for turn in (0, self.turns[n])]
        return (min(ends), max(ends)) if ends else (number(offset, 0),) * 2

    def _length(self, axes: Sequence[tuple[Size, Size]], size: int) -> int:
        """Elements from the first to the last along axes, or all of a buffer where a turn of a loop decides."""
        known = all(dims.names(n) <= {"N"} for n, _ in axes)
        return 1 + sum((number(n, self.most) - 1) * number(s, 0) for n, s in axes) if known else size


class Waits(IntEnum):
    """In which runs threads wait."""

    NEVER = 0
    SINGLE = 1  # of one sample
    ALWAYS = 2

    def text(self, indent: str) -> Iterator[str]:
        """The C that waits."""
        if self:
            yield f"{indent}{'if (N == 1) ' if self is Waits.SINGLE else ''}ax_barrier(run, t);"


@dataclass
class Call:
    """Lines of which each thread does a share, or thread 0 all `alone`, and what of memory they read and write.

    `waits` says in which runs no thread begins before all have come. Who is `parted` divides a single unit, too.
    """

    lines: tuple[str, ...]
    reads: tuple[Span, ...]
    writes: tuple[Span, ...]
    alone: bool = False
    parted: bool = False
    waits: Waits = Waits.NEVER

    def text(self, indent: str = "") -> Iterator[str]:
        """The C, line by line."""
        yield from self.waits.text(indent)
        yield from (indent + line for line in self.lines)

    def calls(self) -> Iterator[Call]:
        """All that is called, once."""
        yield self


@dataclass
class Loop:
    """A loop whose turns all threads take together; `head` are its lines up to the body."""

    head: tuple[str, ...]
    body: list[Task]
    waits: Waits = Waits.NEVER

    def text(self, indent: str = "") -> Iterator[str]:
        """The C, line by line."""
        yield from self.waits.text(indent)
        yield from (indent + line for line in self.head)
        for task in self.body:
            yield from task.text(indent + "  ")
        yield f"{indent}}}"

    def calls(self) -> Iterator[Call]:
        """All that is called, once."""
        return (call for task in self.body for call in task.calls())

    def shared(self) -> Call:
        """The same as lines of which each thread does a share: turns that it takes by itself."""
        reads, writes = (tuple({span: None for call in self.calls() for span in of(call)}) for of in (_reads, _writes))
        return Call(tuple(self.text()), reads, writes)


Task: TypeAlias = "Call | Loop"
_reads, _writes = attrgetter("reads"), attrgetter("writes")


def place_waits(tasks: Sequence[Task]) -> None:
    """Makes tasks wait that need what is done by another thread, or is to be needed no more, since all waited last."""
    _place(tasks, (), Waits.ALWAYS)
    if any(call.parted for task in tasks for call in task.calls()):
        _place(tasks, (), Waits.SINGLE)


def _place(tasks: Sequence[Task], busy: Sequence[Call], runs: Waits) -> list[Call]:
    """As `place_waits`, in the runs that are said. A single sample is divided by some and not by others, so that nobody
    has memory of his own then.

    `busy` is what threads may still be at when they come, and the result what they may be at when they leave.
    """
    at = list(busy)
    for task in tasks:
        if isinstance(task, Loop):
            task.waits = max(task.waits, runs if at else Waits.NEVER)
            once = _place(task.body, (), runs)
            at = _place(task.body, once, runs)  # as the next turn finds it; who waits already does so still
            continue
        if any(_disturb(other, task, divided=runs is Waits.ALWAYS) for other in at):
            task.waits = max(task.waits, runs)
        at = [task] if task.waits >= runs else [*at, task]
    return at


def _disturb(one: Call, other: Call, *, divided: bool) -> bool:
    """Whether two that different threads may be at touch the same, and one writes there."""
    if one.alone and other.alone:
        return False
    pairs = ((one.writes, (*other.reads, *other.writes)), (one.reads, other.writes))
    return any(a.meets(b, divided=divided) for some, others in pairs for a in some for b in others)
