"""Products ask for memory ahead: for what they read later, once, and for nothing else."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from axonc.compiler.native.function import Function
from axonc.compiler.native.product import Product
from axonc.compiler.native.tile import prelude

from . import compiled
from .compiled import Memory, call, machinery, needs_compiler, printed
from .test_product import Case, N

pytestmark = needs_compiler

LINE = 64
ROOM = 1 << 16
RECORDS = f"""static const char *ax_lines[{ROOM}]; static long ax_count;
static void ax_record(const char *line) {{ if (ax_count < {ROOM}) ax_lines[ax_count] = line; ax_count++; }}
const char **ax_asked(long *count) {{ *count = ax_count; ax_count = 0; return ax_lines; }}
"""
PREFETCH = "__builtin_prefetch(a->at, 0, 2)"
SAMPLES = 300
# What is copied block by block, rows in runs of memory, rows for each sample, and matrices one after the other.
CASES = {
    "columns of a": Case((), 512, 1024, 128, "ntn"),
    "more columns than are copied at once": Case((), 1300, 300, 64, "ntn"),
    "rows of a": Case((), 1024, 128, 96),
    "rows of a, steps block by block": Case((), 300, 2500, 64),
    "b by its columns": Case((), 300, 1200, 64, "nnt"),
    "rows for each sample": Case((), N, 256, 96),
    "matrices": Case((6,), 128, 32, 64, "nnt"),
    "matrices, columns of a": Case((3, 2), 128, 64, 32, "ntn"),
}


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    """All cases, with a record of the lines that they ask for."""

    def recording(lanes: int) -> str:
        text = prelude(lanes)
        assert text.count(PREFETCH) == 1
        head, tail = text.split("typedef struct", 1)
        return head + RECORDS + "typedef struct" + tail.replace(PREFETCH, "ax_record(a->at)")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "prelude", recording)
        found = compiled.library((function(case) for case in CASES.values()), machinery())
    found.ax_asked.restype = ctypes.POINTER(ctypes.c_size_t)
    return found


def function(case: Case) -> Function:
    windows = case.windows()
    return printed(Product(machinery()), windows[:1], windows[1:])


def asked(library: ctypes.CDLL) -> np.ndarray:
    count = ctypes.c_long()
    lines = library.ax_asked(ctypes.byref(count))
    assert count.value < ROOM
    return np.array([lines[i] for i in range(count.value)], np.int64)


@pytest.mark.parametrize("parts", [(0, 1), (0, 0.4, 1)], ids=["one thread", "two"])
@pytest.mark.parametrize("name", CASES)
def test_lines_are_asked_for_that_are_read_later(name: str, parts: tuple[float, ...], library: ctypes.CDLL) -> None:
    f = function(CASES[name])
    memories = [Memory(w, {"N": SAMPLES}) for w in f.windows]
    for memory in memories:
        memory.array[...] = 1
    asked(library)
    call(library, f, memories, {"N": SAMPLES}, parts)
    lines = asked(library)
    _, a, b = memories
    inside = [(x.array.ctypes.data, x.array.ctypes.data + x.array.nbytes) for x in (a, b)]
    assert all(any(start <= line < stop for start, stop in inside) for line in lines)
    of_a = lines[(lines >= inside[0][0]) & (lines < inside[0][1])]
    share = len(np.unique(of_a // LINE)) / (a.array.nbytes / LINE)
    assert share > 0.4, "a large part of a is asked for"
    assert len(lines) < 1.7 * (a.array.nbytes + b.array.nbytes) / LINE, "and hardly anything twice"


def test_what_is_near_is_not_asked_for(library: ctypes.CDLL) -> None:
    assert "ax_ask" not in function(Case((), 64, 64, 64)).text
    assert "ax_ask" not in function(Case((9,), 8, 8, 8)).text
