"""Arithmetic of two operands with broadcasting, comparison, choice, and what passes an element on."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.check import Check
from ..ir.graph import Builder, Literal, Node, numpy_name
from ..ir.op import Array, Elementwise
from ..ir.scalar import NodeScalars, NodeValue, Scalars, Value
from ..ir.types import BOOL, DType, Tensor
from .unary import TRUTHS, Function, Primitive


class Add(Primitive):
    """a + b."""

    sign = "{} + {}"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g, g]


class Sub(Primitive):
    """a - b."""

    function = "subtract"
    sign = "{} - {}"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g, -g]


class Mul(Primitive):
    """a · b, element by element."""

    function = "multiply"
    sign = "{} · {}"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        a, b = x
        return [g * b, g * a]


class Div(Function):
    """a / b, of floats."""

    precision = "same"
    function = "divide"
    sign = "{} / {}"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        quotient = g / x[1]
        return [quotient, -(quotient * y)]


class FloorDiv(Primitive):
    """The floor of a / b, also for negative integers, as in Python; no gradient flows."""

    function = "floor_divide"
    sign = "{} // {}"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [None, None]


class Mod(Primitive):
    """a - b·⌊a / b⌋: the remainder with the sign of the divisor, as in Python."""

    function = "remainder"
    sign = "{} mod {}"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [g, -(g * e.apply("floor_div", *x))]


class Pow(Primitive):
    """a to the b. With an exponent of 0, or of 1 or more, the gradient is finite where a is 0.

    A negative power of an integer is 0, but for those of 1 and -1. The exponent's gradient is a^b·log a, and 0 where a
    is not positive.
    """

    precision = "wide"
    sign = "{}^{}"

    def eval(self, xp: Array, *arrays: Array) -> Array:
        a, b = arrays
        if xp.isdtype(b.dtype, "real floating"):
            return xp.pow(a, b)
        return xp.where((b >= 0) | (xp.abs(a) == 1), xp.pow(a, xp.abs(b)), xp.asarray(0, dtype=a.dtype))

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        a, n = x
        base = e.where(e.apply("and", e.eq(a, 0.0), e.eq(n, 0.0)), 1.0, a)
        positive = a > 0.0
        exponent = e.where(positive, g * y * e.log(e.where(positive, a, 1.0)), 0.0)
        return [g * (n * e.pow(base, n - 1.0)), exponent]

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        exponent = node.inputs[1].op
        if g[0] is None or not isinstance(exponent, Literal):
            return super().grad(b, node, *g)
        e = NodeScalars(b)
        power = _derivative(e, e.value(node), e.value(node.inputs[0]), exponent.value)
        if power is None:
            return [None, None]
        flow = e.value(g[0]) * power
        assert isinstance(flow, NodeValue)
        return [flow.node, None]


def _derivative(e: Scalars, y: Value, a: Value, n: float) -> Value | float | None:
    """The derivative of a^n for a number n."""
    match n:
        case 0:
            return None
        case 1:
            return 1.0
        case 2:
            return a * 2.0
        case 0.5:
            return 0.5 / y
        case -1:
            return -e.square(y)
    return n * e.pow(a, n - 1)


class Max(Primitive):
    """The greater of a and b, NaN if one is NaN. Where they are equal the gradient goes to a."""

    precision = "exact"
    function = "maximum"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        first = x[0] >= x[1]
        return [e.where(first, g, 0.0), e.where(first, 0.0, g)]


class Min(Primitive):
    """The lesser of a and b, NaN if one is NaN. Where they are equal the gradient goes to a."""

    precision = "exact"
    function = "minimum"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        first = x[0] <= x[1]
        return [e.where(first, g, 0.0), e.where(first, 0.0, g)]


class Atan2(Function):
    """The angle of the point (b, a), in (-π, π]."""

    precision = "wide"

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        a, b = x
        scaled = g / (e.square(a) + e.square(b))
        return [scaled * b, -(scaled * a)]


class And(Primitive):
    """True where both are."""

    accepts = TRUTHS
    function = "logical_and"
    sign = "{} and {}"


class Or(Primitive):
    """True where one or both are."""

    accepts = TRUTHS
    function = "logical_or"
    sign = "{} or {}"


class Xor(Primitive):
    """True where exactly one is."""

    accepts = TRUTHS
    function = "logical_xor"
    sign = "{} xor {}"


class Eq(Primitive):
    """True where a = b; NaN equals nothing."""

    accepts = frozenset(DType)
    gives = BOOL
    function = "equal"
    sign = "{} = {}"


class Ne(Primitive):
    """True where a and b differ."""

    accepts = frozenset(DType)
    gives = BOOL
    function = "not_equal"
    sign = "{} ≠ {}"


class Lt(Primitive):
    """True where a < b."""

    gives = BOOL
    function = "less"
    sign = "{} < {}"


class Le(Primitive):
    """True where a ≤ b."""

    gives = BOOL
    function = "less_equal"
    sign = "{} ≤ {}"


class Gt(Primitive):
    """True where a > b."""

    gives = BOOL
    function = "greater"
    sign = "{} > {}"


class Ge(Primitive):
    """True where a ≥ b."""

    gives = BOOL
    function = "greater_equal"
    sign = "{} ≥ {}"


class Where(Primitive):
    """`yes` where the condition (bool) is true, `no` elsewhere; the condition has no gradient."""

    precision = "exact"
    accepts = frozenset(DType)
    sign = "{1} where {0} else {2}"

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        condition, yes, no = types
        if condition.dtype is not BOOL:
            c.dtype("`where` needs a condition of truths", f"{condition}", advice="compare, as in `x > 0`")
        return Tensor(c.one_dtype(self.word, yes, no), c.broadcast(self.word, *types))

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [None, e.where(x[0], g, 0.0), e.where(x[0], 0.0, g)]


class Relu(Elementwise):
    """max(x, 0); the gradient at 0 is 0."""

    precision = "exact"

    def scalar(self, e: Scalars, *x: Value) -> Value:
        return e.max(x[0], 0.0)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.maximum(arrays[0], xp.asarray(0, dtype=arrays[0].dtype))

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        c.floats(self.word, *types)
        return types[0]

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [e.where(y > 0.0, g, 0.0)]


class Cast(Elementwise):
    """x as `dtype`. Towards integers the fraction is cut off; truths are 0 and 1, and what is not 0 is true.

    The gradient is cast back between floats and stops elsewhere.
    """

    dtype: DType

    def scalar(self, e: Scalars, *x: Value) -> Value:
        return e.cast(x[0], self.dtype)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.astype(xp.asarray(arrays[0]), getattr(xp, numpy_name(self.dtype)))

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return types[0].with_dtype(self.dtype)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        source = node.inputs[0].dtype
        if g[0] is None or not source.is_float or not self.dtype.is_float:
            return [None]
        return [converted(b, g[0], source)]

    def formula(self, *names: str) -> str:
        return f"{self.dtype}({names[0]})"


def converted(b: Builder, x: Node, dtype: DType) -> Node:
    """x as `dtype`: x itself if it is that already."""
    return x if x.dtype is dtype else b.add(Cast(dtype), x)


class StopGradient(Elementwise):
    """x, as a constant: no gradient flows."""

    precision = "exact"

    def scalar(self, e: Scalars, *x: Value) -> Value:
        return x[0]

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return arrays[0]

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        return [None]

    def formula(self, *names: str) -> str:
        return names[0]
