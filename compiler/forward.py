"""Forward mode from reverse mode: the gradient is linear in the cotangent, and its own transpose is the tangent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .differentiate import with_gradients
from .ir.graph import DATA, Builder, Graph, Input, Node
from .ir.rewrite import rewrite
from .ops.layout import Expand


def tangent_graph(graph: Graph, wrt: Sequence[str]) -> Graph:
    """The results of `graph`, and for each float one `tangent.RESULT`: how fast it changes when the inputs `wrt`
    change at the rates given by new inputs `tangent.INPUT`. Raises CompileError where there is no gradient."""
    ends = {name: f"cotangent.{name}" for name, n in graph.results if n.dtype.is_float}
    backward = _transposed(graph, ends, {name: f"gradient.{name}" for name in wrt})
    rates = {f"gradient.{name}": f"tangent.{name}" for name in wrt}
    forward = _transposed(backward, rates, {end: f"tangent.{name}" for name, end in ends.items()})

    def without_cotangents(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        """Nothing depends on the cotangents any more: what is linear has a constant derivative."""
        if isinstance(node.op, Input) and node.op.name in ends.values():
            return b.add(Expand(node.shape), b.literal(0, node.dtype))
        return None

    wanted = {*dict(graph.results), *(f"tangent.{name}" for name in ends)}
    made = rewrite(forward, without_cotangents)
    return Graph(made.inputs, made.nodes, tuple(r for r in made.results if r[0] in wanted), (), made.guards)


def _transposed(graph: Graph, ends: Mapping[str, str], wrt: Mapping[str, str]) -> Graph:
    """The results of `graph`, and the gradients of its inputs `wrt`, under the names given there, for cotangents of
    its results `ends`, which are new inputs of the names given there."""
    b = Builder(graph.nodes[0].place)
    flows: dict[str, Node | None] = {n: b.input(name, DATA, graph.result(n).tensor) for n, name in ends.items()}
    new, gradients = with_gradients(b, graph, flows, [graph.input(name) for name in wrt])
    for guard in graph.guards:
        b.guard(guard.left, guard.right, guard.place)
    results = {name: new[n] for name, n in graph.results}
    return b.graph(results | dict(zip(wrt.values(), gradients, strict=True)))
