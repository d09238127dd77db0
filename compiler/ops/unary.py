"""Functions of one number, applied to each element; every backend knows them by their word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from ..ir.check import Check
from ..ir.op import Array, Elementwise, Precision
from ..ir.scalar import Scalars, Value
from ..ir.types import BOOL, FLOATS, DType, Tensor

NUMBERS = frozenset(DType) - {BOOL}
TRUTHS = frozenset({BOOL})


class Primitive(Elementwise, abstract=True):
    """An operation that every backend knows. It takes the dtypes of `accepts`, and gives `gives` or what it took.

    `function` is its name in array modules, `sign` its mathematical one, with braces for the operands.
    """

    accepts: ClassVar[frozenset[DType]] = NUMBERS
    gives: ClassVar[DType | None] = None
    function: ClassVar[str] = ""
    sign: ClassVar[str] = ""

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        if self.accepts == FLOATS:
            c.floats(self.word, *types)
        for t in types:
            if t.dtype not in self.accepts:
                wanted, example = ("truths", "x != 0") if self.accepts == TRUTHS else ("numbers", "cast(x, f32)")
                c.dtype(f"`{self.word}` needs {wanted}", f"{t}", advice=f"convert with `{example}`")
        dtype = c.one_dtype(self.word, *types)
        return Tensor(self.gives or dtype, c.broadcast(self.word, *types))

    def scalar(self, e: Scalars, *x: Value) -> Value:
        return e.apply(self.word, *x)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return getattr(xp, self.function or self.word)(*arrays)

    def formula(self, *names: str) -> str:
        return self.sign.format(*names) if self.sign else super().formula(*names)


class Function(Primitive, abstract=True):
    """A function of real numbers: floats only."""

    precision: ClassVar[Precision] = "wide"
    accepts = FLOATS


class Neg(Primitive):
    """-x."""

    precision = "exact"
    function = "negative"
    sign = "-{}"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [-g]


class Abs(Primitive):
    """|x|; the gradient at 0 is 0."""

    precision = "exact"
    sign = "|{}|"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * e.sign(x[0])]


class Sign(Primitive):
    """-1, 0 or 1; no gradient flows."""

    precision = "exact"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [None]


class Exp(Function):
    """e to the x."""

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * y]


class Log(Function):
    """The natural logarithm."""

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g / x[0]]


class Log1p(Function):
    """log(1 + x), exact near 0."""

    sign = "log(1 + {})"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g / (x[0] + 1.0)]


class Expm1(Function):
    """exp(x) - 1, exact near 0."""

    sign = "exp({}) - 1"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * (y + 1.0)]


class Sqrt(Function):
    """The square root; the gradient at 0 is infinite."""

    sign = "√{}"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * 0.5 / y]


class Square(Primitive):
    """x·x."""

    precision = "wide"
    sign = "{}²"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * (x[0] * 2.0)]


class Reciprocal(Function):
    """1 / x."""

    sign = "1 / {}"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [-(g * e.square(y))]


class Sin(Function):
    """Sine of an angle in radians."""

    precision = "same"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * e.cos(x[0])]


class Cos(Function):
    """Cosine of an angle in radians."""

    precision = "same"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [-(g * e.sin(x[0]))]


class Tan(Function):
    """Tangent of an angle in radians."""

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * (e.square(y) + 1.0)]


class Asin(Function):
    """The angle in [-π/2, π/2] with this sine."""

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g / e.sqrt(1.0 - e.square(x[0]))]


class Acos(Function):
    """The angle in [0, π] with this cosine."""

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [-(g / e.sqrt(1.0 - e.square(x[0])))]


class Atan(Function):
    """The angle in (-π/2, π/2) with this tangent."""

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g / (e.square(x[0]) + 1.0)]


class Sinh(Function):
    """(exp(x) - exp(-x)) / 2."""

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * e.cosh(x[0])]


class Cosh(Function):
    """(exp(x) + exp(-x)) / 2."""

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * e.sinh(x[0])]


class Tanh(Function):
    """sinh(x) / cosh(x)."""

    precision = "same"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * (1.0 - e.square(y))]


class Sigmoid(Function):
    """1 / (1 + exp(-x)), without overflow at either end."""

    precision = "same"

    def eval(self, xp: Array, *arrays: Array) -> Array:
        (x,) = arrays
        small = xp.exp(-xp.abs(x))
        return xp.where(x >= 0, 1 / (1 + small), small / (1 + small))

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * (y * (1.0 - y))]


class Erf(Function):
    """The error function, 2/√π times the integral of exp(-t²) from 0 to x."""

    precision = "same"

    def eval(self, xp: Array, *arrays: Array) -> Array:
        (x,) = arrays
        values = [math.erf(float(v)) for v in xp.reshape(x, (-1,))]
        return xp.reshape(xp.asarray(values, dtype=x.dtype), x.shape)

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g * (e.exp(-e.square(x[0])) * (2 / math.sqrt(math.pi)))]


class Rounding(Function, abstract=True):
    """A function that is constant but for steps, through which no gradient flows."""

    precision = "same"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [None]


class Floor(Rounding):
    """The greatest whole number not above x."""

    sign = "⌊{}⌋"


class Ceil(Rounding):
    """The least whole number not below x."""

    sign = "⌈{}⌉"


class Round(Rounding):
    """The nearest whole number; halves go to the even one."""


class LogicalNot(Primitive):
    """True where x is false."""

    accepts = TRUTHS
    sign = "not {}"


class IsFinite(Function):
    """True where x is neither infinite nor NaN."""

    gives = BOOL
    function = "isfinite"


class IsNan(Function):
    """True where x is NaN."""

    gives = BOOL
    function = "isnan"
