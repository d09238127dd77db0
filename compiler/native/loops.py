"""Loops over the elements of windows as C: axes that lie alike in all are one, the innermost runs in vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import singledispatch

from ..ir.dims import Size
from ..ir.types import Shape
from .function import Function

BLOCK = 256  # elements of a single axis that stay with one thread
VECTORS = "#pragma omp simd"


@dataclass(frozen=True)
class Axis:
    """A loop: how far it goes, and the step in each window."""

    size: Size
    steps: tuple[Size, ...]


def axes_of(shape: Shape, strides: Sequence[tuple[Size, ...]]) -> list[Axis]:
    """The loops over a shape in which windows with such strides are visited, outermost first, as few as possible."""
    given = [Axis(n, tuple(s[i] for s in strides)) for i, n in enumerate(shape) if n != 1]
    merged: list[Axis] = []
    for axis in _by_first_stride(given):
        last = merged[-1] if merged else None
        if last is not None and all(s == t * axis.size for s, t in zip(last.steps, axis.steps, strict=True)):
            merged[-1] = Axis(last.size * axis.size, axis.steps)
        else:
            merged.append(axis)
    return merged


def _by_first_stride(axes: list[Axis]) -> list[Axis]:
    """The axes in the order in which the first window lies in memory, where its strides are known."""
    first = [axis.steps[0] for axis in axes]
    if not all(isinstance(s, int) and s != 0 for s in first):
        return axes
    return sorted(axes, key=lambda axis: -abs(axis.steps[0]))  # type: ignore[arg-type]


class Pointers:
    """Where each of several pointers stands while loops go round: `at(i)` is its element at the current place."""

    def __init__(self, f: Function, names: Sequence[str]) -> None:
        self.f = f
        self.names = list(names)
        self.offsets: list[list[str]] = [[] for _ in names]

    def at(self, i: int) -> str:
        return f"{self.names[i]}[{' + '.join(self.offsets[i]) or '0'}]"

    @contextmanager
    def moved(self, axis: Axis, index: str) -> Iterator[None]:
        """Inside, every pointer has gone `index` steps along the axis."""
        before = [list(o) for o in self.offsets]
        for offsets, step in zip(self.offsets, axis.steps, strict=True):
            if step != 0:
                offsets.append(index if step == 1 else f"{self.f.size(step)} * {index}")
        yield
        self.offsets = before

    @contextmanager
    def advanced(self, axis: Axis, index: str) -> Iterator[None]:
        """As `moved`, with new pointers declared for those that move, so that inner text stays short."""
        before = list(self.names)
        for i, step in enumerate(axis.steps):
            if step != 0:
                name = self.f.fresh("q")
                distance = index if step == 1 else f"{self.f.size(step)} * {index}"
                self.f.line(f"__typeof__({self.names[i]}) {name} = {self.names[i]} + {distance};")
                self.names[i] = name
        yield
        self.names = before


@contextmanager
def nested(f: Function, axes: Sequence[Axis], pointers: Pointers) -> Iterator[str]:
    """Loops over all axes; gives the index of the innermost, nothing where there is none."""
    if not axes:
        yield ""
        return
    index = f.fresh("i")
    with f.loop(index, f.size(axes[0].size)), pointers.advanced(axes[0], index), nested(f, axes[1:], pointers) as inner:
        yield inner or index


@contextmanager
def divided(f: Function, axis: Axis, pointers: Pointers) -> Iterator[None]:
    """A loop whose turns threads divide among them."""
    index = f.fresh("i")
    f.split(axis.size)
    with f.loop(index, "hi", "lo"), pointers.advanced(axis, index):
        yield


@singledispatch
@contextmanager
def elements(f: Function, axes: Sequence[Axis], pointers: Pointers) -> Iterator[str]:
    """All loops over elements, the innermost in vectors; gives the index of the innermost. Threads divide the
    outermost, or stretches of the only one. What is written for another machine has a way of its own."""
    if not axes:
        with f.block(""):
            yield "0"
        return
    if len(axes) > 1:
        with divided(f, axes[0], pointers), nested(f, axes[1:-1], pointers), innermost(f, axes[-1], pointers) as index:
            f.steps = axes[0].steps
            yield index
        return
    (axis,) = axes
    f.split((axis.size + BLOCK - 1) // BLOCK)
    size = f.size(axis.size)
    f.line(f"const long end = hi * {BLOCK} < {size} ? hi * {BLOCK} : {size};")
    with innermost(f, axis, pointers, start=f"lo * {BLOCK}", end="end") as index:
        yield index


@singledispatch
@contextmanager
def rows(f: Function, axes: Sequence[Axis], pointers: Pointers) -> Iterator[None]:
    """Loops over all axes, the outermost divided among threads; as `elements`, each machine has its own way."""
    if not axes:
        yield
        return
    with divided(f, axes[0], pointers), nested(f, axes[1:], pointers):
        yield


@contextmanager
def innermost(f: Function, axis: Axis, pointers: Pointers, start: str = "0", end: str = "") -> Iterator[str]:
    """A loop whose turns run side by side in vectors."""
    index = f.fresh("i")
    f.line(VECTORS)
    with f.loop(index, end or f.size(axis.size), start), pointers.moved(axis, index):
        yield index
