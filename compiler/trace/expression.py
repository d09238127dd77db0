"""Expressions to values: numbers are computed, tensors become nodes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, assert_never

from ...spec import tree
from ..ir.dims import Dim, Size, floor_divide
from ..ir.types import BOOL, F32
from ..ops.contract import Matmul
from ..ops.elementwise import Cast
from ..ops.unary import LogicalNot, Neg
from . import errors, words
from .calls import call, piped
from .indexing import index
from .library import library_block
from .numbers import arithmetic, as_tensor
from .scope import Scope
from .tracer import PHASE_WORDS, Tracer, is_unknown
from .undefined import undefined
from .values import MISSING, BlockWord, Chain, Instance, Word, count_items, describe, is_number, is_tensor

LONGEST_NUMBER = 63  # bits of a whole number
LONGEST_LIST = 10_000  # items
MOST_TERMS = 64  # of a size with free names
HIGHEST_POWER = 16  # of a free size


def evaluate(t: Tracer, scope: Scope, e: tree.Expression) -> Any:
    """The value of an expression; MISSING where a mistake was reported."""
    t.count(e.span)
    match e:
        case tree.Number():
            return e.value
        case tree.Text():
            return e.value
        case tree.Name():
            return _name(t, scope, e)
        case tree.ListOf():
            return _list(t, e, tuple(evaluate(t, scope, i) for i in e.items))
        case tree.Unary():
            return _unary(t, scope, e)
        case tree.Binary():
            return _binary(t, scope, e)
        case tree.Choice():
            return _choice(t, scope, e)
        case tree.Call():
            return call(t, scope, e)
        case tree.Pipe():
            return _pipe(t, scope, e)
        case tree.Index():
            return index(t, scope, e)
        case tree.Member():
            return _member(t, scope, e)
        case _:
            assert_never(e)


def lookup(t: Tracer, scope: Scope, name: str) -> Any:
    """What a name stands for: the body's own names, the constants, the blocks, the built-in words. None if nothing.

    Blocks of the standard library know no constants and blocks of the spec.
    """
    if name in scope.names:
        return scope.names[name]
    if name in _PLAIN:
        return _PLAIN[name]
    if name in PHASE_WORDS:
        return t.is_in(PHASE_WORDS[name])
    if scope.in_library:
        return built_in(name)
    if name in t.constants:
        return t.constants[name]
    return t.blocks.get(name) or built_in(name)


def built_in(name: str) -> Word | BlockWord | None:
    """The word of the language that has this name."""
    return words.find(name) or library_block(name)


_PLAIN = {"true": True, "false": False, "none": None}


def _list(t: Tracer, e: tree.Expression, items: tuple[Any, ...]) -> Any:
    """The items as a list, if all are known and there are not too many, those of inner lists counted."""
    if any(map(is_unknown, items)):
        return MISSING
    if count_items(items, LONGEST_LIST) > LONGEST_LIST:
        t.stop(e.span)
    return items


def _name(t: Tracer, scope: Scope, e: tree.Name) -> Any:
    if e.text in _PLAIN and e.text not in scope.names:
        return _PLAIN[e.text]
    value = lookup(t, scope, e.text)
    if value is None and e.text not in scope.names and e.text not in t.constants:
        return undefined(t, scope, e)
    if isinstance(value, Word | BlockWord):
        return Instance(value, (), scope.label_path(e), e.span)
    return value


def known_names(t: Tracer, scope: Scope) -> list[str]:
    """Every name that could stand here, own names first."""
    from .library import library_names

    return [*scope.names, *t.constants, *t.blocks, *words.names(), *library_names()]


def _unary(t: Tracer, scope: Scope, e: tree.Unary) -> Any:
    value = evaluate(t, scope, e.value)
    if is_unknown(value):
        return MISSING
    if e.operator == "not":
        if isinstance(value, bool):
            return not value
        if is_tensor(value) and value.dtype is BOOL:
            with t.at(e.span):
                return t.b.add(LogicalNot(), value)
        return t.wrong(
            errors.WrongKind, e.value.span, subject="`not`", expected="true, false or a mask", found=describe(value)
        )
    if is_number(value):
        return -value if e.operator == "-" else value
    if is_tensor(value):
        with t.at(e.span):
            return t.b.add(Neg(), value) if e.operator == "-" else value
    return t.wrong(
        errors.WrongKind,
        e.value.span,
        subject=f"`{e.operator}`",
        expected="a number or a tensor",
        found=describe(value),
    )


def _binary(t: Tracer, scope: Scope, e: tree.Binary) -> Any:
    if e.operator in ("and", "or"):
        return _logic(t, scope, e)
    left, right = evaluate(t, scope, e.left), evaluate(t, scope, e.right)
    if is_unknown(left) or is_unknown(right):
        return MISSING
    with t.at(e.place):
        if e.operator in ("==", "!=") and (left is None or right is None):
            return (left is right) is (e.operator == "==")
        if e.operator == "@":
            return _product(t, e, left, right)
        if is_tensor(left) or is_tensor(right):
            return arithmetic(t, e, left, right)
        return _known(t, e, left, right)


_NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": floor_divide,
    "%": operator.mod,
    "**": operator.pow,
}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _known(t: Tracer, e: tree.Binary, left: Any, right: Any) -> Any:
    """Arithmetic on what is known when compiling."""
    if e.operator in ("==", "!="):
        return _equal(t, e, left, right)
    if e.operator == "+" and isinstance(left, tuple) and isinstance(right, tuple):
        return _list(t, e, left + right)
    if not (is_number(left) and is_number(right)):
        odd, span = (left, e.left.span) if not is_number(left) else (right, e.right.span)
        return t.wrong(
            errors.WrongKind,
            span,
            subject=f"an operand of `{e.operator}`",
            expected="a number or a tensor",
            found=describe(odd),
        )
    if e.operator in _ORDER:
        return _compare(t, e, left, right)
    return _compute(t, e, left, right)


def _equal(t: Tracer, e: tree.Binary, left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        difference = left - right
        if isinstance(difference, Dim):
            return _undecided(t, e, difference)
        same = difference == 0
    else:
        same = left is right or (not isinstance(left, Instance | Chain) and type(left) is type(right) and left == right)
    return same if e.operator == "==" else not same


def _compare(t: Tracer, e: tree.Binary, left: Any, right: Any) -> Any:
    difference = left - right
    if isinstance(difference, Dim):
        return _undecided(t, e, difference)
    return _ORDER[e.operator](difference, 0)


def _undecided(t: Tracer, e: tree.Binary, difference: Dim) -> Any:
    names = ", ".join(f"`{n}`" for n in sorted(difference.names))
    return t.wrong(
        errors.NotKnown,
        e.place,
        subject=f"`{e.operator}` of sizes",
        found=f"open: {names} is free",
        advice="bind the dimension with data or write a number in the input's type; for tensors use `where`",
    )


def _compute(t: Tracer, e: tree.Binary, left: Any, right: Any) -> Any:
    if isinstance(left, Dim) or isinstance(right, Dim):
        if e.operator == "**" and isinstance(right, int) and 0 <= right <= HIGHEST_POWER:
            return _bounded(t, e, [left] * right)
        if e.operator not in ("+", "-", "*", "//", "%") or isinstance(left, float) or isinstance(right, float):
            return arithmetic(t, e, as_tensor(t, left, F32), as_tensor(t, right, F32))
    if e.operator == "**" and isinstance(left, int) and left.bit_length() * abs(right) > LONGEST_NUMBER:
        return t.wrong(errors.BadIndex, e.place, problem="this number is too large")
    try:
        value = _NUMBERS[e.operator](left, right)
    except ZeroDivisionError:
        return t.wrong(errors.BadIndex, e.right.span, problem="division by zero", found="is 0")
    except OverflowError:
        value = math.inf
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        return t.wrong(errors.BadIndex, e.place, problem=f"`{e.operator}` has no finite result here")
    if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
        return t.wrong(errors.BadIndex, e.place, problem="this number is too large")
    if isinstance(value, Dim) and len(value.terms) > MOST_TERMS:
        return t.wrong(errors.BadIndex, e.place, problem="this size is too long a sum")
    return value


def _bounded(t: Tracer, e: tree.Binary, factors: list[Size]) -> Any:
    """The product of sizes, if it does not grow too long."""
    total: Size = 1
    for factor in factors:
        total = total * factor
        if isinstance(total, Dim) and len(total.terms) > MOST_TERMS:
            return t.wrong(errors.BadIndex, e.place, problem="this size is too long a sum")
    return total


def _logic(t: Tracer, scope: Scope, e: tree.Binary) -> Any:
    """`and`, `or`: of masks, or decided from the left; the other side is still checked."""
    left, right = evaluate(t, scope, e.left), evaluate(t, scope, e.right)
    if is_unknown(left) or is_unknown(right):
        return MISSING
    for value, span in ((left, e.left.span), (right, e.right.span)):
        if not isinstance(value, bool) and not (is_tensor(value) and value.dtype is BOOL):
            return t.wrong(
                errors.WrongKind,
                span,
                subject=f"an operand of `{e.operator}`",
                expected="true, false or a mask",
                found=describe(value),
            )
    if isinstance(left, bool) and isinstance(right, bool):
        return (left and right) if e.operator == "and" else (left or right)
    with t.at(e.place):
        return arithmetic(t, e, left, right)


def _product(t: Tracer, e: tree.Binary, left: Any, right: Any) -> Any:
    for value, span in ((left, e.left.span), (right, e.right.span)):
        if not is_tensor(value):
            return t.wrong(
                errors.WrongKind, span, subject="an operand of `@`", expected="a tensor", found=describe(value)
            )
    if left.dtype is not right.dtype and BOOL in (left.dtype, right.dtype):
        left, right = (t.b.add(Cast(F32), v) if v.dtype is BOOL else v for v in (left, right))
    return t.b.add(Matmul(False, False), left, right)


def _choice(t: Tracer, scope: Scope, e: tree.Choice) -> Any:
    from .branches import check_names

    condition = known_truth(t, scope, e.condition)
    if condition is None:
        check_names(t, scope, (e.yes, e.no))
        return MISSING
    check_names(t, scope, e.no if condition else e.yes)
    return evaluate(t, scope, e.yes if condition else e.no)


def known_truth(t: Tracer, scope: Scope, e: tree.Expression) -> bool | None:
    """A condition, which must be known when compiling; None where it is not and that was reported."""
    value = evaluate(t, scope, e)
    if is_unknown(value):
        return None
    if isinstance(value, bool):
        return value
    advice = "choose between tensors element by element with `where(condition, yes, no)`" if is_tensor(value) else ""
    t.wrong(errors.NotKnown, e.span, subject="a condition", found=describe(value), advice=advice)
    return None


def _pipe(t: Tracer, scope: Scope, e: tree.Pipe) -> Any:
    value = evaluate(t, scope, e.value)
    return piped(t, scope, value, e)


def _member(t: Tracer, scope: Scope, e: tree.Member) -> Any:
    value = evaluate(t, scope, e.value)
    if is_unknown(value):
        return MISSING
    if isinstance(value, Instance):
        found = value.weights.get(e.name.text)
        if found is not None:
            return found
        advice = "" if value.weights else "use the layer before its weights: they are made at the first use"
        return t.wrong(
            errors.NoSuchMember,
            e.name.span,
            subject=f"`{value.path}`",
            name=e.name.text,
            members=", ".join(value.weights),
            advice=advice,
        )
    return t.wrong(errors.NoSuchMember, e.name.span, subject=describe(value), name=e.name.text)
