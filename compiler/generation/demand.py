"""The graph of scores to what must be known of each node at each step: its new positions, or all so far.

It is walked backwards from the scores of the new positions. Along an axis that an operation treats element by element
its operands are wanted at the same positions; an operand without that axis is wanted whole, as keys and values are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..ir.dims import Size
from ..ir.graph import Graph, Item, Node
from ..ops.convolution import Conv
from ..ops.reduce import Cumsum
from ..ops.scan import Scan, time_axis
from .axes import depends, has_length, has_size, links, narrowed
from .stability import unstable
from .tails import Tails


@dataclass
class Demand:
    """What is wanted of the nodes that depend on the text.

    `rows` gives the results and axes along which new positions are wanted, `whole` the nodes that are wanted at every
    position so far, and `unproven` the nodes at which it cannot be seen that no position depends on later ones.
    """

    rows: dict[Node, set[tuple[int, int]]] = field(default_factory=dict)
    whole: set[Node] = field(default_factory=set)
    unproven: list[Node] = field(default_factory=list)


def demand(graph: Graph, scores: Node, source: Node, reached: set[Node], length: Size) -> Demand:
    """What must be known for the new rows of `scores` [N, length, entries], given those of `source` [N, length].

    `reached` are the nodes that depend on the source; what does not is known at every position.
    """
    walk = _Walk(graph, source, reached, length)
    walk.want(scores, scores, 1)
    for node in reversed(graph.nodes):
        if node in reached:
            walk.visit(node)
    return walk.found


class _Walk:
    def __init__(self, graph: Graph, source: Node, reached: set[Node], length: Size) -> None:
        self.source, self.reached, self.length = source, reached, length
        self.tails = Tails(graph, length)
        self.unstable = unstable(graph, reached, length)
        self.found = Demand()

    def visit(self, node: Node) -> None:
        """What is wanted of a node, put to its operands."""
        if node in self.found.whole:
            axis = growing_axis(node, self.length)
            if axis is None:
                self.found.unproven.append(node)
                return
            self.found.rows.setdefault(node, set()).add((0, axis))
        for index, axis in sorted(self.found.rows.get(node, ())):
            if node is not self.source and not self._follow(node, index, axis):
                self.found.unproven.append(node)
                return

    def want(self, reader: Node, node: Node, axis: int | None, index: int = 0) -> None:
        """Asks for new positions of a node along `axis`, or for the whole of it."""
        if node not in self.reached:
            if node in self.unstable:
                self.found.unproven.append(reader)
        elif axis is not None:
            self.found.rows.setdefault(node, set()).add((index, axis))
        else:
            self.found.whole.add(node)

    def _follow(self, node: Node, index: int, axis: int) -> bool:
        """Asks the operands for what new positions of a node need; whether causality could be seen."""
        if node.types[index].shape[axis] != self.length:
            return False
        match node.op:
            case Item(which):
                self.want(node, node.inputs[0], axis, which)
                return True
            case Scan() as op:
                return self._scan(node, op, index, axis)
            case Cumsum(along, reverse) if along % len(node.shape) == axis:
                self.want(node, node.inputs[0], axis)
                return not reverse
            case Conv() if 0 < axis < len(node.shape) - 1:
                self.want(node, node.inputs[0], axis)
                self.want(node, node.inputs[1], None)
                return is_causal(node, axis) and node.inputs[1] not in self.reached
        return self._pointwise(node, index, axis)

    def _pointwise(self, node: Node, index: int, axis: int) -> bool:
        places = links(node, index, axis) if len(node.types) == 1 else None
        if places is None or narrowed(node, axis, self.length, 1) is None:
            return False
        for operand, place in zip(node.inputs, places, strict=True):
            self.want(node, operand, place)
        return all(self.tails.is_neutral(node, axis, name) for name in self._combined(node))

    def _combined(self, node: Node) -> Iterator[str]:
        """The names of the axes of the text's length that an operation does not treat element by element."""
        axes = node.op.axes(*(n.tensor for n in node.inputs))
        results = {name for output in axes.outputs for name in output}
        for source, operand in zip(node.inputs, axes.inputs, strict=True):
            for size, axis in zip(source.shape, operand, strict=True):
                if depends(size, self.length) and (axis.need != "point" or axis.name not in results):
                    yield axis.name

    def _scan(self, node: Node, op: Scan, index: int, axis: int) -> bool:
        """A loop forwards over the text whose first values and constants do not depend on it."""
        first = op.carries + op.slices
        for sequence in node.inputs[op.carries : first]:
            self.want(node, sequence, time_axis(len(sequence.shape)))
        others = (*node.inputs[: op.carries], *node.inputs[first:])
        closed = not any(n in self.reached or n in self.unstable or has_size(n, self.length) for n in others)
        over_time = index >= op.carries and axis == time_axis(len(node.types[index].shape))
        return closed and over_time and not op.reverse and not has_length(op, self.length)


def growing_axis(node: Node, length: Size) -> int | None:
    """The one axis of a node that has the length of the text; None where none has, or others have to do with it."""
    own = [i for i, size in enumerate(node.tensor.shape) if depends(size, length)]
    return own[0] if len(own) == 1 and node.shape[own[0]] == length else None


def is_causal(node: Node, axis: int) -> bool:
    """Whether a convolution looks along a spatial axis at what came before, one step at a time."""
    assert isinstance(node.op, Conv)
    at = axis - 1
    reach = (node.inputs[1].shape[at] - 1) * node.op.dilation[at]
    return node.op.stride[at] == 1 and node.op.padding[at] == (reach, 0)
