"""The operations of the graph to the rows of their table: formula, gradient, and what each target has a rule for.

Formulas and gradients are what the rules of an operation give on its first sample; support is read from the tables of
rules by which a target emits, and from the operations into which the others expand.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, NamedTuple

from axonc.compiler import notation
from axonc.compiler.cuda import library as cuda_rules
from axonc.compiler.emit import library as numpy_rules
from axonc.compiler.emit.mathematics import simplest
from axonc.compiler.emit.numpy import EXPRESSIONS
from axonc.compiler.exchange.onnx_operations import OPERATIONS as ONNX
from axonc.compiler.ir.graph import DATA, Builder, Input, Item, Literal, Node
from axonc.compiler.ir.op import Elementwise, NoGradient, Op
from axonc.compiler.ir.scalar import Expr, Expressions, Value
from axonc.compiler.ir.types import F32, Tensor
from axonc.compiler.native import library as native_rules
from axonc.compiler.native.arithmetic import expression
from axonc.compiler.native.mathematics import NAME, definitions
from axonc.compiler.ops.layout import Expand, Reshape
from axonc.compiler.ops.recompute import Recompute
from axonc.compiler.ops.scan import Scan
from axonc.runtime.arrays import INSTRUCTIONS
from axonc.tests.compiler.ops.graphs import PLACE, inputs, type_of
from axonc.tests.compiler.ops.samples import SAMPLES

GIVEN = (Input, Item, Literal)  # what a graph is fed with and reads: every target has it


class _Row(NamedTuple):
    """One operation: its settings, what it gives, what flows back to each operand, and the targets that have it."""

    name: str
    settings: str
    formula: str
    gradient: str
    targets: tuple[bool, ...]


def lines() -> Iterator[str]:
    """The table, with what its columns are."""
    yield "What a plan is made of; `axonc plan --stage graph` shows them. Formulas are those of an example: x, or a, b,"
    yield "c are the operands, y is the result, g what flows back to it, ∂x what flows on to x; what only broadcasts is"
    yield "left out. Where a gradient stands empty it is zero, or there is none, as of whole numbers and truths. Each"
    yield "is computed one element at a time (scalar), in simpler operations (expand), as another order of its"
    yield "input (view), or by a routine of the target (kernel). The last columns say which targets have a rule for it."
    yield ""
    yield f"| operation | settings | what it is | formula | gradient | computed | {' | '.join(TARGETS)} |"
    yield "|---" * (6 + len(TARGETS)) + "|"
    for row in _rows():
        kind = Op.words[row.name]
        formulas = [f"`{cell(text)}`" if text else "" for text in (row.formula, row.gradient)]
        marks = ["yes" if has else "no" for has in row.targets]
        cells = [f"`{row.name}`", row.settings, cell(first(kind)), *formulas, kind.rule(), *marks]
        yield f"| {' | '.join(cells)} |"


def first(thing: Any) -> str:
    """The first paragraph of the docstring of its own, on one line."""
    own = thing.__doc__ if not isinstance(thing, type) else vars(thing).get("__doc__")
    text = inspect.cleandoc(own or "").split("\n\n")[0]
    return "" if dataclasses.is_dataclass(thing) and text.startswith(f"{thing.__name__}(") else " ".join(text.split())


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rows() -> Iterator[_Row]:
    """Every operation, by its name."""
    for name, kind in sorted(Op.words.items()):
        settings = ", ".join(kind.fields)
        if issubclass(kind, GIVEN):
            yield _Row(name, settings, "", "", tuple(True for _ in TARGETS))
            continue
        op, types = _example(kind)
        formula, gradient = _formulas(op, types)
        yield _Row(name, settings, formula, gradient, tuple(_has(op, types, rule) for rule in TARGETS.values()))


def _example(kind: type[Op]) -> tuple[Op, Sequence[Tensor]]:
    """The first sample of an operation and the types of its operands; of those that hold graphs a small one."""
    if kind.bodies:
        b = Builder(PLACE)
        types = [Tensor(F32, ()), Tensor(F32, ())]
        h, x = inputs(b, types)
        if issubclass(kind, Scan):
            return Scan(b.graph({"carry": h, "stack": x}), 1, 1), [types[0], Tensor(F32, (3,))]
        return Recompute(b.graph({"y": x})), types
    sample = SAMPLES[kind.word][0]
    return sample.op, [type_of(array) for array in sample.arrays]


# Formulas


def _names(count: int) -> tuple[str, ...]:
    return ("x",) if count == 1 else tuple("abcd"[:count])


def _formulas(op: Op, types: Sequence[Tensor]) -> tuple[str, str]:
    """The result, and the cotangent of each operand for one g of the result y."""
    names = _names(len(types))
    formula, flows = (_scalar if isinstance(op, Elementwise) else _general)(op, types, names)
    shown = [f"∂{name} = {flow}" for name, flow in zip(names, flows, strict=False) if flow]
    return formula, re.sub(r"\(\(([^()]*)\)\)", r"(\1)", "; ".join(shown))


def _scalar(op: Op, types: Sequence[Tensor], names: Sequence[str]) -> tuple[str, list[str]]:
    assert isinstance(op, Elementwise)
    result = _expression(op, types)
    e = result.e
    operands = [e.load(i, t.dtype) for i, t in enumerate(types)]
    g, y = (e.load(len(operands) + i, result.dtype) for i in (0, 1))

    def text(value: Value | float) -> str:
        return notation.text(value, (*names, "g", "y"), {}) if isinstance(value, Expr) else notation.number(value)

    try:
        flows = op.pull(e, g, y, *operands)
    except NoGradient:
        flows = ()
    return text(result), ["" if flow is None else text(flow) for flow in flows]


def _general(op: Op, types: Sequence[Tensor], names: Sequence[str]) -> tuple[str, list[str]]:
    b = Builder(PLACE)
    operands = inputs(b, types)
    result = b.add(op, *operands)
    if op.bodies:
        return op.formula(*names), []
    g = b.input("g", DATA, result.tensor)
    known = dict(zip(operands, names, strict=True)) | {result: "y", g: "g"}
    try:
        flows = op.grad(b, result, g)
    except NoGradient:
        flows = ()
    hidden = () if op.view else (Reshape, Expand)  # shapes that only broadcast
    return op.formula(*names), ["" if flow is None else _text(flow, known, hidden) for flow in flows]


def _text(node: Node, known: dict[Node, str], hidden: tuple[type[Op], ...]) -> str:
    """A node over what is known, in the formulas of its operations."""
    if node in known:
        return known[node]
    if isinstance(node.op, Literal):
        return notation.number(node.op.value)
    parts = [_text(n, known, hidden) for n in node.inputs]
    return parts[0] if isinstance(node.op, hidden) else node.op.formula(*map(_whole, parts))


def _whole(text: str) -> str:
    """A text that stands inside another, in parentheses where it has parts."""
    depth = 0
    for sign in text:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(sign, 0)
        if sign == " " and not depth:
            return f"({text})"
    return text


# Support

Rule = Callable[[Op, Sequence[Tensor]], bool]  # whether a target has an operation as such, of operands of these types


def _on_numpy(op: Op, types: Sequence[Tensor]) -> bool:
    words = INSTRUCTIONS.keys() | EXPRESSIONS.keys()
    if isinstance(op, Elementwise):
        return all(e.word in words for e in _parts(simplest(_expression(op, types))))
    return op.view or isinstance(op, Scan) or type(op) in numpy_rules.RULES


def _in_c(op: Op, types: Sequence[Tensor]) -> bool:
    return _prints(op, types, native_rules.RULES)


def _in_cuda(op: Op, types: Sequence[Tensor]) -> bool:
    return _prints(op, types, cuda_rules.RULES)


def _prints(op: Op, types: Sequence[Tensor], rules: Container[object]) -> bool:
    """Whether a target whose expressions are C has an operation."""
    if isinstance(op, Elementwise):
        return all(map(_is_c, _parts(_expression(op, types))))
    return op.view or isinstance(op, Scan) or type(op) in rules


def _is_c(e: Expr) -> bool:
    """Whether every function that the C of an operation on numbers calls is defined."""
    called = NAME.findall(expression(e, ["a", "b", "c"][: len(e.operands)]))
    return all(definitions(name) for name in called)


def _in_onnx(op: Op, types: Sequence[Tensor]) -> bool:
    return type(op) in ONNX


TARGETS: dict[str, Rule] = {"NumPy": _on_numpy, "C": _in_c, "CUDA": _in_cuda, "ONNX": _in_onnx}


def _expression(op: Elementwise, types: Sequence[Tensor]) -> Expr:
    e = Expressions()
    made = op.scalar(e, *(e.load(i, t.dtype) for i, t in enumerate(types)))
    assert isinstance(made, Expr)
    return made


def _parts(root: Expr) -> Iterator[Expr]:
    """Every operation on numbers in an expression."""
    stack = [root]
    while stack:
        top = stack.pop()
        stack += top.operands
        if top.word not in ("load", "const"):
            yield top


def _has(op: Op, types: Sequence[Tensor], rule: Rule) -> bool:
    """Whether a target computes an operation: by a rule of its own, or as the simpler ones that it is."""
    if isinstance(op, GIVEN) or rule(op, types):
        return True
    b = Builder(PLACE)
    if op.expand(b, *inputs(b, types)) is None:
        return False
    return all(_has(n.op, [i.tensor for i in n.inputs], rule) for n in b.nodes)
