"""The scalar functions of the native backend against double precision, NumPy and mpmath.

With HYPOTHESIS_PROFILE=nightly the functions of one f32 are compared at every f32 there is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from axonc.compiler.ir.scalar import ARITY
from axonc.compiler.native.function import STANDARD
from axonc.compiler.native.mathematics import definitions, header

from .compiled import COMPILER, WARNINGS, features, needs_compiler
from .functions import (
    APPROXIMATED,
    APPROXIMATED_PAIRS,
    ARRAYS,
    EXACT,
    EXACT_FLOATS,
    EXACT_PAIRS,
    INTEGERS,
    LIMITS,
    Array,
    compiled,
    everywhere,
    of_bits,
    ulps,
    usual,
    words,
)

pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::RuntimeWarning")]
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
TOOL = Path(__file__).parents[3] / "tools" / "minimax.py"

# Written with operators, or as one instruction, by whoever prints an expression.
ELSEWHERE = {"neg", "sqrt", "floor", "ceil", "logical_not", "where"}
ELSEWHERE |= {"add", "sub", "mul", "div", "and", "or", "xor", "eq", "ne", "lt", "le", "gt", "ge"}


def f32(word: str, *operands: Array) -> Array:
    return compiled("f32")(word, "f32", *operands)


def worst(word: str, *operands: Array) -> str:
    """Where the error is greatest, if it is beyond the limit."""
    oracle = (APPROXIMATED | APPROXIMATED_PAIRS)[word]
    found, exact = f32(word, *operands), oracle(*(x.astype(np.float64) for x in operands))
    error = ulps(found, exact)
    at = int(np.argmax(error))
    given = ", ".join(f"{x[at]!r}" for x in operands)
    return f"{word}({given}) = {found[at]!r}, not {exact[at]!r}" if error[at] > LIMITS[word] else ""


@pytest.mark.parametrize("word", APPROXIMATED)
def test_a_function_of_f32_is_as_near_as_promised(word: str) -> None:
    assert worst(word, np.concatenate([everywhere(200_000), usual(100_000)])) == ""


@pytest.mark.skipif(not NIGHTLY, reason="takes a minute for each function")
@pytest.mark.parametrize("word", APPROXIMATED)
def test_a_function_is_as_near_as_promised_at_every_f32(word: str) -> None:
    step = 1 << 22
    for start in range(0, 1 << 32, step):
        assert worst(word, of_bits(np.arange(start, start + step, dtype=np.uint64))) == ""


def pairs_of_f32(count: int) -> tuple[Array, Array]:
    """Special numbers with each other, random bits, and powers that neither overflow nor vanish."""
    special = [0.0, 1.0, 2.0, 3.0, 0.5, 1.5, np.inf, 1e-45, 1e-40, 1e30, 3.4028235e38, 2.0**24, 2.0**24 - 1, 7.0, 0.1]
    x = np.array([*special, *(-v for v in special), np.nan], np.float32)
    a, b = (v.ravel() for v in np.meshgrid(x, x))
    random = np.random.default_rng(1)
    base, exponent = np.exp(random.uniform(-3, 3, count)), random.uniform(-30, 30, count)
    near, great = np.exp(random.uniform(-0.01, 0.01, count)), random.uniform(-9000, 9000, count)
    left = np.concatenate([a, everywhere(count, 2)[:count], base, near, -base])
    right = np.concatenate([b, everywhere(count, 3)[:count], exponent, great, np.rint(exponent)])
    return left.astype(np.float32), right.astype(np.float32)


@pytest.mark.parametrize("word", APPROXIMATED_PAIRS)
def test_a_function_of_two_f32_is_as_near_as_promised(word: str) -> None:
    assert worst(word, *pairs_of_f32(100_000)) == ""


def test_what_c_has_no_operator_for_is_there_in_every_type() -> None:
    assert set(words("f32")) - {"square", "reciprocal", "gelu"} == set(ARITY) - ELSEWHERE - {"square", "reciprocal"}
    assert set(words("f64")) == set(words("f32")) - {"gelu"}


def assert_equal(found: Array, wanted: Array, *operands: Array) -> None:
    """NaN is NaN, and zeros have signs."""
    same = (found == wanted) | ((found != found) & (wanted != wanted))
    if wanted.dtype.kind == "f":
        same &= (np.signbit(found) == np.signbit(wanted)) | (found != found)
    wrong = np.flatnonzero(~same)
    at = [tuple(x[i] for x in (*operands, found, wanted)) for i in wrong[:5]]
    assert not wrong.size, f"operands, found, wanted: {at}"


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("word", EXACT | EXACT_FLOATS)
def test_exact_functions_of_a_float_are_numpys(word: str, dtype: str) -> None:
    x = np.concatenate([everywhere(50_000), np.arange(-8, 8, 0.25, dtype=np.float32)]).astype(ARRAYS[dtype])
    assert_equal(compiled(dtype)(word, dtype, x), (EXACT | EXACT_FLOATS)[word](x), x)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("word", EXACT_PAIRS)
def test_exact_functions_of_two_floats_are_numpys(word: str, dtype: str) -> None:
    a, b = (x.astype(ARRAYS[dtype]) for x in pairs_of_f32(50_000))
    found, wanted = compiled(dtype)(word, dtype, a, b), EXACT_PAIRS[word](a, b)
    if word in ("max", "min"):  # of 0 and -0 NumPy gives either
        found, wanted = found + 0, wanted + 0
    assert_equal(found, wanted, a, b)


def integers(dtype: str) -> tuple[Array, Array]:
    """Ends of the range with each other, random numbers by random and by small ones."""
    info = np.iinfo(ARRAYS[dtype])
    known = (0, 1, -1, 2, 3, -3, 7, 100, info.min, info.min + 1, info.max - 1, info.max)
    x = np.array([v for v in known if info.min <= v], info.dtype)
    a, b = (v.ravel() for v in np.meshgrid(x, x))
    random = np.random.default_rng(4)
    drawn = [random.integers(info.min, info.max, 30_000, info.dtype, endpoint=True) for _ in range(3)]
    small = random.integers(max(info.min, -9), 9, 30_000, info.dtype)
    return np.concatenate([a, drawn[0], drawn[2]]), np.concatenate([b, drawn[1], small])


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("word", [*EXACT, *EXACT_PAIRS, "pow"])
def test_functions_of_integers_are_numpys(word: str, dtype: str) -> None:
    a, b = integers(dtype)
    if word == "pow":
        a, b = a[b >= 0], b[b >= 0]
    operands = (a,) if word in EXACT else (a, b)
    wanted = (EXACT | EXACT_PAIRS | {"pow": np.power})[word](*operands)
    assert_equal(compiled(*INTEGERS)(word, dtype, *operands), wanted, *operands)


def test_a_negative_power_of_an_integer_is_cut_towards_zero() -> None:
    a = np.array([1, -1, -1, 2, -2, 0, 7], np.int32)
    b = np.array([-3, -3, -2, -1, -1, -1, -5], np.int32)
    assert compiled(*INTEGERS)("pow", "i32", a, b).tolist() == [1, -1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("word", APPROXIMATED | APPROXIMATED_PAIRS)
def test_a_function_of_f64_is_numpys(word: str) -> None:
    operands = (
        pairs_of_f32(20_000) if word in APPROXIMATED_PAIRS else (np.concatenate([everywhere(20_000), usual(9_000)]),)
    )
    doubles = tuple(x.astype(np.float64) for x in operands)
    error = ulps(compiled("f64")(word, "f64", *doubles), (APPROXIMATED | APPROXIMATED_PAIRS)[word](*doubles))
    assert error.max() <= 3  # two each, of which neither is exact


def test_gelu_is_near_in_absolute_terms() -> None:
    x = np.linspace(-12, 12, 400_001, dtype=np.float32)
    exact = 0.5 * x.astype(np.float64) * (1 + APPROXIMATED["erf"](x.astype(np.float64) / np.sqrt(2)))
    assert np.max(np.abs(f32("gelu", x) - exact)) < 1e-6


def sizes(word: str) -> Array:
    """A hundred numbers in the domain of a function, many near its ends."""
    ends = {"log": (1e-44, 3e38), "sin": (1e-3, 3e38), "cos": (1e-3, 3e38), "tan": (1e-3, 3e38), "log1p": (1e-6, 1e30)}
    ends |= dict.fromkeys(("asin", "acos"), (1e-6, 1.0))
    low, high = ends.get(word, (1e-6, 80.0))
    x = np.geomspace(low, high, 60)
    below = {"log": [], "log1p": [-1e-7, -0.3, -0.999]}.get(word, -x)
    return np.concatenate([x, below]).astype(np.float32)


@pytest.mark.parametrize("word", APPROXIMATED)
def test_mpmath_says_the_same_as_double_precision(word: str) -> None:
    mp = pytest.importorskip("mpmath")
    functions: dict[str, Callable[..., object]] = {"sigmoid": lambda x: 1 / (1 + mp.exp(-x))}
    function = functions.get(word) or getattr(mp, word)
    x = sizes(word)
    with mp.workprec(300):
        exact = np.array([float(function(mp.mpf(float(v)))) for v in x])
    assert ulps(f32(word, x), exact).max() <= LIMITS[word]


@pytest.mark.skipif("__clang__" in features() or "__AVX2__" not in features(), reason="needs gcc's report, and AVX2")
def test_loops_over_f32_are_vectors() -> None:
    assert {f"{word}_f32" for word in words("f32")} - compiled("f32").in_vectors == set()


def test_loops_over_integers_of_up_to_32_bits_divide_in_vectors() -> None:
    if "__clang__" in features() or "__AVX512F__" not in features():
        pytest.skip("needs gcc's report, and AVX-512")
    divisions = {f"{word}_{dtype}" for word in ("floor_div", "mod") for dtype in INTEGERS if dtype != "i64"}
    assert divisions - compiled(*INTEGERS).in_vectors == set()


@pytest.mark.parametrize("language", ["c", "c++"])
def test_the_header_is_plain_c_and_c_plus_plus(language: str, tmp_path: Path) -> None:
    source = tmp_path / "unit"
    source.write_text("#define AX_INLINE static inline\n" + header())
    standard = {"c": "-std=c11", "c++": "-std=c++17"}[language]
    command = [*COMPILER, "-fsyntax-only", "-Wall", "-Wextra", "-Wno-unused", standard, "-x", language, str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "cc1plus" in done.stderr:
        pytest.skip("this compiler knows no C++")
    assert (done.returncode, done.stderr) == (0, "")


def test_all_that_functions_call_is_known_without_standard_headers() -> None:
    text = STANDARD + re.sub("^#include .*", "", header(), flags=re.MULTILINE)
    command = [*COMPILER, "-std=gnu11", *WARNINGS, "-fsyntax-only", "-x", "c", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("dtype", ["f32", "f64", "u8", "i64"])
def test_what_a_text_calls_comes_with_all_that_it_needs_and_no_more(dtype: str) -> None:
    known = set(re.findall(r"\bax_\w+", header()))
    for word in set(words(dtype)) - {"gelu"}:
        text = definitions(f"y = ax_{word}_{dtype}(x);")
        defined = set(re.findall(r"AX_INLINE [\w ]+?\b(ax_\w+)\(", text))
        assert set(re.findall(r"\bax_\w+\b(?!##)", text)) & known <= defined, word
        assert len(text) < len(header()) / 3, word
    assert definitions("y = x;") == ""


def polynomials() -> Iterator[tuple[str, list[str]]]:
    """What the tool prints: of each polynomial its name and coefficients."""
    done = subprocess.run([sys.executable, str(TOOL)], capture_output=True, text=True, check=True)
    for name, line in re.findall(r"^(\w+): .*\n +(.*)$", done.stdout, re.MULTILINE):
        yield name, line.split(", ")


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs extended precision")
def test_the_coefficients_are_those_that_the_tool_derives() -> None:
    pytest.importorskip("mpmath")
    known = header()
    for name, coefficients in polynomials():
        missing = [c for c in coefficients if c.lstrip("-") not in known]
        assert missing == [], name
