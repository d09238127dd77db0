"""Rules of arithmetic: what a node is equal to that costs less. Each rule's docstring is its reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from ..ir.graph import Builder, Literal, Node
from ..ir.op import Op
from ..ir.types import BOOL, DType
from ..ops.elementwise import Add, And, Cast, Div, Eq, Ge, Gt, Le, Lt, Max, Min, Mul, Ne, Or, Pow, Relu, Sub, Where, Xor
from ..ops.layout import Expand, Reshape, Transpose
from ..ops.pool import MaxPoolInput
from ..ops.unary import Abs, LogicalNot, Neg, Reciprocal, Sqrt, Square

Rule: TypeAlias = "Callable[[Builder, Node], Node | None]"
Number: TypeAlias = "int | float | bool"


def number(node: Node) -> Number | None:
    """The number that every element of a node is, where that is written in the graph."""
    source = single(node)
    return source.op.value if source is not None and isinstance(source.op, Literal) else None


def single(node: Node) -> Node | None:
    """The scalar that every element of a node is, if it is one scalar stretched."""
    while isinstance(node.op, Expand | Reshape | Transpose):
        node = node.inputs[0]
    return node if node.shape == () else None


def stretched(b: Builder, x: Node, like: Node) -> Node:
    """x in the type of `like`."""
    if x.dtype is not like.dtype:
        x = b.add(Cast(like.dtype), x)
    return x if x.shape == like.shape else b.add(Expand(like.shape), x)


def number_right(b: Builder, node: Node) -> Node | None:
    """A number stands at the right of what commutes, so that the other rules look there only."""
    left, right = node.inputs
    return b.add(node.op, right, left) if number(left) is not None and number(right) is None else None


def neutral(b: Builder, node: Node) -> Node | None:
    """x + 0, x - 0, x · 1, x / 1, x ^ 1 are x."""
    x, other = node.inputs
    value = 0 if isinstance(node.op, Add | Sub) else 1
    return stretched(b, x, node) if number(other) == value else None


def add_negative(b: Builder, node: Node) -> Node | None:
    """x + -y is x - y: one operation, not two."""
    x, y = node.inputs
    if isinstance(y.op, Neg):
        return b.add(Sub(), x, y.inputs[0])
    return b.add(Sub(), y, x.inputs[0]) if isinstance(x.op, Neg) else None


def subtract_negative(b: Builder, node: Node) -> Node | None:
    """x - -y is x + y."""
    x, y = node.inputs
    return b.add(Add(), x, y.inputs[0]) if isinstance(y.op, Neg) else None


def subtract_from_zero(b: Builder, node: Node) -> Node | None:
    """0 - x is -x."""
    zero, x = node.inputs
    return b.add(Neg(), stretched(b, x, node)) if number(zero) == 0 else None


def times_minus_one(b: Builder, node: Node) -> Node | None:
    """x · -1 is -x."""
    x, factor = node.inputs
    return b.add(Neg(), stretched(b, x, node)) if number(factor) == -1 else None


def product_of_negatives(b: Builder, node: Node) -> Node | None:
    """-x · -y and -x / -y lose both signs."""
    x, y = node.inputs
    return b.add(node.op, x.inputs[0], y.inputs[0]) if isinstance(x.op, Neg) and isinstance(y.op, Neg) else None


def negative_times_number(b: Builder, node: Node) -> Node | None:
    """-x · c is x · -c."""
    x, factor = node.inputs
    value = number(factor)
    if not isinstance(x.op, Neg) or value is None or not node.dtype.is_float:
        return None
    return b.add(Mul(), stretched(b, x.inputs[0], node), b.literal(-value, node.dtype))


def scaled_twice(b: Builder, node: Node) -> Node | None:
    """x · c · d is x · (c · d), where the product of the numbers is in the middle of the range of floats."""
    x, factor = node.inputs
    first = number(x.inputs[1]) if isinstance(x.op, Mul) else None
    second = number(factor)
    if first is None or second is None or not moderate(first * second, node.dtype):
        return None
    return b.add(Mul(), stretched(b, x.inputs[0], node), b.literal(first * second, node.dtype))


def number_to_the_smaller(b: Builder, node: Node) -> Node | None:
    """A number multiplies the smaller factor: v · (x · c) is x · (v · c)."""
    for v, product in (node.inputs, reversed(node.inputs)):
        value = number(product.inputs[1]) if isinstance(product.op, Mul) else None
        if value is None or not moderate(value, node.dtype) or product.shape != node.shape:
            continue
        if v.shape != node.shape and number(v) is None:
            scaled = b.add(Mul(), v, b.literal(value, node.dtype))
            return b.add(Mul(), stretched(b, product.inputs[0], node), scaled)
    return None


def smaller_factors_first(b: Builder, node: Node) -> Node | None:
    """(x · v) · w with fewer elements in v and w is x · (v · w), and with v = 1 / s it is x · (w / s)."""
    if node.dtype.is_half or not node.dtype.is_float:
        return None
    for w, product in (node.inputs, reversed(node.inputs)):
        if not isinstance(product.op, Mul) or product.shape != node.shape or w.shape == node.shape:
            continue
        for x, v in (product.inputs, reversed(product.inputs)):
            if x.shape == node.shape != v.shape and number(v) is None and number(w) is None:
                small = b.add(Div(), w, v.inputs[0]) if isinstance(v.op, Reciprocal) else b.add(Mul(), v, w)
                return b.add(Mul(), x, small)
    return None


def times_itself(b: Builder, node: Node) -> Node | None:
    """x · x is x²: one operand to read."""
    x, y = node.inputs
    return b.add(Square(), x) if x is y else None


def divide_by_number(b: Builder, node: Node) -> Node | None:
    """x / c is x · (1 / c): a product takes a fraction of a division's time."""
    x, divisor = node.inputs
    value = number(divisor)
    if not value or not moderate(1 / value, node.dtype):
        return None
    return b.add(Mul(), x, stretched(b, b.literal(1 / value, node.dtype), divisor))


def divide_by_smaller(b: Builder, node: Node) -> Node | None:
    """x / v with fewer elements in v is x · (1 / v): few divisions, many products. In f16, 1 / v may be too large."""
    x, v = node.inputs
    if x.shape != node.shape or v.shape in (node.shape, ()) or number(v) is not None or node.dtype.is_half:
        return None
    return b.add(Mul(), x, b.add(Reciprocal(), v))


def power(b: Builder, node: Node) -> Node | None:
    """The powers 2, 3, ½ and -1 have operations of their own, many times faster; the root of -∞ becomes NaN."""
    x, exponent = node.inputs
    x = stretched(b, x, node)
    match number(exponent):
        case 2:
            return b.add(Square(), x)
        case 3:
            return b.add(Mul(), b.add(Square(), x), x)
        case 0.5:
            return b.add(Sqrt(), x)
        case -1 if node.dtype.is_float:
            return b.add(Reciprocal(), x)
    return None


def twice_negative(b: Builder, node: Node) -> Node | None:
    """--x is x, and so is not not x."""
    (x,) = node.inputs
    return x.inputs[0] if type(x.op) is type(node.op) else None


def negative_difference(b: Builder, node: Node) -> Node | None:
    """-(x - y) is y - x."""
    (difference,) = node.inputs
    return b.add(Sub(), *reversed(difference.inputs)) if isinstance(difference.op, Sub) else None


def negative_multiple(b: Builder, node: Node) -> Node | None:
    """-(x · c) is x · -c."""
    (product,) = node.inputs
    value = number(product.inputs[1]) if isinstance(product.op, Mul) else None
    if value is None or not node.dtype.is_float:
        return None
    return b.add(Mul(), stretched(b, product.inputs[0], node), b.literal(-value, node.dtype))


def without_sign(b: Builder, node: Node) -> Node | None:
    """The square and the absolute value of -x and of |x| are those of x."""
    (x,) = node.inputs
    return b.add(node.op, x.inputs[0]) if isinstance(x.op, Neg | Abs) else None


def again_the_same(b: Builder, node: Node) -> Node | None:
    """relu of relu is relu."""
    (x,) = node.inputs
    return x if type(x.op) is type(node.op) else None


def of_itself(b: Builder, node: Node) -> Node | None:
    """max(x, x), min(x, x), x and x, x or x are x."""
    x, y = node.inputs
    return x if x is y else None


def known_truth(b: Builder, node: Node) -> Node | None:
    """`and` and `or` with a truth that is written are the other operand, or that truth."""
    x, other = node.inputs
    value = number(other)
    if value is None:
        return None
    return stretched(b, x if bool(value) is isinstance(node.op, And) else other, node)


def choice_of_one(b: Builder, node: Node) -> Node | None:
    """A choice between equals, or by a condition that is written, is no choice."""
    condition, yes, no = node.inputs
    value = number(condition)
    if yes is no or value is not None:
        return stretched(b, yes if value or yes is no else no, node)
    return None


def choice_turned(b: Builder, node: Node) -> Node | None:
    """`where(not c, x, y)` is `where(c, y, x)`."""
    condition, yes, no = node.inputs
    return b.add(node.op, condition.inputs[0], no, yes) if isinstance(condition.op, LogicalNot) else None


def choice_within_choice(b: Builder, node: Node) -> Node | None:
    """What an equal condition has decided is not asked again."""
    condition, yes, no = node.inputs
    if isinstance(yes.op, Where) and yes.inputs[0] is condition and yes.inputs[1].shape == yes.shape:
        return b.add(node.op, condition, yes.inputs[1], no)
    if isinstance(no.op, Where) and no.inputs[0] is condition and no.inputs[2].shape == no.shape:
        return b.add(node.op, condition, yes, no.inputs[2])
    return None


def choice_before_pool(b: Builder, node: Node) -> Node | None:
    """What a max-pool sends back to where the data compares so with a number: the maxima compare alike, and are
    fewer."""
    condition, sent, no = node.inputs
    if (
        not isinstance(sent.op, MaxPoolInput)
        or not isinstance(condition.op, Eq | Ne | Gt | Ge | Lt | Le)
        or number(no) != 0
    ):
        return None
    x, y, g = sent.inputs
    left, right = condition.inputs
    limit = number(right)
    if left is not x or limit is None:
        return None
    kept = b.add(condition.op, y, b.literal(limit, x.dtype))
    return b.add(sent.op, x, y, b.add(Where(), kept, g, b.literal(0.0, g.dtype)))


def cast_to_its_own(b: Builder, node: Node) -> Node | None:
    """A cast to the type that it has is nothing."""
    (x,) = node.inputs
    return x if x.dtype is node.dtype else None


def cast_twice(b: Builder, node: Node) -> Node | None:
    """A cast through a type that holds every value of the first is one cast."""
    (middle,) = node.inputs
    if not isinstance(middle.op, Cast) or not holds(middle.inputs[0].dtype, middle.dtype):
        return None
    return b.add(Cast(node.dtype), middle.inputs[0])


def holds(narrow: DType, wide: DType) -> bool:
    """Whether `wide` has every value of `narrow`, and casts on from there end as casts from `narrow` do."""
    if narrow is BOOL or narrow is wide:
        return True
    if narrow.is_float or wide.is_float:
        return narrow.is_float and wide.is_float and narrow.bytes < wide.bytes
    return narrow.bytes < wide.bytes and (narrow.value[0] == wide.value[0] or narrow.value[0] == "u")


def moderate(value: float, dtype: DType) -> bool:
    """Whether scaling by a number is far from overflow and underflow in a float type."""
    limit = 2.0**10 if dtype.is_half else 2.0**60
    return dtype.is_float and math.isfinite(value) and 1 / limit <= abs(value) <= limit


RULES: Mapping[type[Op], tuple[Rule, ...]] = {
    Add: (number_right, neutral, add_negative),
    Sub: (neutral, subtract_from_zero, subtract_negative),
    Mul: (
        number_right,
        neutral,
        times_minus_one,
        product_of_negatives,
        negative_times_number,
        scaled_twice,
        number_to_the_smaller,
        smaller_factors_first,
        times_itself,
    ),
    Div: (neutral, product_of_negatives, divide_by_number, divide_by_smaller),
    Pow: (neutral, power),
    Neg: (twice_negative, negative_difference, negative_multiple),
    LogicalNot: (twice_negative,),
    Square: (without_sign,),
    Abs: (without_sign,),
    Relu: (again_the_same,),
    Max: (number_right, of_itself),
    Min: (number_right, of_itself),
    And: (number_right, of_itself, known_truth),
    Or: (number_right, of_itself, known_truth),
    Xor: (number_right,),
    Eq: (number_right,),
    Ne: (number_right,),
    Where: (choice_of_one, choice_turned, choice_within_choice, choice_before_pool),
    Cast: (cast_to_its_own, cast_twice),
}
