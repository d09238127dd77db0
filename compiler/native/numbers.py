"""Numbers that come from nowhere, as C: counting, sizes, and the words of Philox 4x32-10."""

from __future__ import annotations

from typing import NamedTuple

from ...runtime.philox import WORDS
from ..ir import dims
from ..ir.dims import Size
from ..ops.random import KEY_STEPS, MULTIPLIERS, ROUNDS
from ..schedule.kernel import Window
from .function import TYPES, Function
from .loops import VECTORS

BLOCKS = 256  # of four words that stay with one thread


class Count(NamedTuple):
    """0, 1, 2 …"""

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,) = writes
        p = f.pointer(out, write=True)
        f.line(VECTORS)
        with f.loop("i", f.size(out.shape[0])):
            f.line(f"{p}[{f.size(out.strides[0])} * i] = ({TYPES[out.dtype]})i;")


class Extent(NamedTuple):
    """A size as a number."""

    size: Size

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        f.line(f"*{f.pointer(writes[0], write=True)} = ({TYPES[writes[0].dtype]}){f.size(self.size)};")


class RandomBits(NamedTuple):
    """The words of a stream: word i is word i mod 4 of the block with the counter (i div 4, step, stream)."""

    stream: int

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (key, step) = writes, reads
        p, k, s = f.pointer(out, write=True), f.pointer(key), f.pointer(step)
        words = f.size(out.type.size)
        f.split(dims.ceil_divide(out.type.size, WORDS * BLOCKS))
        f.line(f"const uint64_t step = (uint64_t)(int64_t){s}[0];")
        f.line(f"const uint32_t key0 = {k}[0], key1 = {k}[{f.size(key.strides[0])}];")
        f.line(f"const long first = lo * {BLOCKS}, whole = {words} / {WORDS};")
        f.line(f"const long end = hi * {BLOCKS} < whole ? hi * {BLOCKS} : whole;")
        f.line(VECTORS)
        with f.loop("i", "end", "first"):
            self.block(f)
            f.line("".join(f"{p}[{WORDS} * i + {w}] = {name}; " for w, name in enumerate("abcd")))
        with f.block(f"if (hi * {BLOCKS} > whole && first <= whole && {words} % {WORDS})"):
            f.line("const long i = whole;")
            self.block(f)
            f.line("const uint32_t last[] = {a, b, c, d};")
            f.line(f"for (long w = 0; w < {words} % {WORDS}; w++) {p}[{WORDS} * i + w] = last[w];")

    def block(self, f: Function) -> None:
        """Declares a, b, c and d, the four words of block i, from `step`, `key0` and `key1`."""
        f.line("uint32_t a = (uint32_t)i, b = (uint32_t)step, c = (uint32_t)(step >> 32);")
        f.line(f"uint32_t d = {self.stream}u, k0 = key0, k1 = key1;")
        for _ in range(ROUNDS):
            with f.block(""):
                f.line(f"const uint64_t x = (uint64_t)a * {MULTIPLIERS[0]}u, y = (uint64_t)c * {MULTIPLIERS[1]}u;")
                f.line("a = (uint32_t)(y >> 32) ^ b ^ k0; b = (uint32_t)y;")
                f.line("c = (uint32_t)(x >> 32) ^ d ^ k1; d = (uint32_t)x;")
                f.line(f"k0 += {KEY_STEPS[0]}u; k1 += {KEY_STEPS[1]}u;")
