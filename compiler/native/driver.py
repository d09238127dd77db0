"""Kernels with addresses to C source: units of kernel functions, and the driver that calls them phase by phase."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...runtime.plan import Note
from ..ir import dims
from ..ir.dims import Dim, Size
from ..schedule.code import Block, Code, Instruction, Line
from ..schedule.kernel import Buffer, Operand, Window
from .emitter import Kernels
from .function import TYPES, Function, c_size

PHASES = ("sizes", "prepare", "steps")
THREAD = "thread"  # the symbol of a size that stands for the number of the thread


@dataclass
class Driver:
    """The text of one driver, and the functions that it calls by name."""

    kernels: Kernels
    addresses: Mapping[Buffer, int]
    named: Mapping[Buffer, int]
    functions: dict[str, Function] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    symbols: dict[str, str] = field(default_factory=lambda: {"N": "N", THREAD: "t"})
    alone: int = 0  # loops around whose turns one thread does by itself

    def text(self) -> str:
        """The driver, without the prelude: declarations, one function for each phase, and the entry."""
        for name, phase in zip(PHASES, self.kernels.code.phases, strict=True):
            self._phase(name, phase)
        declared = [_declaration(name, f) for name, f in self.functions.items()]
        return "\n".join([*declared, *self.lines, ENTRY])

    def _phase(self, name: str, lines: tuple[Line, ...]) -> None:
        self.lines.append(f"static void ax_{name}(struct ax_run *run, int t) {{")
        self.lines.append("  char *const a = run->arena; char *const *const m = run->named;")
        self.lines.append("  const long N = run->count; const int T = (int)run->threads;")
        for line in lines:
            self._line(line, "  ")
        self.lines.append("}")

    def _line(self, line: Line, indent: str) -> None:
        if isinstance(line, Block):
            self._block(line, indent)
            return
        f = Function()
        self.kernels.form(line).print(f, line.writes, line.reads)
        name = f.name
        note = self._note(line)
        self.functions.setdefault(name, f)
        self.comments.setdefault(name, note)
        given = [f"({TYPES[w.dtype]} *){self._address(w)}" for w in f.windows]
        given += [self._size(dims.name(s)) for s in f.symbols]
        call = f"{name}({{}});"
        if f.units is None:
            call = call.format(", ".join(given))
            text = call if self.alone else f"if (t == 0) {call}"
        elif self.alone:
            text = call.format(", ".join([*given, "0", self._size(f.units)]))
        else:
            units = self._size(f.units)
            text = call.format(", ".join([*given, f"ax_share({units}, t, T)", f"ax_share({units}, t + 1, T)"]))
        self.lines.append(f"{indent}{text}  /* {note} */")
        if not self.alone:
            self.lines.append(f"{indent}ax_barrier(run, t);")

    def _note(self, line: Instruction) -> str:
        if line.note < 0:
            return line.name
        note: Note = self.kernels.code.notes[line.note]
        return clean(f"{line.name}: {note.formula}, {note.place}")

    def _block(self, block: Block, indent: str) -> None:
        i = self.symbols[block.start] = f"s{len(self.symbols)}"
        length = self.symbols[block.length] = f"{i}_length"
        extent, chunk = self._size(block.extent), block.chunk
        first, last = "0", f"({extent} + {chunk - 1}) / {chunk}" if chunk > 1 else extent
        if block.independent and not self.alone:
            first, last = f"ax_share({last}, t, T)", f"ax_share({last}, t + 1, T)"
        turn = f"{i}_turn"
        if block.reverse:
            self.lines.append(f"{indent}for (long {turn} = {last} - 1; {turn} >= {first}; {turn}--) {{")
        else:
            self.lines.append(f"{indent}for (long {turn} = {first}; {turn} < {last}; {turn}++) {{")
        self.lines.append(f"{indent}  const long {i} = {turn} * {chunk};")
        self.lines.append(f"{indent}  const long {length} = ax_least({chunk}, {extent} - {i});")
        self.alone += block.independent
        for line in block.body:
            self._line(line, indent + "  ")
        self.alone -= block.independent
        self.lines.append(f"{indent}}}")
        if block.independent and not self.alone:
            self.lines.append(f"{indent}ax_barrier(run, t);")

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


def _declaration(name: str, f: Function) -> str:
    return f.text.split(" {", 1)[0].replace("@", name) + ";"


def clean(text: str) -> str:
    """A text of a user, fit to stand in a comment: nothing in it can end one."""
    return re.sub(r"[^\w .,:;=+\-()\[\]<>@·ᵀΣ√²]", "_", text)[:200]


ENTRY = """
static void (*const ax_phases[])(struct ax_run *, int) = { ax_sizes, ax_prepare, ax_steps };
int ax_phase(struct ax_run *run, int phase) {
  ax_start(run, ax_phases[phase]);
  return run->fault[0] != 0;
}
"""
