"""Schedule to code whose instructions are C kernels: an instruction's attribute `form` numbers what prints it."""

from __future__ import annotations

import re
from typing import Any, Protocol

from ...spec.record import Record
from ..emit.emitter import Emitter, Rules
from ..ir.dims import Size
from ..ir.op import Op
from ..ir.scalar import Expressions
from ..schedule.code import Code, Instruction
from ..schedule.kernel import Call, Nest, Number, Schedule, Window
from ..schedule.rounds import row_of_rounds
from ..schedule.target import Machinery
from .nest import Copy, Fill, Map
from .rows import Rows, replaced


class Form(Protocol):
    """What one instruction does, printed when the windows are final, into a function of the target's."""

    def print(self, f: Any, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None: ...


class Kernels(Record):
    """Code whose instructions name forms by their number; an instruction without one is a copy."""

    code: Code
    forms: tuple[Form, ...]

    def form(self, line: Instruction) -> Form:
        number = dict(line.attributes).get("form", 0)
        assert isinstance(number, int)
        return self.forms[number]


def emit(schedule: Schedule, rules: Rules, adding: frozenset[type[Op]], machinery: Machinery) -> Kernels:
    """The kernels of a schedule for a processor; the rules of `adding` may add to what lies in the result."""
    emitter = NativeEmitter(rules, adding, machinery)
    return Kernels(emitter.emit(schedule), tuple(emitter.forms))


class NativeEmitter(Emitter):
    """Appends one instruction for each kernel."""

    def __init__(self, rules: Rules, adding: frozenset[type[Op]], machinery: Machinery) -> None:
        super().__init__(rules)
        self.adding = adding
        self.adds = False  # whether the call at hand adds to what lies in its write
        self.machinery = machinery
        self.flops: Size = 0  # of the call at hand; those of arithmetic are some for each element, and not counted
        self.forms: list[Form] = [Copy()]

    def call(self, call: Call) -> None:
        self.flops = 0
        super().call(call)

    def nest(self, nest: Nest, call: Call) -> None:
        reads = tuple(r for r in call.reads if isinstance(r, Window))
        assert len(reads) == len(call.reads)
        row = nest.row or self.row_of_rounds(nest)
        if row:
            self.by_rows(nest._replace(row=row), call.writes, reads)
            return
        same = tuple(i for i, r in enumerate(reads) if _alike(r, call.writes[0]))
        self.add(Map(nest.shape, nest.stores), call.writes, reads, replaces=same, each=True)

    def row_of_rounds(self, nest: Nest) -> int:
        """How many axes of a nest without rows are better one; 0 for none."""
        return row_of_rounds(nest)

    def by_rows(self, nest: Nest, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        """Appends what computes rows."""
        self.add(Rows(nest, self.machinery.lanes), writes, reads, replaces=replaced(nest, reads), each=True)

    def fill(self, out: Window, value: Number) -> None:
        self.add(Fill(value), (out,), ())

    def copy(self, out: Window, x: Window, *, replaces: tuple[int, ...] = ()) -> None:
        self.lines.append(Instruction("copy", (out,), (x,), (), replaces, note=self.note))

    def library(self, op: Op, writes: tuple[Window, ...], reads: tuple[Window, ...], *, adds: bool) -> None:
        self.adds = adds
        self.flops = op.flops(*(r.type for r in reads))
        if adds and type(op) not in self.adding:
            self.adds = False
            super().library(op, writes, reads, adds=True)
        else:
            self.rules[type(op)](self, op, writes, reads)

    def plus(self, total: Window, part: Window) -> None:
        e = Expressions()
        sums = e.apply("add", e.load(0, total.dtype), e.load(1, total.dtype))
        self.add(Map(total.shape, (sums,)), (total,), (total, part), replaces=(0,))

    def add(
        self,
        form: Form,
        writes: tuple[Window, ...],
        reads: tuple[Window, ...],
        *,
        replaces: tuple[int, ...] = (),
        each: bool = False,
    ) -> None:
        self.forms.append(form)
        number = (("form", len(self.forms) - 1),)
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(form).__name__).lower()
        flops = self.flops if len(reads) > 1 else 0  # what prepares an operand only moves it
        self.lines.append(Instruction(name, writes, reads, number, replaces, note=self.note, each=each, flops=flops))


def _alike(read: Window, write: Window) -> bool:
    """Whether element i of the write may take the very place of element i of the read."""
    return read.shape == write.shape and read.dtype.bytes == write.dtype.bytes
