"""Arithmetic on one element, said once and read twice: as expressions for kernels, and as nodes for gradients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .op import Elementwise, Op
from .types import BOOL, I32, DType

if TYPE_CHECKING:
    from .graph import Builder, Node

Number: TypeAlias = "int | float | bool"
Operand: TypeAlias = "Value | int | float"

# Every scalar operation and its number of operands. An elementwise operation of the same word exists for each.
_UNARY = """neg abs sign exp log log1p expm1 sqrt square reciprocal sin cos tan asin acos atan sinh cosh tanh
sigmoid erf floor ceil round logical_not is_finite is_nan"""
_COMPARISONS = "eq ne lt le gt ge"
_BINARY = f"add sub mul div floor_div mod pow max min atan2 and or xor {_COMPARISONS}"
ARITY = dict.fromkeys(_UNARY.split(), 1) | dict.fromkeys(_BINARY.split(), 2) | {"where": 3}
COMPARISONS = frozenset(_COMPARISONS.split())

# Values of a row: what combines all its elements, an operand that has one element for each row, a position in the row
# that is refused if it lies outside, and the element there; and the position of each element.
FOLDS = {"sum": "row_sum", "prod": "row_prod", "max": "row_max", "min": "row_min", "any": "row_any", "all": "row_all"}
OF_ROW, POSITION, PICKED, PLACE = "row_load", "row_position", "row_pick", "row_place"


class Value:
    """An operand with the operators of arithmetic; `e` says what they make."""

    __slots__ = ("e",)
    e: Scalars

    def __neg__(self) -> Value:
        return self.e.apply("neg", self)

    def __add__(self, other: Operand) -> Value:
        return self.e.apply("add", self, other)

    def __radd__(self, other: Operand) -> Value:
        return self.e.apply("add", other, self)

    def __sub__(self, other: Operand) -> Value:
        return self.e.apply("sub", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self.e.apply("sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self.e.apply("mul", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return self.e.apply("mul", other, self)

    def __truediv__(self, other: Operand) -> Value:
        return self.e.apply("div", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self.e.apply("div", other, self)

    def __lt__(self, other: Operand) -> Value:
        return self.e.apply("lt", self, other)

    def __le__(self, other: Operand) -> Value:
        return self.e.apply("le", self, other)

    def __gt__(self, other: Operand) -> Value:
        return self.e.apply("gt", self, other)

    def __ge__(self, other: Operand) -> Value:
        return self.e.apply("ge", self, other)


class Scalars:
    """Makes the values that scalar rules speak of."""

    def apply(self, word: str, *operands: Operand) -> Value:
        raise NotImplementedError

    def cast(self, x: Value, dtype: DType) -> Value:
        raise NotImplementedError

    def where(self, condition: Value, yes: Operand, no: Operand) -> Value:
        return self.apply("where", condition, yes, no)

    def max(self, a: Operand, b: Operand) -> Value:
        return self.apply("max", a, b)

    def min(self, a: Operand, b: Operand) -> Value:
        return self.apply("min", a, b)

    def eq(self, a: Operand, b: Operand) -> Value:
        return self.apply("eq", a, b)

    def pow(self, a: Operand, b: Operand) -> Value:
        return self.apply("pow", a, b)

    def exp(self, x: Value) -> Value:
        return self.apply("exp", x)

    def log(self, x: Value) -> Value:
        return self.apply("log", x)

    def sqrt(self, x: Value) -> Value:
        return self.apply("sqrt", x)

    def square(self, x: Value) -> Value:
        return self.apply("square", x)

    def tanh(self, x: Value) -> Value:
        return self.apply("tanh", x)

    def sigmoid(self, x: Value) -> Value:
        return self.apply("sigmoid", x)

    def erf(self, x: Value) -> Value:
        return self.apply("erf", x)

    def sin(self, x: Value) -> Value:
        return self.apply("sin", x)

    def cos(self, x: Value) -> Value:
        return self.apply("cos", x)

    def sinh(self, x: Value) -> Value:
        return self.apply("sinh", x)

    def cosh(self, x: Value) -> Value:
        return self.apply("cosh", x)

    def sign(self, x: Value) -> Value:
        return self.apply("sign", x)


@dataclass(frozen=True, eq=False, slots=True)
class Expr(Value):
    """A scalar expression. `word` is a scalar operation, `load` (operand number `value`), `const` or `cast`; in a nest
    that goes by rows also one of the words for values of rows. A position's `value` is the length of the row.

    Expressions of one `Expressions` are shared: equal ones are the same object.
    """

    e: Expressions
    word: str
    operands: tuple[Expr, ...]
    dtype: DType
    value: Number = 0

    def __repr__(self) -> str:
        if self.word == "const":
            return repr(self.value)
        if self.word in ("load", OF_ROW):
            return f"x{self.value}"
        return f"{self.word}({', '.join(map(repr, self.operands))})"


class Expressions(Scalars):
    """Makes shared expressions; the text form of a kernel's arithmetic."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], Expr] = {}

    def load(self, index: int, dtype: DType) -> Expr:
        return self._make("load", (), dtype, index)

    def constant(self, value: Number, dtype: DType) -> Expr:
        return self._make("const", (), dtype, value)

    def of_row(self, index: int, dtype: DType) -> Expr:
        """The element for the row of an operand that has the axes before those of a row."""
        return self._make(OF_ROW, (), dtype, index)

    def position(self, x: Value, length: int) -> Expr:
        """A position in a row of this length."""
        assert isinstance(x, Expr)
        return self._make(POSITION, (x,), I32, length)

    def picked(self, x: Value, position: Expr) -> Expr:
        """The element of a row at a position."""
        assert isinstance(x, Expr)
        return self._make(PICKED, (x, position), x.dtype)

    def place(self) -> Expr:
        """The position of the element at hand."""
        return self._make(PLACE, (), I32)

    def fold(self, law: str, x: Value) -> Expr:
        """All elements of the row, combined."""
        assert isinstance(x, Expr)
        return self._make(FOLDS[law], (x,), x.dtype)

    def cast(self, x: Value, dtype: DType) -> Expr:
        assert isinstance(x, Expr)
        return x if x.dtype is dtype else self._make("cast", (x,), dtype)

    def apply(self, word: str, *operands: Operand) -> Expr:
        dtype = next(o.dtype for o in reversed(operands) if isinstance(o, Expr))
        made = tuple(o if isinstance(o, Expr) else self.constant(_number(o), dtype) for o in operands)
        assert len(made) == ARITY[word]
        return self._make(word, made, BOOL if word in COMPARISONS or word.startswith("is_") else dtype)

    def _make(self, word: str, operands: tuple[Expr, ...], dtype: DType, value: Number = 0) -> Expr:
        key = (word, tuple(map(id, operands)), dtype, value, type(value))
        if key not in self._made:
            self._made[key] = Expr(self, word, operands, dtype, value)
        return self._made[key]


def parts(roots: Iterable[Expr]) -> list[Expr]:
    """Every different part of some expressions once, each after its operands; by a stack, since chains are deep."""
    found: dict[Expr, None] = {}
    stack = list(roots)[::-1]
    while stack:
        top = stack[-1]
        missing = [o for o in top.operands if o not in found]
        if missing:
            stack += reversed(missing)
        else:
            found.setdefault(stack.pop())
    return list(found)


@dataclass(frozen=True, eq=False, slots=True)
class NodeValue(Value):
    """A node of a graph as an operand."""

    e: NodeScalars
    node: Node


class NodeScalars(Scalars):
    """Makes nodes: the same rules, read as a graph."""

    def __init__(self, b: Builder) -> None:
        self.b = b

    def value(self, node: Node) -> NodeValue:
        return NodeValue(self, node)

    def apply(self, word: str, *operands: Operand) -> NodeValue:
        dtype = next(o.node.tensor.dtype for o in reversed(operands) if isinstance(o, NodeValue))
        nodes = (o.node if isinstance(o, NodeValue) else self.b.literal(_number(o), dtype) for o in operands)
        return self.value(self.b.add(Op.words[word](), *nodes))

    def cast(self, x: Value, dtype: DType) -> NodeValue:
        assert isinstance(x, NodeValue)
        return self.value(self.b.add(Op.words["cast"](dtype), x.node))


def pull_back(b: Builder, op: Elementwise, node: Node, cotangent: Node) -> Sequence[Node | None]:
    """The nodes that flow back to each operand of an elementwise node."""
    e = NodeScalars(b)
    flows = op.pull(e, e.value(cotangent), e.value(node), *map(e.value, node.inputs))
    return [flow.node if isinstance(flow, NodeValue) else None for flow in flows]


def _number(operand: Operand) -> Number:
    assert isinstance(operand, int | float)
    return operand
