"""A Builder for the body of a scan: nodes from outside become inputs of the body."""

from __future__ import annotations

from ..ir.graph import Builder, Node
from ..ir.op import Op
from ..ir.types import Tensor, Unknown

CARRY, SLICE, CONSTANT = "carry", "slice", "constant"


class BodyBuilder(Builder):
    """Makes the nodes of a body; `captured` are the outer nodes that it uses, in the order of their inputs."""

    def __init__(self, outer: Builder) -> None:
        super().__init__(outer.place)
        self.outer = outer
        self.captured: list[Node] = []
        self._own: set[Node] = set()
        self._inside: dict[Node, Node] = {}
        self.reports = outer.reports

    def add(self, op: Op, *inputs: Node, name: str = "", like: Node | None = None) -> Node:
        return super().add(op, *map(self.inside, inputs), name=name, like=like)

    def inside(self, node: Node) -> Node:
        """The node as the body sees it."""
        if node in self._own or isinstance(node.type, Unknown):
            return node
        if node not in self._inside:
            self._inside[node] = self.input(f"constant.{len(self.captured)}", CONSTANT, node.tensor)
            self.captured.append(node)
        return self._inside[node]

    def variable(self, name: str, role: str, type: Tensor) -> Node:
        """An input of the body that is no capture: a carried value or a slice."""
        return self.input(name, role, type)

    def _append(self, node: Node) -> Node:
        self._own.add(node)
        return super()._append(node)
