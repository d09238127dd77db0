"""Code to code: values are computed where they are wanted, and where something died, so that copies fall away.

Each buffer may be moved into another: whole (a next value into its named memory, a result over a dying operand), a
stretch (a gradient into the flat range of all), or columns of its rows (an operand of a concatenation along the last
axis). A move is made where no element is needed by both.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...spec.record import replace
from ..ir import dims
from .code import WHOLE, Block, Code, Instruction, Line
from .kernel import Buffer, Window
from .life import ALWAYS, Lives, alive, follows
from .members import Member, Members, whole
from .shift import STILL, Lying, Move, Shift, composed, move_of, region_of, shifted


def place_values(code: Code, most: int) -> Code:
    """The code with copies and buffers removed; `most` is the largest count it is for."""
    return Destination(code, most).run()


class Destination:
    """Tries the moves that copies, ties and elementwise instructions suggest, in this order of worth."""

    def __init__(self, code: Code, most: int) -> None:
        self.code = code
        self.most = most
        self.lives = Lives(code)
        self.moves: dict[Buffer, Move] = {}
        self.results = {window.buffer for _, window in code.results}
        self.starts = {b.start for found in self.lives.accesses.values() for a in found for b in a.blocks}
        self.places = {
            buffer: Members(most, self._parts(buffer) or [whole(buffer, life) for life in lives])
            for buffer, lives in self.lives.of.items()
        }

    def _parts(self, buffer: Buffer) -> list[Member]:
        """The parts of a buffer that copies write one after the other, each needed from its own copy on; in a loop
        those of each turn anew."""
        accesses = self.lives.accesses[buffer]
        writes = [a for a in accesses if a.write]
        if len(writes) < 2 or buffer.home != "arena" or not accesses[0].write:
            return []
        around = accesses[0].blocks
        if any(b.independent for b in around) or any(
            list(map(id, a.blocks)) != list(map(id, around)) for a in accesses
        ):
            return []
        parts = []
        for access in writes:
            region = region_of(access.window)
            if region is None or self.lives.instruction(access.position).name != "copy":
                return []
            life = alive(access.position, self.lives.of[buffer][0].end, access.position)
            parts.append(Member(buffer, life, STILL, region, access.window.type.size))
        return parts

    def run(self) -> Code:
        lines = list(self.code.instructions())
        for line in lines:
            if line.name == "copy" and line.replaces:
                self._copy(line)
        for line in lines:
            if line.name != "copy" or not line.replaces:
                self._replace(line)
        phases = tuple(tuple(self._lines(p)) for p in self.code.phases)
        assert len(phases) == 3
        inputs, results = (
            tuple((name, self.resolved(w)) for name, w in ports) for ports in (self.code.inputs, self.code.results)
        )
        return replace(self.code, inputs=inputs, results=results, phases=phases)

    def resolved(self, window: Window) -> Window:
        """The window where its buffer went."""
        move = self._whereabouts(window.buffer)
        return _moved(window, move) if move is not None else window

    def _whereabouts(self, buffer: Buffer) -> Move | None:
        """Where a buffer lies after all moves so far; remembered for it and for those it went into on the way."""
        path = [buffer]
        while path[-1] in self.moves:
            path.append(self.moves[path[-1]].target)
        target = path.pop()
        shift = STILL
        for moved in reversed(path):
            step = composed(self.moves[moved].shift, shift)
            assert step is not None
            shift = step
            self.moves[moved] = Move(target, shift)
        return self.moves.get(buffer)

    def _lines(self, lines: tuple[Line, ...]) -> Iterator[Line]:
        for line in lines:
            if isinstance(line, Block):
                yield line._replace(body=tuple(self._lines(line.body)))
                continue
            writes = tuple(map(self.resolved, line.writes))
            reads = tuple([self.resolved(r) if isinstance(r, Window) else r for r in line.reads])
            if line.name == "copy" and reads[0] == writes[0]:
                continue
            if line.tied and reads[0] != writes[0]:
                yield Instruction("copy", writes[:1], reads[:1], note=line.note)
                reads = (writes[0], *reads[1:])
            yield line._replace(writes=writes, reads=reads)

    def _copy(self, line: Instruction) -> None:
        """The copied value is computed where the copy would stand, or the copy reads as what it copies."""
        target, source = self.resolved(line.writes[0]), line.reads[0]
        assert isinstance(source, Window)
        source = self.resolved(source)
        move = move_of(source, target)
        if move is not None:
            self._merge(source.buffer, move, free=self._is_of_a_turn(line))
            return
        back = move_of(target, source)
        if back is not None:
            self._merge(target.buffer, back)

    def _replace(self, line: Instruction) -> None:
        """The result takes the place of an operand that dies."""
        if not line.writes:
            return
        for i in line.replaces:
            read = line.reads[i]
            assert isinstance(read, Window)
            target, source = self.resolved(line.writes[0]), self.resolved(read)
            if target == source:
                return
            for one, other in ((source, target), (target, source)):
                move = move_of(one, other)
                if move is not None and self._merge(one.buffer, move):
                    return

    def _is_of_a_turn(self, line: Instruction) -> bool:
        """Whether a copy puts what one turn of a loop makes where nothing else does, and where nothing looks before the
        loop has ended: it may lie there from the beginning."""
        source, target = line.reads[0], line.writes[0]
        assert isinstance(source, Window)
        first = self.lives.accesses[target.buffer][0]
        if not first.write or not first.blocks or target.buffer.home != "arena":
            return False
        others = self.lives.accesses[target.buffer][1:]
        block = first.blocks[-1]
        if block.independent or not follows(target, block) or any(a.write or block in a.blocks for a in others):
            return False
        here = self._whereabouts(source.buffer)
        members = self.places[here.target if here else source.buffer]
        accesses = [self.lives.accesses[member.buffer] for member, _ in members]
        return all(found[0].write and all(block in a.blocks for a in found) for found in accesses)

    def _merge(self, buffer: Buffer, move: Move, *, free: bool = False) -> bool:
        """Moves all that lies in `buffer` if nothing is needed by two, which where it is `free` nothing can be; says
        whether."""
        if buffer is move.target or buffer.home != "arena" or buffer.dtype is not move.target.dtype:
            return False
        mine, theirs = self._shifted(self.places[buffer], move.shift), self.places[move.target]
        if mine is None or not self._is_inside(self.places[buffer], dims.names(move.shift.offset) & self.starts):
            return False
        few, many = (mine, theirs) if len(mine) < len(theirs) else (theirs, mine)
        if not free and any(self._conflict(a, b) for a, box in few for b in many.meeting(box)):
            return False
        for member, box in few:
            many.add(member, box)
        self.moves[buffer] = move
        self.places[move.target] = many
        del self.places[buffer]
        return True

    def _shifted(self, members: Members, shift: Shift) -> Members | None:
        """All that lies in a buffer where it would lie in another, or None where strides cannot say it."""
        if shift == STILL:
            return members
        moved = []
        for member, _ in members:
            whole, region = composed(member.shift, shift), composed(member.region, shift)
            if whole is None or region is None or not self._expressible(member.buffer, whole):
                return None
            moved.append(member._replace(shift=whole, region=region))
        return Members(self.most, moved)

    def _is_inside(self, members: Members, loops: frozenset[str]) -> bool:
        """Whether loops that say where members would lie are around all that touches them."""
        if not loops:
            return True
        buffers = {member.buffer for member, _ in members}
        accesses = (a for b in buffers for a in self.lives.accesses[b])
        return self.results.isdisjoint(buffers) and all(loops <= {b.start for b in a.blocks} for a in accesses)

    def _expressible(self, buffer: Buffer, shift: Shift) -> bool:
        if not shift.row:
            return True
        if any(self.lives.instruction(a.position).name in WHOLE for a in self.lives.accesses[buffer]):
            return False
        return all(shifted(w, shift) is not None for w in self.lives.windows(buffer))

    def _conflict(self, a: Member, b: Member) -> bool:
        """Whether two members that meet cannot share what both take."""
        if self._handed_over(a, b) or self._handed_over(b, a):
            return False
        return a.life.meets_in_a_turn(b.life) or self._strays(a, b)

    def _strays(self, a: Member, b: Member) -> bool:
        """Whether an independent block touches both through different windows, one turn reading what another wrote."""
        for block in self.lives.shared_blocks(a.buffer, b.buffer):
            seen = {shifted(w, m.shift) for m in (a, b) for w in self.lives.in_block(block, m.buffer)}
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
        reads = [(i, r) for i, r in enumerate(line.reads) if isinstance(r, Window) and r.buffer is dying.buffer]
        if not reads or any(i not in line.replaces for i, _ in reads):
            return False
        wanted = shifted(write, made.shift)
        if any(shifted(r, dying.shift) != wanted for _, r in reads):
            return False
        ends_here = dying.life.last == made.life.first
        kept = dying.life.last_write < made.life.first and made.life.last_write == made.life.first
        return (ends_here or (line.name == "copy" and kept)) and not self._strays(dying, made)


def _moved(window: Window, move: Move) -> Window:
    lying = shifted(window, move.shift)
    assert isinstance(lying, Lying)
    return Window(move.target, *lying)
