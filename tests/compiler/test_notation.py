"""Expressions as mathematics: what Python computes of the text is what the expression says."""

import math
import operator

import pytest
from axonc.compiler.ir.scalar import Expr, Expressions
from axonc.compiler.ir.types import BOOL, F32
from axonc.compiler.notation import formulas, text
from hypothesis import given
from hypothesis import strategies as st

DEFINED = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": lambda a, b: a / b if b else 0.0,
    "floor_div": operator.floordiv,
    "mod": operator.mod,
    "max": max,
    "min": min,
    "neg": operator.neg,
    "square": lambda a: a * a,
    "abs": abs,
    "lt": lambda a, b: a < b,
    "where": lambda c, a, b: a if c else b,
}
SIGNS = {"·": "*", "²": "**2", "≠": "!=", "≤": "<=", "≥": ">=", "√": "sqrt"}


def meaning(e: Expr, operands):
    """The value of an expression by the definition of each word."""
    if e.word == "load":
        return operands[e.value]
    if e.word == "const":
        return e.value
    return DEFINED[e.word](*(meaning(o, operands) for o in e.operands))


@st.composite
def expressions(draw):
    e = Expressions()
    made = [e.load(0, F32), e.load(1, F32), e.constant(2.0, F32), e.constant(-3.0, F32)]
    for _ in range(draw(st.integers(1, 12))):
        word = draw(st.sampled_from(["add", "sub", "mul", "floor_div", "mod", *"max min neg square abs where".split()]))
        count = {"neg": 1, "square": 1, "abs": 1, "where": 3}.get(word, 2)
        picked = [draw(st.sampled_from(made)) for _ in range(count)]
        if word in ("floor_div", "mod"):  # never by zero
            picked[1] = e.apply("add", e.apply("square", picked[1]), 1.0)
        if word == "where":
            picked[0] = e.apply("lt", picked[0], picked[1])
        made.append(e.apply(word, *picked))
    return made[-1]


@given(expressions(), st.integers(-4, 4), st.integers(-4, 4))
def test_the_text_means_what_the_expression_means(e, x, y):
    wanted = meaning(e, [x, y])
    if abs(wanted) > 1e12:
        return
    shown = text(e, ["x", "y"], {})
    for sign, python in SIGNS.items():
        shown = shown.replace(sign, python)
    names = {"x": x, "y": y, "max": max, "min": min, "abs": abs, "where": lambda c, a, b: a if c else b}
    assert eval(shown, {"__builtins__": {}}, names) == pytest.approx(wanted)


def test_operands_that_bind_loosely_get_parentheses():
    e = Expressions()
    x, y = e.load(0, F32), e.load(1, F32)
    assert text(e.apply("mul", e.apply("add", x, y), x), ["x", "y"], {}) == "(x + y) · x"
    assert text(e.apply("sub", x, e.apply("sub", y, x)), ["x", "y"], {}) == "x - (y - x)"
    assert text(e.apply("sub", e.apply("sub", x, y), x), ["x", "y"], {}) == "x - y - x"
    assert text(e.apply("square", e.apply("neg", x)), ["x", "y"], {}) == "(-x)²"
    assert text(e.apply("pow", e.constant(0.9, F32), x), ["x", "y"], {}) == "0.9^x"
    assert text(e.cast(e.apply("lt", x, y), F32), ["x", "y"], {}) == "f32(x < y)"
    assert e.apply("lt", x, y).dtype is BOOL


def test_what_one_equation_defines_the_others_call_by_its_name():
    e = Expressions()
    total = e.apply("add", e.load(0, F32), e.load(1, F32))
    assert formulas((total, e.apply("sqrt", total)), ("s", "r"), ("a", "b")) == ("s = a + b", "r = √s")


def test_a_chain_of_any_length_is_written_without_recursion():
    e = Expressions()
    chain = e.load(0, F32)
    for _ in range(5000):
        chain = e.apply("add", chain, e.constant(math.pi, F32))
    assert text(chain, ["x"], {}).count("+") == 5000
