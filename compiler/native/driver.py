"""Kernels with addresses to C source: units of kernel functions, and the driver that calls them phase by phase."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...runtime.plan import Code as CodeText
from ...runtime.plan import Note, Plan
from ..ir import dims
from ..ir.dims import Dim, Size
from ..schedule.code import Block, Instruction, Line
from ..schedule.kernel import THREAD, Buffer, Window
from ..schedule.target import Target
from .emitter import Form, Kernels
from .function import FLOOR_DIVIDE, FOLDS, TYPES, Function, c_size
from .light import Work, light
from .sharing import Shared, shared
from .sources import source, sources
from .waiting import Call, Loop, Reach, Span, Task, place_waits

PHASES = ("sizes", "prepare", "steps")
COUNT = dims.name("N")
Windows: TypeAlias = tuple[Window, ...]
CALL = re.compile(r"\bk[0-9a-f]{16}\(")


def print_code(
    kernels: Kernels, plan: Plan, numbers: Mapping[Buffer, int], target: Target, counts: Iterable[int]
) -> CodeText:
    """The C of a plan: its kernels, a few to a unit, and the driver that calls them with addresses. Kernels that hardly
    take of the time for any of the `counts` of samples stand apart."""
    named = [i for i, b in enumerate(plan.buffers) if b.home != "arena"]
    driver = Driver(
        kernels,
        {b: plan.buffers[i].offset for b, i in numbers.items()},
        {b: named.index(i) for b, i in numbers.items() if i in named},
        target.threads,
        Reach(plan.rows, {}),
        [Work({"N": count}) for count in counts],
        alone=int(target.threads == 1),
    )
    text = driver.text()
    apart = light(driver.shared, driver.works)
    units = sources([f for f in driver.shared if f not in apart], driver.comments, target.machinery)
    plain = source(apart, driver.comments, target.machinery) if apart else ""
    return CodeText(units, text, target.threads, target.machinery.lanes, plain)


@dataclass
class Driver:
    """The text of one driver, and the functions that it calls."""

    kernels: Kernels
    addresses: Mapping[Buffer, int]
    named: Mapping[Buffer, int]
    threads: int
    reach: Reach
    works: Sequence[Work]
    timed: bool = False
    printed: dict[Any, tuple[Function, str, list[int]]] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    shared: list[Shared] = field(default_factory=list)  # what of them is printed
    lines: list[str] = field(default_factory=list)
    symbols: dict[str, str] = field(default_factory=lambda: {"N": "N", THREAD: "t"})
    steps: int = 0  # so far, those of loops counted once
    alone: int = 0  # what is around that one thread does by itself: turns of loops, all of a program with one thread

    def text(self) -> str:
        """The driver, without the prelude: declarations, one function for each phase, and the entry."""
        for name, phase in zip(PHASES, self.kernels.code.phases, strict=True):
            self.timed = name == "steps"
            self._phase(name, phase)
        self.shared = shared({name: f.draft for f, name, _ in self.printed.values()})
        calls = {f"{name}(": call for f in self.shared for name, call in f.calls().items()}
        lines = [CALL.sub(lambda found: calls[found[0]], line) for line in self.lines]
        return "\n".join([START, *map(_declaration, self.shared), *lines, ENTRY])

    def _phase(self, name: str, lines: tuple[Line, ...]) -> None:
        self.lines.append(f"static void ax_{name}(struct ax_run *run, int t) {{")
        self.lines.append("  char *const a = run->arena; char *const *const m = run->named;")
        self.lines.append("  const long N = run->count; const int T = (int)run->threads;")
        tasks = [self._task(line) for line in lines]
        if self.threads > 1:
            place_waits(tasks)
        for task in tasks:
            self.lines.extend(task.text("  "))
        self.lines.append("}")

    def _task(self, line: Line) -> Task:
        return self._loop(line) if isinstance(line, Block) else self._call(line)

    def _call(self, line: Instruction) -> Call:
        reads = tuple(r for r in line.reads if isinstance(r, Window))
        f, name, windows = self._printed(self.kernels.form(line), line.writes, reads)
        for work in self.works:
            work.add(name, line)
        note = self._note(line)
        self.comments.setdefault(name, f"{note}\n   {shapes(line)}")
        given = [f"({TYPES[w.dtype]} *){self._address(w)}" for w in windows]
        given += map(self._size, f.symbols)
        if f.units is not None:
            units = self._size(f.units)
            if f.parts is not None:
                units = f"({units} == 1 ? {self._size(f.parts)} : {units})"
            given += ["0", units] if self.alone else [f"ax_share({units}, t, T)", f"ax_share({units}, t + 1, T)"]
        given += ["run", str(line.note)] if f.refuses else []
        only = "if (t == 0) " if f.units is None and not self.alone else ""
        lines = [f"{only}{name}({', '.join(given)});  /* {note} */"]
        if self.timed and (not self.alone or self.threads == 1):
            lines.append(f"AX_DONE(run, t, {self.steps});")
        self.steps += self.timed
        return Call(
            tuple(lines),
            self._spans(f, windows, reads),
            self._spans(f, windows, line.writes),
            alone=f.units is None,
            parted=f.parts is not None,
        )

    def _note(self, line: Instruction) -> str:
        if line.note < 0:
            return line.name
        note: Note = self.kernels.code.notes[line.note]
        return clean(f"{line.name}: {note.formula}, {note.place}")

    def _loop(self, block: Block) -> Task:
        i = self.symbols[block.start] = f"s{len(self.symbols)}"
        length = self.symbols[block.length] = f"{i}_length"
        extent, chunk = self._size(block.extent), block.chunk
        first, last = "0", f"({extent} + {chunk - 1}) / {chunk}" if chunk > 1 else extent
        divided = block.independent and not self.alone
        if divided:
            first, last = f"ax_share({last}, t, T)", f"ax_share({last}, t + 1, T)"
        turn = f"{i}_turn"
        if block.reverse:
            head = f"for (long {turn} = {last} - 1; {turn} >= {first}; {turn}--) {{"
        else:
            head = f"for (long {turn} = {first}; {turn} < {last}; {turn}++) {{"
        if isinstance(block.extent, int):
            self.reach.turns[block.start] = (block.extent - 1) // chunk * chunk
        self.alone += block.independent
        with ExitStack() as inside:
            for work in self.works:
                inside.enter_context(work.inside(block))
            body = [self._task(line) for line in block.body]
        self.alone -= block.independent
        start, size = f"  const long {i} = {turn} * {chunk};", f"ax_least({chunk}, {extent} - {i})"
        loop = Loop((head, start, f"  const long {length} = {size};"), body)
        return loop.shared() if divided else loop

    def _printed(self, form: Form, writes: Windows, reads: Windows) -> tuple[Function, str, Windows]:
        """The function of a form with its name, one for all windows that lie alike, and those that it is given."""
        windows = (*writes, *reads)
        key = type(form), form, len(writes), tuple([(w.dtype, w.shape, w.strides, windows.index(w)) for w in windows])
        known = self.printed.get(key)
        if known is None:
            f = Function()
            form.print(f, writes, reads)
            places = [next(i for i, w in enumerate(windows) if w is x) for x in f.windows]
            known = self.printed[key] = f, f.name, places
        f, name, places = known
        return f, name, tuple([windows[i] for i in places])

    def _spans(self, f: Function, given: Windows, windows: Windows) -> tuple[Span, ...]:
        """What a function may touch of windows; where there is but one thread, nobody asks."""
        if self.threads == 1:
            return ()
        steps = f.steps if f.parts is None or f.units == COUNT else ()
        units = {w: (f.units, s) for w, s in zip(given, steps, strict=bool(steps)) if f.units is not None}
        return tuple(self.reach.span(w, *self._home(w.buffer), units.get(w, (1, 0))) for w in windows)

    def _home(self, buffer: Buffer) -> tuple[int, int]:
        """The memory of a buffer, by number, and where in it that begins."""
        return (1 + self.named[buffer], 0) if buffer.home == "named" else (0, self.addresses[buffer])

    def _address(self, window: Window) -> str:
        item = window.dtype.bytes
        if window.buffer.home == "named":
            base = f"m[{self.named[window.buffer]}]"
            offset: Size = window.offset * item
        else:
            base, offset = "a", window.offset * item + self.addresses[window.buffer]
        return f"({base} + {self._size(offset)})"

    def _size(self, size: Size) -> str:
        return c_size(size, self.symbols.__getitem__) if isinstance(size, Dim) else str(size)


def _declaration(f: Shared) -> str:
    return f.text.split(" {", 1)[0].removeprefix(FOLDS).replace("@", f.name) + ";"


def shapes(line: Instruction) -> str:
    """What an instruction makes of what, by types."""
    reads = [r for r in line.reads if isinstance(r, Window)]
    made, given = (", ".join(str(w.type) for w in found) for found in (line.writes, reads))
    return clean(f"{made} of {given}" if given else made)


def clean(text: str) -> str:
    """A text of a user, fit to stand in a comment: nothing in it can end one."""
    return re.sub(r"[^\w .,:;=+\-()\[\]<>@·ᵀΣ√²/×]", "_", text.replace("*", "·"))[:200]


ENTRY = """
void ax_refuse(struct ax_run *run, long note, long value, long limit) { ax_fault(run, note, value, limit); }
static ax_function *const ax_phases[] = { ax_sizes, ax_prepare, ax_steps };
AX_EXPORT int ax_phase(struct ax_run *run, int phase) {
  ax_start(run, ax_phases[phase]);
  return run->fault[0] != 0;
}
"""
START = f"""static inline long ax_least(long a, long b) {{ return a < b ? a : b; }}
static inline long ax_share(long units, long t, long T) {{ return (units * t + T - 1) / T; }}
{FLOOR_DIVIDE}"""
