"""The text of CUDA kernels: the C of scalar loops with one thread for each element where C has a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal, TypeAlias

from ...runtime.plan import THREADS
from ..ir import dims
from ..ir.dims import Size
from ..native.function import Function
from ..native.loops import Axis, Pointers, elements, rows

Integer: TypeAlias = 'Literal["int", "long"]'


class Kernel(Function):
    """One kernel while it is written. Its blocks are the product of all `grid`: a size in stretches of so many.

    `integer` is the type of places, `int` where all fit; `most` says how large a size may get.
    """

    def __init__(self, integer: Integer, most: Callable[[Size], int]) -> None:
        super().__init__()
        self.integer = integer
        self.most = most
        self.grid: list[tuple[Size, int]] = []

    def stretches(self, size: Size, each: int) -> str:
        """Divides a size among blocks, in stretches of so many; gives how many there are."""
        self.grid.append((size, each))
        return f"(({self.size(size)} + {each - 1}) / {each})" if each > 1 else self.size(size)

    @property
    def draft(self) -> str:
        """The definition, with @ for its name; its sizes are marked."""
        head = f'extern "C" __global__ void __launch_bounds__({THREADS}) @({", ".join(self.formals)}) {{\n'
        return head + "\n".join(self.lines) + "\n}\n"


def decoded(f: Kernel, index: str, sizes: Sequence[Size]) -> list[str]:
    """Declares the position along each axis of the element number `index`, in row-major order."""
    names: list[str] = []
    rest = index
    for axis, size in reversed(list(enumerate(sizes))):
        if axis == 0 or size == 1:
            names.insert(0, f.let(f.fresh("i"), rest if axis == 0 else "0"))
            continue
        names.insert(0, f.let(f.fresh("i"), f"{rest} % {f.size(size)}"))
        rest = f"({rest} / {f.size(size)})"
    return names


@contextmanager
def spread(f: Kernel, sizes: Sequence[Size]) -> Iterator[list[str]]:
    """One thread for each element of a space; gives its position along each axis."""
    count = dims.product(sizes)
    f.stretches(count, THREADS)
    f.let("e", f"({f.integer})blockIdx.x * {THREADS} + threadIdx.x")
    with f.block(f"if (e < {f.size(count)})"):
        yield decoded(f, "e", sizes)


@contextmanager
def visited(axes: Sequence[Axis], indices: Sequence[str], pointers: Pointers) -> Iterator[None]:
    """Inside, pointers stand at a place."""
    with ExitStack() as stack:
        for axis, index in zip(axes, indices, strict=True):
            stack.enter_context(pointers.moved(axis, index))
        yield


@contextmanager
def standing(axes: Sequence[Axis], indices: Sequence[str], pointers: Pointers) -> Iterator[None]:
    """Inside, new pointers stand at a place."""
    with ExitStack() as stack:
        for axis, index in zip(axes, indices, strict=True):
            stack.enter_context(pointers.advanced(axis, index))
        yield


@elements.register(Kernel)
@contextmanager
def _elements(f: Kernel, axes: Sequence[Axis], pointers: Pointers) -> Iterator[str]:
    """One thread for each element."""
    with spread(f, [a.size for a in axes]) as indices, visited(axes, indices, pointers):
        yield indices[-1] if indices else "0"


@rows.register(Kernel)
@contextmanager
def _rows(f: Kernel, axes: Sequence[Axis], pointers: Pointers) -> Iterator[None]:
    """One thread for each row; pointers stand at its start."""
    with spread(f, [a.size for a in axes]) as indices, standing(axes, indices, pointers):
        yield


def place(strides: Sequence[Size], indices: Sequence[str], f: Kernel) -> str:
    """How far an element lies from the first one of its window."""
    terms = [i if s == 1 else f"{f.size(s)} * {i}" for i, s in zip(indices, strides, strict=True) if s != 0]
    return " + ".join(terms) or "0"
