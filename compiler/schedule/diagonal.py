"""Which nests need go no further along a row than to the diagonal: where positions may not look ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ir.graph import Node
from ..ops.elementwise import Where
from ..ops.index import AddAt, Pick
from ..ops.reduce import Reduction
from ..passes.triangles import Triangles, looks_back
from .cluster import Cluster


def masks(
    cluster: Cluster, stored: Sequence[Node], known: Triangles, reads: Mapping[Node, int]
) -> tuple[int, ...] | None:
    """The reads of a cluster that say where the diagonal is, if what is above it counts for nothing: folds pass it by,
    and what is stored is zero there, or not needed. None for others."""
    shape = cluster.space.shape
    whole = [n for n in stored if n.shape == shape]
    if cluster.space.row != 1 or not all(n in known.zero or n in known.needed for n in whole):
        return None
    folds = [n for n in cluster.members if isinstance(n.op, Reduction | Pick | AddAt)]
    if not (whole or folds) or not all(_passes_by(n, known) for n in folds):
        return None
    conditions = (n.inputs[0] for n in cluster.members if isinstance(n.op, Where) and looks_back(n))
    return tuple(sorted({reads[c] for c in conditions if c in reads}))


def _passes_by(node: Node, known: Triangles) -> bool:
    """Whether what is above the diagonal makes no difference to a fold."""
    if not isinstance(node.op, Reduction):
        return False
    match node.op.law:
        case "sum":
            return node.inputs[0] in known.zero
        case "max":
            return node.inputs[0] in known.unseen
    return False
