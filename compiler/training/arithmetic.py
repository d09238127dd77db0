"""Arithmetic of nodes with operators, for updates and schedules that are formulas."""

from __future__ import annotations

from ..ir.graph import Node
from ..ir.scalar import NodeScalars, NodeValue, Value


class Formula(NodeScalars):
    """Makes nodes out of formulas: `f.node(f.value(a) * 2 + f.value(b))`."""

    def values(self, *nodes: Node) -> tuple[NodeValue, ...]:
        return tuple(map(self.value, nodes))

    def node(self, value: Value) -> Node:
        assert isinstance(value, NodeValue)
        return value.node
