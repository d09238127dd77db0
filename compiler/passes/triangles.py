"""Graph to graph in which products know of triangles: where positions may not look ahead, half of the scores are zero,
and half of the products that make and read them need not be computed.

A mask `column <= row` begins a triangle. What it puts in place of the other elements is zero, or so far below all
scores that a softmax makes zero of it: a billion below zero means "not seen", as nothing that is seen comes near it.
"""

from __future__ import annotations

from typing import NamedTuple

from ..ir.graph import Builder, Graph, Node
from ..ir.op import Elementwise
from ..ir.rewrite import rewrite
from ..ops.contract import Matmul
from ..ops.elementwise import Add, Div, Le, Mul, Sub, Where
from ..ops.index import Iota
from ..ops.layout import Reshape
from ..ops.reduce import ReduceMax
from ..ops.unary import Exp
from .algebra import number
from .sequence import everywhere

UNSEEN = -1e9
SMALLEST = 32  # rows and columns: fewer are a tile or two


class Triangles(NamedTuple):
    """Values of a graph by their matrices: which are `zero` above the diagonal, or `unseen`, so far below what is seen
    that they are never the largest; and of which only what is not above it is `needed`."""

    zero: frozenset[Node]
    unseen: frozenset[Node]
    needed: frozenset[Node]


def triangles(graph: Graph) -> Triangles:
    """What is known of the values of a graph."""
    zero, unseen = _zero_above(graph)
    return Triangles(frozenset(zero), frozenset(unseen), frozenset(_needed_below(graph, zero)))


@everywhere
def see_triangles(graph: Graph) -> Graph:
    """Products of floats, by what their operands are and by what of them is read."""
    below, _, needed = triangles(graph)

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        op = node.op
        if not isinstance(op, Matmul) or not node.dtype.is_float or op.triangle:
            return None
        left, right = node.inputs
        if left in below:
            return b.add(Matmul(op.transpose_a, op.transpose_b, "left", op.transpose_a), *inputs)
        if right in below:
            return b.add(Matmul(op.transpose_a, op.transpose_b, "right", op.transpose_b), *inputs)
        return b.add(Matmul(op.transpose_a, op.transpose_b, "result"), *inputs) if node in needed else None

    return rewrite(graph, rule)


def _zero_above(graph: Graph) -> tuple[set[Node], set[Node]]:
    """Values whose matrices are zero above the diagonal, and those that are unseen there."""
    zero: set[Node] = set()
    unseen: set[Node] = set()
    for node in graph.nodes:
        match node.op:
            case Where():
                value = number(node.inputs[2]) if looks_back(node) else None
                (zero if value == 0 else unseen if value is not None and value <= UNSEEN else set()).add(node)
            case Sub() if node.inputs[0] in unseen and _is_most(node.inputs[1], node.inputs[0]):
                unseen.add(node)
            case Exp() if node.inputs[0] in unseen and isinstance(node.inputs[0].op, Sub):
                zero.add(node)
            case Mul() if any(_same(x, node) and x in zero for x in node.inputs):
                zero.add(node)
            case Div() if _same(node.inputs[0], node) and node.inputs[0] in zero:
                zero.add(node)
            case Add() | Sub() if all(_same(x, node) and x in zero for x in node.inputs):
                zero.add(node)
            case _:
                pass
    return zero, unseen


def looks_back(node: Node) -> bool:
    """Whether a `where` takes its first value only where the column is not beyond the row."""
    condition, yes, _ = node.inputs
    if not isinstance(condition.op, Le) or len(condition.shape) < 2 or condition.shape[-2:] != node.shape[-2:]:
        return False
    column, row = condition.inputs
    sizes = node.shape[-2:]
    is_large = all(isinstance(n, int) and n >= SMALLEST for n in sizes)
    return is_large and _same(yes, node) and _counts(column, (sizes[1],)) and _counts(row, (sizes[0], 1))


def _counts(node: Node, shape: tuple[object, ...]) -> bool:
    """Whether a node is 0, 1, 2 … along a shape that has one long axis; axes of 1 may stand before."""
    if node.shape[-len(shape) :] != shape or any(n != 1 for n in node.shape[: -len(shape)]):
        return False
    while isinstance(node.op, Reshape):
        node = node.inputs[0]
    return isinstance(node.op, Iota)


def _is_most(node: Node, of: Node) -> bool:
    """Whether a node is the largest element of each row."""
    return isinstance(node.op, ReduceMax) and node.inputs[0] is of and node.shape == (*of.shape[:-1], 1)


def _same(x: Node, node: Node) -> bool:
    return x.shape == node.shape


def _needed_below(graph: Graph, below: set[Node]) -> set[Node]:
    """Values of which only what is not above the diagonal makes a difference."""
    ends = set(graph.ends)
    needed: set[Node] = set()
    for node in reversed(graph.nodes):
        found = graph.readers.get(node, [])
        if found and node not in ends and all(_ignores(r, node, below, needed) for r in found):
            needed.add(node)
    return needed


def _ignores(reader: Node, x: Node, below: set[Node], needed: set[Node]) -> bool:
    """Whether a reader makes nothing of what a value has above the diagonal."""
    if not isinstance(reader.op, Elementwise) or not _same(reader, x):
        return False
    if reader in needed:
        return True
    if isinstance(reader.op, Where):
        return looks_back(reader) and reader.inputs[1] is x and reader.inputs[2] is not x
    others = [other for other in reader.inputs if other is not x]
    return isinstance(reader.op, Mul) and any(_same(other, reader) and other in below for other in others)
