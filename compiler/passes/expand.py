"""Graph to graph without composite operations: each becomes what its `expand` rule builds, down to computed ones."""

from __future__ import annotations

from ..ir.graph import Builder, Graph, Node
from ..ir.op import Op
from ..ir.rewrite import rewrite
from .sequence import everywhere


@everywhere
def expand_composites(graph: Graph) -> Graph:
    if all(node.op.rule() != "expand" for node in graph.nodes):
        return graph
    return rewrite(graph, builder=_Expander)


class _Expander(Builder):
    """A Builder that makes no composite, whoever asks for it."""

    def add(self, op: Op, *inputs: Node, name: str = "", like: Node | None = None) -> Node:
        made = op.expand(self, *inputs)
        return super().add(op, *inputs, name=name, like=like) if made is None else made

    def keep(self, node: Node) -> Node:
        made = node.op.expand(self, *node.inputs)
        return super().keep(node) if made is None else made
