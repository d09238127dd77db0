"""A loop's body to the axes of the loop: whether each row of the batch, axis 0, goes its own way through it."""

from __future__ import annotations

from collections.abc import Mapping

from ..ir.dims import Size
from ..ir.graph import Graph, Item, Node
from ..ir.op import Axes, Axis
from .layout import Expand

BATCH = "n"


def row_axes(body: Graph, carries: int, slices: int) -> Axes | None:
    """The axes of a scan of `body`, if its rows are independent of each other; None if they are not.

    Carries, slices and results then have the batch as their first axis, and so have those constants whose first
    axis has its size, unless that makes rows depend on each other.
    """
    stepped, constants = body.inputs[: carries + slices], body.inputs[carries + slices :]
    shapes = [n.shape for n in stepped if n.shape]
    if not shapes:
        return None
    rows = shapes[0][0]
    own = {n for n in stepped if n.shape[:1] == (rows,)}
    for candidates in ({n for n in constants if n.shape[:1] == (rows,)}, set[Node]()):
        batched = own | candidates
        found = _batched(body, batched, rows)
        ends = [n for _, n in body.results]
        if found is None or any(found.get(n, 0) != 0 for n in ends):
            continue
        if all((ends[i] in found) == (stepped[i] in batched) for i in range(carries)):
            return _axes(body, carries, slices, set(found))
    return None


def _batched(body: Graph, inputs: set[Node], rows: Size) -> dict[Node, int] | None:
    """Where the batch stands in each node that has it; None if rows meet."""
    at: dict[Node, int] = dict.fromkeys(inputs, 0)
    for node in body.nodes:
        if isinstance(node.op, Item) and node.inputs[0] in at:
            at[node] = 0
        if not any(n in at for n in node.inputs) or isinstance(node.op, Item):
            continue
        axes = node.op.axes(*(n.tensor for n in node.inputs))
        batch = {axes.inputs[k][at[n]] for k, n in enumerate(node.inputs) if n in at}
        axis = next(iter(batch))
        if len(batch) > 1 or axis.need != "point" or _mixes(node, axes, axis.name, at):
            return None
        places = {output.index(axis.name) for output in axes.outputs if axis.name in output}
        if len(places) != 1 or not all(axis.name in output for output in axes.outputs):
            return None
        at[node] = places.pop()
        if len(node.types) > 1 and at[node] != 0:
            return None
    return at


def _mixes(node: Node, axes: Axes, batch: str, at: Mapping[Node, int]) -> bool:
    """Whether an operand that is the same for all rows has different values along their axis."""
    for k, source in enumerate(node.inputs):
        if source not in at:
            for i, axis in enumerate(axes.inputs[k]):
                if axis.name == batch and not _is_constant_along(source, i):
                    return True
    return False


def _is_constant_along(node: Node, axis: int) -> bool:
    if not isinstance(node.op, Expand):
        return False
    (source,) = node.inputs
    own = axis - (len(node.shape) - len(source.shape))
    return own < 0 or source.shape[own] == 1


def _axes(body: Graph, carries: int, slices: int, batched: set[Node]) -> Axes:
    inputs = []
    for k, node in enumerate(body.inputs):
        whole = [Axis(f"i{k}.{a}", "whole") for a in range(len(node.shape))]
        if carries <= k < carries + slices:
            whole.insert(min(1, len(node.shape)), Axis(f"t{k}", "whole"))
        if node in batched:
            whole[0] = Axis(BATCH)
        inputs.append(tuple(whole))
    outputs = []
    for k, (_, node) in enumerate(body.results):
        names = [f"o{k}.{a}" for a in range(len(node.shape))]
        if k >= carries:
            names.insert(min(1, len(node.shape)), f"s{k}")
        if node in batched:
            names[0] = BATCH
        outputs.append(tuple(names))
    return Axes(tuple(inputs), tuple(outputs))
