"""What a loop adds up, step by step, to one product or sum over all steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..ir import dims
from ..ir.graph import Builder, Node
from ..ops.contract import Matmul
from ..ops.elementwise import Add
from ..ops.layout import Reshape, Transpose
from ..ops.reduce import Sum
from ..ops.scan import time_axis
from ..ops.unary import Neg

Values: TypeAlias = Callable[[Node], Node]  # the values of a body's node at all steps


@dataclass(frozen=True)
class Total:
    """How the sum over all steps of a body's node is made: `node` on `parts`, or for a leaf on its own inputs, whose
    values at all steps are wanted."""

    node: Node
    parts: tuple[Total, ...] = ()

    @property
    def operands(self) -> tuple[Node, ...]:
        """The nodes whose values at all steps are wanted."""
        return tuple(n for p in self.parts for n in p.operands) if self.parts else self.node.inputs

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that need not be computed at each step."""
        return (self.node, *(n for p in self.parts for n in p.nodes))

    @property
    def has_product(self) -> bool:
        return any(p.has_product for p in self.parts) or isinstance(self.node.op, Matmul)

    def build(self, b: Builder, values: Values) -> Node:
        """The sum over all steps, of the type that the node has at one."""
        with b.at(self.node.place):
            if self.parts:
                return b.add(self.node.op, *(p.build(b, values) for p in self.parts))
            if isinstance(self.node.op, Matmul):
                return b.add(self.node.op, *(_flat(b, values(n), self.node.op.transpose_a) for n in self.node.inputs))
            return self._summed(b, values(self.node.inputs[0]))

    def _summed(self, b: Builder, x: Node) -> Node:
        assert isinstance(self.node.op, Sum)
        rank = len(x.shape)
        along = {axis + 1 if axis else 0 for axis in self.node.op.along(rank - 1)} | {time_axis(rank)}
        made = b.add(Sum(tuple(sorted(along)), False), x)
        return made if made.shape == self.node.shape else b.add(Reshape(self.node.shape), made)


def total_of(node: Node, is_timed: Callable[[Node], bool]) -> Total | None:
    """The sum over all steps of a node, if it is a product or a sum of values that differ from step to step, or made
    of such by what may be done after summing as well as before."""
    if isinstance(node.op, Add | Neg | Reshape | Transpose):
        parts = [total_of(n, is_timed) if n.type == node.type or len(node.inputs) == 1 else None for n in node.inputs]
        return Total(node, tuple(p for p in parts if p is not None)) if None not in parts else None
    if not all(map(is_timed, node.inputs)):
        return None
    if isinstance(node.op, Sum):
        return Total(node) if node.inputs[0].shape else None
    if isinstance(node.op, Matmul) and all(len(n.shape) == 2 for n in node.inputs):
        return Total(node) if node.op.transpose_a != node.op.transpose_b else None
    return None


def _flat(b: Builder, x: Node, rows: bool) -> Node:
    """Time joined to the axis over which a product sums: [n, T, k] as [n·T, k] if that is the rows, or as [n, T·k]."""
    first, steps, last = x.shape
    shape = (dims.product((first, steps)), last) if rows else (first, dims.product((steps, last)))
    return b.add(Reshape(shape), x)
