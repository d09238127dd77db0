"""Schedule to a plan whose steps say how a device starts their kernels, with the CUDA text of the kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...runtime.plan import Gemm, Launch, Loop, Matrix, Plan, Step, Unit, View
from ..ir import dims
from ..ir.dims import Size
from ..ir.types import F32
from ..memory import affine, numbered
from ..native.driver import clean, shapes
from ..native.emitter import Kernels
from ..native.mathematics import definitions
from ..native.sources import KERNELS
from ..schedule.code import Block, Instruction, Line
from ..schedule.destination import place_values
from ..schedule.kernel import Buffer, Schedule, Window
from . import gemm
from .emitter import CudaEmitter
from .kernel import Integer, Kernel
from .library import RULES

UNIT = 12000  # characters of kernels that are compiled together
FAR = 1 << 30  # elements up to which places are of type int
PRELUDE, TENSOR = (Path(__file__).with_name(name) for name in ("prelude.h", "tensor.h"))


def plan_of(schedule: Schedule, rows: int, *, tf32: bool = False) -> Plan:
    """The plan of a schedule for at most `rows` samples, products of f32 in TF32 if asked for. Raises NotAffine."""
    kernels, plan, numbers = laid_out(schedule, rows, tf32=tf32)
    printer = Printer(kernels, numbers, {"N": max(rows, 1)}, tf32)
    phases = (
        printer.lines(lines, steps)
        for lines, steps in zip(kernels.code.phases, (plan.sizes, plan.prepare, plan.steps), strict=True)
    )
    sizes, prepare, steps = phases
    return replace(plan, sizes=sizes, prepare=prepare, steps=steps, units=tuple(printer.units()))


def laid_out(schedule: Schedule, rows: int, *, tf32: bool = False) -> tuple[Kernels, Plan, Mapping[Buffer, int]]:
    """The kernels before they are printed, their plan without launches, and its buffers. Raises NotAffine."""
    emitter = CudaEmitter(RULES, rows, tf32=tf32)
    code = emitter.with_plain_results(place_values(emitter.emit(schedule), max(rows, 1)))
    return Kernels(code, tuple(emitter.forms)), *numbered(code, rows, "cupy")


@dataclass
class Printer:
    """The kernels of a code by name, and the launches of its instructions. `bounds` is the most of each symbol."""

    kernels: Kernels
    numbers: Mapping[Buffer, int]
    bounds: dict[str, int]
    tf32: bool = False
    texts: dict[str, str] = field(default_factory=dict)

    def lines(self, lines: tuple[Line, ...], steps: tuple[Step | Loop, ...]) -> tuple[Step | Loop, ...]:
        """The steps of some lines, with their launches."""
        return tuple(self._line(line, step) for line, step in zip(lines, steps, strict=True))

    def _line(self, line: Line, step: Step | Loop) -> Step | Loop:
        if isinstance(line, Block):
            assert isinstance(step, Loop)
            self.bounds |= {line.start: self._most(line.extent), line.length: line.chunk}
            return step._replace(body=self.lines(line.body, step.body))
        assert isinstance(step, Step)
        return step._replace(launch=self._gemm(line) or self._launch(line))

    def _gemm(self, line: Instruction) -> Gemm | None:
        """The product that the library of the device computes."""
        if not isinstance(self.kernels.form(line), gemm.Gemm):
            return None
        (out, workspace), (x, y) = line.writes, line.reads
        assert isinstance(x, Window)
        assert isinstance(y, Window)
        call = gemm.call_of(out, x, y, self._most)
        if call is None:
            return None
        a, b, c = (
            Matrix(self._view(m.window), affine(at.leading), affine(m.lead[0]) if m.lead else 0, at.turned)
            for m, at in (call.a, call.b, call.c)
        )
        m, n, k, batch = map(affine, (call.m, call.n, call.k, call.batch))
        return Gemm(m, n, k, a, b, c, self._view(workspace), batch, self.tf32 and out.dtype is F32)

    def _launch(self, line: Instruction) -> Launch:
        reads = tuple(r for r in line.reads if isinstance(r, Window))
        f = Kernel(self._integer((*line.writes, *reads)), self._most)
        self.kernels.form(line).print(f, line.writes, reads)
        assert f.grid, line.name
        note = self.kernels.code.notes[line.note] if line.note >= 0 else None
        about = clean(f"{line.name}: {note.formula}, {note.place}" if note else line.name)
        self.texts.setdefault(f.name, f"/* {about}\n   {shapes(line)} */\n{f.text.replace('@', f.name, 1)}")
        return Launch(
            f.name,
            tuple(map(self._view, f.windows)),
            tuple(map(affine, f.symbols)),
            tuple((affine(size), each) for size, each in f.grid if size != 1),
            f.integer == "long",
            f.refuses,
        )

    def _view(self, w: Window) -> View:
        shape, strides = (tuple(map(affine, sizes)) for sizes in (w.shape, w.strides))
        return View(self.numbers[w.buffer], affine(w.offset), shape, strides)

    def _integer(self, windows: tuple[Window, ...]) -> Integer:
        """The type in which all places in these windows, and their numbers, can be said."""
        far = 0
        for w in windows:
            reach = sum(self._most(n) * abs(self._most(s)) for n, s in zip(w.shape, w.strides, strict=True))
            far = max(far, reach, self._most(w.type.size))
        return "int" if far < FAR else "long"

    def _most(self, size: Size) -> int:
        found = dims.substitute(size, self.bounds)
        assert isinstance(found, int), size
        return found

    def units(self) -> Iterator[Unit]:
        """The kernels as texts that are compiled one by one."""
        some: dict[str, str] = {}
        for name, text in self.texts.items():
            if some and sum(map(len, some.values())) + len(text) > UNIT:
                yield _unit(some)
                some = {}
            some[name] = text
        if some:
            yield _unit(some)


def _unit(some: dict[str, str]) -> Unit:
    body = "\n".join(some.values())
    tensor = TENSOR.read_text(encoding="utf-8") if "ax_multiply" in body else ""
    return Unit(f"{prelude()}{tensor}{definitions(body)}{KERNELS}{body}", tuple(some))


def prelude() -> str:
    """What stands before kernels."""
    return PRELUDE.read_text(encoding="utf-8")
