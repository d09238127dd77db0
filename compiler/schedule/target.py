"""What a backend has to run on: the numbers by which passes choose."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Machinery(NamedTuple):
    """What a processor has: f32 lanes of a vector, vector registers, and bytes of its caches."""

    lanes: int = 16
    registers: int = 32
    first_cache: int = 32 << 10
    second_cache: int = 1 << 20


COMMON = Machinery()


class Target(NamedTuple):
    """What a backend has: its name, and sizes in bytes; for native code also its processor and number of threads.

    What one turn of a sweep touches is to stay within `sweep`; arithmetic on arrays of more than `large` goes by rows
    of about `block`. Measured on NumPy with an L2 of 1 MB and an L3 of 32 MB: shorter sweeps lose more to their calls
    than they gain, and blocks cost more than they give below 4 MB. Reductions along rows of up to `row` bytes are
    computed with the arithmetic around them, where a backend can, and up to so many `scores` of a row together with the
    products before and after. With `tf32` products of f32 may be of numbers rounded to 11 bits, which some devices
    multiply faster.
    """

    name: Literal["numpy", "native", "cupy"] = "numpy"
    sweep: int = 4 << 20
    block: int = 256 << 10
    large: int = 4 << 20
    row: int = 0
    scores: int = 0
    machinery: Machinery = COMMON
    threads: int = 1
    tf32: bool = False


# On a GPU a warp or a block shares a row, which lies in a cache when it is gone through again.
CUPY = Target("cupy", row=256 << 10, scores=2048)


def native(machinery: Machinery = COMMON, threads: int = 1) -> Target:
    """The target of C for a processor: a turn of a sweep fills the second cache, and a few rows do not leave it."""
    cache = machinery.second_cache
    return Target("native", sweep=cache, row=cache // 8, machinery=machinery, threads=threads)
