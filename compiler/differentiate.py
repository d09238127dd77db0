"""Forward graph to forward and backward: reverse mode, each operation's own rule at its own place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..spec.source import CompileError, Diagnostic
from .ir.graph import Builder, Graph, Item, Node
from .ir.op import NoGradient, Op
from .ir.rewrite import copy
from .ir.types import Tensor
from .ops.elementwise import Add
from .ops.layout import Expand, Reshape
from .ops.reduce import Sum


class NotDifferentiable(Diagnostic):
    """An operation without a gradient between the loss and something that is trained."""

    code = "not-differentiable"
    title = "`{word}` has no gradient, and the loss depends on weights through it"
    label = "nothing can be learned through this"
    help = "wrap it in `stop_gradient(…)` if it is meant as a constant"
    word: str


def with_gradients(
    b: Builder, graph: Graph, results: Mapping[str, Node | None], wrt: Sequence[Node]
) -> tuple[dict[Node, Node], list[Node]]:
    """Copies `graph` into `b` and adds its backward pass.

    `results` gives the cotangent of each result by name, None meaning one (for a scalar). Returns the copies of
    the forward nodes, and the gradient of each node of `wrt` with that node's type. Raises CompileError.
    """
    kept: dict[Node, tuple[Node, ...]] = {}
    active = dependents(graph, wrt)

    def record(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if node not in active or type(node.op).record is Op.record:
            return None
        value, extra = node.op.record(b, *inputs)
        kept[value] = extra
        return value

    new = copy(b, graph, record)
    flows: dict[Node, list[Node | None]] = {}
    for name, cotangent in results.items():
        end = new[graph.result(name)]
        _flow(b, flows, end, 0, cotangent if cotangent is not None else b.literal(1.0, end.dtype))
    live = {new[n] for n in active}
    for node in reversed([new[n] for n in graph.nodes]):
        if node in live and node in flows:
            _pull(b, node, flows, live, kept.get(node, ()))
    if b.reports:
        raise CompileError(tuple(b.reports))
    return new, [_gradient(b, new[n], flows) for n in wrt]


def dependents(graph: Graph, wrt: Sequence[Node]) -> set[Node]:
    """The nodes whose value depends on one of `wrt` through floats."""
    found = set(wrt)
    for node in graph.nodes:
        if any(i in found for i in node.inputs) and any(t.dtype.is_float for t in node.types):
            found.add(node)
    return found


def _pull(
    b: Builder, node: Node, flows: dict[Node, list[Node | None]], live: set[Node], kept: tuple[Node, ...]
) -> None:
    """Sends what has flowed to a node on to its inputs."""
    with b.at(node.place):
        cotangents = flows[node]
        if isinstance(node.op, Item):
            (producer,) = node.inputs
            assert cotangents[0] is not None
            _flow(b, flows, producer, node.op.index, cotangents[0])
            return
        if not any(i in live for i in node.inputs):
            return
        try:
            pulled = node.op.grad(b, node, *cotangents, *kept)
        except NoGradient as absence:
            b.report(NotDifferentiable(node.place, absence.word))
            return
        assert len(pulled) == len(node.inputs), node
        for source, g in zip(node.inputs, pulled, strict=True):
            if g is not None and source in live:
                _flow(b, flows, source, 0, unbroadcast(b, g, source.tensor))


def _flow(b: Builder, flows: dict[Node, list[Node | None]], node: Node, index: int, g: Node) -> None:
    """Adds a cotangent to what has flowed to result `index` of a node."""
    slots = flows.setdefault(node, [None] * len(node.types))
    before = slots[index]
    slots[index] = g if before is None else b.add(Add(), before, g)


def unbroadcast(b: Builder, g: Node, target: Tensor) -> Node:
    """Sums a cotangent over the axes along which its operand was stretched."""
    shape = g.shape
    lead = len(shape) - target.rank
    axes = [i for i in range(len(shape)) if i < lead or (target.shape[i - lead] == 1 and shape[i] != 1)]
    if axes:
        g = b.add(Sum(tuple(axes), False), g)
    return g if g.shape == target.shape else b.add(Reshape(target.shape), g)


def _gradient(b: Builder, node: Node, flows: Mapping[Node, list[Node | None]]) -> Node:
    g = flows.get(node, [None])[0]
    if g is not None:
        return g
    return b.add(Expand(node.shape), b.literal(0.0, node.dtype))


def gradient_graph(graph: Graph, loss: str, wrt: Sequence[str]) -> Graph:
    """The results of `graph` and `gradient.NAME` of the scalar result `loss` for each input NAME of `wrt`."""
    b = Builder(graph.nodes[0].place)
    new, gradients = with_gradients(b, graph, {loss: None}, [graph.input(name) for name in wrt])
    for guard in graph.guards:
        b.guard(guard.left, guard.right, guard.place)
    results = {name: new[n] for name, n in graph.results}
    results |= {f"gradient.{name}": g for name, g in zip(wrt, gradients, strict=True)}
    return b.graph(results, [(name, new[n]) for name, n in graph.updates])
