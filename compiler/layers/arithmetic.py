"""Functions of tensors, element by element; of numbers alone they are computed when compiling."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

from ..ir.dims import Dim
from ..ir.graph import Node
from ..ir.op import Op
from ..ir.types import BOOL, F32
from ..ops.elementwise import Cast, Max, Min, StopGradient, Xor
from ..ops.elementwise import Where as WhereOp
from ..trace import errors
from ..trace.kinds import Element, Number, Operand, Tensor
from ..trace.numbers import as_tensor
from ..trace.use import Use, one_type
from ..trace.values import describe
from ..trace.words import word

# Words that are one operation, and what they are of numbers alone.
FUNCTIONS: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "log": math.log,
    "log1p": math.log1p,
    "expm1": math.expm1,
    "sqrt": math.sqrt,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "erf": math.erf,
    "abs": abs,
    "sign": lambda x: (x > 0) - (x < 0),
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "is_nan": math.isnan,
    "is_finite": math.isfinite,
}


def _declare(name: str, compute: Callable[[float], float]) -> None:
    def build(u: Use, x: Operand) -> Any:
        if isinstance(x, int | float):
            return _computed(u, name, compute, x)
        return u.add(Op.words[name](), x if isinstance(x, Node) else as_tensor(u.t, x, F32))

    build.__name__ = name
    word(build)


def _computed(u: Use, name: str, compute: Callable[[float], float], x: float) -> Any:
    try:
        return compute(x)
    except (ValueError, ZeroDivisionError, OverflowError):
        u.wrong(errors.BadIndex, "x", problem=f"`{name}` of {x} is not a finite number", found=f"is {x}")


for _name, _compute in FUNCTIONS.items():
    _declare(_name, _compute)


@word
def stop_gradient(u: Use, x: Tensor) -> Any:
    return u.add(StopGradient(), x)


@word
def where(u: Use, condition: Operand, yes: Operand, no: Operand) -> Any:
    if not isinstance(condition, Node) or condition.dtype is not BOOL:
        advice = "compare, as in `where(x > 0, a, b)`"
        found = describe(condition)
        u.wrong(
            errors.WrongKind,
            "condition",
            subject="the condition of `where`",
            expected="a mask",
            found=found,
            advice=advice,
        )
    return u.add(WhereOp(), condition, *one_type(u, yes, no))


@word
def clip(u: Use, x: Tensor, *, low: Number, high: Number) -> Any:
    """x where it lies between `low` and `high`, else the nearer of them."""
    return u.add(Min(), u.add(Max(), x, u.literal(low, x.dtype)), u.literal(high, x.dtype))


@word
def cast(u: Use, x: Tensor, *, to: Element) -> Any:
    return x if x.dtype is to else u.add(Cast(to), x)


@word
def atan2(u: Use, y: Operand, x: Operand) -> Any:
    """The angle of the point (x, y) in (-π, π]."""
    if isinstance(y, int | float) and isinstance(x, int | float):
        return math.atan2(y, x)
    return fold(u, "atan2", (y, x))


@word
def xor(u: Use, a: Tensor, b: Tensor) -> Any:
    return u.add(Xor(), a, b)


@word
def add(u: Use, *xs: Tensor) -> Any:
    """The sum of several tensors, element by element."""
    return fold(u, "add", xs)


@word
def multiply(u: Use, *xs: Tensor) -> Any:
    """The product of several tensors, element by element."""
    return fold(u, "mul", xs)


def fold(u: Use, name: str, values: tuple[Any, ...]) -> Any:
    """`a op b op c`, of tensors and numbers of one element type."""
    return reduce(lambda a, b: u.add(Op.words[name](), a, b), one_type(u, *values))


def is_known(value: Any) -> bool:
    """Whether a value is a number or size, and no tensor."""
    return isinstance(value, int | float | Dim)
