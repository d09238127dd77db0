"""What this machine can do at most: products added up in registers, and bytes copied, measured in this process."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

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


def peak(threads: int) -> Peak:
    """The best of some short runs. Raises NotNative where no C can be compiled."""
    objects = user_objects()
    library = objects.library([_source(objects.toolchain.lanes)])
    arrays = [[(ctypes.c_float * FLOATS)() for _ in range(2)] for _ in range(threads)]
    flops = 2 * CHAINS * TURNS * objects.toolchain.lanes

    def copy(thread: int) -> None:
        library.axonc_peak_copy(*arrays[thread])

    multiplied = _seconds(lambda thread: library.axonc_peak_multiply(), threads)
    return Peak(threads * flops / multiplied, threads * 2 * 4 * FLOATS / _seconds(copy, threads))


def _seconds(run: Callable[[int], object], threads: int) -> float:
    """The least seconds until all threads have run once."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(threads)))
        times = []
        for _ in range(20):
            start = time.perf_counter()
            list(pool.map(run, range(threads)))
            times.append(time.perf_counter() - start)
    return min(times)


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
