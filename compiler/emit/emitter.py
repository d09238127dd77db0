"""Schedule to code, as far as it is the same for all targets: phases, loops, scratch memory, and next values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from ...runtime.plan import Note
from ..ir import dims
from ..ir.dims import Size
from ..ir.op import Op
from ..ir.types import DType, Tensor
from ..schedule.code import Block, Code, Line
from ..schedule.kernel import Attention, Buffer, Call, Item, Library, Nest, Number, Repeat, Schedule, Window, contiguous

PREPARE, STEPS = 1, 2  # phases
Rule: TypeAlias = Callable[[Any, Any, tuple[Window, ...], tuple[Window, ...]], None]
Rules: TypeAlias = Mapping[type[Op | Attention], Rule]


class Emitter(ABC):
    """Appends instructions to the phase of the call at hand. A target says what nests and copies are.

    `rules` says how each operation that is neither arithmetic nor a view runs, and attention where a target has it; a
    rule is given this emitter, the operation, and the windows that it writes and reads.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.phases: tuple[list[Line], list[Line], list[Line]] = ([], [], [])
        self.lines: list[Line] = self.phases[2]
        self.notes: list[Note] = []
        self.note = -1
        self._bounds: dict[str, Size] = {}  # the most that the length of each loop around may be
        self.place = ""
        self._known: dict[tuple[object, ...], Window] = {}
        self.scope, self._loops = 2, 0  # where what is known holds: a phase, or one loop, counted below 0
        self._phase = STEPS
        self._updated: set[Buffer] = set()  # named memory that gets next values
        self._outside: list[tuple[list[Line], int, dict[str, Size]]] = []  # the same of each loop around

    def library(self, op: Op, writes: tuple[Window, ...], reads: tuple[Window, ...], *, adds: bool) -> None:
        """Appends what an operation needs; where it `adds`, a sum is added to what lies in the write."""
        if not adds:
            self.rules[type(op)](self, op, writes, reads)
            return
        part = self.scratch(writes[0].type, "part")
        self.rules[type(op)](self, op, (part,), reads)
        self.plus(writes[0], part)

    @abstractmethod
    def plus(self, total: Window, part: Window) -> None:
        """Appends an addition to what lies in `total`."""

    @abstractmethod
    def nest(self, nest: Nest, call: Call) -> None:
        """Appends what computes elements."""

    @abstractmethod
    def fill(self, out: Window, value: Number) -> None:
        """Appends one number everywhere."""

    @abstractmethod
    def copy(self, out: Window, x: Window, *, replaces: tuple[int, ...] = ()) -> None:
        """Appends a copy, which may change the type."""

    def emit(self, schedule: Schedule) -> Code:
        """The code of a schedule."""
        self._updated = {target.buffer for _, target, _ in schedule.updates}
        for item in schedule.items:
            self.item(item)
        self.updates(schedule.updates)
        zero, one, two = (tuple(lines) for lines in self.phases)
        return Code(schedule.inputs, schedule.results, (zero, one, two), tuple(self.notes))

    def item(self, item: Item) -> None:
        self.lines, self.scope, self._phase = self.phases[item.phase], item.phase, item.phase
        if isinstance(item, Repeat):
            self._repeat(item)
        else:
            self.call(item)

    def call(self, call: Call) -> None:
        self.notes.append(Note(call.formula, str(call.place)))
        self.note = len(self.notes) - 1
        self.place = str(call.place)
        reads = tuple(r for r in call.reads if isinstance(r, Window))
        match call.kernel.form:
            case Nest() as nest:
                self.nest(nest, call)
            case Attention() as form:
                self.rules[Attention](self, form, call.writes, reads)
            case Library(op):
                self.library(op, call.writes, reads, adds=call.adds)

    def _repeat(self, item: Repeat) -> None:
        outer, self.lines, scope = self.lines, [], self.scope
        self._loops += 1
        self.scope = -self._loops
        bounds, self._bounds = self._bounds, {**self._bounds, item.length: item.chunk}
        self._outside.append((outer, scope, bounds))
        for inner in item.body:
            if isinstance(inner, Repeat):
                self._repeat(inner)
            else:
                self.call(inner)
        self._outside.pop()
        body, self.lines, self.scope, self._bounds = tuple(self.lines), outer, scope, bounds
        self.lines.append(Block(item.start, item.length, item.extent, item.chunk, body, item.reverse, item.independent))

    def updates(self, updates: tuple[tuple[str, Window, Window], ...]) -> None:
        """Next values go to their named memory; those that lie in other named memory are read before any is written."""
        self.lines = self.phases[2]
        self.note = -1
        pending = []
        for _, target, value in updates:
            if value.buffer.home == "named" and value != target:
                value = self.copied(value)
            pending.append((target, value))
        for target, value in pending:
            self.copy(target, value, replaces=(0,))

    @contextmanager
    def early(self, x: Window) -> Iterator[bool]:
        """Inside, instructions come where what they make of x lasts: where x lies in named memory, when that changes,
        if the schedule leaves it alone, else before all loops around, none of which writes it. Gives whether that is
        earlier than here."""
        inside = self.lines, self.scope, self._bounds
        if x.buffer.home == "named" and not dims.names(x.offset):
            if self._phase == STEPS and x.buffer not in self._updated:
                self.lines, self.scope, self._bounds = self.phases[PREPARE], PREPARE, {}
            elif self._outside:
                self.lines, self.scope, self._bounds = self._outside[0]
        yield self.lines is not inside[0]
        self.lines, self.scope, self._bounds = inside

    def known(self, key: tuple[object, ...]) -> Window | None:
        """What was computed before in these same lines, and is never overwritten."""
        return self._known.get((self.scope, *key))

    def remember(self, key: tuple[object, ...], window: Window) -> None:
        self._known[self.scope, *key] = window

    def scratch(self, type: Tensor, name: str = "scratch") -> Window:
        """Memory of its own, in row-major order; inside a loop as large as its longest turn needs."""
        return contiguous(Buffer(name, type.dtype, self.bounded(type).size), type.shape)

    def bounded(self, type: Tensor) -> Tensor:
        return type.substitute(self._bounds) if self._bounds else type

    def bound(self, size: Size) -> int:
        """The most that a size may be in one turn of the loops around; a batch without a loop counts as one sample."""
        known = dims.substitute(size, self._bounds)
        found = dims.substitute(known, dict.fromkeys(dims.names(known), 1))
        assert isinstance(found, int)
        return found

    def copied(self, x: Window, dtype: DType | None = None) -> Window:
        """x in row-major order, and in another type if given."""
        out = self.scratch(Tensor(dtype or x.dtype, x.shape), "copy")
        self.copy(out, x, replaces=(0,) if out.dtype is x.dtype else ())
        return out
