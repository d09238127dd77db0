"""Arithmetic where a tensor meets a tensor or a number: one element type for both, then a node."""

from __future__ import annotations

import sys
from typing import Any

from ...spec import tree
from ..ir.check import TypeMismatch
from ..ir.dims import Dim
from ..ir.graph import Node
from ..ir.op import Op
from ..ir.types import BOOL, F32, F64, DType
from ..ops.elementwise import Cast
from ..ops.state import Size
from ..ops.unary import Sqrt, Square
from . import errors
from .tracer import Tracer
from .values import describe

WORDS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "//": "floor_div",
    "%": "mod",
    "**": "pow",
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "and": "and",
    "or": "or",
}


LARGEST_F32, LARGEST_F64 = 3.4028234663852886e38, sys.float_info.max


def arithmetic(t: Tracer, e: tree.Binary, left: Any, right: Any) -> Any:
    """The node of `left operator right`, at the operator."""
    for value, span in ((left, e.left.span), (right, e.right.span)):
        if not isinstance(value, Node | int | float | Dim):
            expected = "a number or a tensor"
            return t.wrong(
                errors.WrongKind,
                span,
                subject=f"an operand of `{e.operator}`",
                expected=expected,
                found=describe(value),
            )
    if e.operator == "**" and isinstance(left, Node) and left.dtype.is_float:
        if right == 2 and isinstance(right, int | float):
            return t.b.add(Square(), left)
        if right == 0.5:
            return t.b.add(Sqrt(), left)
    pair = one_type(t, e.operator, left, right)
    if pair is None:
        return t.b.unknown()
    if e.operator == "/" and not pair[0].dtype.is_float:
        pair = tuple(t.b.add(Cast(F32), v) for v in pair)
    return t.b.add(Op.words[WORDS[e.operator]](), *pair)


def one_type(t: Tracer, operator: str, *values: Any) -> tuple[Node, ...] | None:
    """Operands as tensors of one element type: numbers take the tensor's, integers of two widths the wider.

    None where they do not go together, which is reported at the current place.
    """
    dtypes = {v.dtype for v in values if isinstance(v, Node)}
    if not dtypes:
        dtypes = {F32 if any(isinstance(v, float | Dim) for v in values) else DType.I64}
    if len(dtypes) > 1 and not all(d.is_integer for d in dtypes):
        _mixed(t, operator, values)
        return None
    dtype = max(dtypes, key=lambda d: d.bytes)
    for value in values:
        if isinstance(value, float) and not dtype.is_float:
            _mixed(t, operator, values)
            return None
        if not isinstance(value, Node | bool) and dtype is BOOL:
            _mixed(t, operator, values)
            return None
    return tuple(as_tensor(t, v, dtype) for v in values)


def as_tensor(t: Tracer, value: Any, dtype: DType) -> Node:
    """A number, size or tensor as a tensor of `dtype`."""
    if isinstance(value, Node):
        return value if value.dtype is dtype else t.b.add(Cast(dtype), value)
    if isinstance(value, Dim):
        return t.b.add(Size(value, dtype))
    if not _holds(dtype, value):
        t.wrong_here(errors.BadIndex, problem=f"{value} does not fit into {dtype}")
        return t.b.unknown()
    return t.b.literal(value, dtype)


def _holds(dtype: DType, value: float) -> bool:
    if dtype.is_float:
        return abs(value) <= (LARGEST_F64 if dtype is F64 else LARGEST_F32)
    if dtype is BOOL:
        return isinstance(value, bool)
    bits = 8 * dtype.bytes
    return 0 <= value < 1 << bits if dtype.value[0] == "u" else -1 << bits - 1 <= value < 1 << bits - 1


def _mixed(t: Tracer, operator: str, values: tuple[Any, ...]) -> None:
    shown = " and ".join(f"{v.type}" if isinstance(v, Node) else describe(v) for v in values)
    odd = next((v.dtype for v in values if isinstance(v, Node) and v.dtype.is_float), F32)
    t.root.report(
        TypeMismatch(
            t.b.place,
            problem=f"`{operator}` meets different element types",
            found=shown,
            advice=f"convert one with `cast(x, {odd})`",
        )
    )
