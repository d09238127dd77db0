"""Arithmetic on single numbers in Python: a NumPy call for one number costs as much as ten operations of Python.

A program is straight-line: registers hold the constants, then the operands, then each result in turn. It is computed
in double precision and rounded where it is stored. What has no value is nan or infinite, as in NumPy.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

NAN, INFINITY = math.nan, math.inf


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    return NAN if a == 0 or a != a else math.copysign(INFINITY, a) * math.copysign(1.0, b)


def _power(a: float, b: float) -> float:
    try:
        value = a**b
    except OverflowError:
        return INFINITY
    except ZeroDivisionError:
        return INFINITY
    return NAN if isinstance(value, complex) else value


def _square_root(x: float) -> float:
    return math.sqrt(x) if x >= 0 else NAN


def _exponential(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return INFINITY


def _logarithm(x: float) -> float:
    return math.log(x) if x > 0 else -INFINITY if x == 0 else NAN


def _floor(x: float) -> float:
    return float(math.floor(x)) if math.isfinite(x) else x


def _cosine(x: float) -> float:
    return math.cos(x) if math.isfinite(x) else NAN


def _greater(a: float, b: float) -> float:
    return a if a >= b or a != a else b


def _lesser(a: float, b: float) -> float:
    return a if a <= b or a != a else b


def _choose(condition: bool, yes: float, no: float) -> float:
    return yes if condition else no


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": _divide,
    "pow": _power,
    "neg": operator.neg,
    "square": lambda a: a * a,
    "reciprocal": lambda a: _divide(1.0, a),
    "sqrt": _square_root,
    "exp": _exponential,
    "log": _logarithm,
    "floor": _floor,
    "cos": _cosine,
    "abs": abs,
    "max": _greater,
    "min": _lesser,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "where": _choose,
    "cast": float,
}
UNARY = "neg square reciprocal sqrt exp log floor cos abs cast".split()
ARITIES: Mapping[str, int] = {word: 3 if word == "where" else 1 if word in UNARY else 2 for word in FUNCTIONS}


def bind(writes: Sequence[Any], reads: Sequence[Any], attributes: Mapping[str, Any]) -> tuple[Callable[[], None], ...]:
    """One call that runs the attribute `program`: entries are (word, registers...); `results` are registers."""
    constants: list[float] = list(attributes["constants"])
    readers = [r.item if isinstance(r, np.ndarray) else partial(float, r) for r in reads]
    program = [
        (FUNCTIONS[word], *registers, *(None,) * (3 - len(registers))) for word, *registers in attributes["program"]
    ]
    results = list(zip(writes, attributes["results"], strict=True))

    def run() -> None:
        values = constants.copy()
        for read in readers:
            values.append(read())
        for function, a, b, c in program:
            if b is None:
                values.append(function(values[a]))
            elif c is None:
                values.append(function(values[a], values[b]))
            else:
                values.append(function(values[a], values[b], values[c]))
        for target, register in results:
            target[()] = values[register]

    return (run,)
