"""Graph to graph in which what is joined step by step is joined at once, where nobody reads the steps."""

from __future__ import annotations

from collections import Counter

from ..ir.graph import Builder, Graph, Node
from ..ir.rewrite import rewrite
from ..ops.layout import Concat
from .sequence import everywhere
from .unused import drop_unused


@everywhere
def join_at_once(graph: Graph) -> Graph:
    """A join that somebody else reads too stays: its parts would be copied once more for each reader."""
    readers = Counter(n for node in graph.nodes for n in node.inputs) + Counter(graph.ends)

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if not isinstance(node.op, Concat):
            return None
        axis = node.op.axis % len(node.shape)
        parts: list[Node] = []
        for before, x in zip(node.inputs, inputs, strict=True):
            nested = isinstance(x.op, Concat) and x.op.axis % len(x.shape) == axis and readers[before] == 1
            parts += x.inputs if nested else (x,)
        return b.add(node.op, *parts) if len(parts) > len(inputs) else None

    return drop_unused(rewrite(graph, rule))
