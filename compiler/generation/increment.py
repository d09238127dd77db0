"""The graph of scores to steps that compute new positions from what earlier ones left: caches and carried values."""

from __future__ import annotations

from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import Graph, Item, Node
from ..ir.types import Tensor
from ..ops.convolution import Conv
from ..ops.elementwise import Add
from ..ops.index import Update, Window
from ..ops.layout import Concat, Slice
from ..ops.reduce import Cumsum
from ..ops.scan import Scan, time_axis
from ..phases import COUNT
from .axes import links, narrowed
from .demand import Demand
from .steps import SCORES, Split, Steps


def incremental(graph: Graph, grown: str, length: Size, wanted: Demand, count: int) -> Steps:
    """Steps of `count` positions that keep what `wanted` says: its demand leaves nothing unproven."""
    assert not wanted.unproven
    making = _Increment(graph, grown, length, wanted, count)
    for node in graph.nodes:
        if node in making.split.reached:
            with making.b.at(node.place):
                making.make(node)
        else:
            making.split.copy(node)
    scores = graph.result(SCORES)
    with making.b.at(scores.place):
        return making.split.steps(making.row(scores, 1))


class _Increment:
    """`rows` holds the new positions of nodes along an axis, `whole` what they were at all positions so far."""

    def __init__(self, graph: Graph, grown: str, length: Size, wanted: Demand, count: int) -> None:
        self.split = Split(graph, graph.input(grown), count)
        self.count = count
        self.b = self.split.step
        self.length, self.wanted = length, wanted
        self.rows: dict[tuple[Node, int], Node] = {}
        self.whole: dict[Node, Node] = {}
        self.scans: dict[Node, tuple[Node, ...]] = {}

    def make(self, node: Node) -> None:
        """What is wanted of a node that depends on the text."""
        if isinstance(node.op, Scan) and node in self.wanted.rows:
            self.scans[node] = self._scan(node, node.op)
            return
        for index, axis in sorted(self.wanted.rows.get(node, ())):
            assert index == 0, node
            made = self.rows[node, axis] = self._row(node, axis)
            expected = (*node.shape[:axis], self.count, *node.shape[axis + 1 :])
            assert made.shape == expected, (node, made.shape, expected)
        if node in self.wanted.whole:
            self.whole[node] = self._cache(node)

    def row(self, node: Node, axis: int) -> Node:
        """The new positions of a node along an axis."""
        if (node, axis) not in self.rows:
            whole = self.split.operand(node)
            self.rows[node, axis] = self.b.add(Window(axis, self.count), whole, self.split.position)
        return self.rows[node, axis]

    def _operand(self, node: Node, axis: int | None) -> Node:
        if axis is not None:
            return self.row(node, axis)
        return self.whole[node] if node in self.split.reached else self.split.operand(node)

    def _row(self, node: Node, axis: int) -> Node:
        match node.op:
            case _ if node is self.split.source:
                return self.split.token
            case Item(index):
                (source,) = node.inputs
                return self.scans[source][index]
            case Cumsum(along, _) if along % len(node.shape) == axis:
                return self._running(node, axis)
            case Conv() as op if 0 < axis < len(node.shape) - 1:
                return self._convolved(node, op, axis)
        places = links(node, 0, axis)
        narrow = narrowed(node, axis, self.length, self.count)
        assert places is not None, node
        assert narrow is not None, node
        inputs = (self._operand(n, place) for n, place in zip(node.inputs, places, strict=True))
        return self.b.add(narrow, *inputs, name=node.name)

    def _cache(self, node: Node) -> Node:
        """All positions so far in a place for `length` of them, the new ones written into it."""
        (axis,) = (i for i, size in enumerate(node.shape) if size == self.length)
        kept = self.split.state(node.tensor, self.split.zeros(node.tensor))
        after = self.b.add(Update(axis), kept, self.rows[node, axis], self.split.position)
        self._moves(kept, after)
        return after

    def _scan(self, node: Node, op: Scan) -> tuple[Node, ...]:
        """The loop over the new positions only; it goes on from what it carried last."""
        first = op.carries + op.slices
        carried = [self.split.state(n.tensor, self.split.beginning(n)) for n in node.inputs[: op.carries]]
        sequences = [self.row(n, time_axis(len(n.shape))) for n in node.inputs[op.carries : first]]
        constants = [self.split.operand(n) for n in node.inputs[first:]]
        results = self.b.many(op, *carried, *sequences, *constants)
        for state, after in zip(carried, results, strict=False):
            self._moves(state, after)
        return results

    def _running(self, node: Node, axis: int) -> Node:
        """A running sum goes on from the last one."""
        type_ = self._narrow(node.tensor, axis, 1)
        kept = self.split.state(type_, self.split.zeros(type_))
        made = self.b.add(Add(), kept, self.b.add(node.op, self.row(node.inputs[0], axis)))
        self._moves(kept, self._last(made, axis, 1))
        return made

    def _convolved(self, node: Node, op: Conv, axis: int) -> Node:
        """A convolution over the new positions and the few before them that it reaches."""
        x, weights = node.inputs
        reach, none = op.padding[axis - 1]
        assert none == 0
        rows = self.row(x, axis)
        if reach != 0:
            type_ = self._narrow(x.tensor, axis, reach)
            kept = self.split.state(type_, self.split.zeros(type_))
            rows = self.b.add(Concat(axis), kept, rows)
            self._moves(kept, self._last(rows, axis, reach))
        padding = (*op.padding[: axis - 1], (0, 0), *op.padding[axis:])
        return self.b.add(Conv(op.stride, padding, op.dilation, op.groups), rows, self.split.operand(weights))

    def _last(self, node: Node, axis: int, count: Size) -> Node:
        """The last elements along an axis."""
        starts = tuple(size - count if i == axis else 0 for i, size in enumerate(node.shape))
        return self.b.add(Slice(starts, node.shape, (1,) * len(starts)), node)

    def _narrow(self, type_: Tensor, axis: int, count: Size) -> Tensor:
        return type_.with_shape((*type_.shape[:axis], count, *type_.shape[axis + 1 :]))

    def _moves(self, state: Node, after: Node) -> None:
        """Says that a kept value belongs to the text, and along which axis its rows go."""
        rows = next((i for i, size in enumerate(state.shape) if COUNT in dims.names(size)), None)
        self.split.moves(state, after, rows)
