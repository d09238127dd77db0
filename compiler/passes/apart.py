"""A loop's body to one whose products keep what comes from slices and what comes from carries apart."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from ..ir.dims import Size
from ..ir.graph import Builder, Node
from ..ir.rewrite import rewrite
from ..ops.contract import Matmul
from ..ops.elementwise import Add
from ..ops.layout import Concat, Slice
from ..ops.scan import Scan


class Kind(IntEnum):
    """What a node of a body depends on."""

    WRITTEN = 0  # nothing
    CONSTANT = 1
    SLICES = 2
    CARRIES = 3


def kinds(op: Scan) -> dict[Node, Kind]:
    """What each node of the body depends on."""
    inputs = op.body.inputs
    kind = dict.fromkeys(inputs, Kind.CONSTANT)
    kind |= dict.fromkeys(inputs[op.carries : op.carries + op.slices], Kind.SLICES)
    kind |= dict.fromkeys(inputs[: op.carries], Kind.CARRIES)
    for node in op.body.nodes:
        if node not in kind:
            kind[node] = max((kind[n] for n in node.inputs), default=Kind.WRITTEN)
    return kind


def apart(op: Scan) -> Scan:
    """[x, h] @ W, where x needs no step before, is x @ (the rows of W for x) + h @ (those for h)."""
    kind = kinds(op)

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if not isinstance(node.op, Matmul) or node.op.transpose_a or kind[node.inputs[1]] > Kind.CONSTANT:
            return None
        joined, right = node.inputs
        rank = len(joined.shape)
        if not isinstance(joined.op, Concat) or joined.op.axis % rank != rank - 1 or len(right.shape) != 2:
            return None
        early = [kind[part] <= Kind.SLICES for part in joined.inputs]
        if all(early) or not any(early):
            return None
        return b.add(Add(), *(_product(b, node.op, inputs, [e is wanted for e in early]) for wanted in (True, False)))

    body = rewrite(op.body, rule)
    return op if body is op.body else Scan(body, op.carries, op.slices, op.reverse, op.truncate)


def _product(b: Builder, op: Matmul, inputs: tuple[Node, ...], chosen: Sequence[bool]) -> Node:
    """The chosen ones of the parts that are joined on the left, times their rows of the right."""
    joined, right = inputs
    parts = [part for part, is_chosen in zip(joined.inputs, chosen, strict=True) if is_chosen]
    rows: list[Node] = []
    start: Size = 0
    for part, is_chosen in zip(joined.inputs, chosen, strict=True):
        stop = start + part.shape[-1]
        if is_chosen:
            rows.append(_rows(b, op, right, start, stop))
        start = stop
    return b.add(op, _joined(b, len(joined.shape) - 1, parts), _joined(b, int(op.transpose_b), rows))


def _joined(b: Builder, axis: int, parts: Sequence[Node]) -> Node:
    return b.add(Concat(axis), *parts) if len(parts) > 1 else parts[0]


def _rows(b: Builder, op: Matmul, right: Node, start: Size, stop: Size) -> Node:
    """Rows of a matrix, which are its columns where it is stored transposed."""
    axis = int(op.transpose_b)
    starts: list[Size] = [0, 0]
    stops = list(right.shape)
    starts[axis], stops[axis] = start, stop
    return b.add(Slice(tuple(starts), tuple(stops), (1, 1)), right)
