"""Part of a graph whose values are computed again on the way back instead of being kept (Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..differentiate import with_gradients
from ..ir.check import Check
from ..ir.evaluate import evaluate
from ..ir.graph import DATA, Builder, Graph, Input, Node
from ..ir.op import Array, Op
from ..ir.types import Tensor
from .state import Barrier


class Recompute(Op):
    """The result `y` of a body graph on its inputs; its gradient computes the body again.

    The copy reads the first input behind a barrier that waits for the cotangent. So it neither merges with what the
    way forward computed, nor runs before the way back has come to it.
    """

    body: Graph

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        wanted = tuple(n.tensor for n in self.body.inputs)
        if types != wanted:
            shown = " and ".join(map(str, types))
            c.shape("`recompute` meets operands that its body was not made for", shown, f"{list(wanted)}")
        return self.body.result("y").tensor

    def eval(self, xp: Array, *arrays: Array) -> Array:
        names = self.body.named_inputs(DATA)
        return evaluate(self.body, dict(zip(names, arrays, strict=True)), xp)["y"]

    def expand(self, b: Builder, *inputs: Node) -> Node:
        return _inline(b, self.body, dict(zip(self.body.inputs, inputs, strict=True)))[self.body.result("y")]

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None] * len(node.inputs)
        backward, wrt = self._backward()
        first, *others = node.inputs
        given = (b.add(Barrier(), first, g[0]), *others, g[0])
        new = _inline(b, backward, dict(zip(backward.inputs, given, strict=True)))
        found = {i: new[backward.result(f"g{i}")] for i in wrt}
        return [found.get(i) for i in range(len(node.inputs))]

    def _backward(self) -> tuple[Graph, list[int]]:
        """The graph of the body's inputs and its cotangent that gives those of float inputs, and which these are."""
        b = Builder(self.body.nodes[0].place)
        cotangent = Builder(b.place).input("cotangent", DATA, self.body.result("y").tensor)
        wrt = [i for i, n in enumerate(self.body.inputs) if n.dtype.is_float]
        _, gradients = with_gradients(b, self.body, {"y": cotangent}, [self.body.inputs[i] for i in wrt])
        results = tuple((f"g{i}", n) for i, n in zip(wrt, gradients, strict=True))
        return Graph((*b.inputs, cotangent), (cotangent, *b.nodes), results), wrt


def _inline(b: Builder, graph: Graph, given: Mapping[Node, Node]) -> dict[Node, Node]:
    """The nodes of a graph made again in `b`, at their places, with other nodes for its inputs."""
    new = dict(given)
    with b.at(b.place):
        for node in graph.nodes:
            if node not in new:
                b.place = node.place
                new[node] = b.add(node.op, *(new[n] for n in node.inputs), name=node.name)
    return new


def recomputed(b: Builder, made: Sequence[Node], x: Node, y: Node) -> Node:
    """y, which `made` compute from x and others, as one node whose gradient computes it again."""
    inside = _between(made, y)
    outer = dict.fromkeys([x, *(n for node in made if node in inside for n in node.inputs if n not in inside)])
    own = Builder(b.place)
    new = {node: own.input(f"x{i}", DATA, node.tensor) for i, node in enumerate(outer)}
    body = _inline(own, Graph((), tuple(n for n in made if n in inside), ()), new)
    return b.add(Recompute(own.graph({"y": body[y]})), *outer)


def _between(made: Sequence[Node], y: Node) -> set[Node]:
    """Those of the nodes, inputs left out, that y is computed from, and y itself."""
    wanted, found = {y}, set[Node]()
    for node in reversed(made):
        if node in wanted and not isinstance(node.op, Input):
            found.add(node)
            wanted.update(node.inputs)
    return found
