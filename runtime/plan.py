"""The plan: named instructions over views of buffers. What the compiler writes, files keep, and backends run.

A plan is laid out for at most `rows` samples; every extent may be an affine function of the actual count, so a
short last batch and any smaller number of rows run the same plan. Nothing here refers to the compiler.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Literal, NamedTuple, TypeAlias

COUNT = "N"  # the number of samples in this run
THREADS = 256  # of each block of a kernel on a device

# What the instruction `scalars` can compute.
SCALAR_WORDS = frozenset(
    "add sub mul div pow neg square reciprocal sqrt exp log floor cos abs max min lt le gt ge eq ne where cast".split()
)


class Affine(NamedTuple):
    """`constant + Σ factor · symbol`; symbols are `N` and those of the loops around."""

    constant: int
    terms: tuple[tuple[str, int], ...]

    def at(self, values: Mapping[str, int]) -> int:
        return self.constant + sum(factor * values[symbol] for symbol, factor in self.terms)


Extent: TypeAlias = "int | Affine"
Scalar: TypeAlias = "int | float | bool | str"
Attribute: TypeAlias = "Scalar | tuple[Attribute, ...]"


def extent_at(extent: Extent, values: Mapping[str, int]) -> int:
    return extent if isinstance(extent, int) else extent.at(values)


class Buffer(NamedTuple):
    """Memory for elements of one dtype.

    `home` says where: in the `arena` at byte `offset`; `named` memory that outlives the run and is shared between
    plans by name (parameters, states, optimizer states); a `constant` of the plan's own, by name.
    `size` is in elements, for the most rows the plan is laid out for.
    """

    name: str
    dtype: str
    size: int
    home: Literal["arena", "named", "constant"] = "arena"
    offset: int = 0


class View(NamedTuple):
    """A strided window of a buffer; offset and strides count elements."""

    buffer: int
    offset: Extent
    shape: tuple[Extent, ...]
    strides: tuple[Extent, ...]


Operand: TypeAlias = "View | Affine | int | float | bool"


class Launch(NamedTuple):
    """How a device starts a kernel: pointers to the first elements of `views`, then `sizes`.

    There are as many blocks of `THREADS` threads as the product of `grid`: each an extent in stretches of so many.
    Sizes are of 64 bits where the kernel is `wide`, else of 32. One that `refuses` takes besides where it tells of a
    value outside its range, and the number of the step's note, of 64 bits.
    """

    kernel: str
    views: tuple[View, ...]
    sizes: tuple[Extent, ...]
    grid: tuple[tuple[Extent, int], ...]
    wide: bool = False
    refuses: bool = False

    def blocks(self, values: Mapping[str, int]) -> int:
        """How many blocks a launch has."""
        return prod(-(-extent_at(extent, values) // each) for extent, each in self.grid)


class Matrix(NamedTuple):
    """Matrices as cuBLAS sees them: columns lie `leading` elements from each other, matrices `step`; `turned` ones are
    multiplied as their transposes."""

    view: View
    leading: Extent
    step: Extent = 0
    turned: bool = False


class Gemm(NamedTuple):
    """A product that a device's library computes, column by column: `c = a @ b`, [m, k] by [k, n], `batch` times.

    With `tf32` operands of f32 may be rounded to 11 bits. The library works in the bytes of `workspace` and takes no
    others.
    """

    m: Extent
    n: Extent
    k: Extent
    a: Matrix
    b: Matrix
    c: Matrix
    workspace: View
    batch: Extent = 1
    tf32: bool = False

    @property
    def views(self) -> tuple[View, ...]:
        """All that it touches."""
        return self.c.view, self.workspace, self.a.view, self.b.view


class Step(NamedTuple):
    """One instruction: what it writes, what it reads, and the plain attributes that its entry in the table takes.

    An operand that is affine in the count is read as the number it is then. `note` is an index into the plan's
    `notes`, the mathematics and the spec line it came from, or -1. `launch` is how a device does it.
    """

    instruction: str
    writes: tuple[View, ...]
    reads: tuple[Operand, ...]
    attributes: tuple[tuple[str, Attribute], ...] = ()
    note: int = -1
    launch: Launch | Gemm | None = None


class Loop(NamedTuple):
    """`body` for each stretch of at most `chunk` of `extent`, in order or reversed.

    Inside, the symbol `start` is where the stretch begins and `length` how long it is.
    """

    start: str
    length: str
    extent: Extent
    chunk: int
    body: tuple[Step | Loop, ...]
    reverse: bool = False


class Port(NamedTuple):
    """A named input or result: where it lies and what it is."""

    name: str
    view: View
    dtype: str


class Code(NamedTuple):
    """C text that does what the plan says: `units` of kernels, each compiled by itself, and the `driver`.

    The `light` text, if there is any, has kernels that hardly take of a run's time: as the driver, it is not optimised.
    The driver, with `runtime/native/run.h` before it, exports `ax_phase`; it is written for exactly so many
    `threads`, and kernels for vectors of so many `lanes` of f32. Files do not keep code: what a model file brings
    is never compiled.
    """

    units: tuple[str, ...]
    driver: str
    threads: int
    lanes: int
    light: str = ""


class Unit(NamedTuple):
    """CUDA text of some kernels, by name, that is compiled by itself."""

    text: str
    kernels: tuple[str, ...]


class Note(NamedTuple):
    """What a step computes, for people: its formula, and the line of the spec."""

    formula: str
    place: str


@dataclass(frozen=True)
class Plan:
    """Everything a backend needs. `sizes` runs when the count changes, `prepare` when named memory changes, `steps`
    at every run."""

    rows: int
    arena: int
    buffers: tuple[Buffer, ...]
    inputs: tuple[Port, ...]
    results: tuple[Port, ...]
    sizes: tuple[Step | Loop, ...]
    prepare: tuple[Step | Loop, ...]
    steps: tuple[Step | Loop, ...]
    notes: tuple[Note, ...] = ()
    version: int = 1
    target: str = "numpy"
    constants: Mapping[str, object] = field(default_factory=dict, compare=False)
    code: Code | None = None
    units: tuple[Unit, ...] = ()

    def walk(self) -> Iterator[Step]:
        """Every step once, loops entered."""
        yield from each_step((*self.sizes, *self.prepare, *self.steps))


def each_step(items: tuple[Step | Loop, ...]) -> Iterator[Step]:
    """The steps once each, those of loops where the loop stands."""
    for item in items:
        if isinstance(item, Loop):
            yield from each_step(item.body)
        else:
            yield item
