"""Code to plan: every buffer gets its bytes, every size becomes affine in the count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..runtime import plan as runtime
from .ir.dims import Dim, Size
from .occupation import Occupation
from .schedule.code import Block, Code, Line
from .schedule.kernel import Buffer, Window
from .schedule.life import Lives
from .schedule.members import number

ALIGNMENT = 64
PAGE = 4096
STAGGER = 192  # bytes between large buffers, so that equal ones do not fall into the same sets of the cache


class NotAffine(Exception):
    """A size that is not affine in the number of samples: the graph must be bound to an exact count."""

    def __init__(self, size: Size) -> None:
        super().__init__(f"the size {size} is not of the form a + b·N; bind N to a number")
        self.size = size


@dataclass(eq=False)
class Slot:
    """A buffer's bytes and when they are needed."""

    buffer: Buffer
    bytes: int
    start: int
    end: int
    offset: int = -1


def lay_out(code: Code, most: int, target: str = "numpy") -> runtime.Plan:
    """The plan of a code for at most `most` samples. Raises NotAffine."""
    return numbered(code, most, target)[0]


def numbered(code: Code, most: int, target: str) -> tuple[runtime.Plan, dict[Buffer, int]]:
    """The plan of a code, and which of the plan's buffers each buffer of the code is."""
    slots = assign(list(_slots(Lives(code), most)))
    table = _Table(most, {slot.buffer: slot.offset for slot in slots})
    sizes, prepare, steps = (tuple(map(table.line, phase)) for phase in code.phases)
    inputs, results = (
        tuple(runtime.Port(name, table.view(w), w.dtype.value) for name, w in ports)
        for ports in (code.inputs, code.results)
    )
    arena = max((slot.offset + slot.bytes for slot in slots), default=0)
    buffers = tuple(table.buffers)
    plan = runtime.Plan(most, arena, buffers, inputs, results, sizes, prepare, steps, code.notes, target=target)
    return plan, table.index


def _slots(lives: Lives, most: int) -> Iterator[Slot]:
    for buffer, found in lives.of.items():
        if buffer.home != "named":
            size = number(buffer.size, most) * buffer.dtype.bytes
            yield Slot(buffer, _rounded(size), found[0].start, found[-1].end)


def _rounded(size: int) -> int:
    whole = -(-size // ALIGNMENT) * ALIGNMENT
    return whole + STAGGER if whole >= PAGE else whole


def assign(slots: list[Slot]) -> list[Slot]:
    """Offsets, the largest buffer first, each as low as those that live at the same time allow."""
    occupation = Occupation(slot.start for slot in slots)
    for slot in sorted(slots, key=lambda s: (-s.bytes, s.start)):
        slot.offset = occupation.take(slot.bytes, slot.start, slot.end)
    return slots


class _Table:
    """Numbers the buffers of a plan in the order in which they are seen."""

    def __init__(self, most: int, offsets: dict[Buffer, int]) -> None:
        self.most = most
        self.offsets = offsets
        self.buffers: list[runtime.Buffer] = []
        self.index: dict[Buffer, int] = {}

    def line(self, line: Line) -> runtime.Step | runtime.Loop:
        if isinstance(line, Block):
            body = tuple(map(self.line, line.body))
            return runtime.Loop(line.start, line.length, affine(line.extent), line.chunk, body, line.reverse)
        writes = tuple(map(self.view, line.writes))
        reads = tuple(map(self.operand, line.reads))
        return runtime.Step(line.name, writes, reads, line.attributes, line.note)

    def operand(self, operand: Window | Size | float | bool) -> runtime.Operand:
        if isinstance(operand, Window):
            return self.view(operand)
        return affine(operand) if isinstance(operand, Dim) else operand

    def view(self, window: Window) -> runtime.View:
        shape, strides = (tuple(map(affine, sizes)) for sizes in (window.shape, window.strides))
        return runtime.View(self._number(window.buffer), affine(window.offset), shape, strides)

    def _number(self, buffer: Buffer) -> int:
        if buffer not in self.index:
            self.index[buffer] = len(self.buffers)
            size = number(buffer.size, self.most)
            if buffer.home == "named":
                made = runtime.Buffer(buffer.name, buffer.dtype.value, size, "named")
            else:
                made = runtime.Buffer(buffer.name, buffer.dtype.value, size, "arena", self.offsets[buffer])
            self.buffers.append(made)
        return self.index[buffer]


def affine(size: Size) -> runtime.Extent:
    """A size as a constant and multiples of symbols."""
    if isinstance(size, int):
        return size
    constant, terms = 0, []
    for factors, multiple in size.terms:
        match factors:
            case ():
                constant = multiple
            case ((str(symbol), 1),):
                terms.append((symbol, multiple))
            case _:
                raise NotAffine(size)
    return runtime.Affine(constant, tuple(terms))
