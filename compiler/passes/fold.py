"""Graph to graph with constants computed: what depends on nothing but written numbers, and is one number everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.graph import Builder, Graph, Literal, Node
from ..ir.rewrite import again, rewrite
from ..ir.types import BF16, Tensor
from ..ops.layout import Expand
from .sequence import everywhere
from .stages import Stage, stages

# Constants that are not one number stay in the graph, and are computed once when a plan is prepared; to evaluate
# larger ones here would only cost compile time.
MOST = 4096


@everywhere
def fold(graph: Graph) -> Graph:
    """Each constant by its operation's definition; a result of equal elements becomes a stretched literal."""
    stage = stages(graph)
    known: dict[Node, Any] = {}

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if stage[node] is not Stage.CONSTANT or not _is_small(node) or any(n not in known for n in inputs):
            return None
        value = _value(node, [known[n] for n in inputs])
        written = isinstance(node.op, Literal) or (isinstance(node.op, Expand) and isinstance(inputs[0].op, Literal))
        made = again(b, node, inputs) if written or not _is_uniform(value) else _uniform(b, node, value)
        known[made] = value
        return made

    return rewrite(graph, rule)


def _uniform(b: Builder, node: Node, value: Any) -> Node:
    """The one number of a constant, in the shape of the node."""
    literal = b.literal(value.flat[0].item(), node.dtype)
    return b.add(Expand(node.shape), literal) if node.shape else literal


def _is_small(node: Node) -> bool:
    """Whether a node is one tensor of few elements, of a type that NumPy has."""
    if not isinstance(node.type, Tensor) or node.dtype is BF16:
        return False
    size = node.tensor.size
    return isinstance(size, int) and size <= MOST


def _value(node: Node, arrays: list[Any]) -> Any:
    with np.errstate(all="ignore"):
        return np.asarray(node.op.eval(np, *arrays))


def _is_uniform(value: Any) -> bool:
    return bool(value.size > 0 and value.tobytes() == value.flat[0].tobytes() * value.size)
