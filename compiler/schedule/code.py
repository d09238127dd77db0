"""Instructions over windows: what a target's emitter writes and `memory` gives addresses to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from ...runtime.plan import Attribute, Note
from ...spec.record import Record
from ..ir.dims import Size
from .kernel import Operand, Window

WHOLE = frozenset(("random_bits", "put", "take", "argmax", "argmin"))  # they need operands in row-major order


class Instruction(NamedTuple):
    """One entry of the instruction table on windows.

    `replaces` are the reads whose very place the first write may take, since element i of it needs nothing but
    element i of them; where `each`, so may every other write, since all is read before anything of element i is
    written. `tied` says that the first must take the place of read 0. `flops` are floating-point operations, where they
    are more than some for each element.
    """

    name: str
    writes: tuple[Window, ...]
    reads: tuple[Operand | Size, ...]
    attributes: tuple[tuple[str, Attribute], ...] = ()
    replaces: tuple[int, ...] = ()
    tied: bool = False
    note: int = -1
    each: bool = False
    flops: Size = 0


class Block(NamedTuple):
    """`body` for each stretch of an extent.

    In an `independent` one each turn touches only its own stretch of what is written, so that a value may take the
    place of another inside it as in a straight line.
    """

    start: str
    length: str
    extent: Size
    chunk: int
    body: tuple[Instruction | Block, ...]
    reverse: bool = False
    independent: bool = False


Line: TypeAlias = "Instruction | Block"


class Code(Record):
    """What runs: `phases` are for the count, for named memory, and for every run. Ports are by name."""

    inputs: tuple[tuple[str, Window], ...]
    results: tuple[tuple[str, Window], ...]
    phases: tuple[tuple[Line, ...], tuple[Line, ...], tuple[Line, ...]]
    notes: tuple[Note, ...] = ()

    def instructions(self) -> Iterator[Instruction]:
        for lines in self.phases:
            yield from walk(lines)


def walk(lines: tuple[Line, ...]) -> Iterator[Instruction]:
    """Every instruction once, blocks entered."""
    for line in lines:
        if isinstance(line, Block):
            yield from walk(line.body)
        else:
            yield line
