"""Graphs as text for people and tests, and back: one line a node, and `read(write(graph)) == graph`.

    %x = input("x", "data", f32[N, 4])
    %w = input("w", "parameter", f32[4, 3])
    %2 = matmul(%x, %w): f32[N, 3]  # model.axon:7:3
    %3 = sum(%2, axes=[0, 1]): f32[]
    return loss=%3
    update w=%w
    guard 2 * (H // 2) == H

Types behind a colon may be left out; where they stand, `read` compares them with what it infers. Comments run to
the end of the line. A body graph is an attribute in braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from ...spec.source import CompileError, Diagnostic, Place, Source, Span
from . import dims
from .dims import Dim, Size
from .graph import Builder, Graph, Input, Node
from .op import Op, attributes
from .types import WORDS, DType, Several, Tensor, Type

_CONSTANTS: dict[str, Any] = {
    "true": True,
    "false": False,
    "none": None,
    "inf": float("inf"),
    "-inf": float("-inf"),
    "nan": float("nan"),
    **WORDS,
}
_NAME = re.compile(r"[\w.]+")
_SPACE = re.compile(r"(?:\s+|#[^\n]*)*")
_KEY = re.compile(r"(\w+)\s*=(?!=)")
_INTEGER = re.compile(r"-?\d+")
_FLOAT = re.compile(r"-?\d[\d.]*(?:e[+-]?\d+)?")


class MalformedGraph(Diagnostic):
    """Text that is no graph."""

    code = "malformed-graph"
    title = "this text is no graph: {problem}"
    label = "{problem}"
    problem: str


def write(graph: Graph, *, places: bool = False) -> str:
    """The graph as text; with `places` each node says as a comment where the spec asked for it."""
    return "".join(f"{line}\n" for line in _lines(graph, places))


def read(text: str, name: str = "graph") -> Graph:
    """The graph that `write` wrote. Raises CompileError where the text is no graph, or no well-typed one."""
    reader = _Reader(Source(name, text))
    graph = reader.graph()
    if reader.at < len(text):
        reader.fail("a statement is expected here")
    return graph


def _lines(graph: Graph, places: bool) -> Iterator[str]:
    labels = _labels(graph)
    for node in graph.nodes:
        shown = f": {node.type}" if node.inputs else ""
        comment = f"  # {node.place}" if places and str(node.place) else ""
        yield f"%{labels[node]} = {_call(node, labels, places)}{shown}{comment}"
    for word, ends in (("return", graph.results), ("update", graph.updates)):
        if ends:
            yield f"{word} " + ", ".join(f"{_name_text(name)}=%{labels[n]}" for name, n in ends)
    for guard in graph.guards:
        yield f"guard {guard.left} == {guard.right}"


def _labels(graph: Graph) -> dict[Node, str]:
    """A name for each node: its own where it has one, made different by its number where another has it too."""
    labels: dict[Node, str] = {}
    taken: set[str] = set()
    for i, node in enumerate(graph.nodes):
        usable = _NAME.fullmatch(node.name) and not node.name.isdigit()
        wanted = (node.name, f"{node.name}.{i}") if usable else ()
        labels[node] = next((label for label in wanted if label not in taken), str(i))
        taken.add(labels[node])
    return labels


def _call(node: Node, labels: dict[Node, str], places: bool) -> str:
    parts = [f"%{labels[n]}" for n in node.inputs]
    for name, value in attributes(node.op).items():
        positional = not node.inputs and not hasattr(type(node.op), name)
        parts.append(("" if positional else f"{name}=") + _value_text(value, places))
    return f"{node.op.word}({', '.join(parts)})"


def _value_text(value: object, places: bool) -> str:
    match value:
        case None | True | False:
            return str(value).lower()
        case int() | float() | DType() | Tensor():
            return str(value)
        case Dim():
            return f"`{value}`" if str(value) in _CONSTANTS else str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple():
            return f"[{', '.join(_value_text(v, places) for v in value)}]"
        case Graph():
            return "{\n" + "".join(f"  {line}\n" for line in _indented(value, places)) + "}"
    raise AssertionError(f"{value!r} has no text")


def _indented(graph: Graph, places: bool) -> Iterator[str]:
    for line in _lines(graph, places):
        yield from line.split("\n")


def _name_text(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)


class _Reader:
    """A position in the text of a graph; each method reads one thing and moves past it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.at = 0
        self.skip()

    def place(self, start: int) -> Place:
        return Place(Span(self.source, start, max(self.at, start)))

    def fail(self, problem: str) -> NoReturn:
        end = self.text.find("\n", self.at)
        span = Span(self.source, self.at, len(self.text) if end < 0 else end)
        raise CompileError((MalformedGraph(Place(span), problem),))

    def skip(self) -> None:
        space = _SPACE.match(self.text, self.at)
        assert space is not None
        self.at = space.end()

    def take(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.at)
        if found:
            self.at += len(sign)
            self.skip()
        return found

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            self.fail(f"`{sign}` is expected here")

    def match(self, pattern: re.Pattern[str], wanted: str, group: int = 0) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            self.fail(f"{wanted} is expected here")
        self.at = found.end()
        self.skip()
        return found[group]

    def graph(self) -> Graph:
        """Statements up to the end of the text or a closing brace."""
        b = Builder(self.place(self.at))
        nodes: dict[str, Node] = {}
        results: dict[str, Node] = {}
        updates: list[tuple[str, Node]] = []
        while self.at < len(self.text) and self.text[self.at] != "}":
            start = self.at
            if self.take("return "):
                results |= dict(self.ends(nodes))
            elif self.take("update "):
                updates += self.ends(nodes)
            elif self.take("guard "):
                left = self.size()
                self.expect("==")
                b.guard(left, self.size(), self.place(start))
            else:
                self.node(b, nodes)
        return b.graph(results, updates)

    def node(self, b: Builder, nodes: dict[str, Node]) -> None:
        """`%label = word(operands, attributes): type`."""
        start = self.at
        self.expect("%")
        label = self.match(_NAME, "a label")
        if label in nodes:
            self.fail(f"`%{label}` is already made")
        self.expect("=")
        op, inputs = self.call(nodes)
        with b.at(self.place(start)):
            if isinstance(op, Input):
                made = b.input(op.name, op.role, op.type)
            else:
                made = b.add(op, *inputs, name="" if label.isdigit() else label)
        if b.reports:
            raise CompileError(tuple(b.reports))
        if self.take(":") and (type_ := self.type()) != made.type:
            self.fail(f"the type is {made.type}, not {type_}")
        nodes[label] = made

    def call(self, nodes: dict[str, Node]) -> tuple[Op, list[Node]]:
        word = self.match(_NAME, "an operation")
        self.expect("(")
        inputs: list[Node] = []
        given: list[Any] = []
        named: dict[str, Any] = {}
        while not self.take(")"):
            if self.text[self.at : self.at + 1] == "%":
                inputs.append(self.operand(nodes))
            elif _KEY.match(self.text, self.at):
                key = self.match(_KEY, "an attribute", 1)
                named[key] = self.value()
            else:
                given.append(self.value())
            if not self.take(",") and self.text[self.at : self.at + 1] != ")":
                self.fail("`,` or `)` is expected here")
        if word not in Op.words:
            self.fail(f"no operation is called `{word}`")
        try:
            return Op.words[word](*given, **named), inputs
        except (TypeError, AttributeError) as misfit:
            self.fail(str(misfit))

    def operand(self, nodes: dict[str, Node]) -> Node:
        self.expect("%")
        label = self.match(_NAME, "a label")
        return nodes[label] if label in nodes else self.fail(f"nothing is called `%{label}` before this")

    def ends(self, nodes: dict[str, Node]) -> Iterator[tuple[str, Node]]:
        while True:
            name = self.string() if self.text[self.at : self.at + 1] == '"' else self.match(_NAME, "a name")
            self.expect("=")
            yield name, self.operand(nodes)
            if not self.take(","):
                return

    def value(self) -> Any:
        """An attribute of any kind."""
        if self.text[self.at : self.at + 1] == '"':
            return self.string()
        if self.take("["):
            return self.items("]", self.value)
        if self.take("{"):
            graph = self.graph()
            self.expect("}")
            return graph
        if self.take("`"):
            name = self.match(_NAME, "a size")
            self.expect("`")
            return dims.name(name)
        raw = self.raw()
        if raw in WORDS and self.take("["):
            return Tensor(WORDS[raw], self.items("]", self.size))
        return _CONSTANTS[raw] if raw in _CONSTANTS else self.number(raw)

    def items(self, end: str, item: Any) -> tuple[Any, ...]:
        found = []
        while not self.take(end):
            found.append(item())
            if not self.take(",") and not self.text.startswith(end, self.at):
                self.fail(f"`,` or `{end}` is expected here")
        return tuple(found)

    def string(self) -> str:
        try:
            value, self.at = json.JSONDecoder().raw_decode(self.text, self.at)
        except ValueError:
            self.fail("this string does not end")
        self.skip()
        return str(value)

    def size(self) -> Size:
        size = self.number(self.raw())
        return size if not isinstance(size, float) else self.fail("a size is expected here")

    def type(self) -> Type:
        if self.take("("):
            return Several(self.items(")", self.type))
        type_ = self.value()
        return type_ if isinstance(type_, Tensor) else self.fail("a type is expected here")

    def raw(self) -> str:
        """The text of a number, word or size: up to a sign that ends it outside of parentheses."""
        start, depth = self.at, 0
        while self.at < len(self.text):
            sign = self.text[self.at]
            if sign in ',=:[]{}#\n"`' or (sign == ")" and not depth):
                break
            depth += (sign == "(") - (sign == ")")
            self.at += 1
        found = self.text[start : self.at].strip()
        self.skip()
        return found

    def number(self, raw: str) -> Size | float:
        if _INTEGER.fullmatch(raw):
            return int(raw)
        if _FLOAT.fullmatch(raw):
            return float(raw)
        try:
            return dims.parse(raw)
        except (SyntaxError, ValueError):
            self.fail(f"`{raw}` is no value")
