"""Graph to graph in which arithmetic whose result is only read in slices is done on slices of its operands.

The gates of a recurrent layer are slices of one sum: so the sum is computed with what each gate makes of it, in one
kernel, and never stored.
"""

from __future__ import annotations

from ..ir.graph import Builder, Graph, Node
from ..ir.op import Elementwise
from ..ir.rewrite import rewrite
from ..ops.layout import Slice
from .sequence import everywhere
from .unused import drop_unused


@everywhere
def slice_operands(graph: Graph) -> Graph:
    """Only where the slices have no more elements than the whole, so that nothing is computed twice."""
    cut = _only_sliced(graph)
    if not cut:
        return graph
    new: dict[Node, Node] = {}
    made: dict[tuple[Node, Slice], Node] = {}

    def sliced(b: Builder, x: Node, op: Slice) -> Node:
        """The slice of a value of the graph before, as a new node."""
        if (x, op) not in made:
            if x in cut:
                operands = (sliced(b, i, _of_operand(op, i, x)) for i in x.inputs)
                made[x, op] = b.add(x.op, *operands, name=x.name)
            else:
                made[x, op] = new[x] if op == _whole(x) else b.add(op, new[x])
        return made[x, op]

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        new.update(zip(node.inputs, inputs, strict=True))
        return sliced(b, node.inputs[0], node.op) if isinstance(node.op, Slice) and node.inputs[0] in cut else None

    return drop_unused(rewrite(graph, rule))


def _only_sliced(graph: Graph) -> set[Node]:
    """The elementwise nodes that are read in slices only, or as wholes by one such node."""
    readers, ends = graph.readers, set(graph.ends)
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        if not isinstance(node.op, Elementwise) or node in ends or node not in readers:
            continue
        (first, *others) = readers[node]
        if all(isinstance(r.op, Slice) for r in readers[node]):
            more = sum((r.tensor.size for r in readers[node]), start=-node.tensor.size)
            if isinstance(more, int) and more <= 0:
                found.add(node)
        elif not others and first in found and first.shape == node.shape:
            found.add(node)
    return found


def _whole(x: Node) -> Slice:
    """The slice that is all of a value."""
    return Slice((0,) * len(x.shape), x.shape, (1,) * len(x.shape))


def _of_operand(op: Slice, operand: Node, whole: Node) -> Slice:
    """The slice of an operand that broadcasts: all of the axes that it stretches."""
    lead = len(whole.shape) - len(operand.shape)
    axes = list(zip(operand.shape, whole.shape[lead:], op.starts[lead:], op.stops[lead:], op.steps[lead:], strict=True))
    kept = [(start, stop, step) if n == wide else (0, 1, 1) for n, wide, start, stop, step in axes]
    starts, stops, steps = zip(*kept, strict=True) if kept else ((), (), ())
    return Slice(starts, stops, steps)
