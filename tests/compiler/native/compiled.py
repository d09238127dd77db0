"""Forms printed, compiled and called on guarded memory: what the tests of native kernels share."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.types import F32, DType
from axonc.compiler.native.function import Function, Machinery
from axonc.compiler.native.mathematics import definitions
from axonc.compiler.native.tile import prelude
from axonc.compiler.schedule import cost
from axonc.compiler.schedule.kernel import Buffer, Window, row_major
from axonc.runtime.native import toolchain

DTYPES = {
    "bool": "bool",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
}
WARNINGS = ("-Wall", "-Werror", "-Wno-unused")
# Those of the runtime, but what is called from here must be visible, and warnings are mistakes.
FLAGS = (
    "-shared",
    *(flag for flag in toolchain.FLAGS if flag not in ("-w", "-fvisibility=hidden")),
    *toolchain.WELCOME,
)
WIDE = ("-march=native", *toolchain.WIDE)
# Of a file that is gone, the loader takes the next one of the same inode for the same library: files stay to the end.
FOLDER = tempfile.TemporaryDirectory()
REFUSES = "void ax_refuse(struct ax_run *run, long note, long value, long limit) { __builtin_trap(); }\n"
GUARD = 96  # elements before and after every buffer

COMPILER = (
    shlex.split(os.environ.get("CC", ""))
    or [found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))][:1]
)
needs_compiler = pytest.mark.skipif(not COMPILER, reason="there is no C compiler here (cc, gcc, clang or $CC)")


class Form(Protocol):
    """What prints itself into a function."""

    def print(self, f: Function, writes: tuple[Window, ...], reads: tuple[Any, ...]) -> None: ...


@cache
def features() -> frozenset[str]:
    """The macros that the compiler defines for the processor it runs on."""
    done = subprocess.run([*COMPILER, "-march=native", "-dM", "-E", "-"], input="", capture_output=True, text=True)
    return frozenset(line.split()[1] for line in done.stdout.splitlines())


@cache
def machinery() -> Machinery:
    """What this processor has."""
    if "__AVX512F__" in features():
        return Machinery(16, 32)
    return Machinery(8, 16) if "__AVX2__" in features() else Machinery(4, 16)


def machine_flags(m: Machinery) -> tuple[str, ...]:
    """Flags that suit a machinery; skips the test where the processor has no such vectors."""
    needed = {16: "__AVX512F__", 8: "__AVX2__"}.get(m.lanes)
    if needed and needed not in features():
        pytest.skip(f"this processor has no vectors of {m.lanes} lanes")
    if m.lanes == 16:
        return WIDE
    return ("-mavx2", "-mfma") if m.lanes == 8 else ()


def printed(form: Form, writes: Sequence[Window], reads: Sequence[object]) -> Function:
    """The function of a form."""
    f = Function()
    form.print(f, tuple(writes), tuple(reads))
    return f


def library(functions: Iterable[Function], m: Machinery) -> ctypes.CDLL:
    """All functions compiled together."""
    texts = {f.name: f.text.replace("@", f.name, 1) for f in functions}
    number = len([*Path(FOLDER.name).iterdir()])
    source, target = Path(FOLDER.name, f"{number}.c"), Path(FOLDER.name, f"{number}.so")
    body = "\n".join(texts.values())
    source.write_text(prelude(m.lanes) + REFUSES + definitions(body) + body, encoding="utf-8")
    command = [*COMPILER, *FLAGS, *WARNINGS, *machine_flags(m), "-o", str(target), str(source), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    return ctypes.CDLL(str(target))


def window(
    shape: tuple[Size, ...], strides: tuple[Size, ...] | None = None, dtype: DType = F32, name: str = "x"
) -> Window:
    """A window at the start of a buffer of its own; row-major without strides. A negative stride begins at its end."""
    strides = row_major(shape) if strides is None else strides
    offset: Size = 0
    size: Size = 1
    for n, s in zip(shape, strides, strict=True):
        negative = isinstance(s, int) and s < 0
        offset = offset - (n - 1) * s if negative else offset
        size = size + (n - 1) * (-s if negative else s)
    return Window(Buffer(name, dtype, size), offset, shape, strides)


@dataclass
class Memory:
    """The elements of a window between guards of NaN, which nothing may write, and which must not be felt.

    With `edge` the last element of the buffer is the last that may be touched at all: reading on ends the process.
    """

    window: Window
    counts: Mapping[str, int] = field(default_factory=dict)
    edge: bool = False

    def __post_init__(self) -> None:
        w, dtype = self.window, np.dtype(DTYPES[str(self.window.dtype)])
        size = self.count(w.buffer.size) + GUARD * (1 if self.edge else 2)
        self.whole = before_the_end(size, dtype) if self.edge else np.empty(size, dtype)
        self.whole[:] = np.nan if dtype.kind == "f" else 77
        self.start = GUARD + self.count(w.offset)
        strides = tuple(self.count(s) * dtype.itemsize for s in w.strides)
        shape = tuple(map(self.count, w.shape))
        self.array = np.lib.stride_tricks.as_strided(self.whole[self.start :], shape, strides)

    def count(self, size: Size) -> int:
        found = dims.substitute(size, dict(self.counts))
        assert isinstance(found, int)
        return found

    @property
    def pointer(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.whole.ctypes.data + self.start * self.whole.itemsize)

    def outside(self) -> bytes:
        """All bytes that are not elements of the window."""
        kept = np.ones(self.whole.shape, bool)
        strides = tuple(s // self.whole.itemsize for s in self.array.strides)
        np.lib.stride_tricks.as_strided(kept[self.start :], self.array.shape, strides)[...] = False
        return self.whole[kept].tobytes()


def before_the_end(size: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """An array after whose last element comes a page that may not be touched."""
    page, count = mmap.PAGESIZE, size * dtype.itemsize
    room = -(-count // page) * page
    memory = mmap.mmap(-1, room + page)
    beyond = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + room
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(beyond), page, 0) == 0
    return np.frombuffer(memory, dtype, size, room - count)


def call(
    made: ctypes.CDLL,
    f: Function,
    memories: Sequence[Memory],
    counts: Mapping[str, int] | None = None,
    parts: Sequence[float | Fraction] = (0, 1),
) -> None:
    """Runs a function over memories in the order of its pointers, part by part: `parts` are shares of its units."""
    counts = counts or {}
    pointers = [next(m.pointer for m in memories if m.window is w) for w in f.windows]
    sizes = [ctypes.c_long(cost.at(s, counts)) for s in f.symbols]
    refusing = [ctypes.c_void_p(), ctypes.c_long()] if f.refuses else []
    entry = made[f.name]
    entry.restype = None
    if f.units is None:
        entry(*pointers, *sizes, *refusing)
        return
    units = dims.substitute(f.units, dict(counts))
    if units == 1 and f.parts is not None:
        units = dims.substitute(f.parts, dict(counts))
    assert isinstance(units, int)
    cuts = [round(units * p) for p in parts]
    for lo, hi in itertools.pairwise(cuts):
        entry(*pointers, *sizes, ctypes.c_long(lo), ctypes.c_long(hi), *refusing)
