"""Graph to graph by algebra: each node is replaced by a simpler one of the same value, as long as a rule finds one.

The rules stand in `algebra`, `views` and `contractions`, by type of operation. Values are kept up to rounding;
infinities and NaN are kept where the rule does not say otherwise, and the sign of zero is not.
"""

from __future__ import annotations

from ..ir.graph import Builder, Graph, Node
from ..ir.op import Elementwise, Op
from ..ir.rewrite import rewrite
from . import algebra, contractions, views
from .sequence import everywhere
from .unused import drop_unused


@everywhere
def simplify(graph: Graph) -> Graph:
    """Each node once, in order, with simplified inputs; what a rule builds is simplified as it is built."""
    return drop_unused(rewrite(graph, builder=_Simplifier))


class _Simplifier(Builder):
    """A Builder whose nodes are as simple as the rules make them."""

    def add(self, op: Op, *inputs: Node, name: str = "", like: Node | None = None) -> Node:
        return self._simple(super().add(op, *inputs, name=name, like=like))

    def keep(self, node: Node) -> Node:
        return self._simple(super().keep(node))

    def _simple(self, node: Node) -> Node:
        at = len(self.nodes) - 1
        for rule in _rules(node.op):
            simpler = rule(self, node)
            # Integers of mixed width, and sizes that are equal only by a guard, may make it another type.
            if simpler is not None and simpler.type == node.type:
                del self.nodes[at]
                return simpler
        return node


def _rules(op: Op) -> tuple[algebra.Rule, ...]:
    return _TABLE.get(type(op), ()) + (views.ELEMENTWISE if isinstance(op, Elementwise) else ())


_TABLE = {
    kind: algebra.RULES.get(kind, ()) + views.RULES.get(kind, ()) + contractions.RULES.get(kind, ())
    for kind in (*algebra.RULES, *views.RULES, *contractions.RULES)
}
