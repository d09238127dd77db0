"""Rules of sums and products of matrices. Each rule's docstring is its reason."""

from __future__ import annotations

from collections.abc import Mapping

from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import Builder, Node
from ..ir.op import Op
from ..ir.types import Shape
from ..ops import reduce
from ..ops.contract import Matmul
from ..ops.elementwise import Div, Mul, Sub
from ..ops.layout import Expand, Reshape, Transpose
from ..ops.reduce import Mean, Prod, ReduceMax, ReduceMin, Reduction, Sum
from ..ops.state import Size as SizeOf
from ..ops.state import size_number
from ..ops.unary import Neg
from .algebra import Rule, number, single


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


def of_reshaped(b: Builder, node: Node) -> Node | None:
    """Combining over axes that a reshape has joined or split is combining over those before."""
    (x,) = node.inputs
    assert isinstance(node.op, Reduction)
    pairs = _regrouped(x.inputs[0].shape, x.shape) if isinstance(x.op, Reshape) else None
    along = set(node.op.along(len(x.shape)))
    if pairs is None or any(along.intersection(after) and not along.issuperset(after) for _, after in pairs):
        return None
    (source,) = x.inputs
    over = tuple(i for before, after in pairs for i in before if along.intersection(after) and source.shape[i] != 1)
    return b.add(Reshape(node.shape), b.add(type(node.op)(over, False), source)) if over else None


def _regrouped(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]] | None:
    """The axes of two shapes in groups of as many elements each, where on one side each group is one axis."""
    groups, i, k = [], 0, 0
    while i < len(before) and k < len(after):
        old = _filling(before, i, after[k])
        new = _filling(after, k, before[i])
        if old:
            groups.append((old, [k]))
        elif new:
            groups.append(([i], new))
        else:
            return None
        i, k = i + len(groups[-1][0]), k + len(groups[-1][1])
    return groups if i == len(before) and k == len(after) else None


def _filling(shape: Shape, start: int, size: Size) -> list[int]:
    """The axes of a shape from `start` on that together have `size` elements; none if no axes have."""
    total: Size = 1
    for i in range(start, len(shape)):
        total = total * shape[i]
        if total == size:
            return list(range(start, i + 1))
    return []


def of_scaled(b: Builder, node: Node) -> Node | None:
    """A factor that is the same along the axes of a sum multiplies the sum, not each element. In f16 the sum could
    be too large."""
    (x,) = node.inputs
    assert isinstance(node.op, Sum)
    if not isinstance(x.op, Mul | Div) or node.dtype.is_half or not node.dtype.is_float:
        return None
    along = node.op.along(len(x.shape))
    for a, v in (x.inputs, reversed(x.inputs))[: 2 if isinstance(x.op, Mul) else 1]:
        lead = len(x.shape) - len(v.shape)
        if along and a.shape == x.shape and all(i < lead or v.shape[i - lead] == 1 for i in along):
            left = tuple(n for i, n in enumerate(v.shape) if node.op.keep or i + lead not in along)
            return b.add(x.op, b.add(node.op, a), b.add(Reshape(left), v))
    return None


def of_centred(b: Builder, node: Node) -> Node | None:
    """What is left of x when its mean is taken away adds up to nothing, along the axes of the mean."""
    (x,) = node.inputs
    assert isinstance(node.op, Sum)
    if not isinstance(x.op, Sub) or x.inputs[0].shape != x.shape or not node.dtype.is_float:
        return None
    source, mean = x.inputs
    along, rank = node.op.along(len(x.shape)), len(x.shape)
    leading = along == tuple(range(len(along))) and mean.shape == x.shape[len(along) :]
    if not leading and mean.shape != node.op.left(x.shape, True):
        return None
    total = _divided(mean, node.op.count(x.shape))
    if total is None or not isinstance(total.op, Sum) or total.inputs[0] is not source or total.op.along(rank) != along:
        return None
    return b.add(Expand(node.shape), b.literal(0, node.dtype))


def _divided(mean: Node, count: Size) -> Node | None:
    """What was divided by `count`, apart from reshapes."""
    mean = mean.inputs[0] if isinstance(mean.op, Reshape) else mean
    if not isinstance(mean.op, Div | Mul):
        return None
    divisor, value = single(mean.inputs[1]), number(mean.inputs[1])
    if isinstance(mean.op, Div):
        right = value == count if value is not None else divisor is not None and divisor.op == SizeOf(count, mean.dtype)
    else:
        right = value is not None and isinstance(count, int) and abs(value * count - 1) < 1e-6
    total = mean.inputs[0]
    return (total.inputs[0] if isinstance(total.op, Reshape) else total) if right else None


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


_ANY: tuple[Rule, ...] = (of_one_element, of_stretched, of_reshaped)

RULES: Mapping[type[Op], tuple[Rule, ...]] = {
    Sum: (*_ANY, of_negative, of_scaled, of_centred),
    ReduceMax: _ANY,
    ReduceMin: _ANY,
    Prod: (of_one_element, of_reshaped),
    Mean: _ANY,
    reduce.Any: _ANY,
    reduce.All: _ANY,
    Matmul: (product_of_transposed,),
}
