"""How near and how fast the scalar functions of the native backend are, as the page docs/native-mathematics.md.

    OMP_NUM_THREADS=1 python benchmarks/mathematics.py > docs/native-mathematics.md

Errors are found as the tests find them, at more numbers. Times are the best of some rounds in which ours, PyTorch and
NumPy take turns, so that a busy machine is busy for all of them.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy and PyTorch read it

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from tests.compiler.native.compiled import features
from tests.compiler.native.functions import (
    APPROXIMATED,
    APPROXIMATED_PAIRS,
    EXACT_PAIRS,
    LIMITS,
    Array,
    Compiled,
    compiled,
    everywhere,
    ulps,
    usual,
)

FIRST, SECOND = 1 << 12, 1 << 16  # elements that fit the first cache, and the second, twice
ROUNDS = 30
SECONDS = 2e-3  # of one measurement
COMMAND = "OMP_NUM_THREADS=1 python benchmarks/mathematics.py > docs/native-mathematics.md"
PAGE = """# Scalar functions of the native backend
<!-- Written by {command} -->

`compiler/native/arithmetic.h` and `mathematics.h` hold the functions of one element that C has no operator for. Those
of f32 have no branches, calls or tables, so a loop around them becomes vectors; a test looks at the compiler's report.
`max`, `min`, `sign`, `abs`, `round`, `floor_div`, `mod` and what integers have are NumPy's to the last bit. f64 calls
the C library, one element at a time, and is as near as that is.

{system}
Errors are in units of the last place, the greatest over {count} numbers: all binades, random bits, and the ranges in
which functions vary. What is promised is tested there, and holds at every f32 there is where a function takes one
(`HYPOTHESIS_PROFILE=nightly pytest tests/compiler/native/test_mathematics.py`). NaN, infinities, overflow, denormal
results and the signs of zeros are NumPy's. Times are nanoseconds for an element with {first} elements, in the first
cache, and {second}, in the second, the best of {rounds} rounds in which all take turns.

| f32 | greatest error | promised | ns, first cache | ns, second | PyTorch, second | NumPy, second |
|---|---|---|---|---|---|---|
{rows}

## How
- `exp`, `expm1`, `sigmoid`, `tanh`, `sinh`, `cosh`: x = n·ln 2 + r and one polynomial for exp(r) - 1; 2ⁿ is put
  together from bits, in two factors where the result may be denormal. n is limited as a whole number, and what is
  beyond the limits chosen last: of limits to x compilers make comparisons, and cases that they compute apart.
- `erf`: 1 - exp(-x·P(x)), through the same expm1, so that nothing cancels near 0. GELU made of it is within 1e-6.
- `log`, `log1p`: x = 2ᵉ(1 + f) and one polynomial; `log1p` adds to f what 1 + x lost.
- `sin`, `cos`, `tan`: the angle is reduced in f64 with the bits of 2/π that its size needs, chosen from four rows, so
  that they are right for every f32. A reduction that is right up to 10⁸ alone would take less than half the time.
- `asin`, `acos`, `atan`, `atan2`: one polynomial each, of a root or a quotient where x is great.
- `pow`: log₂ a in f64, for its error is multiplied by b; 2^t in f32.
- `mod`, `floor_div`: the exact remainder in ten steps of 28 bits in f64, which cover every quotient of two f32.
- Divisions of integers of up to 32 bits: the floor of a quotient of floats, which is exact; there are no vectors of
  integer divisions. A division by 0 gives 0, as in NumPy. A negative power of an integer, which NumPy refuses, is cut
  towards 0.

Nothing relies on fused multiply-adds: without them the errors are the same within a quarter of a unit. Polynomials are
minimax fits, made by `python tools/minimax.py`; a test makes them again.
"""


def main() -> None:
    made = compiled("f32")
    functions = APPROXIMATED | APPROXIMATED_PAIRS | {word: EXACT_PAIRS[word] for word in ("mod", "floor_div", "max")}
    rows = "\n".join(row(made, word, reference) for word, reference in functions.items())
    numbers = {"count": len(points()), "first": FIRST, "second": SECOND, "rounds": ROUNDS}
    shown = {name: f"{number:,}" for name, number in numbers.items()}
    print(PAGE.format(system=system(), rows=rows, command=COMMAND, **shown), end="")


def points() -> Array:
    return np.concatenate([everywhere(2_000_000, seed=7), usual(1_000_000)])


def system() -> str:
    """Where it was measured."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":")[1].strip() for line in facts if "model name" in line), "an unknown processor")
    vectors = "AVX-512" if "__AVX512F__" in features() else "AVX2" if "__AVX2__" in features() else "128 bits"
    versions = f"NumPy {np.__version__}, PyTorch {torch.__version__}"
    return f"Measured on one core of {processor}, vectors of {vectors}, {versions}, one thread.\n"


def row(made: Compiled, word: str, reference: Callable[..., Array]) -> str:
    """One line of the table."""
    pair = word in (*APPROXIMATED_PAIRS, *EXACT_PAIRS)
    error, limit = "exact", "exact"
    if word in LIMITS:
        error, limit = f"{greatest(made, word, reference, pair):.2f}", f"{LIMITS[word]}"
    near, far = (operands(word, pair, count) for count in (FIRST, SECOND))
    few, many = (apart(np.empty(count, np.float32), 2) for count in (FIRST, SECOND))
    tensors, out = [torch.from_numpy(x) for x in far], torch.from_numpy(many)
    theirs = getattr(torch, {"max": "maximum", "mod": "remainder", "floor_div": "floor_divide"}.get(word, word))
    calls: list[Callable[[int], object]] = [
        lambda times: made(word, "f32", *near, times=times, out=few),
        lambda times: made(word, "f32", *far, times=times, out=many),
        lambda times: [theirs(*tensors, out=out) for _ in range(times)],
    ]
    if hasattr(np, getattr(reference, "__name__", "")):
        calls.append(lambda times: [reference(*far, out=many) for _ in range(times)])
    sizes = (FIRST, SECOND, SECOND, SECOND)
    times = [f"{t / n:.2f}" for t, n in zip(timed(calls), sizes, strict=False)]
    return f"| {' | '.join([f'`{word}`', error, limit, *times, ''][:7])} |"


def greatest(made: Compiled, word: str, reference: Callable[..., Array], pair: bool) -> float:
    """The greatest error over many numbers, in units of the last place."""
    x = points()
    given = (x, np.random.default_rng(8).permutation(x)) if pair else (x,)
    with np.errstate(all="ignore"):
        return float(ulps(made(word, "f32", *given), reference(*(v.astype(np.float64) for v in given))).max())


def operands(word: str, pair: bool, count: int) -> tuple[Array, ...]:
    """Usual numbers in the domain of a function."""
    random = np.random.default_rng(9)
    x = 3 * random.normal(size=count)
    if word in ("log", "log1p", "pow"):
        x = np.exp(x)
    if word in ("asin", "acos"):
        x = np.sin(x)
    given = (x, random.normal(size=count)) if pair else (x,)
    return tuple(apart(v.astype(np.float32), i) for i, v in enumerate(given))


def apart(x: Array, place: int) -> Array:
    """The numbers of x, aligned as those of a plan, so that no two arrays lie alike in the pages of the first cache."""
    room = np.empty(x.size + 4096, np.float32)
    start = (-room.ctypes.data // 4 + 16 * 17 * (place + 1)) % 1024
    found: Array = room[start : start + x.size]
    found[:] = x
    return found


def timed(calls: list[Callable[[int], object]]) -> list[float]:
    """Nanoseconds of each call, the best of ROUNDS in turns."""
    counts = [max(1, int(SECONDS / (seconds(call, 50) / 50))) for call in calls]
    rounds = [[seconds(call, n) / n for call, n in zip(calls, counts, strict=True)] for _ in range(ROUNDS)]
    return [1e9 * min(times) for times in zip(*rounds, strict=True)]


def seconds(call: Callable[[int], object], times: int) -> float:
    """Of this thread's own time: a busy machine takes the processor away."""
    start = time.thread_time()
    call(times)
    return time.thread_time() - start


if __name__ == "__main__":
    main()
