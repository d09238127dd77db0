"""One use of a word: what a layer's Python function, or a block's body, is traced with."""

from __future__ import annotations

from typing import Any, NoReturn

from ...spec.source import Diagnostic, Span
from ..ir.graph import Builder, Node
from ..ir.op import Op
from ..ir.types import F32, DType, Shape, Tensor
from . import errors, numbers
from .arguments import unknown_argument
from .naming import join
from .scope import Scope
from .tracer import TRAIN, Initial, Lost, Tracer, is_unknown
from .values import MISSING, Argument, BlockWord, Chain, Instance


class Use:
    """The use of a layer at one place: its Builder, its path, and the arguments that it was given.

    Whatever goes wrong is reported where it was written and ends the word by raising Lost, so that the functions of
    words only ever see tensors.
    """

    def __init__(self, t: Tracer, layer: Instance, bound: dict[str, Argument]) -> None:
        self.t = t
        self.layer = layer
        self.bound = bound

    @property
    def b(self) -> Builder:
        return self.t.b

    @property
    def is_training(self) -> bool:
        return self.t.is_in(TRAIN)

    @property
    def path(self) -> str:
        return self.layer.path

    @property
    def word(self) -> str:
        """What the layer is called in the spec."""
        return self.layer.callee.name

    def add(self, op: Op, *inputs: Node) -> Node:
        node = self.b.add(op, *inputs)
        self.well(node)
        return node

    def well(self, value: Any) -> Any:
        """The value, unless a mistake left none."""
        if is_unknown(value):
            raise Lost
        return value

    def literal(self, value: int | float | bool, dtype: DType) -> Node:
        return self.b.literal(value, dtype)

    def span(self, argument: str) -> Span:
        """Where an argument was written; the word itself if it was not given."""
        return self.bound[argument].span if argument in self.bound else self.layer.span

    def wrong(self, kind: type[Diagnostic], argument: str = "", **values: Any) -> NoReturn:
        """Reports a mistake at an argument, or at the word itself."""
        self.wrong_at(kind, self.span(argument), **values)

    def wrong_at(self, kind: type[Diagnostic], span: Span, **values: Any) -> NoReturn:
        """Reports a mistake at a place in the text."""
        self.t.wrong(kind, span, **values)
        raise Lost

    def weight(self, name: str, shape: Shape, initial: Initial, given: Any = None) -> Node:
        """The layer's weight of that name, or the tensor that the call gives for it."""
        found = weight(self.t, self.layer, self.bound, name, Tensor(F32, shape), initial, given)
        self.well(found)
        return found

    def apply(self, layer: Instance | Chain, *values: Any) -> Any:
        """Uses a layer that was given as an argument."""
        from .calls import apply_layer

        arguments = tuple(Argument(None, v, self.layer.span) for v in values)
        return self.well(apply_layer(self.t, layer, arguments, self.layer.span))

    def activate(self, activation: Instance | Chain | None, x: Node) -> Any:
        return x if activation is None else self.apply(activation, x)


def one_type(u: Use, *values: Any) -> tuple[Node, ...]:
    """Operands of the word as tensors of one element type."""
    found = numbers.one_type(u.t, u.word, *values)
    if found is None:
        raise Lost
    return found


def weight(
    t: Tracer, layer: Instance, bound: dict[str, Argument], name: str, type: Tensor, initial: Initial, given: Any = None
) -> Node:
    argument = bound.get(name)
    value = given if isinstance(given, Node) else argument.value if argument else None
    if not isinstance(value, Node):
        node = t.parameter(join(layer.path, name), type, initial, layer.span)
        layer.weights[name] = node
        return node
    layer.weights[name] = value
    if is_unknown(value) or value.type == type:
        return value
    span = argument.span if argument else layer.span
    t.wrong(errors.GivenWeight, span, name=name, word=layer.callee.name, expected=str(type), found=str(value.type))
    return t.b.unknown()


def use_block(t: Tracer, layer: Instance, bound: dict[str, Argument]) -> Any:
    """Runs the body of a block; nodes of library blocks stand where the library was used."""
    assert isinstance(layer.callee, BlockWord)
    callee = layer.callee
    if callee.name in t.active:
        return t.wrong(errors.RecursiveBlock, layer.span, name=callee.name)
    before = t.library_use
    if callee.library and before is None:
        t.library_use = t.place(layer.span)
    t.active.append(callee.name)
    t.used.add(callee.name)
    try:
        if callee.library:
            return _run_library(t, layer, callee, bound)
        with t.frame(f"block `{callee.name}`", layer.span):
            return _run(t, layer, callee, bound)
    finally:
        t.active.pop()
        t.library_use = before


def _run_library(t: Tracer, layer: Instance, callee: BlockWord, bound: dict[str, Argument]) -> Any:
    try:
        return _run(t, layer, callee, bound)
    except Lost:
        return MISSING


def _run(t: Tracer, layer: Instance, callee: BlockWord, bound: dict[str, Argument]) -> Any:
    from .expression import evaluate
    from .statements import run_body

    block = callee.block
    scope = Scope(layer.path, callee.labels, body=block.body)
    for slot in (*callee.signature.inputs, *callee.signature.settings):
        given = bound.get(slot.name)
        scope.names[slot.name] = given.value if given else evaluate(t, scope, slot.default)
    scope.layer, scope.given = layer, bound
    value = run_body(t, scope, block.body)
    unknown = next((n for n in bound if n not in scope.names and n not in layer.weights), None)
    if unknown is not None and not is_unknown(value):
        unknown_argument(t, callee.name, callee.signature, bound[unknown])
        return MISSING
    return value
