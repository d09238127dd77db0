"""Graph to the stage at which each of its nodes can be computed: what can be done once is not done at each step."""

from __future__ import annotations

from enum import IntEnum

from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import PARAMETER, STATE, Graph, Input, Node
from ..ir.op import Op


class Stage(IntEnum):
    """When a value is known, from early to late."""

    CONSTANT = 0  # before anything runs: it depends on nothing
    COUNT = 1  # once the sizes that vary are known: it depends on a size that is still a name
    PREPARED = 2  # when parameters change: it depends on parameters, and on state that the graph leaves alone
    STEP = 3  # at each step: it depends on data, control, or what the graph itself updates


def stages(graph: Graph) -> dict[Node, Stage]:
    """The stage of each node: the latest of its inputs' and its own."""
    updated = {name for name, _ in graph.updates}
    found: dict[Node, Stage] = {}
    for node in graph.nodes:
        if isinstance(node.op, Input):
            lasting = node.op.role in (PARAMETER, STATE) and node.op.name not in updated
            found[node] = Stage.PREPARED if lasting else Stage.STEP
        else:
            latest = max((found[n] for n in node.inputs), default=Stage.CONSTANT)
            named = latest is Stage.CONSTANT and _has_names(node.op)
            found[node] = Stage.COUNT if named else latest
    return found


def _has_names(op: Op) -> bool:
    """Whether a size among the fields is still a name."""
    seen: list[Size] = []

    def note(size: Size) -> Size:
        seen.append(size)
        return size

    op.map(sizes=note)
    return any(dims.names(s) for s in seen)
