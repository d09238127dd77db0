"""From the third step on, a step asks the allocator for nothing of 16 KB or more.

A library that stands in front of malloc counts, in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LIMIT = 16 << 10
COUNTER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
static int armed; static long seen; static size_t largest;
static void note(size_t n) { if (armed && n >= %d) { seen++; if (n > largest) largest = n; } }
void count_start(void) { seen = 0; largest = 0; armed = 1; }
long count_stop(void) { armed = 0; return seen; }
size_t count_largest(void) { return largest; }
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
void *malloc(size_t n) { note(n); return __libc_malloc(n); }
void *calloc(size_t m, size_t n) { note(m * n); return __libc_calloc(m, n); }
void *realloc(void *p, size_t n) { note(n); return __libc_realloc(p, n); }
void *aligned_alloc(size_t a, size_t n) { note(n); return __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { note(n); *p = __libc_memalign(a, n); return *p ? 0 : 12; }
"""
SCRIPT = """
import ctypes, sys
import numpy_steps
counter = ctypes.CDLL(None)
counter.count_stop.restype = ctypes.c_long
counter.count_largest.restype = ctypes.c_size_t
made = numpy_steps.CASES[sys.argv[1]].machine()
for _ in range(3):
    made.step()
counter.count_start()
for _ in range(int(sys.argv[2])):
    made.step()
print(counter.count_stop(), counter.count_largest())
counter.count_start()
import numpy
numpy.empty(1 << 20)
print(counter.count_stop())
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler, or no glibc, to count allocations with")
    folder = tmp_path_factory.mktemp("counter")
    (folder / "counter.c").write_text(COUNTER % LIMIT)
    library = folder / "counter.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, folder / "counter.c"], check=True)
    return library


@pytest.mark.parametrize(("case", "steps"), [("playground", 100), ("mlp", 100), ("gpt", 20), ("cnn", 20)])
def test_a_step_allocates_nothing_large(counter: Path, case: str, steps: int) -> None:
    environment = os.environ | {"LD_PRELOAD": str(counter), "PYTHONPATH": str(BENCHMARKS), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, case, str(steps)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steady, check = done.stdout.splitlines()
    assert check == "1", "the counter sees nothing"
    seen, largest = map(int, steady.split())
    assert seen == 0, f"{seen} requests of {LIMIT} bytes or more, the largest of {largest}"
