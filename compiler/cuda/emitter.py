"""Schedule to code whose instructions are CUDA kernels."""

from __future__ import annotations

from ...spec.record import replace
from ..emit.emitter import STEPS, Rules
from ..ir import dims
from ..ir.dims import Size
from ..native.emitter import Form as Form
from ..native.emitter import NativeEmitter
from ..native.rows import replaced
from ..schedule import layout
from ..schedule.code import Code
from ..schedule.kernel import Nest, Window
from ..schedule.target import Machinery
from .rows import Rows


class CudaEmitter(NativeEmitter):
    """Appends one instruction for each kernel, as that of C does; rules may ask how large sizes get, and
    whether products of f32 may be in TF32."""

    def __init__(self, rules: Rules, rows: int, *, tf32: bool) -> None:
        super().__init__(rules, frozenset(), Machinery())
        self.rows, self.tf32 = rows, tf32

    def row_of_rounds(self, nest: Nest) -> int:
        return 0  # while one warp waits, others compute

    def by_rows(self, nest: Nest, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        self.add(Rows(nest), writes, reads, replaces=replaced(nest, reads, keeps=False), each=True)

    def with_plain_results(self, code: Code) -> Code:
        """The code whose results lie in row-major order, as they are brought to the host."""
        self.lines, self.note = list(code.phases[STEPS]), -1
        results = tuple((name, w if layout.is_contiguous(w) else self._row_major(w)) for name, w in code.results)
        sizes, prepare, _ = code.phases
        return replace(code, results=results, phases=(sizes, prepare, tuple(self.lines)))

    def _row_major(self, x: Window) -> Window:
        out = self.scratch(x.type, "result")
        self.copy(out, x)
        return out

    def most(self, size: Size) -> int:
        """The most that a size may be in a run."""
        return int(self.bound(dims.substitute(size, {"N": max(self.rows, 1)})))
