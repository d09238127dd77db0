"""Rules of sums and products of matrices. Each rule's docstring is its reason."""

from __future__ import annotations

from collections.abc import Mapping

from ..ir import dims
from ..ir.graph import Builder, Node
from ..ir.op import Op
from ..ops import reduce
from ..ops.contract import Matmul
from ..ops.elementwise import Mul
from ..ops.layout import Expand, Reshape, Transpose
from ..ops.reduce import Mean, Prod, ReduceMax, ReduceMin, Reduction, Sum
from ..ops.state import size_number
from ..ops.unary import Neg
from .algebra import Rule


def of_one_element(b: Builder, node: Node) -> Node | None:
    """Combining along axes of size 1 combines nothing."""
    (x,) = node.inputs
    assert isinstance(node.op, Reduction)
    along = node.op.along(len(x.shape))
    ones = [i for i in along if x.shape[i] == 1]
    if len(ones) == len(along):
        return b.add(Reshape(node.shape), x)
    if not ones:
        return None
    squeezed = b.add(Reshape(tuple(n for i, n in enumerate(x.shape) if i not in ones)), x)
    left = tuple(axis - sum(i < axis for i in ones) for axis in along if axis not in ones)
    return b.add(Reshape(node.shape), b.add(type(node.op)(left, False), squeezed))


def of_stretched(b: Builder, node: Node) -> Node | None:
    """Equal elements are not combined one by one: their sum is a product, and their mean or greatest is any one."""
    (x,) = node.inputs
    assert isinstance(node.op, Reduction)
    if not isinstance(x.op, Expand):
        return None
    (source,) = x.inputs
    lead = len(x.shape) - len(source.shape)
    short = (1,) * lead + source.shape
    along = node.op.along(len(x.shape))
    equal = [i for i in along if short[i] == 1 and x.shape[i] != 1]
    # Of no elements the sum is 0 and the rest has no value.
    if not equal or not all(isinstance(x.shape[i], int) and x.shape[i] for i in equal):
        return None
    held = tuple(1 if i in equal else n for i, n in enumerate(x.shape))
    small = b.add(Expand(held), source)
    made = b.add(type(node.op)(along, node.op.keep), small)
    if isinstance(node.op, Sum):
        made = b.add(Mul(), made, size_number(b, dims.product(x.shape[i] for i in equal), node.dtype))
    return made


def of_negative(b: Builder, node: Node) -> Node | None:
    """The sign of a sum changes once, not that of each element."""
    (x,) = node.inputs
    return b.add(Neg(), b.add(node.op, x.inputs[0])) if isinstance(x.op, Neg) else None


def product_of_transposed(b: Builder, node: Node) -> Node | None:
    """A product reads its operands transposed for nothing."""
    assert isinstance(node.op, Matmul)
    left, right = node.inputs
    turn_left, turn_right = _is_turned(left), _is_turned(right)
    if not turn_left and not turn_right:
        return None
    op = Matmul(node.op.transpose_a != turn_left, node.op.transpose_b != turn_right)
    return b.add(op, left.inputs[0] if turn_left else left, right.inputs[0] if turn_right else right)


def _is_turned(node: Node) -> bool:
    """Whether a node is another with its last two axes exchanged."""
    if not isinstance(node.op, Transpose) or len(node.shape) < 2:
        return False
    rank = len(node.shape)
    return node.op.order == (*range(rank - 2), rank - 1, rank - 2)


_ANY: tuple[Rule, ...] = (of_one_element, of_stretched)

RULES: Mapping[type[Op], tuple[Rule, ...]] = {
    Sum: (*_ANY, of_negative),
    ReduceMax: _ANY,
    ReduceMin: _ANY,
    Prod: (of_one_element,),
    Mean: _ANY,
    reduce.Any: _ANY,
    reduce.All: _ANY,
    Matmul: (product_of_transposed,),
}
