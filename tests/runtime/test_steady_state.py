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


INSTRUCTIONS = """
import ctypes
import numpy as np
from axonc.runtime.arrays import ALLOCATING, INSTRUCTIONS, REDUCTIONS, UFUNCS
from axonc.runtime.machine import settings
counter = ctypes.CDLL(None)
counter.count_stop.restype = ctypes.c_long
within, tried = settings(), set()

def check(name, writes, reads, label="", **attributes):
    calls = INSTRUCTIONS[name](writes, reads, attributes)
    tried.add(name)
    within.run(lambda: [call() for call in calls])
    counter.count_start()
    for call in calls:
        within.run(call)
    if counter.count_stop():
        print(name, label)

n = 256
f, g, d, double = np.random.rand(n, n) + 0.5, np.random.rand(n, n), np.random.rand(n, n), np.empty((n, n))
f, g, out = f.astype("f"), g.astype("f"), np.empty((n, n), "f")
truths, truth = f > 1, np.empty((n, n), bool)
index, whole, half = np.arange(n), np.arange(n) + np.zeros((n, 1), int), f.astype("e")
wide = np.random.rand(n, 2 * n).astype("f")
shapes = {"": f, "transposed": f.T, "lead": wide[:, :n], "row": f[0].copy(), "column": f[:, :1].copy(),
          "apart": wide[:, ::2], "scalar": np.array(0.5, "f"), "backwards": f[::-1]}
for name, function in UFUNCS.items():
    if name in ("and", "or", "xor", "logical_not"):
        check(name, [truth], [truths, truths.copy()][: function.nin])
        continue
    single, wider = (truth, truth) if name[:3] in ("eq", "ne", "lt", "le", "gt", "ge", "is_") else (out, double)
    for label, x in shapes.items():
        check(name, [single], [f, x][-function.nin:], label)
    check(name, [wider], [d, d.copy()][: function.nin], "f64")
for name in REDUCTIONS:
    x = np.random.rand(16, 32, 64).astype("f")
    x = x > 0.5 if name in ("reduce_any", "reduce_all") else x
    for x, label in ((x, ""), (x.transpose(2, 0, 1), "transposed")):
        for axes in ((0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)):
            check(name, [np.empty(np.sum(x, axes).shape, x.dtype)], [x], f"{label} {axes}", axes=axes)
            check(name, [np.empty(np.sum(x, axes, keepdims=True).shape, x.dtype)], [x], f"{label} {axes}", axes=axes)
for label, x in shapes.items():
    check("copy", [out], [x], label)
for made in (out, double, truth, whole.copy(), whole.astype("i"), half.copy()):
    for x in (f, d, truths, whole, whole.astype("i"), whole.astype("I"), half):
        check("copy", [made], [x], f"{x.dtype} to {made.dtype}")
check("fill", [out], [], value=1.0)
for c in (truths, truths[0], truths[:, :1]):
    for no in (0.0, g):
        check("select", [out], [c, f, no], f"{c.shape}")
        check("put_where", [out], [out, c, no], f"{c.shape}")
    check("mask", [out, np.empty(c.shape, "f"), np.empty(c.shape, "f")], [c, f], f"{c.shape}", value=-1.0)
for value in (f, 1.0):
    check("keep", [out], [truths, value])
    check("blend", [out, g.copy()], [truths, value, g])
for la, a in list(shapes.items())[:3]:
    for lb, b in list(shapes.items())[:3]:
        check("matmul", [out], [a, b], f"{la} @ {lb}")
        check("matmul", [wide[:, n:]], [a, b], f"{la} @ {lb} into a lead")
check("matmul", [out[0]], [f, g[0].copy()], "vector")
heads = np.random.rand(8, 64, 4, 32).astype("f").transpose(0, 2, 1, 3)
check("matmul", [np.empty((8, 4, 64, 64), "f")], [heads, heads.swapaxes(2, 3)], "heads")
check("argmax", [np.empty(n, int)], [f], axis=1)
check("argmin", [np.empty(n, int)], [f], axis=1)
for axis in (0, 1):
    check("cumulative_sum", [out[::-1]], [f[::-1]], axis=axis)
check("take", [out], [f, index], axis=0)
check("take", [out[0]], [f.reshape(-1), index * n], axis=0)
check("check_range", [], [whole, n], where="")
check("put", [out.reshape(-1)], [out.reshape(-1), index, f[0]])
check("iota", [index.copy()], [3])
check("constant", [np.empty(4, "f")], [], values=(1.0, 2.0, 3.0, 4.0))
check("slice_at", [np.empty((n, 64), "f")], [f, np.array(3)], axis=1)
check("write_at", [out], [out, f[:, :64], np.array(3)], axis=1)
words = np.empty(100_000, np.uint32)
check("random_bits", [words, np.empty(6 * 4096, int)], [words[:2].copy(), np.array(3)], streams=(1,))
words16 = np.empty(f.shape, np.uint16)
check("narrow", [words16, np.empty(f.shape, np.uint32)], [f])
check("widen", [out], [words16])
check("erf", [double[:8]], [d[:8]])
print("not tried:", *sorted(INSTRUCTIONS.keys() - ALLOCATING - tried - {"scalars"}))
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


@pytest.mark.parametrize(("case", "steps"), [("playground", 100), ("mlp", 100), ("gpt", 20), ("cnn", 20), ("lstm", 20)])
def test_a_step_allocates_nothing_large(counter: Path, case: str, steps: int) -> None:
    steady, check = counted(counter, SCRIPT, case, str(steps)).splitlines()
    assert check == "1", "the counter sees nothing"
    seen, largest = map(int, steady.split())
    assert seen == 0, f"{seen} requests of {LIMIT} bytes or more, the largest of {largest}"


def test_no_instruction_but_those_that_say_so_allocates_anything_large(counter: Path) -> None:
    assert counted(counter, INSTRUCTIONS).splitlines() == ["not tried:"]


def counted(counter: Path, script: str, *arguments: str) -> str:
    """What a script prints that runs behind the counter."""
    environment = os.environ | {"LD_PRELOAD": str(counter), "PYTHONPATH": str(BENCHMARKS), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", script, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
