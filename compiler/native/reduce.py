"""Reductions as C loops: along contiguous memory in vectors, across it by whole rows of results."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..ir.types import BOOL, DType
from ..schedule.kernel import Window
from .arithmetic import local
from .function import TYPES, Function
from .loops import VECTORS, Axis, Pointers, axes_of, divided, nested
from .nest import loaded

LANES = 64  # results that are added up side by side when whole rows are


class Law(NamedTuple):
    """How elements are combined: the first value by dtype, the C of combining, and OpenMP's name for it."""

    first: Callable[[DType], str]
    combine: str
    clause: str


def _least(dtype: DType) -> str:
    if dtype.is_float:
        return "-INFINITY"
    return {"i8": "INT8_MIN", "i32": "INT32_MIN", "i64": "INT64_MIN"}.get(dtype.value, "0")


def _most(dtype: DType) -> str:
    if dtype.is_float:
        return "INFINITY"
    return "1" if dtype is BOOL else f"{TYPES[dtype].removesuffix('_t').upper()}_MAX"


LAWS = {
    "sum": Law(lambda _: "0", "{a} + {x}", "+"),
    "prod": Law(lambda _: "1", "{a} * {x}", "*"),
    "max": Law(_least, "{a} > {x} ? {a} : {x}", "max"),
    "min": Law(_most, "{a} < {x} ? {a} : {x}", "min"),
    "any": Law(lambda _: "0", "{a} | {x}", "|"),
    "all": Law(lambda _: "1", "{a} & {x}", "&"),
}


class Reduce(NamedTuple):
    """The elements of the read along axes, combined; the write has the other axes."""

    law: str
    along: tuple[int, ...]

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x,) = writes, reads
        f.folds = True
        kept_axes = [i for i in range(len(x.shape)) if i not in self.along]
        kept = axes_of(tuple(x.shape[i] for i in kept_axes), [out.strides, tuple(x.strides[i] for i in kept_axes)])
        added = axes_of(tuple(x.shape[i] for i in self.along), [tuple(x.strides[i] for i in self.along)])
        added = [Axis(a.size, (0, *a.steps)) for a in added]
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x)])
        printer = _Reduction(f, LAWS[self.law], x, pointers)
        if not kept or kept[-1].steps != (1, 1) or (added and added[-1].steps[1] == 1):
            printer.along(kept, added)
        elif size := _narrow(kept, added):
            printer.narrow(size, added)
        else:
            printer.across(kept, added)


def _narrow(kept: list[Axis], added: list[Axis]) -> int:
    """The length of rows that lie one after the other and are short: some are as long as what goes side by side. Else
    0."""
    size = kept[0].size
    is_narrow = len(kept) == 1 and bool(added) and added[-1].steps == (0, size)
    return size if is_narrow and isinstance(size, int) and LANES % size == 0 else 0


class _Reduction:
    """Writes one reduction."""

    def __init__(self, f: Function, law: Law, x: Window, pointers: Pointers) -> None:
        self.f, self.law, self.x, self.pointers = f, law, x, pointers
        self.type = "int" if x.dtype is BOOL else local(x.dtype)
        self.watches = law.clause in ("max", "min") and x.dtype.is_float

    def element(self) -> str:
        text = loaded(self.x, self.pointers.at(1))
        return f"({text})" if self.x.dtype is BOOL else text

    def combined(self, total: str, x: str) -> str:
        return self.law.combine.format(a=total, x=x)

    def along(self, kept: list[Axis], added: list[Axis]) -> None:
        """One result after the other, each over memory that is next to it."""
        if not kept:
            self._one(added)
        else:
            with divided(self.f, kept[0], self.pointers), nested(self.f, kept[1:], self.pointers):
                self._one(added)

    def _one(self, added: list[Axis]) -> None:
        f, total = self.f, self.f.fresh("total")
        f.line(f"{self.type} {total} = {self.law.first(self.x.dtype)};")
        wrong = f.fresh("wrong")
        if self.watches:
            f.line(f"int {wrong} = 0;")
        with nested(f, added[:-1], self.pointers):
            inner = added[-1] if added else Axis(1, (0, 0))
            f.line(
                f"{VECTORS} reduction({self.law.clause}:{total})" + (f" reduction(|:{wrong})" if self.watches else "")
            )
            index = f.fresh("i")
            with f.loop(index, f.size(inner.size)), self.pointers.moved(inner, index):
                self._add(total, wrong)
        result = f"{wrong} ? NAN : {total}" if self.watches else total
        f.line(f"{self.pointers.at(0)} = {result};")

    def _add(self, total: str, wrong: str) -> None:
        x = self.f.fresh()
        self.f.line(f"const {self.type} {x} = {self.element()};")
        self.f.line(f"{total} = {self.combined(total, x)};")
        if self.watches:
            self.f.line(f"{wrong} |= {x} != {x};")

    def narrow(self, length: int, added: list[Axis]) -> None:
        """As many rows of a length at once as make a long one; in the end their results are combined."""
        f, (total, wrong) = self.f, self._totals()
        size, rows, at_once = f.number(length), f.size(added[-1].size), f.number(LANES // length)
        f.split(1)
        with f.block("if (lo < hi)"):
            self._begin(total, wrong)
            with nested(f, added[:-1], self.pointers):
                whole = Axis(added[-1].size, (0, LANES))
                with f.loop("i", f"{rows} / {at_once}"), self.pointers.advanced(whole, "i"):
                    self._row(str(LANES), total, wrong)
                with self.pointers.advanced(whole, f"({rows} / {at_once})"):
                    self._row(f"{rows} % {at_once} * {size}", total, wrong)
            with f.loop("i", at_once, "1"), f.loop("j", size):
                f.line(f"{total}[j] = {self.combined(f'{total}[j]', f'{total}[i * {size} + j]')};")
                if self.watches:
                    f.line(f"{wrong}[j] |= {wrong}[i * {size} + j];")
            self._store(size, total, wrong)

    def across(self, kept: list[Axis], added: list[Axis]) -> None:
        """Some neighbouring results at once, over one row after the other."""
        f = self.f
        if len(kept) > 1:
            with divided(f, kept[0], self.pointers), nested(f, kept[1:-1], self.pointers):
                self._stretches(kept[-1], added, "0", f"({f.size(kept[-1].size)} + {LANES - 1}) / {LANES}")
        else:
            f.split((kept[-1].size + LANES - 1) // LANES)
            self._stretches(kept[-1], added, "lo", "hi")

    def _stretches(self, axis: Axis, added: list[Axis], start: str, end: str) -> None:
        f, block, width = self.f, self.f.fresh("b"), self.f.fresh("width")
        total, wrong = self._totals()
        with f.loop(block, end, start), self.pointers.advanced(Axis(LANES, (LANES, LANES)), block):
            left = f"{f.size(axis.size)} - {block} * {LANES}"
            f.line(f"const int {width} = {left} < {LANES} ? {left} : {LANES};")
            self._begin(total, wrong)
            f.line(f"if ({width} == {LANES}) {{")
            self._rows(str(LANES), added, total, wrong)
            f.line("} else {")
            self._rows(width, added, total, wrong)
            f.line("}")
            self._store(width, total, wrong)

    def _totals(self) -> tuple[str, str]:
        """The names of totals side by side, and of whether a NaN was seen."""
        return self.f.fresh("total"), self.f.fresh("wrong")

    def _begin(self, total: str, wrong: str) -> None:
        self.f.line(f"{self.type} {total}[{LANES}];")
        self.f.line(f"for (long j = 0; j < {LANES}; j++) {total}[j] = {self.law.first(self.x.dtype)};")
        if self.watches:
            self.f.line(f"int {wrong}[{LANES}] = {{0}};")

    def _rows(self, width: str, added: list[Axis], total: str, wrong: str) -> None:
        with nested(self.f, added, self.pointers):
            self._row(width, total, wrong)

    def _row(self, width: str, total: str, wrong: str) -> None:
        self.f.line(VECTORS)
        with self.f.loop("j", width), self.pointers.moved(Axis(LANES, (1, 1)), "j"):
            self._add(f"{total}[j]", f"{wrong}[j]")

    def _store(self, width: str, total: str, wrong: str) -> None:
        result = f"{wrong}[j] ? NAN : {total}[j]" if self.watches else f"{total}[j]"
        with self.f.loop("j", width), self.pointers.moved(Axis(LANES, (1, 1)), "j"):
            self.f.line(f"{self.pointers.at(0)} = {result};")
