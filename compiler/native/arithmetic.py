"""Scalar expressions as C: each different part once, in an order in which its operands stand before it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..ir.bfloat import rounded
from ..ir.graph import numpy_name
from ..ir.scalar import Expr, Number
from ..ir.types import BF16, BOOL, F16, F32, F64, DType
from .function import TYPES, Function

OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<="}
OPERATORS |= {"gt": ">", "ge": ">=", "and": "&", "or": "|", "xor": "^"}
ROUNDINGS = {"floor": "floor", "ceil": "ceil", "round": "rint", "sqrt": "sqrt"}  # one instruction each


class Arithmetic:
    """Writes the parts of expressions into a function; `load(i)` gives the C of operand i of the kernel."""

    def __init__(self, f: Function, load: Callable[[int], str]) -> None:
        self.f = f
        self.load = load
        self.known: dict[Expr, str] = {}

    def value(self, root: Expr) -> str:
        """The C of an expression's value, after lines for all it needs; a stack of our own, since chains are deep."""
        stack = [root]
        while stack:
            top = stack[-1]
            missing = [o for o in top.operands if o not in self.known]
            if top in self.known:
                stack.pop()
            elif missing:
                stack += reversed(missing)
            else:
                self.known[top] = self._part(stack.pop())
        return self.known[root]

    def _part(self, x: Expr) -> str:
        if x.word == "const":
            return constant(x.value, x.dtype)
        text = self.load(int(x.value)) if x.word == "load" else expression(x, [self.known[o] for o in x.operands])
        name = self.f.fresh()
        self.f.line(f"const {local(x.dtype)} {name} = {text};")
        return name


def local(dtype: DType) -> str:
    """The C type of a value in a register: f16 and bf16 are computed in f32."""
    return "float" if dtype.is_half else "_Bool" if dtype is BOOL else TYPES[dtype]


def constant(value: Number, dtype: DType) -> str:
    """A number as C that stands for exactly that number."""
    if dtype is BOOL:
        return str(int(bool(value)))
    if not dtype.is_float:
        return f"(({TYPES[dtype]}){int(value)})" if value != -(2**63) else "INT64_MIN"
    narrow = np.dtype(numpy_name(dtype)).type(value)
    if dtype is BF16:
        narrow = rounded(np, narrow)[()]
    if not math.isfinite(narrow):
        sign = "-" if narrow < 0 else ""
        return "((float)NAN)" if math.isnan(narrow) else f"({sign}(float)INFINITY)"
    text = repr(float(narrow)) if dtype is F64 else f"{np.format_float_scientific(np.float32(narrow), trim='0')}f"
    return f"({text})" if text.startswith("-") else text


def expression(x: Expr, operands: list[str]) -> str:
    """One operation on values that have names."""
    word, dtype = x.word, x.operands[0].dtype
    match word, operands:
        case "cast", [a]:
            return _cast(a, x.dtype)
        case "where", [condition, yes, no]:
            return f"{condition} ? {yes} : {no}"
        case "neg", [a]:
            return _wrapping("-", dtype, "0", a) if dtype.is_integer else f"-{a}"
        case "square", [a]:
            return _wrapping("*", dtype, a, a) if dtype.is_integer else f"{a} * {a}"
        case "reciprocal", [a]:
            return f"1 / {a}"
        case "logical_not", [a]:
            return f"!{a}"
        case (("max" | "min"), [a, b]) if _is_number(x.operands[1]):
            return f"{a} {'<' if word == 'max' else '>'} {b} ? {b} : {a}"  # a NaN in a stays
        case "div", [a, b] if not dtype.is_float:
            return f"(double){a} / (double){b}"
        case (("add" | "sub" | "mul"), [a, b]) if dtype.is_integer:
            return _wrapping(OPERATORS[word], dtype, a, b)
        case _ if word in OPERATORS:
            return f" {OPERATORS[word]} ".join(operands)
        case _ if word in ROUNDINGS and dtype.is_float:
            return f"__builtin_{ROUNDINGS[word]}{'' if dtype is F64 else 'f'}({operands[0]})"
    kind = F32 if dtype.is_half else dtype
    return f"ax_{word}_{kind}({', '.join(operands)})"


def _wrapping(operator: str, dtype: DType, a: str, b: str) -> str:
    """Whole numbers whose overflow wraps, as NumPy's does: in C it is defined without sign only."""
    unsigned = f"u{TYPES[dtype].removeprefix('u')}"
    return f"({TYPES[dtype]})(({unsigned}){a} {operator} ({unsigned}){b})"


def _cast(a: str, target: DType) -> str:
    if target is BOOL:
        return f"{a} != 0"
    if target is BF16:
        return f"ax_widen(ax_narrow({a}))"
    return f"({local(target)}){a}" if target is not F16 else f"(float)(_Float16){a}"


def number(dtype: DType, element: str) -> str:
    """An element of memory as a value in a register."""
    if dtype is BOOL:
        return f"{element} != 0"
    if dtype is BF16:
        return f"ax_widen({element})"
    return f"(float){element}" if dtype is F16 else element


def stored(dtype: DType, value: str) -> str:
    """A value in a register as an element of memory."""
    return f"ax_narrow({value})" if dtype is BF16 else value


def _is_number(x: Expr) -> bool:
    return x.word == "const" and x.value == x.value
