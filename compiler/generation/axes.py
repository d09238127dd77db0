"""How the positions of a text run through an operation: which axis of which operand, and the operation on a few."""

from __future__ import annotations

from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import Node
from ..ir.op import Op
from ..ir.types import Shape
from ..ops.layout import Expand, Reshape, Slice


def links(node: Node, index: int, axis: int) -> tuple[int | None, ...] | None:
    """For each operand its axis that runs along `axis` of result `index` element by element, None where it has none.

    None where the elements along that axis are no function of those at the same place alone.
    """
    axes = node.op.axes(*(n.tensor for n in node.inputs))
    name = axes.outputs[index][axis]
    if not all(name in output for output in axes.outputs):
        return None
    found: list[int | None] = []
    for operand in axes.inputs:
        own = [i for i, a in enumerate(operand) if a.name == name]
        if len(own) > 1 or any(operand[i].need != "point" for i in own):
            return None
        found.append(own[0] if own else None)
    if all(place is None for place in found) and not isinstance(node.op, Expand):
        return None
    return tuple(found)


def narrowed(node: Node, axis: int, length: Size, count: Size) -> Op | None:
    """The operation of a node on `count` positions along `axis` of its result instead of `length` of them.

    None where its fields speak of the length in another way.
    """
    match node.op:
        case Reshape(shape):
            op: Op = Reshape(_with(shape, axis, count))
        case Expand(shape):
            op = Expand(_with(shape, axis, count))
        case Slice(starts, stops, steps):
            op = Slice(starts, _with(stops, axis, count), steps)
        case _:
            return None if has_length(node.op, length) else node.op
    return op


def has_length(op: Op, length: Size) -> bool:
    """Whether a field of an operation speaks of the length."""
    seen: list[Size] = []

    def note(size: Size) -> Size:
        seen.append(size)
        return size

    op.map(sizes=note)
    return any(depends(size, length) for size in seen)


def has_size(node: Node, length: Size) -> bool:
    """Whether the type of a node speaks of the length."""
    return any(depends(size, length) for t in node.types for size in t.shape)


def depends(size: Size, length: Size) -> bool:
    """Whether a size has to do with the length."""
    return not dims.names(length).isdisjoint(dims.names(size))


def _with(shape: Shape, axis: int, size: Size) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])
