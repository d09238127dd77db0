"""Products as CUDA kernels: a block makes a tile of the result, from stretches of both operands in shared memory.

What an operand is stands in an object that says where an element lies, so that matrices and the windows of
convolutions are multiplied by the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ...runtime.plan import THREADS
from ..ir import dims
from ..ir.dims import Size
from ..ir.types import DType
from ..native.arithmetic import local, number, stored
from ..native.function import TYPES
from ..native.loops import Axis
from ..native.matrices import Triangle
from .kernel import Kernel, decoded, place


class Cut(NamedTuple):
    """A tile: rows and columns of the result, how far along the inner axis at once, and what each thread has of it."""

    rows: int
    columns: int
    depth: int
    own_rows: int
    own_columns: int


LARGE = Cut(128, 128, 8, 8, 8)
MIDDLE = Cut(64, 64, 16, 4, 4)
TALL = Cut(128, 16, 16, 4, 2)
FLAT = Cut(16, 128, 16, 2, 4)
CUTS = (LARGE, MIDDLE, TALL, FLAT)


class Operand(Protocol):
    """Elements by an outer and an inner index; `inner_first` says that along the inner one they lie side by side."""

    @property
    def inner_first(self) -> bool: ...

    def outer(self, f: Kernel, index: str, tag: str) -> None:
        """Declares what depends on the outer index; names end in the tag."""

    def inner(self, f: Kernel, index: str, tag: str) -> None:
        """Declares what depends on the inner index; names end in the tag."""

    def element(self, f: Kernel, outer: str, inner: str) -> str:
        """The element at the indices with these tags."""


class Strided(NamedTuple):
    """An operand that is a window: its outer and its inner axes with their strides."""

    name: str
    outer_axes: tuple[tuple[Size, Size], ...]
    inner_axes: tuple[tuple[Size, Size], ...]

    @property
    def inner_first(self) -> bool:
        return bool(self.inner_axes) and self.inner_axes[-1][1] == 1

    def outer(self, f: Kernel, index: str, tag: str) -> None:
        f.let(f"{self.name}{tag}", _along(f, index, self.outer_axes))

    def inner(self, f: Kernel, index: str, tag: str) -> None:
        f.let(f"{self.name}{tag}", _along(f, index, self.inner_axes))

    def element(self, f: Kernel, outer: str, inner: str) -> str:
        return f"{self.name}[{self.name}{outer} + {self.name}{inner}]"


def strided(name: str, outer: Sequence[tuple[Size, Size]], inner: Sequence[tuple[Size, Size]]) -> Strided:
    """The operand with as few axes as its strides allow."""
    return Strided(name, merged(outer), merged(inner))


def merged(axes: Sequence[tuple[Size, Size]]) -> tuple[tuple[Size, Size], ...]:
    """Sizes and strides, of which neighbours that lie as one are one."""
    found: list[tuple[Size, Size]] = []
    for size, stride in axes:
        if size == 1:
            continue
        if found and found[-1][1] == size * stride:
            found[-1] = (found[-1][0] * size, stride)
        else:
            found.append((size, stride))
    return tuple(found)


def _along(f: Kernel, index: str, axes: Sequence[tuple[Size, Size]]) -> str:
    return place([s for _, s in axes], decoded(f, index, [n for n, _ in axes]), f)


class Tiles(NamedTuple):
    """`out[m, n] = Σ a[m, k] · b[k, n]` for each place of `lead`, whose steps are those of out, a and b.

    `dtype` is that of the result, `of` that of the operands, `kind` that of sums. With more than one of `parts` the
    first of `lead` numbers stretches of the inner axis, each of which is added up by itself. With a `triangle` tiles
    leave out what is zero in an operand; a result is computed as a whole.
    """

    dtype: DType
    lead: tuple[Axis, ...]
    m: Size
    k: Size
    n: Size
    a: Operand
    b: Operand
    out: Strided
    of: DType
    parts: int = 1
    triangle: Triangle | None = None

    @property
    def kind(self) -> str:
        return "uint64_t" if self.dtype.is_integer else local(self.dtype)

    def print(self, f: Kernel, names: tuple[str, str, str], types: tuple[str, str, str]) -> None:
        """The kernel; `names` are the pointers to out, a and b, and `types` what they point to."""
        cut = chosen(f, self)
        columns, rows = f.stretches(self.n, cut.columns), f.stretches(self.m, cut.rows)
        f.let("first_row", f"({f.integer})(blockIdx.x / {columns} % {rows}) * {cut.rows}")
        f.let("first_column", f"({f.integer})(blockIdx.x % {columns}) * {cut.columns}")
        self._pointers(f, cut, names, types, f"{columns} * {rows}")
        threads = cut.columns // cut.own_columns
        f.line(f"const int tx = threadIdx.x % {threads}, ty = threadIdx.x / {threads};")
        f.line(f"AX_SHARED({self.kind}, left, {cut.depth * (cut.rows + 1)});")
        f.line(f"AX_SHARED({self.kind}, right, {cut.depth * (cut.columns + 1)});")
        f.line(f"{self.kind} sum[{cut.own_rows}][{cut.own_columns}] = {{}};")
        left = Loads(f, self.kind, self.of, cut, self.a, "left", "a", cut.rows, "first_row", self.m)
        right = Loads(f, self.kind, self.of, cut, self.b, "right", "b", cut.columns, "first_column", self.n)
        left.fixed()
        right.fixed()
        with f.loop("k0", "end", "start", step=cut.depth):
            left.moving()
            right.moving()
            f.line("__syncthreads();")
            multiply(f, self.kind, cut, lambda row: f"left[k * {cut.rows + 1} + {row}]")
            f.line("__syncthreads();")
        self._store(f, cut, threads)

    def _pointers(
        self, f: Kernel, cut: Cut, names: tuple[str, str, str], types: tuple[str, str, str], tiles: str
    ) -> None:
        """Declares c, a and b at their place along the leading axes, and where the inner axis starts and ends."""
        sizes = [axis.size for axis in self.lead]
        for axis in self.lead:
            f.stretches(axis.size, 1)
        indices = decoded(f, f"({f.integer})(blockIdx.x / ({tiles}))", sizes) if sizes else []
        for i, (own, name, kind) in enumerate(zip("cab", names, types, strict=True)):
            step = place([axis.steps[i] for axis in self.lead], indices, f)
            f.line(f"{kind} *const {own} = {name} + {step};")
        k = f.size(self.k)
        start, end = "0", k
        if self.parts > 1:
            start = f.let("part", f"(long){k} * {indices[0]} / {self.parts}")
            end = f.let("next", f"(long){k} * ({indices[0]} + 1) / {self.parts}")
        most, least = _bounds(self.triangle, cut)
        f.let("start", f"{least} > {start} ? {least} : {start}" if least else start)
        f.let("end", f"{most} < {end} ? {most} : {end}" if most else end)

    def _store(self, f: Kernel, cut: Cut, threads: int) -> None:
        f.line("#pragma unroll")
        with f.block(f"for (int i = 0; i < {cut.own_rows}; i++)"):
            f.let("m", f"first_row + ty + i * {THREADS // threads}")
            with f.block(f"if (m < {f.size(self.m)})"):
                self.out.outer(f, "m", "m")
                f.line("#pragma unroll")
                with f.block(f"for (int j = 0; j < {cut.own_columns}; j++)"):
                    f.let("n", f"first_column + tx + j * {threads}")
                    with f.block(f"if (n < {f.size(self.n)})"):
                        self.out.inner(f, "n", "n")
                        to = self.out.element(f, "m", "n")
                        f.line(f"{to} = ({TYPES[self.dtype]}){stored(self.dtype, 'sum[i][j]')};")


def _bounds(triangle: Triangle | None, cut: Cut) -> tuple[str, str]:
    """Where the inner axis ends at the latest for a tile, and where it begins at the earliest, as a triangle says."""
    match triangle:
        case Triangle("a", upper=False):
            return f"first_row + {cut.rows}", ""
        case Triangle("b", upper=True):
            return f"first_column + {cut.columns}", ""
        case Triangle("a"):
            return "", "first_row"
        case Triangle("b"):
            return "", "first_column"
    return "", ""


class Loads(NamedTuple):
    """How all threads together bring a stretch of an operand to shared memory: each its own few elements."""

    f: Kernel
    kind: str
    of: DType
    cut: Cut
    operand: Operand
    shared: str
    tag: str
    width: int
    first: str
    limit: Size

    @property
    def _one_outer(self) -> bool:
        """Whether a thread's elements have the same outer index, else they have the same inner one."""
        return not self.operand.inner_first

    @property
    def _step(self) -> int:
        return THREADS // (self.width if self._one_outer else self.cut.depth)

    @property
    def _count(self) -> int:
        return max(self.width * self.cut.depth // THREADS, 1)

    @property
    def _taking_part(self) -> str:
        """What holds for threads that have an element, where the stretch has fewer than there are threads."""
        if self.width * self.cut.depth >= THREADS:
            return ""
        return f"{self.tag}i < {self.cut.depth}" if self._one_outer else f"{self.tag}o < {self.width}"

    def fixed(self) -> None:
        """Declares what stays while the inner axis is gone along."""
        f, t = self.f, self.tag
        if self._one_outer:
            f.line(f"const int {t}o = threadIdx.x % {self.width}, {t}i = threadIdx.x / {self.width};")
        else:
            f.line(f"const int {t}o = threadIdx.x / {self.cut.depth}, {t}i = threadIdx.x % {self.cut.depth};")
        for i in range(1 if self._one_outer else self._count):
            offset = f" + {i * self._step}" if i else ""
            self.operand.outer(f, f.let(f"{t}at{i}", f"{self.first} + {t}o{offset}"), f"{t}o{i}")

    def moving(self) -> None:
        """Lines for one stretch from k0 on."""
        for i in range(self._count):
            with self.f.block(self._taking_part and f"if ({self._taking_part})"):
                self._one(i)

    def _one(self, i: int) -> None:
        f, t, step = self.f, self.tag, i * self._step
        fixed = 0 if self._one_outer else i
        inner = f"{t}i + {step}" if self._one_outer and step else f"{t}i"
        outer = f"{t}o + {step}" if not self._one_outer and step else f"{t}o"
        f.let("k", f"k0 + {inner}")
        f.line(f"{self.kind} v = 0;")
        with f.block(f"if ({t}at{fixed} < {f.size(self.limit)} && k < end)"):
            self.operand.inner(f, "k", f"{t}k")
            element = self.operand.element(f, f"{t}o{fixed}", f"{t}k")
            f.line(f"v = ({self.kind}){number(self.of, element)};")
        f.line(f"{self.shared}[({inner}) * {self.width + 1} + {outer}] = v;")


def multiply(f: Kernel, kind: str, cut: Cut, left: Callable[[str], str], end: str = "") -> None:
    """Adds the products of one stretch to the sums of each thread. `left` gives the left element of a row at k, which
    goes over the depth of a tile, or ends before where `end` does not hold."""
    threads = cut.columns // cut.own_columns
    f.line("#pragma unroll")
    with f.block(f"for (int k = 0; k < {cut.depth}{end and f' && {end}'}; k++)"):
        f.line(f"{kind} x[{cut.own_rows}], y[{cut.own_columns}];")
        f.line("#pragma unroll")
        f.line(f"for (int i = 0; i < {cut.own_rows}; i++) x[i] = {left(f'ty + i * {THREADS // threads}')};")
        f.line("#pragma unroll")
        column = f"right[k * {cut.columns + 1} + tx + j * {threads}]"
        f.line(f"for (int j = 0; j < {cut.own_columns}; j++) y[j] = {column};")
        f.line("#pragma unroll")
        with f.block(f"for (int i = 0; i < {cut.own_rows}; i++)"):
            f.line("#pragma unroll")
            f.line(f"for (int j = 0; j < {cut.own_columns}; j++) sum[i][j] += x[i] * y[j];")


def chosen(f: Kernel, tiles: Tiles) -> Cut:
    """The tile that suits a product: no wider than the result, and large only where there are enough of them."""
    m, n = f.most(tiles.m), f.most(tiles.n)
    if n <= TALL.columns:
        return TALL
    if m <= FLAT.rows:
        return FLAT
    many = -(-m // LARGE.rows) * -(-n // LARGE.columns) * f.most(dims.product(a.size for a in tiles.lead))
    return LARGE if many >= BUSY and tiles.kind == "float" else MIDDLE


BUSY = 128  # blocks that keep a device busy
