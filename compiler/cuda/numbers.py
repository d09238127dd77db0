"""Numbers that come from nowhere, as CUDA kernels: counting, sizes, and the words of Philox 4x32-10."""

from __future__ import annotations

from typing import NamedTuple

from ...runtime.philox import WORDS
from ...runtime.plan import THREADS
from ..native import numbers as c
from ..native.function import TYPES
from ..schedule.kernel import Window
from .kernel import Kernel, spread

Windows = tuple[Window, ...]


class Count(NamedTuple):
    """0, 1, 2 …"""

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:
        (out,) = writes
        p = f.pointer(out, write=True)
        with spread(f, out.shape) as (i,):
            f.line(f"{p}[{f.size(out.strides[0])} * {i}] = ({TYPES[out.dtype]}){i};")


class Extent(c.Extent):
    """A size as a number."""

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:  # type: ignore[override]
        f.stretches(1, THREADS)
        with f.block("if (threadIdx.x == 0)"):
            super().print(f, writes, reads)


class RandomBits(c.RandomBits):
    """The words of a stream, of which each thread makes a block of four."""

    def print(self, f: Kernel, writes: Windows, reads: Windows) -> None:  # type: ignore[override]
        (out,), (key, step) = writes, reads
        p, k, s = f.pointer(out, write=True), f.pointer(key), f.pointer(step)
        words = f.size(out.type.size)
        f.stretches(out.type.size, WORDS * THREADS)
        f.let("i", f"({f.integer})blockIdx.x * {THREADS} + threadIdx.x")
        f.line(f"const uint64_t step = (uint64_t)(int64_t){s}[0];")
        f.line(f"const uint32_t key0 = {k}[0], key1 = {k}[{f.size(key.strides[0])}];")
        self.block(f)
        for w, name in enumerate("abcd"):
            f.line(f"if ({WORDS} * i + {w} < {words}) {p}[{WORDS} * i + {w}] = {name};")
