"""Graph to graph in which equal operations on equal inputs are one node: the first of them."""

from __future__ import annotations

from ..ir.graph import Builder, Graph, Input, Node
from ..ir.op import Op
from ..ir.rewrite import again, rewrite
from .sequence import everywhere


@everywhere
def merge_duplicates(graph: Graph) -> Graph:
    """Operations that must not merge say so (`Op.merges`); random ones differ by their stream, which is a field."""
    first: dict[tuple[Op, tuple[Node, ...]], Node] = {}

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if not node.op.merges or isinstance(node.op, Input):
            return None
        key = (node.op, inputs)
        if key not in first:
            first[key] = again(b, node, inputs)
        return first[key]

    return rewrite(graph, rule)
