"""Code to code: values are computed where they are wanted, and where something died, so that copies fall away.

Each buffer may be moved into another: whole (a next value into its named memory, a result over a dying operand), a
stretch (a gradient into the flat range of all), or columns of its rows (an operand of a concatenation along the last
axis). A move is made where no element is needed by both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from . import layout
from .code import WHOLE, Block, Code, Instruction, Line
from .kernel import Buffer, Window
from .life import ALWAYS, Life, Lives, alive

NO_ROWS = 0


class Move(NamedTuple):
    """Where a buffer went: element a is element `offset + a` of `target`; with rows, `offset + a // row * pitch + a %
    row`."""

    target: Buffer
    offset: Size
    row: Size = NO_ROWS
    pitch: Size = NO_ROWS


@dataclass(eq=False)
class Place:
    """What lies in one buffer: the buffers moved into it, itself first."""

    root: Buffer
    members: list[Member] = field(default_factory=list)


class Member(NamedTuple):
    """A buffer, or a part of one that is written on its own: when its contents are needed, and where they lie.

    `move` is the whole buffer's; the part is the `size` elements that `region` moves.
    """

    buffer: Buffer
    life: Life
    move: Move
    region: Move
    size: Size


def place_values(code: Code, most: int) -> Code:
    """The code with copies and buffers removed; `most` is the largest count it is for."""
    return Destination(code, most).run()


class Destination:
    """Tries the moves that copies, ties and elementwise instructions suggest, in this order of worth."""

    def __init__(self, code: Code, most: int) -> None:
        self.code = code
        self.most = most
        self.lives = Lives(code)
        self.places: dict[Buffer, Place] = {}
        self.moves: dict[Buffer, Move] = {}
        for buffer, lives in self.lives.of.items():
            self.places[buffer] = Place(buffer, self._parts(buffer) or [_whole(buffer, life) for life in lives])

    def _parts(self, buffer: Buffer) -> list[Member]:
        """The parts of a buffer that copies write one after the other, each needed from its own copy on."""
        writes = [a for a in self.lives.accesses[buffer] if a.write]
        if len(writes) < 2 or buffer.home != "arena" or any(a.blocks for a in self.lives.accesses[buffer]):
            return []
        parts = []
        for access in writes:
            region = region_of(access.window)
            if region is None or self.lives.instruction(access.position).name != "copy":
                return []
            life = alive(access.position, self.lives.of[buffer][0].end, access.position)
            parts.append(Member(buffer, life, Move(buffer, 0), region, access.window.type.size))
        return parts

    def run(self) -> Code:
        lines = list(self.lives.instructions())
        for position, line in lines:
            if line.name == "copy" and line.replaces:
                self._copy(position, line)
        for position, line in lines:
            if line.name != "copy" or not line.replaces:
                self._replace(position, line)
        phases = tuple(tuple(self._lines(p)) for p in self.code.phases)
        assert len(phases) == 3
        inputs, results = (
            tuple((name, self.resolved(w)) for name, w in ports) for ports in (self.code.inputs, self.code.results)
        )
        return replace(self.code, inputs=inputs, results=results, phases=phases)

    def resolved(self, window: Window) -> Window:
        """The window where its buffer went."""
        while window.buffer in self.moves:
            moved = moved_window(window, self.moves[window.buffer])
            assert moved is not None
            window = moved
        return window

    def _lines(self, lines: tuple[Line, ...]) -> Iterator[Line]:
        for line in lines:
            if isinstance(line, Block):
                yield line._replace(body=tuple(self._lines(line.body)))
                continue
            writes = tuple(map(self.resolved, line.writes))
            reads = tuple(self.resolved(r) if isinstance(r, Window) else r for r in line.reads)
            if line.name == "copy" and reads[0] == writes[0]:
                continue
            if line.tied and reads[0] != writes[0]:
                yield Instruction("copy", writes[:1], reads[:1], note=line.note)
                reads = (writes[0], *reads[1:])
            yield line._replace(writes=writes, reads=reads)

    def _copy(self, position: int, line: Instruction) -> None:
        """The copied value is computed where the copy would stand, or the copy reads as what it copies."""
        target, source = self.resolved(line.writes[0]), line.reads[0]
        assert isinstance(source, Window)
        source = self.resolved(source)
        move = move_of(source, target)
        if move is not None:
            self._merge(source.buffer, move, position, line)
            return
        back = move_of(target, source)
        if back is not None:
            self._merge(target.buffer, back, position, line)

    def _replace(self, position: int, line: Instruction) -> None:
        """The result takes the place of an operand that dies."""
        if not line.writes:
            return
        for i in line.replaces:
            read = line.reads[i]
            assert isinstance(read, Window)
            target, source = self.resolved(line.writes[0]), self.resolved(read)
            if target == source:
                return
            move = move_of(source, target) or None
            if move is not None and self._merge(source.buffer, move, position, line):
                return
            back = move_of(target, source)
            if back is not None and self._merge(target.buffer, back, position, line):
                return

    def _merge(self, buffer: Buffer, move: Move, position: int, line: Instruction) -> bool:
        """Moves all that lies in `buffer` if nothing is needed by two; says whether."""
        if buffer is move.target or buffer.home != "arena" or buffer.dtype.bytes != move.target.dtype.bytes:
            return False
        if buffer.dtype is not move.target.dtype:
            return False
        mine, theirs = self.places[buffer], self.places[move.target]
        moved: list[Member] = []
        for member in mine.members:
            composed, region = composed_move(member.move, move), composed_move(member.region, move)
            if composed is None or region is None or not self._expressible(member.buffer, composed):
                return False
            moved.append(member._replace(move=composed, region=region))
        for a in moved:
            for b in theirs.members:
                if self._conflict(a, b):
                    return False
        self.moves[buffer] = move
        theirs.members += moved
        del self.places[buffer]
        return True

    def _expressible(self, buffer: Buffer, move: Move) -> bool:
        if not move.row:
            return True
        if any(self.lives.instruction(a.position).name in WHOLE for a in self.lives.accesses[buffer]):
            return False
        return all(moved_window(w, move) is not None for w in self.lives.windows[buffer])

    def _conflict(self, a: Member, b: Member) -> bool:
        if not self._overlap(a, b) or not a.life.meets(b.life):
            return False
        if self._handed_over(a, b) or self._handed_over(b, a):
            return False
        return a.life.meets_in_a_turn(b.life) or self._strays(a, b)

    def _strays(self, a: Member, b: Member) -> bool:
        """Whether an independent block touches both through different windows, one turn reading what another wrote."""
        for block in self.lives.shared_blocks(a.buffer, b.buffer):
            seen = {moved_window(w, m.move) for m in (a, b) for w in self.lives.in_block(block, m.buffer)}
            if len(seen) != 1:
                return True
        return False

    def _handed_over(self, dying: Member, made: Member) -> bool:
        """Whether `made` begins where `dying` ends, at an instruction that may write where it reads; or copies it."""
        if made.life.first == ALWAYS[0]:
            return False
        line = self.lives.instruction(made.life.first)
        given = line.writes if line.each else line.writes[:1]
        write = next((w for w in given if w.buffer is made.buffer), None)
        if write is None:
            return False
        wanted = moved_window(write, made.move)
        reads = [(i, r) for i, r in enumerate(line.reads) if isinstance(r, Window) and r.buffer is dying.buffer]
        if not reads or any(i not in line.replaces or moved_window(r, dying.move) != wanted for i, r in reads):
            return False
        ends_here = dying.life.last == made.life.first
        kept = dying.life.last_write < made.life.first and made.life.last_write == made.life.first
        return (ends_here or (line.name == "copy" and kept)) and not self._strays(dying, made)

    def _overlap(self, a: Member, b: Member) -> bool:
        """Whether two regions of one buffer share elements for some count."""
        x, y = a.region, b.region
        if x.row and x.pitch == y.pitch and not _ranges_meet(_columns(x), _columns(y), self.most):
            return False
        return _ranges_meet(_span(a), _span(b), self.most)


def _whole(buffer: Buffer, life: Life) -> Member:
    still = Move(buffer, 0)
    return Member(buffer, life, still, still, buffer.size)


def _span(member: Member) -> tuple[Size, Size]:
    size, region = member.size, member.region
    if region.row:
        return region.offset, dims.floor_divide(size, region.row) * region.pitch
    return region.offset, size


def _columns(region: Move) -> tuple[Size, Size]:
    """The columns of its rows that a region covers; none but whole ones are known, so it must not wrap."""
    return region.offset - dims.floor_divide(region.offset, region.pitch) * region.pitch, region.row


def _ranges_meet(a: tuple[Size, Size], b: tuple[Size, Size], most: int) -> bool:
    for count in (1, most):
        (x, n), (y, m) = ((number(p, count), number(q, count)) for p, q in (a, b))
        if x < y + m and y < x + n:
            return True
    return False


def number(size: Size, count: int) -> int:
    """A size for a count; symbols of loops count as 0."""
    value = dims.substitute(size, dict.fromkeys(dims.names(size), 0) | {"N": count})
    assert isinstance(value, int)
    return value


def move_of(source: Window, target: Window) -> Move | None:
    """The move of all of `source`'s buffer that puts the window `source` at the window `target`."""
    if source.offset != 0 or source.buffer.size != source.type.size or not layout.is_contiguous(source):
        return None
    return region_of(target)


def region_of(target: Window) -> Move | None:
    """The move of row-major elements to a window: of all of them, or of rows with a pitch."""
    if layout.is_contiguous(target):
        return Move(target.buffer, target.offset)
    for first in range(len(target.shape) - 1, 0, -1):
        row = dims.product(target.shape[first:])
        inner = target._replace(shape=target.shape[first:], strides=target.strides[first:])
        outer = target._replace(shape=target.shape[:first], strides=target.strides[:first])
        pitch = layout.reshape(outer, (dims.product(outer.shape),))
        if layout.is_contiguous(inner) and pitch is not None and _is_wider(pitch.strides[0], row):
            return Move(target.buffer, target.offset, row, pitch.strides[0])
    return None


def _is_wider(pitch: Size, row: Size) -> bool:
    return isinstance(pitch, int) and isinstance(row, int) and pitch > row


def moved_window(window: Window, move: Move) -> Window | None:
    """The window where its buffer went, or None where strides cannot say it."""
    if not move.row:
        return window._replace(buffer=move.target, offset=window.offset + move.offset)
    row, pitch = move.row, move.pitch
    start = dims.floor_divide(window.offset, row)
    within = window.offset - start * row
    strides: list[Size] = []
    reach: Size = within
    for n, s in zip(window.shape, window.strides, strict=True):
        rows = dims.floor_divide(s, row)
        if rows * row == s:
            strides.append(rows * pitch)
        else:
            strides.append(s)
            reach = reach + (n - 1) * s
    if not (isinstance(within, int) and isinstance(reach, int) and isinstance(row, int)):
        return None
    if not (0 <= within < row and 0 <= reach < row):
        return None
    offset = move.offset + start * pitch + within
    return Window(move.target, offset, window.shape, tuple(strides))


def composed_move(first: Move, second: Move) -> Move | None:
    """Both moves as one, where that is again a move."""
    if not second.row:
        return Move(second.target, first.offset + second.offset, first.row, first.pitch)
    row, pitch = second.row, second.pitch
    if not first.row:
        if first.offset != 0:
            whole = dims.floor_divide(first.offset, row)
            if whole * row != first.offset:
                return None
            return Move(second.target, second.offset + whole * pitch, row, pitch)
        return second
    if first.pitch != row:
        return None
    return Move(second.target, second.offset + first.offset, first.row, pitch)
