"""Attention as a CUDA kernel: a block makes some rows of scores in shared memory, goes through them, and multiplies
them.

Rows are whole, so that whatever goes through them is printed as for rows in memory. They are as many as fit, since
matrices of keys and values are read once for all of them.
"""

from __future__ import annotations

from typing import NamedTuple

from ...runtime.plan import THREADS
from ..ir import dims
from ..ir.types import Tensor
from ..native.arithmetic import number, stored
from ..native.function import TYPES
from ..native.loops import Axis, Pointers
from ..schedule import kernel as schedule
from ..schedule.kernel import Window, fresh
from .fragments import ByFragments, suits_tensor_cores
from .kernel import Kernel, decoded, place, standing
from .reduce import WARP
from .rows import Operands, Row, strides_of
from .scores import ByTiles, Parts, Products, height_of

Windows = tuple[Window, ...]


class Attention(NamedTuple):
    """A nest by rows between two products, as the schedule says it."""

    form: schedule.Attention

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        _Printer(f, self.form, writes, reads).print()


class _Held(Operands):
    """Operands of which the scores, and the weights that take their place, are in shared memory."""

    def __init__(self, form: schedule.Attention, writes: Windows, reads: Windows, pointers: Pointers, row: str) -> None:
        super().__init__(dict(zip(form.kept, writes, strict=True)), reads, pointers)
        self.form, self.row = form, row

    def load(self, i: int, index: str) -> str:
        if i != self.form.scores:
            return super().load(i, index)
        dtype = self.reads[i].dtype
        return number(dtype, f"({TYPES[dtype]})scores[{self.row} + {index}]")

    def store(self, f: Kernel, i: int, index: str, value: str) -> None:
        super().store(f, i, index, value)
        if i == self.form.weights:
            f.line(f"scores[{self.row} + {index}] = {stored(self.reads[self.form.scores].dtype, value)};")


class _Printer:
    """Writes one kernel."""

    def __init__(self, f: Kernel, form: schedule.Attention, writes: Windows, reads: Windows) -> None:
        self.f, self.form = f, form
        *self.lead, self.rows, _ = form.nest.shape
        self.kept, others = writes[:-1], reads[3:]
        self.parts = Parts.of(form, writes, reads)
        self.products = products_of(f, self.parts)
        scores = fresh("scores", Tensor(self.products.dtype, form.nest.shape))
        self.reads = (*others[: form.scores], scores, *others[form.scores :])

    def print(self) -> None:
        f, height = self.f, self.products.height
        tiles = f.stretches(self.rows, height)
        for n in self.lead:
            f.stretches(n, 1)
        f.let("first_row", f"({f.integer})(blockIdx.x % {tiles}) * {height}")
        at = decoded(f, f"({f.integer})(blockIdx.x / {tiles})", self.lead)
        pointers = self._pointers(at)
        f.line(f"AX_SHARED({TYPES[self.products.dtype]}, scores, {height * self.products.stride});")
        self.products.scores()
        f.line("__syncthreads();")
        self._through(at, pointers)
        self.products.product()

    def _pointers(self, at: list[str]) -> Pointers:
        """The pointers of the nest; those of products are declared at their place along the leading axes."""
        f, lead, parts = self.f, len(self.lead), self.parts
        names = [f.pointer(w, write=True) for w in self.kept]
        names += ["scores" if i == self.form.scores else f.pointer(r) for i, r in enumerate(self.reads)]
        for name, w in (("o", parts.out), ("a", parts.a), ("b", parts.b), ("c", parts.c)):
            pointer, kind = f.pointer(w, write=name == "o"), f"{'' if name == 'o' else 'const '}{TYPES[w.dtype]}"
            f.line(f"{kind} *const {name} = {pointer} + {place(w.strides[:lead], at, f)};")
        return Pointers(f, names)

    def _through(self, at: list[str], pointers: Pointers) -> None:
        """The nest: each warp goes through rows of its own."""
        f, nest = self.f, self.form.nest
        steps = strides_of(nest, self.kept, self.reads)
        steps[len(self.kept) + self.form.scores] = (0,) * len(nest.shape)
        axes = [Axis(n, tuple(s[i] for s in steps)) for i, n in enumerate(nest.shape)]
        f.let("lane", f"threadIdx.x % {WARP}")
        with f.loop("i", str(self.products.height), f"threadIdx.x / {WARP}", step=THREADS // WARP):
            f.let("r", "first_row + i")
            with f.block(f"if (r < {f.size(self.rows)})"), standing(axes[:-1], [*at, "r"], pointers):
                held = _Held(self.form, self.kept, self.reads, pointers, f"i * {self.products.stride}")
                Row(f, nest, held, axes[-1:], WARP).print()


def products_of(f: Kernel, parts: Parts) -> Products:
    """How the products of attention are computed."""
    lead, rows = f.most(dims.product(parts.out.shape[:-2])), f.most(parts.rows)
    make = ByFragments if suits_tensor_cores(parts) else ByTiles
    return make(f, parts, height_of(make.heights(parts.size), lead, rows))
