"""Whether samples are computed apart from each other: then any number of them may be run in pieces."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .ir.dims import Size
from .ir.graph import DATA, TARGET, Graph, Input, Item, Literal, Node
from .ops.random import Draw


def independent(graph: Graph) -> bool:
    """Whether sample i of every result depends on sample i of the inputs only, axis 0 of both.

    A draw with a row for each sample is one of its inputs; one that several samples share joins them.
    """
    counts = {n.shape[0] for n in graph.named_inputs(DATA, TARGET).values()}
    batch: dict[tuple[Node, int], int | None] = {}
    for node in graph.nodes:
        places = _drawn(node.op, counts) if isinstance(node.op, Draw) else _places(node, batch)
        if places is None:
            return False
        batch |= {(node, i): place for i, place in enumerate(places)}
    return all(batch[node, 0] == 0 for _, node in graph.results)


def _drawn(op: Draw, counts: Collection[Size]) -> tuple[int | None, ...] | None:
    """The axis of the samples in a draw, None where it has none."""
    return (0,) if op.shape and op.shape[0] in counts else None


def _places(node: Node, batch: Mapping[tuple[Node, int], int | None]) -> tuple[int | None, ...] | None:
    """The axis of the samples in each result of a node, None where it has none; None where it mixes samples."""
    match node.op:
        case Input(role="data" | "target"):
            return (0,)
        case Input() | Literal():
            return (None,)
        case Item(index):
            return (batch[node.inputs[0], index],)
    axes = node.op.axes(*(n.tensor for n in node.inputs))
    names = set()
    for source, operand in zip(node.inputs, axes.inputs, strict=True):
        place = batch[source, 0]
        if place is not None:
            axis = operand[place]
            if axis.need != "point" or axis.name in axes.added:
                return None
            names.add(axis.name)
    if not names:
        return (None,) * len(axes.outputs)
    if len(names) > 1 or any(not names <= set(output) for output in axes.outputs):
        return None
    (name,) = names
    return tuple(output.index(name) for output in axes.outputs)
