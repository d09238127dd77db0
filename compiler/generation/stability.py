"""Values that do not depend on the text but on its length: whether they begin alike for texts of all lengths.

Positions and masks do. What does not, such as the length as a number or positions counted from the end, says at each
position something about how long the text will be.
"""

from __future__ import annotations

from ..ir.dims import Size
from ..ir.graph import Graph, Input, Item, Node
from ..ops.index import Iota
from ..ops.layout import Expand, Slice
from .axes import depends, has_length, has_size, links


def unstable(graph: Graph, reached: set[Node], length: Size) -> set[Node]:
    """The nodes, besides those that the text has `reached`, whose beginning is another for a longer text."""
    found: set[Node] = set()
    for node in graph.nodes:
        if node not in reached and not (found.isdisjoint(node.inputs) and _begins_alike(node, length)):
            found.add(node)
    return found


def _begins_alike(node: Node, length: Size) -> bool:
    """Whether the beginning of a result is made of the beginnings of operands alone."""
    if any(depends(size, length) and size != length for t in node.types for size in t.shape):
        return False
    match node.op:
        case Input():
            return not has_size(node, length)
        case Iota() | Expand() | Item():
            return True
        case Slice(starts, _, steps):
            sizes = node.inputs[0].shape
            whole = all(
                (a, step) == (0, 1) for s, a, step in zip(sizes, starts, steps, strict=True) if depends(s, length)
            )
            return whole and not any(depends(start, length) for start in starts)
    if has_length(node.op, length) and not has_size(node, length):
        return False
    return _is_linked(node, length)


def _is_linked(node: Node, length: Size) -> bool:
    """Whether all axes of the length, of results and operands, belong to each other element by element."""
    places = [links(node, i, k) for i, t in enumerate(node.types) for k, s in enumerate(t.shape) if depends(s, length)]
    kept = {(operand, axis) for found in places if found for operand, axis in enumerate(found)}
    used = {(i, k) for i, n in enumerate(node.inputs) for k, s in enumerate(n.types[0].shape) if depends(s, length)}
    return None not in places and used <= kept
