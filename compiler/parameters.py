"""Weights to flat ranges: one range for each group of equal settings, a weight being a window of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..spec.record import Record
from .ir import dims
from .ir.dims import Size
from .ir.graph import PARAMETER, Builder, Graph, Input, Node
from .ir.rewrite import copy
from .ir.types import DType, Shape, Tensor
from .ops.state import Part
from .trace.tracer import Variable


class Treatment(Record):
    """What a group asks for its weights. `weight_decay` of None leaves it to the optimizer; `frozen_until` counts
    epochs."""

    frozen: bool = False
    frozen_until: int = 0
    rate_multiplier: float = 1.0
    weight_decay: float | None = None
    l1: float = 0.0
    l2: float = 0.0
    max_norm: float = 0.0


class Piece(Record):
    """One weight in its range; `offset` counts elements."""

    name: str
    offset: Size
    shape: Shape


class Range(Record):
    """Weights of one dtype and treatment, one after another."""

    name: str
    dtype: DType
    treatment: Treatment
    pieces: tuple[Piece, ...]
    total: Size

    @property
    def type(self) -> Tensor:
        return Tensor(self.dtype, (self.total,))


def layout(parameters: Iterable[Variable], treatments: Mapping[str, Treatment]) -> tuple[Range, ...]:
    """Every weight in a range; ranges are named `theta.0`, `theta.1`, ... in the order of their first weights."""
    groups: dict[tuple[DType, Treatment], list[Variable]] = {}
    for p in parameters:
        groups.setdefault((p.type.dtype, treatments.get(p.name, Treatment())), []).append(p)
    return tuple(_range(f"theta.{i}", *key, members) for i, (key, members) in enumerate(groups.items()))


def _range(name: str, dtype: DType, treatment: Treatment, members: list[Variable]) -> Range:
    pieces: list[Piece] = []
    offset: Size = 0
    for p in members:
        pieces.append(Piece(p.name, offset, p.type.shape))
        offset = offset + dims.product(p.type.shape)
    return Range(name, dtype, treatment, tuple(pieces), offset)


def in_ranges(graph: Graph, ranges: tuple[Range, ...]) -> tuple[Graph, dict[str, Node]]:
    """The graph reading its weights from ranges, and the node of each weight that it reads."""
    place = {piece.name: (r, piece) for r in ranges for piece in r.pieces}
    b = Builder(graph.nodes[0].place)
    flat: dict[str, Node] = {}
    parts: dict[str, Node] = {}

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if not isinstance(node.op, Input) or node.op.role != PARAMETER:
            return None
        r, piece = place[node.op.name]
        if r.name not in flat:
            flat[r.name] = b.input(r.name, PARAMETER, r.type)
        parts[piece.name] = b.add(Part(piece.offset, piece.shape), flat[r.name], name=piece.name)
        return parts[piece.name]

    new = copy(b, graph, rule)
    for guard in graph.guards:
        b.guard(guard.left, guard.right, guard.place)
    results = {name: new[n] for name, n in graph.results}
    return b.graph(results, [(name, new[n]) for name, n in graph.updates]), parts
