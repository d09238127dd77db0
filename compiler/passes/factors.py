"""Graph to graph in which a factor that all terms of a sum share is multiplied once: g·a + g·b is g·(a + b).

A chain of functions has a gradient that is linear in what flows back; so written, all but one product of it is known
before the gradient arrives, and one value has to be kept for it instead of one for each term.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..ir.graph import Builder, Graph, Literal, Node
from ..ir.rewrite import rewrite
from ..ir.types import F32, F64
from ..ops.elementwise import Add, Mul, Sub
from .sequence import everywhere

WIDE = (F32, F64)


@everywhere
def factor_sums(graph: Graph) -> Graph:
    """Products that somebody else reads too stay: they would be computed twice. So do those of halves, which hold what
    is multiplied in one order and overflow in another."""
    readers = Counter(n for node in graph.nodes for n in node.inputs) + Counter(graph.ends)
    made: dict[Node, tuple[Node, ...]] = {}  # the new operands of products, and the factors of sums

    def factors(old: Node, new: Node) -> list[Node]:
        """The factors that a product of one reader is made of; of anything else itself."""
        if old not in made or readers[old] > 1:
            return [new]
        return [f for o, n in zip(old.inputs, made[old], strict=True) for f in factors(o, n)]

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if isinstance(node.op, Mul) and node.dtype in WIDE:
            made[node] = inputs
        if not isinstance(node.op, Add | Sub) or node.dtype not in WIDE:
            return None
        left, right = (factors(o, n) for o, n in zip(node.inputs, inputs, strict=True))
        shared = [f for f in dict.fromkeys(left) if f in right and f.shape == node.shape and not _is_number(f)]
        if not shared:
            return None
        for f in shared:
            left.remove(f)
            right.remove(f)
        rest = b.add(node.op, *(_product(b, found, node) for found in (left, right)))
        result = b.add(Mul(), _product(b, shared, node), rest)
        return result if result.type == node.type else None

    return rewrite(graph, rule)


def _is_number(node: Node) -> bool:
    return isinstance(node.op, Literal)


def _product(b: Builder, factors: Sequence[Node], node: Node) -> Node:
    """The product of factors in order, 1 of none."""
    if not factors:
        return b.literal(1, node.dtype)
    product = factors[0]
    for f in factors[1:]:
        product = b.add(Mul(), product, f)
    return product
