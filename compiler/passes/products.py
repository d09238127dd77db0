"""Graph to graph in which products are made as their only reader wants them, instead of being changed afterwards."""

from __future__ import annotations

from collections import Counter

from ..ir import dims
from ..ir.dims import Dim, Size
from ..ir.graph import Builder, Graph, Node
from ..ir.rewrite import rewrite
from ..ops.contract import Matmul
from ..ops.elementwise import Mul
from ..ops.layout import Transpose
from .algebra import number
from .sequence import everywhere


@everywhere
def absorb_into_products(graph: Graph) -> Graph:
    """A product that somebody else reads too stays as it is: to make it twice would cost more."""
    readers = Counter(n for node in graph.nodes for n in node.inputs) + Counter(graph.ends)

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if not inputs or not isinstance(inputs[0].op, Matmul) or readers[node.inputs[0]] > 1:
            return None
        if isinstance(node.op, Transpose):
            return _turned(b, node.op, inputs[0])
        return _scaled(b, *inputs) if isinstance(node.op, Mul) else None

    return rewrite(graph, rule)


def _turned(b: Builder, op: Transpose, product: Node) -> Node | None:
    """(a @ b)ᵀ is bᵀ @ aᵀ, whose rows lie as they are wanted; axes before those of matrices are moved as before."""
    left, right = product.inputs
    assert isinstance(product.op, Matmul)
    rank = len(op.order)
    if op.order[-1] != rank - 2 or min(len(left.shape), len(right.shape)) < 2:
        return None
    turned = b.add(Matmul(not product.op.transpose_b, not product.op.transpose_a), right, left)
    order = tuple({rank - 1: rank - 2, rank - 2: rank - 1}.get(i, i) for i in op.order)
    return turned if order == tuple(range(rank)) else b.add(Transpose(order), turned)


def _scaled(b: Builder, product: Node, factor: Node) -> Node | None:
    """(a @ b) · c is (a · c) @ b, on fewer elements if a has fewer than the product."""
    value = number(factor)
    if value is None or not product.dtype.is_float:
        return None
    left, right = product.inputs
    c = b.literal(value, product.dtype)
    if _is_more(product.tensor.size, left.tensor.size):
        return b.add(product.op, b.add(Mul(), left, c), right)
    if _is_more(product.tensor.size, right.tensor.size):
        return b.add(product.op, left, b.add(Mul(), right, c))
    return None


def _is_more(a: Size, b: Size) -> bool:
    """Whether a > b, whatever whole numbers above 0 the names stand for, as far as the terms of a - b tell."""
    gap = a - b
    if isinstance(gap, Dim):
        return all(factor > 0 for _, factor in gap.terms) and dims.substitute(gap, dict.fromkeys(gap.names, 1)) != 0
    return gap > 0
