"""Whether scores look ahead, or at other samples, found by trying: texts that begin alike must score alike.

Where it cannot be seen from the operations, the definition of the graph is run with random weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np

from ...spec.source import CompileError, Diagnostic, Place
from ..ir import dims
from ..ir.evaluate import evaluate, read_shape
from ..ir.graph import PARAMETER, Graph, Input, Node, numpy_name
from ..ir.rewrite import bind
from ..ir.types import Tensor
from ..phases import COUNT
from .steps import SCORES

SIZE = 4  # of the batch, and whatever nobody has given a number
LENGTHS = 5, 8
WEIGHT = 0.1
TOLERANCE = 1e-4  # beside the greatest element: far above rounding, far below what a token does


class NotCausal(Diagnostic):
    """Scores of a position that depend on what comes after it."""

    code = "not-causal"
    title = "what is written one token after the other cannot depend on later tokens"
    label = "looks at `{grown}` beyond each position"
    help = "use `causal = true`, convolutions padded at the beginning only, nothing `bidirectional`, no mean over time"
    grown: str


class MixedSamples(Diagnostic):
    """Scores of a text that depend on other texts."""

    code = "mixed-samples"
    title = "a text cannot depend on those that are written beside it"
    label = "samples meet here"
    help = "take means and products over the axes of one sample"


def check_causal(graph: Graph, grown: str, length: str | None, doubt: Place) -> None:
    """Raises CompileError at the first value of which a position depends on later ones, if the `scores` do.

    `length` is the name of the length that grows; without it all texts have the same, and these differ behind a place.
    Where the graph cannot be run with small sizes, the mistake is at `doubt`.
    """
    text, other = _texts(graph, grown)
    most = text.shape[1]
    same = min(LENGTHS[0], most // 2)
    beginning = text[:, :same] if length else np.concatenate([text[:, :same], other[:, same:]], axis=1)

    def shared(node: Node, short: Any) -> tuple[int, ...]:
        return tuple(same if not length and size == most else size for size in short.shape)

    culprit = _difference(graph, grown, (beginning, text), shared, NotCausal(doubt, grown))
    if culprit is not None:
        raise CompileError((NotCausal(culprit.place, grown),))


def check_apart(graph: Graph, grown: str, doubt: Place) -> None:
    """Raises CompileError at the first value of which a sample depends on others, if the `scores` do."""
    text, other = _texts(graph, grown)
    beside = np.concatenate([text[:1], other[1:]])

    def first(node: Node, value: Any) -> tuple[int, ...]:
        pairs = zip(node.shape, value.shape, strict=True)
        return tuple(size // SIZE if COUNT in dims.names(named) else size for named, size in pairs)

    culprit = _difference(graph, grown, (text, beside), first, MixedSamples(doubt))
    if culprit is not None:
        raise CompileError((MixedSamples(culprit.place),))


def _difference(
    graph: Graph,
    grown: str,
    texts: tuple[Any, Any],
    shared: Callable[[Node, Any], tuple[int, ...]],
    doubt: Diagnostic,
) -> Node | None:
    """The first node whose values for two texts are not the same, if the scores are not.

    `shared` gives, for the first of two values, the beginning of each axis that is looked at.
    """
    try:
        first, second = (_values(graph, grown, text) for text in texts)
    except (ValueError, IndexError, CompileError):
        raise CompileError((doubt,)) from None

    def alike(node: Node) -> bool:
        if node not in first:
            return True
        part = tuple(map(slice, shared(node, first[node])))
        a, z = first[node][part], second[node][part]
        greatest = np.abs(np.nan_to_num(a)).max(initial=0)
        return bool(np.allclose(a, z, TOLERANCE, TOLERANCE * greatest, equal_nan=True))

    return None if alike(graph.result(SCORES)) else next(n for n in graph.nodes if not alike(n))


def _texts(graph: Graph, grown: str) -> tuple[Any, Any]:
    """Two texts of other tokens, none of them 0, which may be padding."""
    entries, size = graph.result(SCORES).shape[2], graph.input(grown).shape[1]
    shape = (SIZE, size if isinstance(size, int) else LENGTHS[1])
    random = np.random.default_rng(0)
    most = max(entries if isinstance(entries, int) else 2, 2)
    return random.integers(1, most, shape), random.integers(1, most, shape)


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
