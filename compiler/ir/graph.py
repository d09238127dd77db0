"""Nodes, graphs, and the Builder, the only maker of nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, ClassVar, Concatenate, ParamSpec

from ...spec.source import Diagnostic, Place
from .check import Check, Guard, Mismatch
from .dims import Size
from .op import Axes, Op
from .types import UNKNOWN, DType, Several, Tensor, Type, Unknown

P = ParamSpec("P")
DATA, TARGET, PARAMETER, STATE, CONTROL = "data", "target", "parameter", "state", "control"


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Node:
    """One value: an operation on other values. A node is its definition, so it is equal to itself only."""

    op: Op
    inputs: tuple[Node, ...]
    type: Type
    place: Place
    name: str = ""

    @property
    def tensor(self) -> Tensor:
        """The type of a node with one result."""
        assert isinstance(self.type, Tensor), self
        return self.type

    @property
    def shape(self) -> tuple[Size, ...]:
        return self.type.shape  # type: ignore[union-attr]  # as `tensor`, which shapes are asked for too often to call

    @property
    def dtype(self) -> DType:
        return self.tensor.dtype

    @property
    def types(self) -> tuple[Tensor, ...]:
        """The types of all results."""
        return self.type.items if isinstance(self.type, Several) else (self.tensor,)

    def __repr__(self) -> str:
        return f"%{self.name or self.op.word}: {self.type}"


class Input(Op):
    """A value given from outside; `role` is data, target, parameter, state or control."""

    name: str
    role: str
    type: Tensor

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return self.type

    def formula(self, *names: str) -> str:
        return self.name


class Literal(Op):
    """A scalar that the spec or a rule wrote."""

    moves: ClassVar[bool] = True
    value: int | float | bool
    dtype: DType

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return Tensor(self.dtype, ())

    def axes(self, *types: Tensor) -> Axes:
        return Axes((), ((),))

    def eval(self, xp: Any, *arrays: Any) -> Any:
        return xp.asarray(self.value, dtype=getattr(xp, numpy_name(self.dtype)))

    def formula(self, *names: str) -> str:
        return f"{self.value:g}" if isinstance(self.value, float) else str(self.value)


class Item(Op):
    """One result of a node that has several."""

    index: int

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        raise AssertionError("the Builder reads the items of Several")

    def eval(self, xp: Any, *arrays: Any) -> Any:
        return arrays[0][self.index]

    def formula(self, *names: str) -> str:
        return f"{names[0]}[{self.index}]"


def numpy_name(dtype: DType) -> str:
    """The name of the dtype in array modules; the numbers of bf16, which they have not, lie in f32."""
    word: str = dtype.value if dtype is not DType.BF16 else "f32"
    return {"b": "bool", "f": "float", "i": "int", "u": "uint"}[word[0]] + word[1:].removeprefix("ool")


@dataclass(frozen=True, eq=False)
class Graph:
    """A straight line of nodes. It is closed: everything it uses is an input.

    Graphs are equal when their structure is: names for people and places do not count.
    """

    inputs: tuple[Node, ...]
    nodes: tuple[Node, ...]
    results: tuple[tuple[str, Node], ...]
    updates: tuple[tuple[str, Node], ...] = ()
    guards: tuple[Guard, ...] = ()

    @cached_property
    def key(self) -> tuple[object, ...]:
        at = {id(n): i for i, n in enumerate(self.nodes)}
        lines = tuple((n.op, tuple(at[id(i)] for i in n.inputs), n.type) for n in self.nodes)
        ends = tuple((name, at[id(n)]) for name, n in self.results)
        return lines, ends, tuple((name, at[id(n)]) for name, n in self.updates)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def result(self, name: str) -> Node:
        return dict(self.results)[name]

    def input(self, name: str) -> Node:
        return next(n for n in self.inputs if isinstance(n.op, Input) and n.op.name == name)

    def named_inputs(self, *roles: str) -> dict[str, Node]:
        """The inputs of these roles by name, in order."""
        return {n.op.name: n for n in self.inputs if isinstance(n.op, Input) and n.op.role in roles}

    @cached_property
    def readers(self) -> dict[Node, list[Node]]:
        """The nodes that read each node that is read, in order, each once."""
        found: dict[Node, list[Node]] = {}
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                found.setdefault(source, []).append(node)
        return found

    @property
    def ends(self) -> tuple[Node, ...]:
        """Every node that somebody outside reads."""
        return tuple(n for _, n in (*self.results, *self.updates))


class Builder:
    """Makes nodes: infers their types, stamps their places, collects mistakes and guards."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.nodes: list[Node] = []
        self.inputs: list[Node] = []
        self.guards: dict[tuple[Size, Size], Guard] = {}
        self.reports: list[Diagnostic] = []
        self._inferred: dict[tuple[Op, tuple[Type, ...]], tuple[Type, tuple[tuple[Size, Size], ...]]] = {}

    def at(self, place: Place) -> Standing:
        """Nodes made inside stand at `place`."""
        return Standing(self, place)

    def fork(self) -> Builder:
        """Another Builder that goes on from here by itself."""
        other = Builder(self.place)
        other.nodes, other.inputs, other.reports = self.nodes[:], self.inputs[:], self.reports[:]
        other.guards, other._inferred = dict(self.guards), dict(self._inferred)
        return other

    def report(self, diagnostic: Diagnostic) -> None:
        self.reports.append(diagnostic)

    def unknown(self) -> Node:
        """A value for what a mistake left."""
        return self._append(Node(Literal(0, DType.F32), (), UNKNOWN, self.place))

    def input(self, name: str, role: str, type: Tensor) -> Node:
        node = self._append(Node(Input(name, role, type), (), type, self.place, name))
        self.inputs.append(node)
        return node

    def literal(self, value: int | float | bool, dtype: DType) -> Node:
        if dtype.is_float:
            value = float(value)
        return self._append(Node(Literal(value, dtype), (), Tensor(dtype, ()), self.place))

    def add(self, op: Op, *inputs: Node, name: str = "", like: Node | None = None) -> Node:
        """A node for `op` on `inputs`; of unknown type where a mistake was reported, here or before.

        It is of the type of `like`, if that is given: the same operation on other inputs of the same types.
        """
        if like is not None:
            return self._append(Node(op, inputs, like.type, self.place, name))
        types = tuple([n.type for n in inputs])
        known = self._inferred.get((op, types))
        if known is None:
            if UNKNOWN in types:
                return self.unknown()
            try:
                known = self._inferred[op, types] = _infer(op, types)
            except Mismatch as refusal:
                self.report(refusal.kind(self.place, **refusal.values))
                return self.unknown()
        for left, right in known[1]:
            self.guard(left, right)
        return self._append(Node(op, inputs, known[0], self.place, name))

    def many(self, op: Op, *inputs: Node) -> tuple[Node, ...]:
        """One node for each result of an operation with several."""
        node = self.add(op, *inputs)
        if isinstance(node.type, Unknown):
            return ()
        return tuple(self.add(Item(i), node) for i in range(len(node.types)))

    def keep(self, node: Node) -> Node:
        """A node of another graph, unchanged."""
        if isinstance(node.op, Input):
            self.inputs.append(node)
        return self._append(node)

    def guard(self, left: Size, right: Size, place: Place | None = None) -> None:
        self.guards.setdefault((left, right), Guard(left, right, place or self.place))

    def graph(
        self, results: Mapping[str, Node], updates: Mapping[str, Node] | Sequence[tuple[str, Node]] = ()
    ) -> Graph:
        assert not self.reports, self.reports
        pairs = tuple(updates.items()) if isinstance(updates, Mapping) else tuple(updates)
        return Graph(tuple(self.inputs), tuple(self.nodes), tuple(results.items()), pairs, tuple(self.guards.values()))

    def _append(self, node: Node) -> Node:
        self.nodes.append(node)
        return node


class Standing:
    """A stretch in which a Builder's nodes stand at one place; a class, since a generator takes six times as long."""

    __slots__ = ("b", "before", "place")

    def __init__(self, b: Builder, place: Place) -> None:
        self.b, self.place, self.before = b, place, b.place

    def __enter__(self) -> None:
        self.b.place = self.place

    def __exit__(self, *failure: object) -> None:
        self.b.place = self.before


def located(build: Callable[Concatenate[Builder, P], Node]) -> Callable[Concatenate[Builder, P], Node]:
    """Makes a function that builds a value out of nodes behave as `Builder.add` does.

    What it refuses is reported at the Builder's place and gives an unknown value, as an unknown input does.
    """

    @wraps(build)
    def run(b: Builder, /, *given: P.args, **named: P.kwargs) -> Node:
        nodes = [n for value in given for n in (value if isinstance(value, tuple | list) else [value])]
        if any(isinstance(n, Node) and isinstance(n.type, Unknown) for n in nodes):
            return b.unknown()
        try:
            return build(b, *given, **named)
        except Mismatch as refusal:
            b.report(refusal.kind(b.place, **refusal.values))
            return b.unknown()

    return run


def _infer(op: Op, types: tuple[Type, ...]) -> tuple[Type, tuple[tuple[Size, Size], ...]]:
    """The type of the result, and the sizes that must be equal for it."""
    if isinstance(op, Item):
        (several,) = types
        assert isinstance(several, Several)
        return several.items[op.index], ()
    tensors = [t for t in types if isinstance(t, Tensor)]
    assert len(tensors) == len(types), "only an item may read several results"
    check = Check()
    return op.infer(check, *tensors), tuple(check.open)
