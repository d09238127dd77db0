"""One node of a loop's body to what computes it for all steps at once, with time as a scan lays it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import DATA, Builder, Node
from ..ir.op import Elementwise, Op
from ..ops.contract import Matmul
from ..ops.index import Gather
from ..ops.layout import Concat, Expand, Pad, Reshape, Slice, Transpose
from ..ops.reduce import Mean, ReduceMax, ReduceMin, Reduction, Sum
from ..ops.scan import over_time

Lift = Callable[[Builder, Node, "Operands"], "Node | None"]


class Operands:
    """The operands of a body's node outside of the loop: `timed` ones for all steps, the others the same for each."""

    def __init__(self, nodes: Sequence[Node], timed: Sequence[bool], steps: Size) -> None:
        self.nodes, self.timed, self.steps = nodes, timed, steps

    def rank(self, k: int) -> int:
        """The rank of an operand at one step."""
        return len(self.nodes[k].shape) - self.timed[k]

    def aligned(self, b: Builder, k: int, rank: int) -> Node:
        """An operand in a shape that broadcasts over the steps of a value of `rank`, whose time is axis 1 (or 0)."""
        x, own = self.nodes[k], self.rank(k)
        if not self.timed[k]:
            return b.add(Reshape((x.shape[0], 1, *x.shape[1:])), x) if own == rank and rank > 0 else x
        if own == rank:
            return x
        if own:
            x = b.add(Transpose((1, 0, *range(2, own + 1))), x)
        return b.add(Reshape((x.shape[0], *(1,) * (rank - 1 - own), *x.shape[1:])), x)


def lift(b: Builder, node: Node, operands: Operands) -> Node | None:
    """The node for all steps, of type `over_time`; None if there is no rule for it."""
    rule = elementwise if isinstance(node.op, Elementwise) else RULES.get(type(node.op))
    made = rule(b, node, operands) if rule is not None and len(node.types) == 1 else None
    return made if made is not None and made.type == over_time(node.tensor, operands.steps) else None


def can_lift(node: Node, timed: Sequence[bool], steps: Size) -> bool:
    """Whether `lift` has a rule for the node, found out by trying it on inputs of the right types."""
    b = Builder(node.place)
    types = (over_time(n.tensor, steps) if t else n.tensor for n, t in zip(node.inputs, timed, strict=True))
    nodes = [b.input(str(k), DATA, type_) for k, type_ in enumerate(types)]
    return lift(b, node, Operands(nodes, timed, steps)) is not None


def elementwise(b: Builder, node: Node, x: Operands) -> Node | None:
    """Arithmetic on elements, with each operand beside the time of the others."""
    rank = len(node.shape)
    return b.add(node.op, *(x.aligned(b, k, rank) for k in range(len(x.nodes))))


def matmul(b: Builder, node: Node, x: Operands) -> Node | None:
    """Rows of all steps times one matrix: one product."""
    left, right = x.nodes
    assert isinstance(node.op, Matmul)
    if not x.timed[0] or x.timed[1] or x.rank(0) < 2 or x.rank(1) != 2 or node.op.transpose_a:
        return None
    rows = b.add(Reshape((dims.product(left.shape[:-1]), left.shape[-1])), left)
    product = b.add(node.op, rows, right)
    return b.add(Reshape((*left.shape[:-1], product.shape[-1])), product)


def reduction(b: Builder, node: Node, x: Operands) -> Node | None:
    """The same axes of each step; time goes back to its place where the first axis went."""
    assert isinstance(node.op, Reduction)
    rank = x.rank(0)
    if not rank:
        return None
    along = node.op.along(rank)
    made = b.add(type(node.op)(tuple(_shifted(a) for a in along), node.op.keep), x.nodes[0])
    if 0 in along and not node.op.keep and len(made.shape) > 1:
        return b.add(Transpose((1, 0, *range(2, len(made.shape)))), made)
    return made


def reshape(b: Builder, node: Node, x: Operands) -> Node | None:
    """A reshape that leaves the first axis alone."""
    before, after = node.inputs[0].shape, node.shape
    if not before or not after or before[0] != after[0]:
        return None
    return b.add(Reshape((after[0], x.steps, *after[1:])), x.nodes[0])


def transpose(b: Builder, node: Node, x: Operands) -> Node | None:
    """An order that leaves the first axis alone."""
    assert isinstance(node.op, Transpose)
    if not node.op.order or node.op.order[0] != 0:
        return None
    return b.add(Transpose((0, 1, *(i + 1 for i in node.op.order[1:]))), x.nodes[0])


def expand(b: Builder, node: Node, x: Operands) -> Node | None:
    """A stretch of each step."""
    return b.add(Expand(over_time(node.tensor, x.steps).shape), x.aligned(b, 0, len(node.shape)))


def slice_(b: Builder, node: Node, x: Operands) -> Node | None:
    """A slice of each step, at all of time."""
    op = node.op
    assert isinstance(op, Slice)
    if not node.shape:
        return None
    return b.add(Slice(_with(op.starts, 0), _with(op.stops, x.steps), (op.steps[0], 1, *op.steps[1:])), x.nodes[0])


def pad(b: Builder, node: Node, x: Operands) -> Node | None:
    """A padding of each step, none of time."""
    op = node.op
    assert isinstance(op, Pad)
    if not node.shape:
        return None
    between = (op.between[0], 0, *op.between[1:]) if op.between else ()
    return b.add(Pad(_with(op.before, 0), _with(op.after, 0), op.value, between), x.nodes[0])


def concat(b: Builder, node: Node, x: Operands) -> Node | None:
    """Parts that all differ from step to step, joined at each."""
    assert isinstance(node.op, Concat)
    if not all(x.timed):
        return None
    return b.add(Concat(_shifted(node.op.axis % len(node.shape))), *x.nodes)


def gather(b: Builder, node: Node, x: Operands) -> Node | None:
    """Rows of one table at positions of all steps."""
    return b.add(node.op, *x.nodes) if list(x.timed) == [False, True] and x.rank(1) else None


def _shifted(axis: int) -> int:
    """Where an axis of one step stands beside time."""
    return axis + 1 if axis else 0


def _with(sizes: tuple[Size, ...], time: Size) -> tuple[Size, ...]:
    return (sizes[0], time, *sizes[1:])


RULES: Mapping[type[Op], Lift] = {
    Matmul: matmul,
    Sum: reduction,
    Mean: reduction,
    ReduceMax: reduction,
    ReduceMin: reduction,
    Reshape: reshape,
    Transpose: transpose,
    Expand: expand,
    Slice: slice_,
    Pad: pad,
    Concat: concat,
    Gather: gather,
}
