"""The schedule: which kernels run, in which order, over which windows of which buffers. The graph, made executable.

A schedule knows buffers and windows but no addresses; kernels know neither, only the shapes of their arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple, TypeAlias

from ...spec.source import Place
from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import Graph
from ..ir.op import Op
from ..ir.scalar import OF_ROW, Expr, parts
from ..ir.types import DType, Shape, Tensor
from ..ops.contract import Matmul

THREAD = "thread"  # the symbol of a size that stands for the number of the thread at work
Number: TypeAlias = "int | float | bool"


@dataclass(frozen=True, eq=False)
class Buffer:
    """Memory for `size` elements. `named` memory outlives the run; an `input` is written before it."""

    name: str
    dtype: DType
    size: Size
    home: Literal["arena", "named", "input"] = "arena"

    def __repr__(self) -> str:
        return f"{self.name}:{self.dtype}[{self.size}]"


class Window(NamedTuple):
    """A strided part of a buffer; offset and strides count elements."""

    buffer: Buffer
    offset: Size
    shape: Shape
    strides: tuple[Size, ...]

    @property
    def dtype(self) -> DType:
        return self.buffer.dtype

    @property
    def type(self) -> Tensor:
        return Tensor(self.dtype, self.shape)

    def __repr__(self) -> str:
        where = f"+{self.offset}" if self.offset != 0 else ""
        axes = (f"{n}:{s}" for n, s in zip(self.shape, self.strides, strict=True))
        return f"{self.buffer.name}{where}[{', '.join(axes)}]"


Operand: TypeAlias = "Window | Number"


class Nest(NamedTuple):
    """One loop over the elements of `shape`: each expression is stored in the write of the same position.

    `load(i)` reads element by element from read i, stretched to `shape`. With a `row`, so many of the last axes are
    one: expressions may then have folds, which combine the elements of a row, and a write with the other axes alone,
    or with 1 in place of those, has one element for each row. `sums` are the positions of writes that add up their
    elements over all rows: one for each element of a row, or one for each row added up to a single one.

    With `masks` the last two axes are a matrix that is computed up to its diagonal; folds pass by what is above, and
    stores are zero there. They are the reads that say whether a column is not beyond its row.
    """

    shape: Shape
    stores: tuple[Expr, ...]
    row: int = 0
    sums: tuple[int, ...] = ()
    masks: tuple[int, ...] | None = None

    @property
    def rows(self) -> Shape:
        """The axes over which rows lie."""
        return self.shape[: len(self.shape) - self.row]

    @property
    def reads_of_rows(self) -> frozenset[int]:
        """The reads that have one element for each row, and the axes of rows only."""
        return frozenset(int(x.value) for x in parts(self.stores) if x.word == OF_ROW)


class Library(NamedTuple):
    """An operation that the target knows by its word."""

    op: Op


class Attention(NamedTuple):
    """A nest by rows between two products. Its read `scores` is the product `first` of reads 0 and 1, [..., t, s]; its
    store `weights`, multiplied with read 2 by `second`, is the last write.

    Reads from 3 on are the others of the nest, and writes before the last those of its stores that are `kept`.
    """

    nest: Nest
    first: Matmul
    second: Matmul
    scores: int
    weights: int
    kept: tuple[int, ...]


Form: TypeAlias = Nest | Library | Attention


@dataclass(frozen=True, eq=False)
class Kernel:
    """What is computed (`meaning`, whose inputs are the arguments in order) and how (`form`).

    `make` gives the meaning where somebody asks for it: to explain a plan, or to test it.
    """

    make: Callable[[], Graph]
    form: Form

    @cached_property
    def meaning(self) -> Graph:
        return self.make()


@dataclass(frozen=True, eq=False)
class Call:
    """A kernel on windows. `phase` is 0 for what the count decides, 1 for what named memory decides, else 2.

    One that `adds` has a single result, which it adds to what lies in its write.
    """

    kernel: Kernel
    writes: tuple[Window, ...]
    reads: tuple[Operand, ...]
    place: Place
    formula: str = ""
    phase: int = 2
    adds: bool = False


@dataclass(frozen=True, eq=False)
class Repeat:
    """`body` for each stretch of at most `chunk` of `extent`; windows inside may use the symbols.

    Turns that are `independent` touch their own stretch of what they write and nothing else but sums.
    """

    start: str
    length: str
    extent: Size
    chunk: int
    body: tuple[Call | Repeat, ...]
    reverse: bool = False
    phase: int = 2
    independent: bool = False


Item: TypeAlias = "Call | Repeat"


@dataclass(frozen=True, eq=False)
class Schedule:
    """Everything that runs. `updates` are named buffers and the windows of their next values."""

    inputs: tuple[tuple[str, Window], ...]
    results: tuple[tuple[str, Window], ...]
    updates: tuple[tuple[str, Window, Window], ...]
    items: tuple[Item, ...]

    def calls(self) -> Iterator[Call]:
        """Every call once, repeats entered."""
        yield from walk(self.items)

    def with_items(self, items: tuple[Item, ...]) -> Schedule:
        return replace(self, items=items)

    def __str__(self) -> str:
        return "\n".join(_lines(self.items, ""))


def walk(items: tuple[Item, ...]) -> Iterator[Call]:
    """Every call once, repeats entered."""
    for item in items:
        if isinstance(item, Repeat):
            yield from walk(item.body)
        else:
            yield item


Positions: TypeAlias = "dict[Buffer, list[int]]"


def positions(items: Iterable[Item | None], *, written: bool) -> Positions:
    """Where each buffer is read or written, in order."""
    found: Positions = {}
    for at, item in enumerate(items):
        for call in walk((item,) if item is not None else ()):
            for w in call.writes if written else call.reads:
                if isinstance(w, Window) and at not in found.setdefault(w.buffer, [])[-1:]:
                    found[w.buffer].append(at)
    return found


def _lines(items: tuple[Item, ...], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Repeat):
            turn = " reversed" if item.reverse else ""
            yield f"{indent}for {item.start} in {item.extent} by {item.chunk}{turn}:"
            yield from _lines(item.body, indent + "  ")
        else:
            what = _shown(item.kernel.form)
            yield f"{indent}{', '.join(map(repr, item.writes))} = {what} <- {', '.join(map(repr, item.reads))}"


def _shown(form: Form) -> str:
    match form:
        case Nest():
            return ", ".join(map(repr, form.stores))
        case Library():
            return repr(form.op)
        case Attention():
            return f"{form.first!r}; {_shown(form.nest)}; {form.second!r}"


def contiguous(buffer: Buffer, shape: Shape, offset: Size = 0) -> Window:
    """The window of a buffer in row-major order."""
    return Window(buffer, offset, shape, row_major(shape))


@lru_cache(1024)
def row_major(shape: Shape) -> tuple[Size, ...]:
    """The strides of a shape that lies in row-major order without gaps."""
    strides: list[Size] = []
    step: Size = 1
    for size in reversed(shape):
        strides.append(step)
        step = step * size
    return tuple(reversed(strides))


def fresh(name: str, type: Tensor) -> Window:
    """A new buffer's whole window."""
    return contiguous(Buffer(name, type.dtype, dims.product(type.shape)), type.shape)
