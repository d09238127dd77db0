"""The sums that Winograd's F(4 × 4, 3 × 3) makes of data, weights, cotangents and products, as C with vectors.

Six data and three weights are polynomials, and four results the middle of their product, which is found from its
values at six points: 6 products instead of 12, and 36 instead of 144 in two dimensions (S. Winograd, 1980; A. Lavin,
S. Gray, "Fast algorithms for convolutional neural networks", 2015). The points are 0, ±A, ±B and infinity: with these
results in f32 differ from the exact ones by twice what sums of products do; with the usual 1 and 2 by six times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..ir.dims import Size
from ..ir.types import F32
from .function import Function, Machinery
from .loops import Pointers
from .tile import VECTORS

STEP = 4  # results of a tile, along each axis
SIDE = 6  # data that they need
PLACES = SIDE * SIDE  # products of a tile
LINE = 16  # elements of a line of the cache
A, B = 0.75, 1.5
AA, BB = A * A, B * B
SHARES = (1 / (AA * BB), 1 / (2 * AA * (AA - BB)), 1 / (2 * BB * (BB - AA)))  # of values at 0, ±A and ±B

Transform = Callable[..., list[str]]


def staggered(size: int) -> int:
    """How far places lie apart that hold so many elements: never by a power of two, since then they would push each
    other out of the first cache."""
    return size + LINE


class Writer:
    """Writes sums of vectors, which pointers give and take; `steps` are those from channel to channel."""

    def __init__(self, f: Function, names: Sequence[str], steps: Sequence[Size], machinery: Machinery) -> None:
        self.f, self.lanes, self.pointers, self.steps = f, machinery.lanes, Pointers(f, names), steps
        self.vector, self.loose = VECTORS[F32]

    def named(self, value: str) -> str:
        name = self.f.fresh()
        self.f.line(f"const {self.vector} {name} = {value};")
        return name

    def load(self, i: int, offset: Size) -> str:
        place = f"({self.pointers.names[i]} + {self.f.size(offset)})"
        if self.steps[i] == 1:
            return self.named(f"*(const {self.loose} *){place}")
        name = self.f.fresh()
        self.f.line(f"{self.vector} {name} = {{0}};")
        with self.f.loop("lane", str(self.lanes)):
            self.f.line(f"{name}[lane] = {place}[{self.f.size(self.steps[i])} * lane];")
        return name

    def store(self, i: int, offset: Size, value: str) -> None:
        place = f"({self.pointers.names[i]} + {self.f.size(offset)})"
        if self.steps[i] == 1:
            self.f.line(f"*({self.loose} *){place} = {value};")
            return
        with self.f.loop("lane", str(self.lanes)):
            self.f.line(f"{place}[{self.f.size(self.steps[i])} * lane] = {value}[lane];")

    def data(self, *d: str) -> list[str]:
        """Bᵀ: six data as six."""
        ends = [f"{AA * BB}f * {d[i]} - {AA + BB}f * {d[i + 2]} + {d[i + 4]}" for i in (0, 1)]
        inner = [
            self.pair(f"{d[4]} - {q}f * {d[2]}", f"{p}f * ({d[3]} - {q}f * {d[1]})") for p, q in ((A, BB), (B, AA))
        ]
        return [self.named(ends[0]), *inner[0], *inner[1], self.named(ends[1])]

    def weights(self, *w: str) -> list[str]:
        """G: three weights as six."""
        inner = [
            self.pair(f"{share}f * {w[0]} + {share * p * p}f * {w[2]}", f"{share * p}f * {w[1]}")
            for share, p in zip(SHARES[1:], (A, B), strict=True)
        ]
        return [self.named(f"{SHARES[0]}f * {w[0]}"), *inner[0], *inner[1], w[2]]

    def results(self, *m: str) -> list[str]:
        """Aᵀ: six products as four results."""
        (s, d), (t, e) = self.pair(m[1], m[2]), self.pair(m[3], m[4])
        sums = (
            f"{m[0]} + {s} + {t}",
            *(f"{A**i}f * {u} + {B**i}f * {v}" for i, u, v in ((1, d, e), (2, s, t), (3, d, e))),
        )
        return [self.named(v) for v in (*sums[:3], f"{sums[3]} + {m[5]}")]

    def cotangents(self, *y: str) -> list[str]:
        """A: four cotangents of results as those of six products."""
        inner = [self.pair(f"{y[0]} + {p * p}f * {y[2]}", f"{p}f * {y[1]} + {p**3}f * {y[3]}") for p in (A, B)]
        return [y[0], *inner[0], *inner[1], y[3]]

    def gathered(self, *m: str) -> list[str]:
        """Gᵀ: cotangents of six transformed weights as those of three."""
        (s, d), (t, e) = self.pair(m[1], m[2]), self.pair(m[3], m[4])
        _, a, b = SHARES
        return [
            self.named(f"{SHARES[0]}f * {m[0]} + {a}f * {s} + {b}f * {t}"),
            self.named(f"{a * A}f * {d} + {b * B}f * {e}"),
            self.named(f"{a * AA}f * {s} + {b * BB}f * {t} + {m[5]}"),
        ]

    def pair(self, a: str, b: str) -> list[str]:
        """A sum and a difference."""
        x, y = self.named(a), self.named(b)
        return [self.named(f"{x} + {y}"), self.named(f"{x} - {y}")]
