"""The graph of scores to two graphs: what begins a text, and what goes on with it by some positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..ir.graph import CONTROL, DATA, STATE, Builder, Graph, Input, Node
from ..ir.rewrite import again
from ..ir.types import I64, Tensor
from ..ops.index import Update, Window
from ..ops.layout import Expand, Reshape, Slice
from ..passes.unused import drop_unused

POSITION, SCORES, KEPT = "position", "scores", "generate."


@dataclass(frozen=True)
class Steps:
    """How a text is written some positions at a time.

    `begin` reads the inputs that do not grow; its updates are everything that `step` finds kept. `step` reads the
    grown input, i[N, count], and the `position` of the first of them, i64; it gives the scores f[N, entries] of what
    follows the last, and updates what later positions need: the states of `moving`, by name, with the axis of the
    batch. Steps of other counts keep the same.
    """

    begin: Graph
    step: Graph
    moving: Mapping[str, int]


class Split:
    """Two graphs in the making: nodes that depend on the text go to `step`, others to `begin`.

    What depends neither on the text nor on an input is made in both, and stays where it is read. `token` and
    `position` are what `step` is given.
    """

    def __init__(self, graph: Graph, source: Node, count: int) -> None:
        self.graph, self.source = graph, source
        self.reached = reaching(graph, (source,))
        others = [n for n in graph.named_inputs(DATA, CONTROL).values() if n is not source]
        self.once = reaching(graph, others) - self.reached
        self.begin, self.step = Builder(source.place), Builder(source.place)
        for guard in graph.guards:
            for b in (self.begin, self.step):
                b.guard(guard.left, guard.right, guard.place)
        assert isinstance(source.op, Input)
        self.token = self.step.input(source.op.name, DATA, source.tensor.with_shape((source.shape[0], count)))
        self.position = self.step.input(POSITION, CONTROL, Tensor(I64, ()))
        self._first: dict[Node, Node] = {}  # nodes of the graph to those of `begin`
        self._new: dict[Node, Node] = {}  # and to those of `step`
        self._starts: list[tuple[str, Node]] = []
        self._next: list[tuple[str, Node]] = []
        self._moving: dict[str, int] = {}

    def copy(self, node: Node) -> None:
        """Makes a node that does not depend on the text where it is needed."""
        for b, known in ((self.begin, self._first), (self.step, self._new)):
            if b is self.begin or node not in self.once:
                with b.at(node.place):
                    known[node] = again(b, node, tuple(known[n] for n in node.inputs))

    def operand(self, node: Node) -> Node:
        """A node that does not depend on the text as `step` reads it: what was computed once is kept."""
        if node not in self._new:
            self._new[node] = self.state(node.tensor, self.beginning(node))
        return self._new[node]

    def beginning(self, node: Node) -> Node:
        """A node that does not depend on the text, in `begin`."""
        return self._first[node]

    def state(self, type_: Tensor, first: Node) -> Node:
        """A kept value that begins as `first`, a node of `begin`."""
        name = f"{KEPT}{len(self._starts)}"
        self.begin.input(name, STATE, type_)
        self._starts.append((name, first))
        return self.step.input(name, STATE, type_)

    def zeros(self, type_: Tensor) -> Node:
        """Zeros in `begin`."""
        return self.begin.add(Expand(type_.shape), self.begin.literal(0, type_.dtype))

    def moves(self, state: Node, following: Node, axis: int | None) -> None:
        """A kept value that belongs to the text: its next value, and the axis of its rows."""
        assert isinstance(state.op, Input)
        self._next.append((state.op.name, following))
        if axis is not None:
            self._moving[state.op.name] = axis

    def steps(self, scores: Node) -> Steps:
        """Both graphs, the scores of the new positions being [N, count, entries]."""
        rows, count, entries = scores.shape
        row = self.step.add(Slice((0, count - 1, 0), scores.shape, (1, 1, 1)), scores)
        last = self.step.add(Reshape((rows, entries)), row)
        begin = drop_unused(self.begin.graph({}, self._starts))
        step = drop_unused(self.step.graph({SCORES: last}, self._next))
        return Steps(begin, step, self._moving)


def recomputed(graph: Graph, grown: str, count: int) -> Steps:
    """Steps that compute all positions again each time, over a text with zeros behind its end.

    The result of `graph` is `scores`; what does not depend on the grown input is computed once.
    """
    split = Split(graph, graph.input(grown), count)
    b, source, made = split.step, split.source, dict[Node, Node]()
    text = split.state(source.tensor, split.zeros(source.tensor))
    made[source] = b.add(Update(1), text, split.token, split.position)
    split.moves(text, made[source], 0)
    for node in graph.nodes:
        if node not in split.reached:
            split.copy(node)
        elif node is not source:
            inputs = (made[n] if n in made else split.operand(n) for n in node.inputs)
            with b.at(node.place):
                made[node] = again(b, node, tuple(inputs))
    with b.at(graph.result(SCORES).place):
        return split.steps(b.add(Window(1, count), made[graph.result(SCORES)], split.position))


def reaching(graph: Graph, sources: Sequence[Node]) -> set[Node]:
    """The nodes whose value depends on one of the sources, they among them."""
    found = set(sources)
    for node in graph.nodes:
        if any(n in found for n in node.inputs):
            found.add(node)
    return found
