"""Derives the constants of `compiler/native/mathematics.h`: polynomials, with the error that remains, and 2/π.

    python tools/minimax.py [NAME...]

A polynomial is fitted by Remez' exchange on a dense grid, with an error weighed as it enters the result. Coefficients
that are stored in f32 are rounded one after another, the most important first, and the rest is fitted anew each time.
Needs mpmath.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np

POINTS = 1500
REFINEMENTS = 6
DIGITS = 12  # of what is stored in f64: more than the polynomials are good for
Array = np.ndarray[Any, Any]
Real = Callable[[mp.mpf], mp.mpf]


@dataclass(frozen=True)
class Polynomial:
    """Σ c[k]·u^k for x in [low, high], near `value`; an error counts `weight` times. Of the c those in `given` stand.

    `variable` is u as a function of x.
    """

    value: Real
    weight: Real
    low: float
    high: float
    degree: int
    given: tuple[float, ...] = ()
    variable: Real = lambda x: x
    single: bool = True


def fitted(p: Polynomial) -> tuple[list[float], float]:
    """The coefficients, rounded to the type in which they are stored, and the greatest weighted error."""
    grid = [p.low + (p.high - p.low) * (1 - mp.cos(mp.pi * i / (POINTS - 1))) / 2 for i in range(POINTS)]
    u = _long([p.variable(x) for x in grid])
    w = _long([p.weight(x) for x in grid])
    rest = _long([p.value(x) for x in grid])
    coefficients = list(p.given)
    for k, c in enumerate(coefficients):
        rest -= np.longdouble(c) * u**k
    for k in range(len(coefficients), p.degree + 1):
        found = _exchange(u, w, rest, range(k, p.degree + 1))
        coefficients.append(float(np.float32(found[0]) if p.single else f"{found[0]:.{DIGITS}g}"))
        rest -= np.longdouble(coefficients[k]) * u**k
    return coefficients, float(np.max(np.abs(rest * w)))


def _long(values: Sequence[mp.mpf]) -> Array:
    """Numbers to the 64 bits of an extended float, as the sum of two doubles."""
    high: Array = np.array([float(v) for v in values])
    low: Array = np.array([float(v - h) for v, h in zip(values, high, strict=True)], np.longdouble)
    return low + high


def _exchange(u: Array, w: Array, value: Array, powers: range) -> Array:
    """The c of the least greatest |w·(Σ c·u^k - value)| over the grid.

    Where the lowest powers are missing the exchange may go round among choices that are nearly as good: the best of
    them is taken.
    """
    count = len(powers) + 1
    basis = np.array([u**k for k in powers])
    chosen = np.round((1 - np.cos(np.pi * (np.arange(count) + 0.5) / count)) / 2 * (len(u) - 1)).astype(int)
    signs = (-1.0) ** np.arange(count)
    seen: dict[tuple[int, ...], tuple[float, Array]] = {}
    while tuple(chosen) not in seen:
        c = _solution(np.column_stack([basis[:, chosen].T, signs / w[chosen]]), value[chosen])[:-1]
        error = w * (c @ basis - value)
        seen[tuple(chosen)] = (float(np.max(np.abs(error))), c)
        chosen = _alternating(error, count)
    return min(seen.values(), key=lambda found: found[0])[1]


def _solution(rows: Array, right: Array) -> Array:
    """x of rows @ x = right in extended precision: solved in double, then what is left over is solved for again."""
    scale: Array = np.abs(rows).max(axis=0)
    doubles = (rows / scale).astype(np.float64)
    x: Array = np.zeros(len(right), np.longdouble)
    for _ in range(REFINEMENTS):
        x += np.linalg.solve(doubles, (right - (rows / scale) @ x).astype(np.float64))
    return x / scale


def _alternating(error: Array, count: int) -> Array:
    """The places of `count` extremes of the error that alternate in sign, as great as can be."""
    stretches = np.split(np.arange(len(error)), np.flatnonzero(np.diff(np.signbit(error))) + 1)
    extremes = [s[np.argmax(np.abs(error[s]))] for s in stretches]
    while len(extremes) > count:
        ends = (0, len(extremes) - 1)
        smallest = min(range(len(extremes)), key=lambda i: abs(error[extremes[i]]))
        if len(extremes) == count + 1:
            smallest = min(ends, key=lambda i: abs(error[extremes[i]]))
        del extremes[smallest]
        if smallest not in ends:  # its neighbours have one sign: the greater stays
            pair = (smallest - 1, smallest)
            del extremes[min(pair, key=lambda i: abs(error[extremes[i]]))]
    assert len(extremes) == count, "the weight or the degree leaves no alternating error"
    return np.array(extremes)


def _ratio(above: Real, below: Real, series: Sequence[object]) -> Real:
    """above(x) / below(x), by its power series where both vanish."""
    return lambda x: above(x) / below(x) if abs(x) > mp.mpf(2) ** -40 else mp.polyval([*map(mp.mpf, series)][::-1], x)


HALF_LN2 = float(mp.log(2)) / 2 * 1.0001
ROOT = float(mp.sqrt(0.5))


def _minus_log_erfc(x: mp.mpf) -> mp.mpf:
    return -mp.log(mp.erfc(x))


def _square(x: mp.mpf) -> mp.mpf:
    return x * x


SQRT_PI = mp.sqrt(mp.pi)
QUARTER = float(mp.pi / 4) * (1 + 2**-6)

POLYNOMIALS = {
    # exp(r) - 1 = r + r²·P(r), relative
    "expm1": Polynomial(
        _ratio(lambda r: mp.expm1(r) - r, lambda r: r * r, [mp.mpf(1) / 2, mp.mpf(1) / 6]),
        lambda r: abs(r * r / mp.expm1(r)) if r else mp.mpf(2) ** -60,
        -HALF_LN2,
        HALF_LN2,
        4,
    ),
    # log(1 + f) = f - f²/2 + f³·P(f), relative
    "log": Polynomial(
        _ratio(lambda f: mp.log1p(f) - f + f * f / 2, lambda f: f**3, [mp.mpf(1) / 3, -mp.mpf(1) / 4]),
        lambda f: abs(f**3 / mp.log1p(f)) if f else mp.mpf(2) ** -60,
        ROOT - 1,
        2 * ROOT - 1,
        7,
    ),
    # erf(x) = 1 - exp(-x·P(x)), relative
    "erf": Polynomial(
        _ratio(_minus_log_erfc, lambda x: x, [2 / SQRT_PI, 2 / mp.pi]),
        lambda x: x * mp.erfc(x) / mp.erf(x) if x else SQRT_PI / 2,
        0.0,
        3.95,
        7,
    ),
    # sin(r) = r + r³·P(r²), relative
    "sin": Polynomial(
        _ratio(lambda r: mp.sin(r) - r, lambda r: r**3, [-mp.mpf(1) / 6]),
        lambda r: r**3 / mp.sin(r) if r else mp.mpf(2) ** -60,
        0.0,
        QUARTER,
        2,
        variable=_square,
    ),
    # cos(r) = 1 - r²/2 + r⁴·P(r²)
    "cos": Polynomial(
        _ratio(lambda r: mp.cos(r) - 1 + r * r / 2, lambda r: r**4, [mp.mpf(1) / 24]),
        lambda r: r**4 + mp.mpf(2) ** -60,
        0.0,
        QUARTER,
        2,
        variable=_square,
    ),
    # asin(x) = x + x³·P(x²), relative
    "asin": Polynomial(
        _ratio(lambda x: mp.asin(x) - x, lambda x: x**3, [mp.mpf(1) / 6]),
        lambda x: x**3 / mp.asin(x) if x else mp.mpf(2) ** -60,
        0.0,
        0.5,
        4,
        variable=_square,
    ),
    # atan(x) = x + x³·P(x²), relative
    "atan": Polynomial(
        _ratio(lambda x: mp.atan(x) - x, lambda x: x**3, [-mp.mpf(1) / 3]),
        lambda x: x**3 / mp.atan(x) if x else mp.mpf(2) ** -60,
        0.0,
        1.0,
        7,
        variable=_square,
    ),
    # log2(1 + f) = f·P(f), relative
    "log2": Polynomial(
        _ratio(lambda f: mp.log1p(f) / mp.log(2), lambda f: f, [1 / mp.log(2), -1 / mp.log(4)]),
        lambda f: f * mp.log(2) / mp.log1p(f) if f else mp.log(2),
        ROOT - 1,
        2 * ROOT - 1,
        12,
        single=False,
    ),
    # 2^r = 1 + r·P(r)
    "exp2": Polynomial(
        _ratio(lambda r: mp.expm1(r * mp.log(2)), lambda r: r, [mp.log(2), mp.log(2) ** 2 / 2]),
        lambda r: abs(r) / mp.mpf(2) ** r + mp.mpf(2) ** -60,
        -0.5,
        0.5,
        5,
    ),
}


def parts_of_two_over_pi(power: int) -> list[float]:
    """2^power · 2/π less a multiple of 4, as a sum of numbers of 29, 29 and 53 bits and one sign."""
    rest = mp.mpf(2) ** power * 2 / mp.pi
    rest -= 4 * mp.nint(rest / 4)
    sign, rest = mp.sign(rest), abs(rest)
    parts = []
    for bits in (29, 29, 53):
        mantissa, exponent = mp.frexp(rest)
        part = mp.ldexp(mp.floor(mp.ldexp(mantissa, bits)), exponent - bits)
        parts.append(float(sign * part))
        rest -= part
    return parts


def main() -> None:
    """Prints polynomials of f32 as f32, those of f64 with DIGITS digits, and the parts of 2/π as they are."""
    mp.mp.prec = 300
    for name in sys.argv[1:] or POLYNOMIALS:
        coefficients, error = fitted(POLYNOMIALS[name])
        print(f"{name}: error {error:.3g} = 2^{np.log2(error):.1f}")
        single = POLYNOMIALS[name].single
        print("   ", ", ".join(f"{np.float32(c)!s}f" if single else repr(c) for c in coefficients))
    for power in (0, 26, 52, 78) if not sys.argv[1:] else ():
        print(f"two_over_pi: times 2^{power}")
        print("   ", ", ".join(re.sub(r"0+p", "p", part.hex()) for part in parts_of_two_over_pi(power)))


if __name__ == "__main__":
    main()
