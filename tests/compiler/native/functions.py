"""The scalar functions compiled into loops over arrays, and the double-precision functions they are compared with."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from axonc.compiler.native.function import STANDARD
from axonc.compiler.native.mathematics import definitions
from scipy import special

from .compiled import COMPILER, FLAGS, FOLDER, WARNINGS, features

Array = np.ndarray[Any, Any]

TYPES = {"f32": "float", "f64": "double"} | {
    f"{s}{n}": f"{'u' * (s == 'u')}int{n}_t" for s in "iu" for n in (8, 32, 64)
}
ARRAYS = {"f32": np.float32, "f64": np.float64, "u8": np.uint8, "i8": np.int8, "i32": np.int32}
ARRAYS |= {"u32": np.uint32, "i64": np.int64}
INTEGERS = ("u8", "i8", "i32", "u32", "i64")


def sigmoid(x: Array) -> Array:
    """As the operation defines it."""
    small = np.exp(-np.abs(x))
    y: Array = np.where(x >= 0, 1, small) / (1 + small)
    return y


# Words to what NumPy or SciPy gives for them; of these all but the exact ones are approximated in f32.
APPROXIMATED: dict[str, Callable[..., Array]] = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "erf": special.erf,
}
APPROXIMATED_PAIRS: dict[str, Callable[..., Array]] = {"pow": np.power, "atan2": np.arctan2}
EXACT: dict[str, Callable[..., Array]] = {"abs": np.abs, "sign": np.sign, "square": np.square}
EXACT_FLOATS: dict[str, Callable[..., Array]] = {
    "round": np.rint,
    "reciprocal": np.reciprocal,
    "is_finite": np.isfinite,
    "is_nan": np.isnan,
}
EXACT_PAIRS: dict[str, Callable[..., Array]] = {
    "max": np.maximum,
    "min": np.minimum,
    "floor_div": np.floor_divide,
    "mod": np.remainder,
}
# The greatest errors in f32 that are promised, in units of the last place.
LIMITS = {"exp": 1.2, "log": 1.0, "log1p": 1.6, "expm1": 1.7, "sigmoid": 2.5, "tanh": 2.7, "erf": 4.0, "tan": 4.0}
LIMITS |= {"sin": 1.7, "cos": 1.7, "asin": 2.5, "acos": 1.5, "atan": 1.7, "sinh": 2.5, "cosh": 1.7}
LIMITS |= {"pow": 1.3, "atan2": 1.8}

PAIRS = (*APPROXIMATED_PAIRS, *EXACT_PAIRS)

LOOP = """
void {word}_{dtype}(long times, long n, const {given} *restrict a, const {given} *restrict b, {result} *restrict y) {{
  for (long t = 0; t < times; t++) {{
#pragma omp simd
    for (long i = 0; i < n; i++) y[i] = ax_{word}_{dtype}({operands});
    __asm__ volatile("" ::: "memory");
  }}
}}
"""
GELU = """
AX_INLINE float ax_gelu_f32(float x) { return 0.5f * x * (1.0f + ax_erf_f32(x * 0.70710678f)); }
"""


def words(dtype: str) -> tuple[str, ...]:
    """The functions that exist for a dtype."""
    if dtype in INTEGERS:
        return (*EXACT, *EXACT_PAIRS, "pow")
    return (
        *APPROXIMATED,
        *APPROXIMATED_PAIRS,
        *EXACT,
        *EXACT_FLOATS,
        *EXACT_PAIRS,
        *(("gelu",) if dtype == "f32" else ()),
    )


@dataclass(frozen=True)
class Compiled:
    """Functions that are called as `made(word, dtype, a)` or with a second array; `in_vectors` are whose loops gcc
    said to be vectors."""

    library: ctypes.CDLL
    in_vectors: frozenset[str]

    def __call__(self, word: str, dtype: str, *operands: Array, times: int = 1, out: Array | None = None) -> Array:
        a, b = operands[0], operands[-1]
        assert a.dtype == b.dtype == ARRAYS[dtype]
        assert a.size == b.size
        y = np.empty(a.shape, np.bool_ if word.startswith("is_") else a.dtype) if out is None else out
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in (a, b, y)]
        self.library[f"{word}_{dtype}"](ctypes.c_long(times), ctypes.c_long(a.size), *pointers)
        return y


@cache
def compiled(*dtypes: str) -> Compiled:
    """The functions of some dtypes, each in a loop of its own."""
    loops = "".join(_loop(word, dtype) for dtype in dtypes for word in words(dtype))
    text = STANDARD + definitions(GELU + loops) + GELU + loops
    stem = Path(FOLDER.name, "mathematics_" + "_".join(dtypes))
    stem.with_suffix(".c").write_text(text, encoding="utf-8")
    wide = ("-mprefer-vector-width=512",) if "__AVX512F__" in features() else ()
    report = ("-fopt-info-vec",) if "__clang__" not in features() else ()
    command = [*COMPILER, *FLAGS, *WARNINGS, "-march=native", *wide, *report, f"{stem}.c", "-o", f"{stem}.so", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"})
    assert done.returncode == 0, done.stderr[:4000]
    lines = {int(n) for n in re.findall(r"^\S+?:(\d+):\d+: optimized: loop vectorized", done.stderr, re.MULTILINE)}
    calls = [(n, re.search(r"y\[i\] = ax_(\w+)\(", line)) for n, line in enumerate(text.splitlines(), 1)]
    return Compiled(ctypes.CDLL(f"{stem}.so"), frozenset(found[1] for n, found in calls if found and n in lines))


def _loop(word: str, dtype: str) -> str:
    result = "uint8_t" if word.startswith("is_") else TYPES[dtype]
    operands = "a[i], b[i]" if word in PAIRS else "a[i]"
    return LOOP.format(word=word, dtype=dtype, given=TYPES[dtype], result=result, operands=operands)


def ulps(found: Array, exact: Array) -> Array:
    """How far f32 or f64 numbers are from exact ones, in units of the last place of the exact one's nearest number.

    Infinite where only one is NaN, only the exact one is infinite, or signs differ, of zeros too. A number that
    overflowed counts as the first that does.
    """
    kind = np.finfo(found.dtype)
    greatest = np.nextafter(kind.max, kind.dtype.type(0))  # of the last one NumPy gives no unit
    unit = np.spacing(np.minimum(np.abs(exact), greatest).astype(found.dtype)).astype(np.float64)
    over = float(2**kind.maxexp) if kind.maxexp < 1024 else np.inf
    near = np.where(np.isinf(found), np.copysign(over, found, dtype=np.float64), found.astype(np.float64))
    error = np.abs(near - np.clip(exact, -over, over)) / unit
    error = np.where((found == exact) | (np.isnan(found) & np.isnan(exact)), 0.0, error)
    wrong = np.isnan(found) != np.isnan(exact)
    wrong |= np.isinf(exact) & (found != exact)
    wrong |= (np.signbit(found) != np.signbit(exact)) & ~np.isnan(exact)
    found_error: Array = np.where(wrong, np.inf, error)
    assert not np.isnan(found_error).any()
    return found_error


def of_bits(bits: Iterable[int] | Array) -> Array:
    return np.asarray(bits, np.uint32).view(np.float32)


def everywhere(count: int, seed: int = 0) -> Array:
    """f32 numbers of all sizes: both ends and the middle of every binade, and random bits, NaN and ∞ among them."""
    random = np.random.default_rng(seed).integers(0, 2**32, count, np.uint32)
    ends = [(b << 23) + m for b in range(512) for m in (0, 1, 2, 0x3504F2, 0x3504F3, 0x400000, 0x7FFFFE, 0x7FFFFF)]
    return np.concatenate([of_bits(ends), of_bits(random)])


def usual(count: int) -> Array:
    """f32 numbers of the sizes in which most functions vary."""
    return np.concatenate([np.linspace(-w, w, count, dtype=np.float32) for w in (1.01, 6.0, 110.0, 1e5)])
