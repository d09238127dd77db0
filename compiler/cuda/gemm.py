"""Products of matrices that cuBLAS computes: which ones, and how their windows look to it."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple, TypeAlias

from ..ir import dims
from ..ir.dims import Size
from ..ir.op import Op
from ..ir.types import BF16, F16, F32, F64, U8, Tensor
from ..native.matrices import Matrix, matrices
from ..ops.contract import Matmul
from ..ops.convolution import Conv, ConvInput, Convolution, ConvWeight
from ..schedule import layout
from ..schedule.kernel import Window
from .kernel import Kernel
from .product import Product

Most = Callable[[Size], int]
Windows: TypeAlias = tuple[Window, Window, Window]  # the result and both operands
DTYPES = (F32, F64, F16, BF16)
LEAST = 1 << 16  # multiplications from which on a block of ours takes longer than the start of a kernel
LONG = 1 << 24  # the same for all blocks of ours together, as if they reached the peak of an A100
TURNS = 32  # products that are asked for one by one
FAR = 1 << 31  # the library counts in 32 bits
# What NVIDIA advises for cublasSetWorkspace on Hopper, 32 MiB, and room to begin at a multiple of 256.
WORKSPACE = Tensor(U8, ((32 << 20) + 256,))


class Stored(NamedTuple):
    """How far apart the columns of a matrix lie for cuBLAS, and whether it has to turn it."""

    leading: Size
    turned: bool


class Call(NamedTuple):
    """A product as cuBLAS takes it: our rows are its columns, so that it computes the transpose of ours."""

    m: Size
    n: Size
    k: Size
    a: tuple[Matrix, Stored]
    b: tuple[Matrix, Stored]
    c: tuple[Matrix, Stored]
    batch: Size


class Gemm(NamedTuple):
    """`out[lead..., m, n] = a[lead..., m, k] @ b[lead..., k, n]` by cuBLAS, in the second write.

    Where the windows end up in a way that it cannot express, it is a kernel.
    """

    def print(self, f: Kernel, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        Product().print(f, writes[:1], reads)


def product_of(op: Op, out: Window, reads: tuple[Window, ...]) -> Windows | None:
    """The result and the operands of the product of matrices that an operation is; a convolution of one tap is one of
    all pixels."""
    match op:
        case Matmul():
            return out, *operands(op, reads)
        case Conv() if _is_pointwise(op, reads[1]):
            return out, reads[0], _matrix(reads[1])
        case ConvInput() if _is_pointwise(op, reads[1]):
            return out, reads[0], layout.swapped(_matrix(reads[1]))
        case ConvWeight() if _is_pointwise(op, out):
            x, y = (layout.reshape(w, (dims.product(w.shape[:-1]), w.shape[-1])) for w in reads)
            return (_matrix(out), layout.swapped(x), y) if x and y else None
    return None


def operands(op: Matmul, reads: tuple[Window, ...]) -> tuple[Window, Window]:
    """The operands of a product as they are multiplied."""
    a, b = reads
    return layout.swapped(a) if op.transpose_a else a, layout.swapped(b) if op.transpose_b else b


def _is_pointwise(op: Convolution, weights: Window) -> bool:
    """Whether each pixel is multiplied by the same matrix, and nothing else."""
    still = all(s == 1 for s in op.stride) and all(p == (0, 0) for p in op.padding)
    return still and op.groups == 1 and all(k == 1 for k in weights.shape[:-2])


def _matrix(weights: Window) -> Window:
    """Weights of one tap as a matrix."""
    return layout.squeeze(weights, tuple(range(len(weights.shape) - 2)))


def call_of(out: Window, a: Window, b: Window, most: Most) -> Call | None:
    """The product of windows as cuBLAS computes it, if it can and if it pays: if it is of floats of one type, with one
    leading axis at most, and with matrices of which one axis has stride 1."""
    p = matrices(out, a, b)
    if {out.dtype, a.dtype, b.dtype} not in [{dtype} for dtype in DTYPES] or len(p.lead) > 1:
        return None
    batch = dims.product(p.lead)
    sizes = [most(size) for size in (p.m, p.n, p.k, batch)]
    if prod(sizes) < LEAST or max(sizes) >= FAR:
        return None
    c = _stored(p.out, p.m, p.n, most)
    left, right = _stored(p.a, p.m, p.k, most), _stored(p.b, p.k, p.n, most)
    if c is None or c.turned or left is None or right is None:
        return None
    return Call(p.n, p.m, p.k, (p.b, right), (p.a, left), (p.out, c), batch)


def turn_of(product: Windows, most: Most) -> int | None:
    """The axis of the result along which cuBLAS is asked turn by turn: where one call cannot express two axes of
    batches, and each turn is long."""
    out, a, b = product
    if call_of(*product, most) or min(len(a.shape), len(b.shape)) < 2:
        return None
    short = [(n, i) for i, n in enumerate(out.shape[:-2]) if isinstance(n, int) and 1 < n <= TURNS]
    for _, axis in sorted(short):
        if call := call_of(*turn(product, axis, 0), most):
            return axis if prod(map(most, (call.m, call.n, call.k, call.batch))) >= LONG else None
    return None


def turn(product: Windows, axis: int, start: Size) -> Windows:
    """The part of a product at one place of an axis of its result."""
    rank = len(product[0].shape)

    def part(w: Window) -> Window:
        own = axis - (rank - len(w.shape))
        return w if own < 0 or w.shape[own] == 1 else layout.stretch(w, own, start, 1)

    out, a, b = map(part, product)
    return out, a, b


def _stored(x: Matrix, rows: Size, columns: Size, most: Most) -> Stored | None:
    """How cuBLAS sees a matrix whose rows it takes for columns."""
    both = (x.row, rows, x.column, columns), (x.column, columns, x.row, rows)
    for turned, (outer, height, inner, width) in enumerate(both):
        leading = width if height == 1 else outer
        if (inner == 1 or width == 1) and _reaches(leading, width, most):
            return Stored(leading, bool(turned))
    return None


def _reaches(leading: Size, width: Size, most: Most) -> bool:
    """Whether one column ends before the next begins, in every run."""
    if leading == width:
        return most(width) < FAR
    return isinstance(leading, int) and most(width) <= leading < FAR
