"""Graph to graph without the nodes that no result and no update depends on."""

from __future__ import annotations

import dataclasses

from ..ir.graph import Graph, Input, Node
from .sequence import everywhere


@everywhere
def drop_unused(graph: Graph) -> Graph:
    """Inputs stay: they are what callers know of a graph."""
    live: set[Node] = set(graph.ends)
    for node in reversed(graph.nodes):
        if node in live:
            live.update(node.inputs)
    nodes = tuple(n for n in graph.nodes if n in live or isinstance(n.op, Input))
    return graph if len(nodes) == len(graph.nodes) else dataclasses.replace(graph, nodes=nodes)
