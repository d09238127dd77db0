"""Graph to graph without the marks at which gradients stop: where gradients are made, they have nothing more to say."""

from __future__ import annotations

from ..ir.graph import Builder, Graph, Node
from ..ir.rewrite import rewrite
from ..ops.elementwise import StopGradient
from .sequence import everywhere


@everywhere
def drop_stops(graph: Graph) -> Graph:
    """To be run after differentiation only."""
    if not any(isinstance(node.op, StopGradient) for node in graph.nodes):
        return graph

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        return inputs[0] if isinstance(node.op, StopGradient) else None

    return rewrite(graph, rule)
