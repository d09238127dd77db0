"""How operations on one element at a time are said in ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..ir.graph import Literal, Node
from ..ir.types import BOOL, U8

if TYPE_CHECKING:
    from .onnx import Writer

Operation: TypeAlias = "Callable[..., str | list[str]]"  # of the writer, the node, and the names of its operands


def same(kind: str, **attributes: Any) -> Operation:
    """An operator that means what the operation means."""
    return lambda w, node, *x: w.add(kind, *x, **attributes)


def passed_on(w: Writer, node: Node, *x: str) -> str:
    return x[0]


def level(kind: str) -> Operation:
    """An operator that means what the operation means, for operands of one dtype."""
    return lambda w, node, *x: w.add(kind, *levelled(w, node, *x))


def levelled(w: Writer, node: Node, *x: str) -> list[str]:
    """Whole numbers of different width as the wider one."""
    widest = max((n.dtype for n in node.inputs), key=lambda dtype: dtype.bytes)
    return [name if n.dtype is widest else w.cast(name, widest) for name, n in zip(x, node.inputs, strict=True)]


def square(w: Writer, node: Node, x: str) -> str:
    return w.add("Mul", x, x)


def log1p(w: Writer, node: Node, x: str) -> str:
    """log(u)·x / (u - 1) with u = 1 + x, exact near 0 (Goldberg 1991)."""
    one = w.number(1, node.tensor)
    u = w.add("Add", x, one)
    quotient = w.add("Div", w.add("Mul", w.add("Log", u), x), w.add("Sub", u, one))
    exact = w.add("Or", w.add("Equal", u, one), w.add("IsInf", u))
    return w.add("Where", exact, w.add("Where", w.add("IsInf", u), u, x), quotient)


def expm1(w: Writer, node: Node, x: str) -> str:
    """(u - 1)·x / log(u) with u = exp(x), exact near 0 (Kahan)."""
    one = w.number(1, node.tensor)
    u = w.add("Exp", x)
    less = w.add("Sub", u, one)
    quotient = w.add("Div", w.add("Mul", less, x), w.add("Log", u))
    far = w.add("Or", w.add("Less", w.add("Add", w.add("Abs", less), one), w.number(0, node.tensor)), w.add("IsInf", u))
    far = w.add("Or", far, w.add("Equal", less, w.number(-1, node.tensor)))
    return w.add("Where", w.add("Equal", u, one), x, w.add("Where", far, less, quotient))


def is_finite(w: Writer, node: Node, x: str) -> str:
    return w.add("Not", w.add("Or", w.add("IsInf", x), w.add("IsNaN", x)))


def unequal(w: Writer, node: Node, a: str, b: str) -> str:
    return w.add("Not", w.add("Equal", *levelled(w, node, a, b)))


def floor_div(w: Writer, node: Node, a: str, b: str) -> str:
    a, b = levelled(w, node, a, b)
    if node.dtype.is_float:
        return w.add("Floor", w.add("Div", a, b))
    return w.add("Div", w.add("Sub", a, w.add("Mod", a, b)), b)


def mod(w: Writer, node: Node, a: str, b: str) -> str:
    a, b = levelled(w, node, a, b)
    if not node.dtype.is_float:
        return w.add("Mod", a, b)
    return w.add("Sub", a, w.add("Mul", b, w.add("Floor", w.add("Div", a, b))))


def atan2(w: Writer, node: Node, a: str, b: str) -> str:
    """The angle of (b, a) from that of its slope, by the quadrant."""
    zero, turn, right = (w.number(n, node.tensor) for n in (0, math.pi, math.pi / 2))
    up, left = w.add("Less", a, zero), w.add("Less", b, zero)
    slope = w.add("Atan", w.add("Div", a, b))
    half = w.add("Where", up, w.add("Neg", turn), turn)
    turned = w.add("Where", left, w.add("Add", slope, half), slope)
    upright = w.add("Where", up, w.add("Neg", right), w.add("Where", w.add("Equal", a, zero), zero, right))
    return w.add("Where", w.add("Equal", b, zero), upright, turned)


def where(w: Writer, node: Node, condition: str, yes: str, no: str) -> str:
    if node.dtype is not BOOL:
        return w.add("Where", condition, yes, no)
    return w.cast(w.add("Where", condition, w.cast(yes, U8), w.cast(no, U8)), BOOL)


def binary_cross_entropy(w: Writer, node: Node, x: str, t: str) -> str:
    tail = w.add("Softplus", w.add("Neg", w.add("Abs", x)))
    return w.add("Add", w.add("Sub", w.add("Relu", x), w.add("Mul", x, t)), tail)


def cast(w: Writer, node: Node, x: str) -> str:
    return w.cast(x, node.dtype)


def literal(w: Writer, node: Node) -> str:
    assert isinstance(node.op, Literal)
    return w.typed(node.op.value, node.dtype)
