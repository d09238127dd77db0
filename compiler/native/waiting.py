"""Where the threads of a program wait for each other: before what touches memory that another may be at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple, TypeAlias

WAIT = "ax_barrier(run, t);"


class Span(NamedTuple):
    """Bytes `low` to `high` of a memory."""

    memory: int
    low: int
    high: int

    def meets(self, other: Span) -> bool:
        return self.memory == other.memory and self.low < other.high and other.low < self.high


@dataclass
class Call:
    """Lines of which each thread does a share, or thread 0 all `alone`, and what of memory they read and write.

    `waits` says that no thread begins before all have come.
    """

    lines: tuple[str, ...]
    reads: tuple[Span, ...]
    writes: tuple[Span, ...]
    alone: bool = False
    waits: bool = False

    def text(self, indent: str = "") -> Iterator[str]:
        """The C, line by line."""
        if self.waits:
            yield f"{indent}{WAIT}"
        yield from (indent + line for line in self.lines)

    def calls(self) -> Iterator[Call]:
        """All that is called, once."""
        yield self


@dataclass
class Loop:
    """A loop whose turns all threads take together; `head` are its lines up to the body."""

    head: tuple[str, ...]
    body: list[Task]
    waits: bool = False

    def text(self, indent: str = "") -> Iterator[str]:
        """The C, line by line."""
        if self.waits:
            yield f"{indent}{WAIT}"
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


def place_waits(tasks: Sequence[Task], busy: Sequence[Call] = ()) -> list[Call]:
    """Makes tasks wait that need what is done by another thread, or is to be needed no more, since all waited last.

    `busy` is what threads may still be at when they come, and the result what they may be at when they leave.
    """
    at = list(busy)
    for task in tasks:
        if isinstance(task, Loop):
            task.waits = task.waits or bool(at)
            once = place_waits(task.body)
            at = place_waits(task.body, once)  # as the next turn finds it; who waits already does so still
            continue
        task.waits = task.waits or any(_disturb(other, task) for other in at)
        at = [task] if task.waits else [*at, task]
    return at


def _disturb(one: Call, other: Call) -> bool:
    """Whether two that different threads may be at touch the same, and one writes there."""
    if one.alone and other.alone:
        return False
    return _meet(one.writes, (*other.reads, *other.writes)) or _meet(one.reads, other.writes)


def _meet(some: Iterable[Span], others: Sequence[Span]) -> bool:
    return any(a.meets(b) for a in some for b in others)
