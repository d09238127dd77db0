"""Elementwise kernels and copies as C loops."""

from __future__ import annotations

from typing import NamedTuple

from ..ir.dims import Size
from ..ir.scalar import Expr
from ..ir.types import Shape
from ..schedule.kernel import Number, Window
from .arithmetic import Arithmetic, constant, number, stored
from .function import Function
from .loops import Pointers, axes_of, elements


class Map(NamedTuple):
    """One loop over the elements of `shape`: expression i is stored in write i."""

    shape: Shape
    stores: tuple[Expr, ...]

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        strides = [*(w.strides for w in writes), *(stretched(r, self.shape) for r in reads)]
        pointers = Pointers(f, [*(f.pointer(w, write=True) for w in writes), *map(f.pointer, reads)])

        def load(i: int) -> str:
            return loaded(reads[i], pointers.at(len(writes) + i))

        with elements(f, axes_of(self.shape, strides), pointers):
            arithmetic = Arithmetic(f, load)
            values = [arithmetic.value(s) for s in self.stores]
            for i, value in enumerate(values):
                f.line(f"{pointers.at(i)} = {stored(writes[i].dtype, value)};")


class Copy(NamedTuple):
    """Every element of the read, in the type of the write; a number fills it."""

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x,) = writes, reads
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x)])
        with elements(f, axes_of(out.shape, [out.strides, stretched(x, out.shape)]), pointers):
            value = pointers.at(1) if out.dtype is x.dtype else stored(out.dtype, loaded(x, pointers.at(1)))
            f.line(f"{pointers.at(0)} = {value};")


class Fill(NamedTuple):
    """One number everywhere."""

    value: Number

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,) = writes
        pointers = Pointers(f, [f.pointer(out, write=True)])
        with elements(f, axes_of(out.shape, [out.strides]), pointers):
            f.line(f"{pointers.at(0)} = {stored(out.dtype, constant(self.value, out.dtype))};")


def stretched(x: Window, shape: Shape) -> tuple[Size, ...]:
    """The strides of a window that is stretched to a shape, as arithmetic stretches."""
    lead = len(shape) - len(x.shape)
    return (0,) * lead + tuple(0 if n == 1 else s for n, s in zip(x.shape, x.strides, strict=True))


def loaded(x: Window, text: str) -> str:
    """An element of memory as a value in a register."""
    return number(x.dtype, text)
