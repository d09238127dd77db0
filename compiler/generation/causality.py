"""Whether scores look ahead, found by trying: two texts that begin alike, of different lengths, must score alike.

Where it cannot be seen from the operations that no position depends on later ones, the definition of the graph is run
with random weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np

from ...spec.source import CompileError, Diagnostic, Place
from ..ir import dims
from ..ir.evaluate import evaluate, read_shape
from ..ir.graph import PARAMETER, Graph, Input, Node, numpy_name
from ..ir.rewrite import bind
from ..ir.types import Tensor
from .steps import SCORES

SIZE = 4  # of the batch, and whatever nobody has given a number
LENGTHS = 5, 8
WEIGHT = 0.1
TOLERANCE = 1e-4  # beside the greatest element: far above rounding, far below what a token does


@dataclass(frozen=True)
class NotCausal(Diagnostic):
    """Scores of a position that depend on what comes after it."""

    code = "not-causal"
    title = "what is written one token after the other cannot depend on later tokens"
    label = "looks at `{grown}` beyond each position"
    help = "use `causal = true`, convolutions padded at the beginning only, nothing `bidirectional`, no mean over time"
    grown: str


def check_causal(graph: Graph, grown: str, length: str | None, doubt: Place) -> None:
    """Raises CompileError at the first value of which a position depends on later ones, if the `scores` do.

    `length` is the name of the length that grows; without it all texts have the same, and these differ behind a place.
    Where the graph cannot be run with small sizes, the mistake is at `doubt`.
    """
    texts = _texts(graph, grown, length)
    try:
        first, second = (_values(graph, grown, text) for text in texts)
    except (ValueError, IndexError, CompileError):
        raise CompileError((NotCausal(doubt, grown),)) from None
    same = min(len(text[0]) for text in texts) if length else LENGTHS[0]
    whole = texts[1].shape[1]

    def alike(node: Node) -> bool:
        if node not in first:
            return True
        shape = [same if not length and size == whole else size for size in first[node].shape]
        a, z = (values[node][tuple(map(slice, shape))] for values in (first, second))
        return bool(
            np.allclose(a, z, TOLERANCE, TOLERANCE * np.abs(a, where=a == a, out=np.zeros(a.shape)).max(initial=0))
        )

    if not alike(graph.result(SCORES)):
        raise CompileError((NotCausal(next(n for n in graph.nodes if not alike(n)).place, grown),))


def _texts(graph: Graph, grown: str, length: str | None) -> tuple[Any, Any]:
    """Two texts that begin with the same tokens, none of them 0, which may be padding."""
    entries, size = graph.result(SCORES).shape[2], graph.input(grown).shape[1]
    most = size if isinstance(size, int) else LENGTHS[1]
    shape = (SIZE, most)
    random = np.random.default_rng(0)
    long, other = (random.integers(1, max(entries if isinstance(entries, int) else 2, 2), shape) for _ in range(2))
    if length:
        return long[:, : LENGTHS[0]], long
    return np.concatenate([long[:, : LENGTHS[0]], other[:, LENGTHS[0] :]], axis=1), long


def _values(graph: Graph, grown: str, text: Any) -> dict[Node, Any]:
    """The value of each node with one result, for random weights and inputs."""
    free = {n for node in graph.nodes for t in node.types for s in t.shape for n in dims.names(s)}
    sizes = dict.fromkeys(free, SIZE) | read_shape(graph.input(grown).shape, text.shape)
    bound = bind(replace(graph, guards=()), sizes)
    pairs = [(old, new) for old, new in zip(graph.nodes, bound.nodes, strict=True) if isinstance(new.type, Tensor)]
    inputs = {n.op.name: _random(n, n.op) for n in bound.inputs if isinstance(n.op, Input)} | {grown: text}
    with np.errstate(all="ignore"):
        found = evaluate(replace(bound, results=tuple((str(i), new) for i, (_, new) in enumerate(pairs))), inputs)
    return {old: np.asarray(found[str(i)]) for i, (old, _) in enumerate(pairs)}


def _random(node: Node, op: Input) -> Any:
    """An input that is the same whenever it is asked for by its name."""
    assert all(isinstance(size, int) for size in node.shape)
    random = np.random.default_rng(crc32(op.name.encode()))
    shape = [size for size in node.shape if isinstance(size, int)]
    if not node.dtype.is_float:
        return np.ones(shape, numpy_name(node.dtype))
    if op.role == PARAMETER:
        return random.normal(0, WEIGHT, shape)
    return random.uniform(0.5, 1.5, shape)
