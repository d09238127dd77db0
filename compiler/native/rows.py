"""Arithmetic and reductions row by row as C: what a row needs stays in registers and in the first cache.

A row is gone through once, and once more for each fold whose result its elements need. Values that a later round needs
are computed again where that is cheap, else kept in the row that is stored, or in a buffer of one row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from ..ir.dims import Size
from ..ir.scalar import PLACE, Expr
from ..schedule.kernel import Nest, Window, row_major
from ..schedule.rounds import FOLDED, moving, rounds
from .arithmetic import Arithmetic, local, stored
from .function import Function
from .index import checked
from .loops import VECTORS, Axis, Pointers, axes_of, nested
from .nest import loaded, stretched
from .reduce import LAWS, Law


class Rows(NamedTuple):
    """A nest with rows, for vectors of so many `lanes`. Each call sets the sums of its own units."""

    nest: Nest
    lanes: int = 8

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        _Printer(f, self.nest, writes, reads, self.lanes).print()


def replaced(nest: Nest, reads: tuple[Window, ...], *, keeps: bool = True) -> tuple[int, ...]:
    """The reads whose place a write may take: no round loads of them after the first that stores."""
    found = rounds(nest, moving(nest, reads), keeps=keeps)
    stored = min((found.of[x] for i, x in enumerate(nest.stores) if i not in nest.sums), default=0)
    whole = (i for i, r in enumerate(reads) if r.shape == nest.shape and i not in nest.reads_of_rows)
    return tuple(i for i in whole if found.last_load(i) <= stored)


@dataclass
class _Fold:
    """A reduction while a row is gone through."""

    law: Law
    type: str
    total: str
    wrong: str = ""

    @property
    def clause(self) -> str:
        return f"reduction({self.law.clause}:{self.total})" + (f" reduction(|:{self.wrong})" if self.wrong else "")


class _Printer:
    """Writes one function."""

    def __init__(
        self, f: Function, nest: Nest, writes: tuple[Window, ...], reads: tuple[Window, ...], lanes: int
    ) -> None:
        self.f, self.nest, self.writes, self.reads, self.lanes = f, nest, writes, reads, lanes
        self.first = len(nest.rows)
        self.rounds = rounds(nest, moving(nest, reads))
        self.row = nest.shape[self.first :]
        names = [*(f.pointer(w, write=True) for w in writes), *map(f.pointer, reads)]
        strides = [*map(self._written, range(len(writes))), *map(self._read, range(len(reads)))]
        self.kept: dict[Expr, int] = {}
        for x in self.rounds.parts:
            if x in self.rounds.kept:
                place = self._stored(x)
                if place is None:
                    place = len(names)
                    names.append(self._buffer(x))
                    strides.append((*(0,) * self.first, *row_major(self.row)))
                self.kept[x] = place
        self.pointers = Pointers(f, names)
        self.outer = self._axes_of_rows([s[: self.first] for s in strides])
        self.inner = axes_of(self.row, [s[self.first :] for s in strides])
        self.steady = Arithmetic(f, self._load)
        self.index = ""  # of the element at hand within its row
        self.number = ""  # of the row at hand within its matrix
        self.end = ""  # of what is computed of a row

    def _axes_of_rows(self, strides: list[tuple[Size, ...]]) -> list[Axis]:
        """The loops over rows; where a diagonal says how long each is, its rows have a loop of their own."""
        if self.nest.masks is None:
            return axes_of(self.nest.rows, strides)
        matrices = axes_of(self.nest.rows[:-1], [s[:-1] for s in strides])
        return [*matrices, Axis(self.nest.rows[-1], tuple(s[-1] for s in strides))]

    def _written(self, i: int) -> tuple[Size, ...]:
        """The steps of a write along all axes."""
        w = self.writes[i]
        if i in self.nest.sums:
            return (*(0,) * self.first, *(w.strides or (0,) * self.nest.row))
        return (*w.strides, *(0,) * (len(self.nest.shape) - len(w.shape)))

    def _read(self, i: int) -> tuple[Size, ...]:
        if i in self.nest.reads_of_rows:
            return (*self.reads[i].strides, *(0,) * self.nest.row)
        return stretched(self.reads[i], self.nest.shape)

    def _of_elements(self, i: int) -> bool:
        """Whether a write has an element for each element of a row."""
        w = self.writes[i]
        return w.shape == (self.row if i in self.nest.sums else self.nest.shape)

    def _stored(self, x: Expr) -> int | None:
        """The write that keeps a part as it is."""
        found = (i for i, s in enumerate(self.nest.stores) if s is x and i not in self.nest.sums)
        return next(found, None) if not x.dtype.is_half else None

    def _buffer(self, x: Expr) -> str:
        held, name = self.f.fresh("held"), self.f.fresh("row")
        size = 1
        for n in self.row:
            assert isinstance(n, int)
            size *= n
        self.f.line(f"{local(x.dtype)} {held}[{size}] __attribute__((aligned(64))), *const {name} = {held};")
        return name

    def _load(self, i: int) -> str:
        if self.nest.masks and i in self.nest.masks:
            return f"(int){self.index} <= (int){self.number}"
        return loaded(self.reads[i], self.pointers.at(len(self.writes) + i))

    def print(self) -> None:
        f = self.f
        totals = {i: f.fresh("sum") for i in self.nest.sums if not self._of_elements(i)}
        for i, total in totals.items():
            f.line(f"{local(self.writes[i].dtype)} {total} = 0;")
        self._zero()
        with self._each_row():
            for r in range(self.rounds.count):
                self._steady(r)
                self._round(r)
            self._steady(self.rounds.count)
            if self.end and any(map(self._of_elements, range(len(self.writes)))):
                self._clear()
            for i, x in enumerate(self.nest.stores):
                if i in totals:
                    f.line(f"{totals[i]} += {self.steady.known[x]};")
                elif not self._of_elements(i):
                    f.line(f"{self.pointers.at(i)} = {stored(self.writes[i].dtype, self.steady.known[x])};")
        for i, total in totals.items():
            f.line(f"{self.pointers.at(i)} = {total};")

    @contextmanager
    def _each_row(self) -> Iterator[None]:
        """The loops over rows; threads divide the outermost. Where there is none, one thread has all, and the others
        the sums of nothing."""
        if self.outer:
            self.f.split(self.outer[0].size)
            self.f.steps = self.outer[0].steps[: len(self.f.windows)]
            index = self.f.fresh("i")
            with (
                self.f.loop(index, "hi", "lo"),
                self.pointers.advanced(self.outer[0], index),
                nested(self.f, self.outer[1:], self.pointers) as inner,
            ):
                if self.nest.masks is not None:
                    self._reach(inner or index)
                yield
            return
        if self.nest.sums:
            self.f.split(1)
        with self.f.block("if (lo < hi)" if self.nest.sums else ""):
            yield

    def _reach(self, row: str) -> None:
        """How far a row is computed: whole vectors, up to the diagonal."""
        size, lanes = self.f.size(self.row[0]), self.lanes
        self.number = row
        self.end = self.f.fresh("end")
        whole = f"({row} + {lanes}) / {lanes} * {lanes}"
        self.f.line(f"const int {self.end} = {row} + {lanes} < {size} ? {whole} : {size};")

    def _clear(self) -> None:
        """Zeros in what is not computed of a row."""
        (axis,), index = self.inner, self.f.fresh("i")
        with self.f.loop(index, self.f.size(axis.size), self.end), self.pointers.moved(axis, index):
            for i in filter(self._of_elements, range(len(self.writes))):
                self.f.line(f"{self.pointers.at(i)} = 0;")

    def _zero(self) -> None:
        places = [i for i in self.nest.sums if self._of_elements(i)]
        if places:
            with self._elements(""):
                for i in places:
                    self.f.line(f"{self.pointers.at(i)} = 0;")

    @contextmanager
    def _elements(self, clauses: str) -> Iterator[str]:
        """The loops over the elements of a row, the innermost in vectors."""
        f, index = self.f, self.f.fresh("i")
        with nested(f, self.inner[:-1], self.pointers):
            f.line(f"{VECTORS} {clauses}".rstrip())
            if not self.inner:
                with f.loop(index, "1"):
                    yield index
                return
            self.index, axis = index, self.inner[-1]
            near = "int" if all(s in (0, 1) for s in axis.steps) else ""  # places are compared in vectors of the same
            with f.loop(index, self.end or f.size(axis.size), integer=near), self.pointers.moved(axis, index):
                yield index

    def _steady(self, r: int) -> None:
        """What is the same for a whole row, as far as round r can need it."""
        for x in self.rounds.parts:
            if x in self.rounds.steady and self.rounds.of[x] == r and x.word not in FOLDED:
                self.steady.known[x] = self._once(x, r)

    def _once(self, x: Expr, r: int) -> str:
        """The name of a value of the row."""
        f = self.f
        match x.word:
            case "row_load":
                name = f.fresh()
                f.line(f"const {local(x.dtype)} {name} = {self._load(int(x.value))};")
                return name
            case "row_position":
                at, name = checked(f, self.steady.known[x.operands[0]], int(x.value)), f.fresh()
                f.line(f"const int {name} = (int){at};")
                return name
            case "row_pick":
                value, place = x.operands
                with self.pointers.moved(self.inner[0], self.steady.known[place]):
                    return self._arithmetic(r, self.steady.known[place]).value(value)
        return self.steady.value(x)

    def _arithmetic(self, r: int, index: str) -> Arithmetic:
        """The arithmetic of round r at an element; what was kept is loaded where it is needed."""
        elements = Arithmetic(self.f, self._load)
        elements.known.update(self.steady.known)
        elements.known.update({x: f"(int){index}" for x in self.rounds.parts if x.word == PLACE})
        for x, place in self.kept.items():
            if self.rounds.of[x] < r and r in self.rounds.needed[x]:
                elements.known[x] = self.f.fresh()
                self.f.line(f"const {local(x.dtype)} {elements.known[x]} = {self._kept(x, place)};")
        return elements

    def _round(self, r: int) -> None:
        """One round: stores, folds, and what later rounds find kept."""
        found = self.rounds
        folds = {x: self._begin(x) for x in found.parts if x.word in FOLDED and found.of[x] == r + 1}
        stores = [i for i, x in enumerate(self.nest.stores) if self._of_elements(i) and found.of[x] == r]
        kept = [x for x in self.kept if found.of[x] == r]
        if not (folds or stores or kept):
            return
        with self._elements(" ".join(fold.clause for fold in folds.values())) as index:
            elements = self._arithmetic(r, index)
            values = {x: elements.value(x) for x in (*(f.operands[0] for f in folds), *kept)}
            values |= {x: elements.value(x) for i in stores for x in (self.nest.stores[i],)}
            for x, fold in folds.items():
                self._add(fold, values[x.operands[0]])
            for x in kept:
                if self.kept[x] >= len(self.writes):
                    self.f.line(f"{self.pointers.at(self.kept[x])} = {values[x]};")
            for i in stores:
                plus = "+=" if i in self.nest.sums else "="
                value = stored(self.writes[i].dtype, values[self.nest.stores[i]])
                self.f.line(f"{self.pointers.at(i)} {plus} {value};")
        for x, fold in folds.items():
            result = f"{fold.wrong} ? NAN : {fold.total}" if fold.wrong else fold.total
            self.steady.known[x] = self.f.fresh()
            self.f.line(f"const {local(x.dtype)} {self.steady.known[x]} = {result};")

    def _kept(self, x: Expr, place: int) -> str:
        text = self.pointers.at(place)
        return loaded(self.writes[place], text) if place < len(self.writes) else text

    def _begin(self, x: Expr) -> _Fold:
        """Declares the total of a fold, and whether a NaN was seen where comparing passes it by."""
        word = next(w for w, name in LAWS.items() if f"row_{w}" == x.word)
        law = LAWS[word]
        kind = "int" if x.dtype.value == "bool" else local(x.dtype)
        fold = _Fold(law, kind, self.f.fresh("total"))
        self.f.folds = True
        self.f.line(f"{kind} {fold.total} = {law.first(x.dtype)};")
        if law.clause in ("max", "min") and x.dtype.is_float:
            fold.wrong = self.f.fresh("wrong")
            self.f.line(f"int {fold.wrong} = 0;")
        return fold

    def _add(self, fold: _Fold, x: str) -> None:
        self.f.line(f"{fold.total} = {fold.law.combine.format(a=fold.total, x=x)};")
        if fold.wrong:
            self.f.line(f"{fold.wrong} |= {x} != {x};")
