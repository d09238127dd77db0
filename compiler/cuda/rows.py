"""Arithmetic and reductions row by row as CUDA: a warp shares a row, or a block where rows are long.

A row is gone through once, and once more for each fold whose result its elements need. What a later round needs is
loaded and computed again: memory is the narrow place, and the row is in a cache by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...runtime.plan import THREADS
from ..ir import dims
from ..ir.dims import Size
from ..ir.scalar import PLACE, Expr
from ..ir.types import BOOL
from ..native.arithmetic import Arithmetic, local, stored
from ..native.index import checked
from ..native.loops import Axis, Pointers, axes_of
from ..native.nest import loaded, stretched
from ..native.reduce import LAWS
from ..schedule.kernel import Nest, Window
from ..schedule.rounds import FOLDED, moving, rounds
from .kernel import Kernel, decoded, standing, visited
from .reduce import WARP, combination

LONG = 32 * WARP  # elements of a row from which on a block shares it
Windows = tuple[Window, ...]


class Rows(NamedTuple):
    """A nest with rows."""

    nest: Nest

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        first = len(self.nest.rows)
        steps = strides_of(self.nest, writes, reads)
        pointers = Pointers(f, [*(f.pointer(w, write=True) for w in writes), *map(f.pointer, reads)])
        outer = axes_of(self.nest.rows, [s[:first] for s in steps])
        inner = axes_of(self.nest.shape[first:], [s[first:] for s in steps])
        lanes = WARP if f.most(dims.product(self.nest.shape[first:])) < LONG else THREADS
        count, each = dims.product(self.nest.rows), THREADS // lanes
        f.stretches(count, each)
        f.let("lane", f"threadIdx.x % {lanes}")
        f.let("r", f"({f.integer})blockIdx.x * {each} + threadIdx.x / {lanes}")
        with f.block(f"if (r < {f.size(count)})"):
            at = decoded(f, "r", [a.size for a in outer])
            with standing(outer, at, pointers):
                Row(f, self.nest, Operands(dict(enumerate(writes)), reads, pointers), inner, lanes).print()


def strides_of(nest: Nest, writes: Windows, reads: Windows) -> list[tuple[Size, ...]]:
    """The steps of writes and reads along all axes of a nest; 0 where something is the same for a whole row."""
    of_rows = nest.reads_of_rows
    found = [(*w.strides, *(0,) * (len(nest.shape) - len(w.shape))) for w in writes]
    for i, r in enumerate(reads):
        found.append((*r.strides, *(0,) * nest.row) if i in of_rows else stretched(r, nest.shape))
    return found


class Operands:
    """Where a row is: reads and stored writes of a nest, in which pointers, writes before reads, stand at it."""

    def __init__(self, writes: Mapping[int, Window], reads: Windows, pointers: Pointers) -> None:
        self.writes, self.reads, self.pointers = writes, reads, pointers

    def load(self, i: int, index: str) -> str:
        """The element of read i where the pointers stand; `index` is its number in the row."""
        return loaded(self.reads[i], self.pointers.at(len(self.writes) + i))

    def store(self, f: Kernel, i: int, index: str, value: str) -> None:
        """A line that stores an element, or the value of a row."""
        if i in self.writes:
            place = self.pointers.at(list(self.writes).index(i))
            f.line(f"{place} = {stored(self.writes[i].dtype, value)};")


class Row:
    """Writes what some lanes do with the row at which operands stand; `lane` numbers them."""

    def __init__(self, f: Kernel, nest: Nest, operands: Operands, inner: Sequence[Axis], lanes: int) -> None:
        self.f, self.nest, self.operands = f, nest, operands
        self.inner, self.lanes = inner, lanes
        self.rounds = rounds(nest, moving(nest, operands.reads), keeps=False)
        self.steady = Arithmetic(f, lambda i: operands.load(i, ""))

    def has_elements(self, i: int) -> bool:
        """Whether a store has an element for each element of the row."""
        return i not in self.operands.writes or self.operands.writes[i].shape == self.nest.shape

    def print(self) -> None:
        for r in range(self.rounds.count):
            self._steady(r)
            self._round(r)
        self._steady(self.rounds.count)
        of_row = [i for i in range(len(self.nest.stores)) if not self.has_elements(i)]
        if of_row:
            with self.f.block("if (lane == 0)"):
                for i in of_row:
                    self.operands.store(self.f, i, "", self.steady.known[self.nest.stores[i]])

    def _steady(self, r: int) -> None:
        """What is the same for a whole row, as far as round r can need it."""
        for x in self.rounds.parts:
            if x in self.rounds.steady and self.rounds.of[x] == r and x.word not in FOLDED:
                self.steady.known[x] = self._once(x)

    def _once(self, x: Expr) -> str:
        """The name of a value of the row, which each lane computes."""
        f = self.f
        match x.word:
            case "row_load":
                name = f.fresh()
                f.line(f"const {local(x.dtype)} {name} = {self.operands.load(int(x.value), '')};")
                return name
            case "row_position":
                at, name = checked(f, self.steady.known[x.operands[0]], int(x.value)), f.fresh()
                f.line(f"const int {name} = (int){at};")
                return name
            case "row_pick":
                value, place = (x.operands[0], self.steady.known[x.operands[1]])
                with self.operands.pointers.moved(self.inner[0], place):
                    found = self._arithmetic(place).value(value)
                f.line("__syncwarp();" if self.lanes == WARP else "__syncthreads();")  # before others store there
                return found
        return self.steady.value(x)

    def _arithmetic(self, index: str) -> Arithmetic:
        """The arithmetic at an element."""
        elements = Arithmetic(self.f, lambda i: self.operands.load(i, index))
        elements.known.update(self.steady.known)
        elements.known.update({x: f"(int){index}" for x in self.rounds.parts if x.word == PLACE})
        return elements

    def _round(self, r: int) -> None:
        """One round: stores and folds."""
        f, found = self.f, self.rounds
        folds = {x: f.fresh("total") for x in found.parts if x.word in FOLDED and found.of[x] == r + 1}
        stores = [i for i, x in enumerate(self.nest.stores) if self.has_elements(i) and found.of[x] == r]
        for x, total in folds.items():
            f.line(f"{_kind(x)} {total} = {LAWS[_law(x)].first(x.dtype)};")
        if folds or stores:
            j = f.fresh("j")
            sizes = [a.size for a in self.inner]
            with f.loop(j, f.size(dims.product(sizes)), "lane", step=self.lanes):
                at = decoded(f, j, sizes)
                with visited(self.inner, at, self.operands.pointers):
                    self._element(j, folds, stores)
        for x, total in folds.items():
            self._combine(x, total)
            self.steady.known[x] = total

    def _element(self, j: str, folds: dict[Expr, str], stores: list[int]) -> None:
        elements = self._arithmetic(j)
        added = {total: elements.value(x.operands[0]) for x, total in folds.items()}
        values = {i: elements.value(self.nest.stores[i]) for i in stores}
        for x, total in folds.items():
            self.f.line(f"{total} = {_combination(x).format(a=total, x=added[total])};")
        for i, value in values.items():
            self.operands.store(self.f, i, j, value)

    def _combine(self, x: Expr, total: str) -> None:
        """Gives all lanes the same total: by exchange in a warp, then of all warps in their order."""
        f, kind, combine = self.f, _kind(x), _combination(x)
        with f.block(f"for (int s = {WARP // 2}; s > 0; s /= 2)"):
            f.line(f"const {kind} x = __shfl_xor_sync(0xffffffffu, {total}, s);")
            f.line(f"{total} = {combine.format(a=total, x='x')};")
        if self.lanes == WARP:
            return
        parts = f.fresh("parts")
        f.line(f"AX_SHARED({kind}, {parts}, {THREADS // WARP});")
        f.line(f"if (threadIdx.x % {WARP} == 0) {parts}[threadIdx.x / {WARP}] = {total};")
        f.line("__syncthreads();")
        f.line(f"{total} = {parts}[0];")
        with f.block(f"for (int w = 1; w < {THREADS // WARP}; w++)"):
            f.line(f"const {kind} x = {parts}[w];")
            f.line(f"{total} = {combine.format(a=total, x='x')};")


def _law(x: Expr) -> str:
    return x.word.removeprefix("row_")


def _kind(x: Expr) -> str:
    return "int" if x.dtype is BOOL else local(x.dtype)


def _combination(x: Expr) -> str:
    return combination(_law(x), x.dtype)
