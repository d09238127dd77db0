"""What this machine can do at most: products added up in registers, and bytes copied, measured in this process."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ..runtime.native.errors import NotNative
from ..runtime.native.objects import user_objects

CHAINS, TURNS, FLOATS = 12, 2_000_000, 8 << 20
SOURCE = """
#include <string.h>
#define EXPORT __attribute__((visibility("default")))
typedef float vector __attribute__((vector_size({bytes})));
static volatile float kept;
EXPORT void axonc_peak_multiply(void) {{
  vector x = (vector){{0}} + 0.5f, {begin};
  for (int i = 0; i < {turns}; i++) {{ {step} }}
  vector sum = {total};
  kept = sum[0];
}}
EXPORT void axonc_peak_copy(float *to, const float *from) {{ memcpy(to, from, {size}); }}
"""


class Peak(NamedTuple):
    """The most operations and copied bytes (each read and written) in a second, of so many threads."""

    flops: float
    bytes: float


class Meter:
    """Runs of a few milliseconds that do nothing but add up products, or copy, on so many threads at once.

    Making one raises NotNative where no C can be compiled.
    """

    def __init__(self, threads: int) -> None:
        objects = user_objects()
        self._library = objects.library([_source(objects.toolchain.lanes)])
        self._threads = range(threads)
        self._flops = threads * 2 * CHAINS * TURNS * objects.toolchain.lanes
        self._arrays = [[(ctypes.c_float * FLOATS)() for _ in range(2)] for _ in self._threads]

    def peak(self, runs: int = 20) -> Peak:
        """The best of so many runs."""
        with ThreadPoolExecutor(len(self._threads)) as pool:
            multiplied, copied = (
                min(_seconds(pool, run, self._threads) for _ in range(runs + 1)) for run in (self._multiply, self._copy)
            )
        return Peak(self._flops / multiplied, len(self._threads) * 2 * 4 * FLOATS / copied)

    def flops(self, runs: int = 10) -> float:
        """Operations in a second, over so many runs."""
        with ThreadPoolExecutor(len(self._threads)) as pool:
            return self._flops * runs / sum(_seconds(pool, self._multiply, self._threads) for _ in range(runs))

    def _multiply(self, thread: int) -> None:
        self._library.axonc_peak_multiply()

    def _copy(self, thread: int) -> None:
        self._library.axonc_peak_copy(*self._arrays[thread])


def meter(threads: int) -> Meter | None:
    """What measures the peak of this machine, if it has a C compiler."""
    try:
        return Meter(threads)
    except NotNative:
        return None


def _seconds(pool: ThreadPoolExecutor, run: Callable[[int], object], threads: range) -> float:
    """The seconds until all threads have run once."""
    start = time.perf_counter()
    list(pool.map(run, threads))
    return time.perf_counter() - start


def _source(lanes: int) -> str:
    chains = [f"s{i}" for i in range(CHAINS)]
    return SOURCE.format(
        bytes=4 * lanes,
        begin=", ".join(f"{s} = x + {i}.0f" for i, s in enumerate(chains)),
        turns=TURNS,
        step=" ".join(f"{s} = {s} * x + x;" for s in chains),
        total=" + ".join(chains),
        size=4 * FLOATS,
    )
