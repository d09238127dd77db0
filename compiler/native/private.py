"""Code to code for several threads: what only the turns of a loop know lies once for each thread that takes turns."""

from __future__ import annotations

from collections.abc import Iterator

from ...spec.record import replace
from ..ir import dims
from ..schedule.code import Block, Code, Instruction, Line, walk
from ..schedule.kernel import THREAD, Buffer, Window


def per_thread(code: Code, threads: int) -> Code:
    """The code in which every buffer that lives inside an independent loop has `threads` times its size."""
    if threads == 1:
        return code
    seen: set[Buffer] = set()
    shared = {w.buffer for _, w in (*code.inputs, *code.results)}
    for phase in code.phases:
        for touched in _groups(phase):
            shared |= touched & seen
            seen |= touched
    zero, one, two = (tuple(_line(line, shared, threads) for line in phase) for phase in code.phases)
    return replace(code, phases=(zero, one, two))


def _groups(lines: tuple[Line, ...]) -> Iterator[set[Buffer]]:
    """What each independent loop touches, and what each instruction outside of them does, which counts twice."""
    for line in lines:
        if isinstance(line, Block) and not line.independent:
            yield from _groups(line.body)
        else:
            yield _touched((line,))
            if isinstance(line, Instruction):
                yield _touched((line,))


def _touched(lines: tuple[Line, ...]) -> set[Buffer]:
    found = set()
    for line in walk(lines):
        found |= {w.buffer for w in (*line.writes, *line.reads) if isinstance(w, Window)}
    return found


def _line(line: Line, shared: set[Buffer], threads: int) -> Line:
    """The line where it is an independent loop, or has one inside, with private windows."""
    if isinstance(line, Instruction):
        return line
    if line.independent:
        own = {b for b in _touched(line.body) if b.home == "arena" and b not in shared}
        made: dict[Buffer, Buffer] = {}
        return line._replace(body=tuple(_private(inner, own, threads, made) for inner in line.body))
    return line._replace(body=tuple(_line(inner, shared, threads) for inner in line.body))


def _private(line: Line, own: set[Buffer], threads: int, made: dict[Buffer, Buffer]) -> Line:
    if isinstance(line, Block):
        return line._replace(body=tuple(_private(inner, own, threads, made) for inner in line.body))

    def moved(window: Window) -> Window:
        if window.buffer not in own:
            return window
        b = window.buffer
        new = made.setdefault(b, Buffer(b.name, b.dtype, b.size * threads))
        return window._replace(buffer=new, offset=window.offset + dims.name(THREAD) * b.size)

    reads = tuple(moved(r) if isinstance(r, Window) else r for r in line.reads)
    return line._replace(writes=tuple(map(moved, line.writes)), reads=reads)
