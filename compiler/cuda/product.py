"""Products of matrices as CUDA kernels."""

from __future__ import annotations

from typing import NamedTuple

from ..native.function import TYPES
from ..native.loops import Axis
from ..native.matrices import Matrices, Triangle, matrices
from ..schedule.kernel import Window
from .kernel import Kernel
from .tiles import Tiles, strided

Windows = tuple[Window, ...]


class Product(NamedTuple):
    """`out[lead..., m, n] = a[lead..., m, k] @ b[lead..., k, n]`; a vector lacks m or n, and leading axes broadcast.

    Windows may have any strides. With more than one of `parts` the write has one more axis in front: each has the
    products of a stretch of k. What a `triangle` says is zero in a or b is not added up.
    """

    parts: int = 1
    triangle: Triangle | None = None

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,), (a, b) = writes, reads
        one = out if self.parts == 1 else out._replace(shape=out.shape[1:], strides=out.strides[1:])
        p = matrices(one, a, b, self.triangle)
        first = (Axis(self.parts, (out.strides[0], 0, 0)),) if self.parts > 1 else ()
        names = f.pointer(out, write=True), f.pointer(a), f.pointer(b)
        types = TYPES[out.dtype], f"const {TYPES[a.dtype]}", f"const {TYPES[b.dtype]}"
        tiles_of(p, first, self.parts).print(f, names, types)


def tiles_of(p: Matrices, first: tuple[Axis, ...] = (), parts: int = 1) -> Tiles:
    """The tiles of matrices."""
    steps = zip(p.lead, p.out.lead, p.a.lead, p.b.lead, strict=True)
    return Tiles(
        p.dtype,
        (*first, *(Axis(size, (c, a, b)) for size, c, a, b in steps)),
        p.m,
        p.k,
        p.n,
        strided("a", [(p.m, p.a.row)], [(p.k, p.a.column)]),
        strided("b", [(p.n, p.b.column)], [(p.k, p.b.row)]),
        strided("c", [(p.m, p.out.row)], [(p.n, p.out.column)]),
        p.a.window.dtype,
        parts=parts,
        triangle=p.triangle,
    )
