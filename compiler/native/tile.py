"""The innermost part of products and convolutions: a tile of results that stays in registers.

Row i and vector j of the tile are one accumulator, `c_i_j += a[offset of i] * (vector j of b)`. How many rows
and vectors there are is said by the text, so that the compiler keeps all accumulators in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..ir.dims import Size
from ..ir.types import F32, F64, DType
from . import ahead
from .function import HEAD, TYPES, Function
from .panel import panels

# Vectors of the width that the prelude says; `u` ones may lie anywhere.
TURNS = 4  # steps that a loop takes at once
VECTORS = {F32: ("f32v", "f32vu"), F64: ("f64v", "f64vu")}


def prelude(lanes: int) -> str:
    """The C that units with tiles begin with, for vectors of `lanes` f32 elements."""
    size = 4 * lanes
    return f"""{HEAD}typedef float f32v __attribute__((vector_size({size})));
typedef float f32vu __attribute__((vector_size({size}), aligned(4), may_alias));
typedef double f64v __attribute__((vector_size({size})));
typedef double f64vu __attribute__((vector_size({size}), aligned(8), may_alias));
{held(lanes)}{panels(lanes)}{ahead.PRELUDE}"""


def held(lanes: int) -> str:
    """`ax_held(v)`: the vector v lies in a register from here on. Without it GCC loads what few rows of a tile multiply
    again for each of them, though registers are free and loads are what it lacks.

    `ax_hidden(p)`: what the pointer p points to is read anew. Without it GCC keeps what the next turn of a loop reads
    too, and has no registers left for sums.
    """
    macro, kind = {16: ("__AVX512F__", "v"), 8: ("__AVX__", "x")}.get(lanes, ("__SSE__", "x"))
    return f"""#if defined({macro})
#define ax_held(v) __asm__("" : "+{kind}"(v))
#elif defined(__ARM_NEON)
#define ax_held(v) __asm__("" : "+w"(v))
#else
#define ax_held(v) ((void)0)
#endif
#define ax_hidden(p) __asm__("" : "+r"(p))
static inline long ax_between(long x, long most) {{ return x < 0 ? 0 : x < most ? x : most; }}
"""


class Tile(NamedTuple):
    """`offsets` say which element of a each row multiplies, in elements from where `a` points; numbers or C."""

    dtype: DType
    offsets: tuple[int | str, ...]
    vectors: int
    lanes: int  # elements in a vector of this dtype
    sums: str = "c"  # how the names of the accumulators begin

    def each(self) -> list[tuple[int, int]]:
        """Rows and vectors of all accumulators."""
        return [(i, j) for i in range(len(self.offsets)) for j in range(self.vectors)]

    def renew(self, f: Function, a: str, step: Size) -> None:
        """Before a turn that moves `a` by `step`: where rows read what others do in the next turn, it is read anew."""
        numbers = {int(o) for o in self.offsets if isinstance(o, int) or o.isdigit()}
        if any(n + step in numbers for n in numbers):
            f.line(f"ax_hidden({a});")

    def begin(self, f: Function, initial: Callable[[int, int], str] | None = None) -> None:
        """Declares the accumulators; `initial` gives the C of their first values, zero without it."""
        vector, _ = VECTORS[self.dtype]
        for i in range(len(self.offsets)):
            first = (
                f"{self.sums}{i}_{j} = {initial(i, j) if initial else f'({vector}){{0}}'}" for j in range(self.vectors)
            )
            f.line(f"{vector} {', '.join(first)};")

    def add(self, f: Function, a: str, b: str, *, last: str = "") -> None:
        """One step: each row's element of `a` times the vectors of `b`; both are pointers.

        `last` is the C of how many elements of the last vector there are, where they are fewer than its lanes.
        """
        vector, _ = VECTORS[self.dtype]
        loads = (f"{vector} b{j} = {self._load(f'{b} + {j * self.lanes}', j, last)};" for j in range(self.vectors))
        f.line(" ".join((*loads, *(f"ax_held(b{j});" for j in range(self.vectors)))))
        for i, offset in enumerate(self.offsets):
            sums = " ".join(f"{self.sums}{i}_{j} += s * b{j};" for j in range(self.vectors))
            f.line(f"{{ const {TYPES[self.dtype]} s = {a}[{offset}]; {sums} }}")

    def add_own(self, f: Function, a: str, b: str, *, last: str = "") -> None:
        """As `add`, but each row has a vector of `a` of its own, which multiplies that of `b` lane by lane."""
        assert self.vectors == 1
        f.line(f"{VECTORS[self.dtype][0]} b0 = {self._load(b, 0, last)};")
        for i, offset in enumerate(self.offsets):
            f.line(f"{self.sums}{i}_0 += {self._load(f'{a} + {offset}', 0, last)} * b0;")

    def store(self, f: Function, target: Callable[[int, int], str], *, last: str = "", onto: bool = False) -> None:
        """Writes the accumulators, or adds them `onto` what is there; `target` gives the C pointer for row i and
        vector j, and `last` is as in `add`."""
        _, loose = VECTORS[self.dtype]
        for i, j in self.each():
            place = target(i, j)
            value = f"{self._load(place, j, last)} + {self.sums}{i}_{j}" if onto else f"{self.sums}{i}_{j}"
            if self._is_part(j, last):
                f.line(f"{self.dtype}_put({place}, {value}, {last});")
            else:
                f.line(f"*({loose} *)({place}) = {value};")

    def _is_part(self, j: int, last: str) -> bool:
        return bool(last) and j == self.vectors - 1

    def _load(self, place: str, j: int, last: str) -> str:
        if self._is_part(j, last):
            return f"{self.dtype}_part({place}, {last})"
        return f"*(const {VECTORS[self.dtype][1]} *)({place})"


def several(f: Function) -> None:
    """Before a loop over steps of a tile: several at once take fewer instructions, of which a core that others share
    begins few."""
    f.line(f"#pragma GCC unroll {TURNS}")


def evenly(count: int, most: int) -> list[tuple[int, int]]:
    """`count` rows in as few tiles of at most `most` as possible, as even as possible: (rows of a tile, how many)."""
    tiles = -(-count // most)
    each, more = divmod(count, tiles)
    return [(n, k) for n, k in ((each + 1, more), (each, tiles - more)) if k]
