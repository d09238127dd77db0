"""The windows of a product as matrices: three strides for each leading axis, and as few leading axes as possible."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..ir.dims import Size
from ..ir.types import DType, Shape
from ..schedule.kernel import Window


class Matrix(NamedTuple):
    """Matrices in the memory of a window: a stride for each leading axis, between rows and between columns."""

    window: Window
    lead: tuple[Size, ...]
    row: Size
    column: Size

    @property
    def turned(self) -> Matrix:
        return self._replace(row=self.column, column=self.row)


class Triangle(NamedTuple):
    """Which matrix is zero above its diagonal, or below where it is an `upper` one."""

    of: Literal["a", "b", "out"]
    upper: bool = False

    @property
    def turned(self) -> Triangle:
        others: dict[str, Literal["a", "b", "out"]] = {"a": "b", "b": "a", "out": "out"}
        return Triangle(others[self.of], not self.upper)


class Matrices(NamedTuple):
    """`out[m, n] = a[m, k] @ b[k, n]` for each element of the leading axes."""

    lead: Shape
    m: Size
    k: Size
    n: Size
    out: Matrix
    a: Matrix
    b: Matrix
    triangle: Triangle | None = None

    @property
    def dtype(self) -> DType:
        """The type of the result, in which products are added up."""
        return self.out.window.dtype

    @property
    def turned(self) -> Matrices:
        """The same elements as the product of the transposed operands."""
        triangle = self.triangle and self.triangle.turned
        return Matrices(self.lead, self.n, self.k, self.m, self.out.turned, self.b.turned, self.a.turned, triangle)


def matrices(out: Window, a: Window, b: Window, triangle: Triangle | None = None) -> Matrices:
    """Windows as matrices; axes that vectors or broadcast operands lack get stride 0."""
    m, k = a.shape[-2:] if len(a.shape) > 1 else (1, a.shape[0])
    n = b.shape[-1] if len(b.shape) > 1 else 1
    last = (len(a.shape) > 1) + (len(b.shape) > 1)
    lead = out.shape[: len(out.shape) - last]
    strides = [*out.strides]
    column = strides.pop() if len(b.shape) > 1 else 0
    row = strides.pop() if len(a.shape) > 1 else 0
    left = a.strides[-2:] if len(a.shape) > 1 else (0, a.strides[0])
    right = b.strides[-2:] if len(b.shape) > 1 else (b.strides[0], 0)
    whole = Matrices(
        lead,
        m,
        k,
        n,
        Matrix(out, tuple(strides), row, column),
        Matrix(a, _leading(a, lead), *left),
        Matrix(b, _leading(b, lead), *right),
        triangle,
    )
    if triangle:
        return _merged(whole)  # rows and columns keep their numbers
    return _stacked(_stacked(_merged(whole)).turned).turned


def _leading(x: Window, lead: Shape) -> tuple[Size, ...]:
    """Strides of all leading axes for an operand that may lack some or stretch them."""
    own = x.shape[:-2]
    stretched = [0 if have == 1 else s for have, s in zip(own, x.strides, strict=False)]
    return (0,) * (len(lead) - len(own)) + tuple(stretched)


def _merged(p: Matrices) -> Matrices:
    """Neighbouring leading axes that lie as one in all three become one; those of size 1 go."""
    lead: list[Size] = []
    strides: list[tuple[Size, ...]] = []
    for size, *own in zip(p.lead, p.out.lead, p.a.lead, p.b.lead, strict=True):
        if size == 1:
            continue
        if lead and all(outer == size * inner for outer, inner in zip(strides[-1], own, strict=True)):
            lead[-1], strides[-1] = lead[-1] * size, tuple(own)
        else:
            lead.append(size)
            strides.append(tuple(own))
    out, a, b = zip(*strides, strict=True) if strides else ((), (), ())
    return p._replace(lead=tuple(lead), out=p.out._replace(lead=out), a=p.a._replace(lead=a), b=p.b._replace(lead=b))


def _stacked(p: Matrices) -> Matrices:
    """The innermost leading axis as more rows, where all its matrices are multiplied by the same b."""
    if not p.lead or p.b.lead[-1] != 0:
        return p
    if p.m == 1:
        out, a = (x._replace(row=x.lead[-1]) for x in (p.out, p.a))
    elif all(x.lead[-1] == p.m * x.row for x in (p.out, p.a)):
        out, a = p.out, p.a
    else:
        return p
    b = p.b._replace(lead=p.b.lead[:-1])
    out, a = (x._replace(lead=x.lead[:-1]) for x in (out, a))
    return Matrices(p.lead[:-1], p.lead[-1] * p.m, p.k, p.n, out, a, b)
