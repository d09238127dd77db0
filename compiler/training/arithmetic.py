"""Arithmetic of nodes with operators, for updates and schedules that are formulas."""

from __future__ import annotations

from collections.abc import Callable

from ..ir import dims
from ..ir.graph import Builder, Node
from ..ir.scalar import NodeScalars, NodeValue, Value
from ..ops.layout import Concat
from ..ops.reduce import Sum
from ..ops.state import Part
from ..parameters import Piece


class Formula(NodeScalars):
    """Makes nodes out of formulas: `f.node(f.value(a) * 2 + f.value(b))`. `pieces` are the weights of the range that
    the formula is about."""

    def __init__(self, b: Builder, pieces: tuple[Piece, ...] = ()) -> None:
        super().__init__(b)
        self.pieces = pieces

    def values(self, *nodes: Node) -> tuple[NodeValue, ...]:
        return tuple(map(self.value, nodes))

    def node(self, value: Value) -> Node:
        assert isinstance(value, NodeValue)
        return value.node

    def norm(self, x: Value) -> Value:
        """The Euclidean norm of a flat array."""
        return self.sqrt(self.value(self.b.add(Sum((0,), False), self.node(self.square(x)))))

    def by_weight(self, rule: Callable[..., Value], *flat: Value) -> Value:
        """A rule for one weight, carried out for each weight of flat ranges; weights are flat as well."""
        parts = []
        for piece in self.pieces:
            window = Part(piece.offset, (dims.product(piece.shape),))
            parts.append(self.node(rule(*(self.value(self.b.add(window, self.node(x))) for x in flat))))
        return self.value(parts[0] if len(parts) == 1 else self.b.add(Concat(0), *parts))
