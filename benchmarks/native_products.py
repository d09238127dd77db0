"""Times compiled products: GFLOP/s on one core, share of the peak of that core, and what NumPy's BLAS reaches.

It is the processor's time that counts, since cores may be shared.
Run with OPENBLAS_NUM_THREADS=1: `python benchmarks/native_products.py [part of a name ...]`.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import os
import resource
import shlex
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from axonc.backends import backend
from axonc.compiler.ir.types import F32
from axonc.compiler.native.function import Function, Machinery
from axonc.compiler.native.product import Product
from axonc.compiler.native.tile import prelude
from axonc.compiler.schedule.kernel import Buffer, Window
from axonc.runtime.native import toolchain

COMPILER = shlex.split(os.environ.get("CC", "cc"))
# Those of the runtime, but what is called from here must be visible.
FLAGS = (
    "-shared",
    "-march=native",
    *(flag for flag in (*toolchain.FLAGS, *toolchain.WELCOME, *toolchain.WIDE) if flag != "-fvisibility=hidden"),
)


class Case(NamedTuple):
    """A product by its sizes; `kind` says which operands are stored transposed, as in "NT"."""

    m: int
    k: int
    n: int
    kind: str = "NN"
    heads: tuple[int, int] = (
        0,
        0,
    )  # samples and heads of an attention: rows hold queries, keys and values of all heads

    @property
    def name(self) -> str:
        lead = f" x{self.heads[0]}x{self.heads[1]}" if self.heads[0] else ""
        return f"{self.m}x{self.k}x{self.n} {self.kind}{lead}"

    @property
    def flops(self) -> int:
        return 2 * self.m * self.k * self.n * max(1, self.heads[0] * self.heads[1])

    def windows(self) -> tuple[Window, Window, Window]:
        """The result and the operands, as `m, n`, `m, k` and `k, n` whatever lies transposed."""
        left, right = self.kind
        return (
            self._window(self.m, self.n, "N"),
            self._window(self.m, self.k, left),
            self._window(self.k, self.n, right),
        )

    def _window(self, rows: int, columns: int, kind: str) -> Window:
        stored = (rows, columns) if kind == "N" else (columns, rows)
        samples, heads = self.heads
        if not samples:
            strides, lead, size = (stored[1], 1), (), rows * columns
        elif stored[1] == 32:
            wide = 3 * heads * 32
            strides, lead, size = (stored[0] * wide, 32, wide, 1), self.heads, samples * stored[0] * wide
        else:
            strides, lead = (heads * rows * columns, rows * columns, stored[1], 1), self.heads
            size = samples * heads * rows * columns
        if kind == "T":
            strides = (*strides[:-2], strides[-1], strides[-2])
        return Window(Buffer("x", F32, size), 0, (*lead, rows, columns), strides)


CASES = [
    Case(128, 784, 512),
    Case(128, 512, 256),
    Case(1024, 128, 384),
    Case(1024, 128, 512),
    Case(1024, 512, 128),
    Case(784, 128, 512, "TN"),
    Case(512, 128, 256, "TN"),
    Case(128, 256, 512, "NT"),
    Case(1024, 1024, 1024),
    Case(1024, 1024, 1024, "TN"),
    Case(1024, 1024, 1024, "NT"),
    Case(128, 1024, 384, "TN"),
    Case(128, 1024, 512, "TN"),
    Case(512, 1024, 128, "TN"),
    Case(1024, 384, 128, "NT"),
    Case(1024, 512, 128, "NT"),
    Case(1024, 128, 512, "NT"),
    Case(64, 3136, 128),
    Case(3136, 64, 128, "TN"),
    Case(64, 128, 3136, "NT"),
    Case(1024, 128, 256),
    Case(128, 256, 10),
    Case(256, 128, 10, "TN"),
    Case(128, 10, 256, "NT"),
    Case(64, 128, 10),
    Case(100, 100, 100),
    Case(97, 61, 83),
    Case(64, 100, 200),
    Case(64, 100, 200, "NT"),
    Case(4096, 3, 16),
    Case(16, 4096, 16, "TN"),
    Case(30, 2, 8),
    Case(30, 8, 8),
    Case(30, 8, 2),
    Case(2, 30, 8, "TN"),
    Case(8, 30, 8, "TN"),
    Case(30, 8, 8, "NT"),
    Case(30, 2, 16),
    Case(32, 32, 16),
    Case(64, 128, 16),
    Case(32, 128, 512),
    Case(32, 192, 512),
    Case(128, 32, 128, "NT", (8, 4)),
    Case(128, 128, 32, "NN", (8, 4)),
    Case(128, 128, 32, "TN", (8, 4)),
    Case(1, 512, 512),
    Case(1, 512, 512, "NT"),
    Case(512, 512, 1),
    Case(512, 512, 1, "TN"),
    Case(1, 4096, 1),
    Case(1, 2048, 2048),
    Case(2048, 2048, 1),
    Case(4, 512, 512),
    Case(8, 784, 512),
    Case(512, 1, 512),
    Case(1024, 256, 2),
]

TIMER = """
__attribute__((noinline)) double @_time(float *c, const float *a, const float *b, long units, long turns) {
  struct timespec from, to;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
  for (long i = 0; i < turns; i++) @(ARGUMENTS);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
  return (to.tv_sec - from.tv_sec) + 1e-9 * (to.tv_nsec - from.tv_nsec);
}
"""
CHAINS = 12  # sums that do not wait for each other


def peak(lanes: int) -> Function:
    """A function of as many sums of products as a core can begin, all of them in registers."""
    f = Function()
    factor = f.pointer(Window(Buffer("x", F32, 1), 0, (1,), (1,)))
    f.line(f"f32v x = (f32v){{0}} + *{factor}, {', '.join(f's{i} = x + {i}' for i in range(CHAINS))};")
    with f.loop("k", "100000"):
        f.line(" ".join(f"s{i} = s{i} * x + x;" for i in range(CHAINS)))
    f.line(f"volatile float kept = f32_total({' + '.join(f's{i}' for i in range(CHAINS))});")
    f.line("(void)kept;")
    return f


def timed_text(f: Function, arguments: str) -> str:
    """A function, and one that calls it many times and returns the seconds."""
    return (f.text + TIMER.replace("ARGUMENTS", arguments)).replace("@", f.name)


def build(texts: list[str], lanes: int, folder: str) -> tuple[ctypes.CDLL, float]:
    """All functions compiled together, and the seconds of processor time that it took."""
    number = len(os.listdir(folder))
    source, target = Path(folder, f"{number}.c"), Path(folder, f"{number}.so")
    source.write_text("\n".join(["#include <time.h>", prelude(lanes), *texts]), encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*COMPILER, *FLAGS, "-o", str(target), str(source)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ctypes.CDLL(str(target)), seconds


def measured(run: Callable[[int], float]) -> Callable[[], float]:
    """A function that gives the seconds of one turn: the median of some short runs."""
    turns = max(1, int(3e-4 / max(run(1), run(1), 1e-9)))
    turns = max(1, int(5e-4 / max(run(turns) / turns, 1e-9)))
    return lambda: statistics.median(run(turns) / turns for _ in range(5))


def timer(library: ctypes.CDLL, f: Function, arrays: list[np.ndarray]) -> Callable[[], float]:
    """The seconds of one call of a compiled function on arrays."""
    entry = library[f"{f.name}_time"]
    entry.restype = ctypes.c_double
    pointers = [ctypes.c_void_p(x.ctypes.data) for x in arrays] + [None] * (3 - len(arrays))
    units = ctypes.c_long(f.units if isinstance(f.units, int) else 1)
    return measured(lambda turns: entry(*pointers, units, ctypes.c_long(turns)))


def numpy_timer(arrays: list[np.ndarray]) -> Callable[[], float]:
    """The seconds of one product by NumPy, whose result is contiguous."""
    out, a, b = arrays

    def run(turns: int) -> float:
        before = time.thread_time()
        for _ in range(turns):
            np.matmul(a, b, out=out)
        return time.thread_time() - before

    return measured(run)


def array(w: Window) -> tuple[np.ndarray, np.ndarray]:
    """Random memory that begins with a cache line, and the view of a window of it."""
    size, shape, strides = (np.array(x, np.int64) for x in (w.buffer.size, w.shape, w.strides))
    whole = np.empty(int(size) + 16, np.float32)
    whole = whole[-whole.ctypes.data % 64 // 4 :][: int(size)]
    whole[:] = np.random.default_rng(0).standard_normal(int(size))
    return whole, np.lib.stride_tricks.as_strided(whole, tuple(shape), tuple(4 * strides))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[""])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--lanes", type=int, help="f32 elements of a vector, where it is not this processor's")
    options = parser.parse_args()
    machinery = backend("native").target.machinery
    if options.lanes:
        machinery = Machinery(options.lanes, 32 if options.lanes == 16 else 16)
    cases = [c for c in CASES if any(part in c.name for part in options.names)]
    print("shape                     compile ms      ns  GFLOP/s  of peak  OpenBLAS  ratio")
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            report(case, machinery, options.rounds, folder)


def report(case: Case, machinery: Machinery, rounds: int, folder: str) -> None:
    """One line: the best of some rounds, in which ours, NumPy's and the peak are measured in turn."""
    windows = case.windows()
    f, top = Function(), peak(machinery.lanes)
    Product(machinery).print(f, windows[:1], windows[1:])
    call = "c, a, b" if f.units is None else "c, a, b, 0, units"
    library, empty = build([timed_text(top, "c")], machinery.lanes, folder)
    peak_of = timer(library, top, [np.full(1, 0.5, np.float32)])
    library, seconds = build([timed_text(f, call)], machinery.lanes, folder)
    memory = [array(w) for w in windows]
    ours = timer(
        library, f, [next(x for w, (x, _) in zip(windows, memory, strict=True) if w is own) for own in f.windows]
    )
    ours()
    wanted = np.matmul(memory[1][1].astype(float), memory[2][1].astype(float))
    assert np.allclose(memory[0][1], wanted, atol=1e-5 * math.sqrt(case.k)), case
    theirs = numpy_timer([view for _, view in memory])
    rows = [(ours(), theirs(), peak_of()) for _ in range(rounds)]
    best, other, limit = map(min, zip(*rows, strict=True))
    speed, most = case.flops / best / 1e9, 2e5 * CHAINS * machinery.lanes / limit / 1e9
    print(
        f"{case.name:26s}{(seconds - empty) * 1e3:9.0f}{best * 1e9:12.0f}{speed:9.1f}{speed / most:8.0%}"
        f"{case.flops / other / 1e9:10.1f}{other / best:7.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
