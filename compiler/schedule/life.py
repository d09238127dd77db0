"""Code to lives: from where to where each buffer's contents are needed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from .code import Block, Code, Instruction, Line
from .kernel import THREAD, Buffer, Window

ALWAYS = (-1, 1 << 60)
_position = attrgetter("position")


class Life(NamedTuple):
    """First and last position at which contents are needed, both included, and the last at which they are written.

    `first` and `last` are the same for one turn of the independent blocks through whose turns the contents move on.
    """

    start: int
    end: int
    last_write: int
    first: int
    last: int

    def meets(self, other: Life) -> bool:
        return self.start <= other.end and other.start <= self.end

    def meets_in_a_turn(self, other: Life) -> bool:
        return self.first <= other.last and other.first <= self.last


def alive(start: int, end: int, last_write: int) -> Life:
    """A life that is the same in every turn."""
    return Life(start, end, last_write, start, end)


class Access(NamedTuple):
    """One use of a buffer: where, through which window, and inside which blocks, outermost first."""

    position: int
    window: Window
    write: bool
    blocks: tuple[Block, ...]


class Lives:
    """The lives of all buffers of a code, one for each, and two for named memory that is given a next value, and for
    what turns of a loop hand on to each other.

    Positions count instructions over all phases. What an early phase leaves for a later one, inputs, and named memory
    live always; results live to the end. A buffer that a block shares with its outside lives through the whole block.
    """

    def __init__(self, code: Code) -> None:
        self.code = code
        self._lines: list[tuple[int, Instruction, tuple[Block, ...]]] = []
        self._spans: dict[int, tuple[int, int]] = {}
        self._bounds: list[int] = []
        for phase in code.phases:
            self._number(phase, ())
            self._bounds.append(len(self._lines))
        self.accesses: dict[Buffer, list[Access]] = {}  # of each buffer, in order of position
        for position, line, blocks in self._lines:
            for windows, is_write in ((line.reads, False), (line.writes, True)):
                for window in windows:
                    if isinstance(window, Window):
                        access = Access(position, window, is_write, blocks)
                        self.accesses.setdefault(window.buffer, []).append(access)
        for _, window in (*code.inputs, *code.results):
            self.accesses.setdefault(window.buffer, [])
        ends = {window.buffer for _, window in code.results}
        self.of = {b: self._lives(b, found, b in ends) for b, found in self.accesses.items()}

    def instruction(self, position: int) -> Instruction:
        return self._lines[position][1]

    def windows(self, buffer: Buffer) -> set[Window]:
        """All through which a buffer is used, by ports too."""
        ports = (w for _, w in (*self.code.inputs, *self.code.results) if w.buffer is buffer)
        return {*(a.window for a in self.accesses[buffer]), *ports}

    def shared_blocks(self, a: Buffer, b: Buffer) -> Iterator[Block]:
        """Independent blocks that touch both buffers."""
        mine = {id(x): x for access in self.accesses[a] for x in access.blocks if x.independent}
        yours = {id(x) for access in self.accesses[b] for x in access.blocks if x.independent}
        for key, block in mine.items():
            if key in yours:
                yield block

    def in_block(self, block: Block, buffer: Buffer) -> Iterator[Window]:
        for access in self.accesses[buffer]:
            if any(x is block for x in access.blocks):
                yield access.window

    def _number(self, lines: tuple[Line, ...], blocks: tuple[Block, ...]) -> None:
        for line in lines:
            if isinstance(line, Block):
                start = len(self._lines)
                self._number(line.body, (*blocks, line))
                self._spans[id(line)] = start, len(self._lines) - 1
            else:
                self._lines.append((len(self._lines), line, blocks))

    def _lives(self, buffer: Buffer, found: list[Access], result: bool) -> list[Life]:
        if buffer.home == "named":
            return self._named(found)
        last_write = max((a.position for a in found if a.write), default=-1)
        if buffer.home == "input" or self._outlives_phase(found):
            return [alive(*ALWAYS, last_write)]
        start, end, first, last = self._reach(found)
        if result:
            end = last = ALWAYS[1]
        handed = self._handed_on(buffer, found)
        if handed:
            read, write = handed
            before = max(a.position for a in found if a.write and a.position < write)
            return [Life(start, read, before, first, read), Life(write, end, write, write, last)]
        return [Life(start, end, last_write, first, last)]

    def _named(self, found: list[Access]) -> list[Life]:
        writes = [a.position for a in found if a.write]
        if not writes:
            return [alive(*ALWAYS, -1)]
        reads = [a for a in found if not a.write] or found[:1]
        _, end, _, last = self._reach(reads)
        if end >= min(writes):
            return [alive(*ALWAYS, max(writes))]
        return [Life(ALWAYS[0], end, -1, ALWAYS[0], last), alive(min(writes), ALWAYS[1], max(writes))]

    def _handed_on(self, buffer: Buffer, found: list[Access]) -> tuple[int, int] | None:
        """Where each turn of a loop last looks at what the turn before left, and where it later writes all of what the
        next one finds: in between nothing is needed."""
        *before, write = [a for a in found if a.write]
        if not before or not write.blocks or any(b.independent for b in write.blocks) or not _is_whole(write, buffer):
            return None
        low, _ = self._spans[id(write.blocks[-1])]
        if before[-1].position >= low:
            return None
        depth = len(write.blocks)
        reads = [a for a in found if not a.write and low <= a.position <= write.position]
        ends = [self._spans[id(a.blocks[depth])][1] if len(a.blocks) > depth else a.position for a in reads]
        return (max(ends), write.position) if ends and max(ends) < write.position else None

    def _outlives_phase(self, found: list[Access]) -> bool:
        if not found:
            return True
        return self._phase(found[0].position) != self._phase(found[-1].position)

    def _phase(self, position: int) -> int:
        return bisect_right(self._bounds, position)

    def _reach(self, found: list[Access]) -> tuple[int, int, int, int]:
        """First and last position, stretched over the blocks that carry the contents from turn to turn; and the same
        with blocks through whose turns the contents only move on as a straight line."""
        begins, ends = found[0].position, found[-1].position
        start, end, first, last = begins, ends, begins, ends
        for block in {id(block): block for access in found for block in access.blocks}.values():
            low, high = self._spans[id(block)]
            inside = found[bisect_left(found, low, key=_position) : bisect_right(found, high, key=_position)]
            follow = [follows(a.window, block) for a in inside]
            own = low <= begins and ends <= high and inside[0].write and not any(follow)
            if own and not (block.independent and _is_of_a_thread(inside[0].window)):
                continue
            start, end = min(start, low), max(end, high)
            if not block.independent or not all(follow):
                first, last = min(first, low), max(last, high)
        return start, end, first, last


def _is_whole(access: Access, buffer: Buffer) -> bool:
    window = access.window
    return window.offset == 0 and window.type.size == buffer.size


def _is_of_a_thread(window: Window) -> bool:
    """Whether each thread has its own part of the buffer. Threads are not at the same line of a block at a time, so
    that another's part must not take the place of what one still needs."""
    return THREAD in getattr(window.offset, "names", ())


def follows(window: Window, block: Block) -> bool:
    """Whether a window moves on with the turns of a block."""
    return block.start in getattr(window.offset, "names", ())
