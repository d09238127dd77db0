"""What is known of a graph where a position would look at a later one: the one value that stands there, if it is one.

A causal mask is found so: scores of queries q over keys k are replaced by a constant where k is later than q, which
the softmax turns into 0, and a product with 0 takes nothing from there.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any, TypeAlias

import numpy as np

from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import Graph, Input, Node, numpy_name
from ..ir.op import Elementwise
from ..ir.types import DType
from ..ops.contract import Matmul
from ..ops.layout import Expand, Reshape, Slice, Transpose
from ..ops.reduce import Position, Reduction
from .axes import links

Constant: TypeAlias = "float | bool"
Pair: TypeAlias = tuple[int, int]
POSITIONS, OTHERS = 6, 12  # the sizes for which what depends on sizes alone is computed
HIDDEN = -1e8  # scores as low as this count as infinitely low: their share is 0 beside any that is not
SAMPLES = 16


class Tails:
    """For each node and each pair of its axes (q, k) that have the length of the text: the value of all elements at
    which k is greater than q, where it is one value, whatever the text and the weights are."""

    def __init__(self, graph: Graph, length: Size) -> None:
        self._length = length
        self._values: dict[Node, Any] = {}
        self._tails: dict[Node, dict[Pair, Constant]] = {}
        with np.errstate(all="ignore"):
            for node in graph.nodes:
                self._visit(node)

    def at(self, node: Node, query: int, key: int) -> Constant | None:
        return self._tails.get(node, {}).get((query, key))

    def is_neutral(self, node: Node, axis: int, name: str) -> bool:
        """Whether what `node` combines along the axes called `name` of its operands is the same without the elements
        that are later than the place along `axis` of its result."""
        axes = node.op.axes(*(n.tensor for n in node.inputs))
        query = axes.outputs[0][axis]
        found = []
        for source, operand in zip(node.inputs, axes.inputs, strict=True):
            names = [a.name for a in operand]
            both = query in names and name in names
            found.append(self.at(source, names.index(query), names.index(name)) if both else None)
        match node.op:
            case Matmul():
                return any(tail == 0 for tail in found)
            case Reduction() | Position():
                return found[0] is not None and _is_neutral(node.op, found[0], node.inputs[0].dtype)
        return False

    def _visit(self, node: Node) -> None:
        if not isinstance(node.op, Input) and all(n in self._values for n in node.inputs):
            self._compute(node)
        timed = [i for i, size in enumerate(node.types[0].shape) if size == self._length]
        found = {}
        for pair in permutations(timed, 2):
            tail = self._tail(node, *pair)
            if tail is not None:
                found[pair] = tail
        if found:
            self._tails[node] = found

    def _compute(self, node: Node) -> None:
        """What depends on sizes alone, for small ones."""

        def number(size: Size) -> Size:
            values = dict.fromkeys(dims.names(size), OTHERS)
            return dims.substitute(size, values | {str(self._length): POSITIONS})

        if node.op.bodies:
            return
        try:
            self._values[node] = node.op.map(sizes=number).eval(np, *(self._values[n] for n in node.inputs))
        except ValueError:  # small sizes that do not fit each other
            return

    def _tail(self, node: Node, query: int, key: int) -> Constant | None:
        if node in self._values:
            return _triangle(self._values[node], query, key)
        match node.op:
            case Elementwise():
                return self._elementwise(node, query, key)
            case Transpose() | Reshape() | Expand() | Slice():
                (operand,) = node.inputs
                q, k = (links(node, 0, axis) for axis in (query, key))
                return self.at(operand, q[0], k[0]) if q and k and q[0] is not None and k[0] is not None else None
        return None

    def _elementwise(self, node: Node, query: int, key: int) -> Constant | None:
        known = [self._operand(node, n, query, key) for n in node.inputs]
        if all(constant is None for constant in known):
            return None
        random = np.random.default_rng(0)
        arrays = [
            _samples(n.dtype, random) if c is None else np.full(SAMPLES, c, numpy_name(n.dtype))
            for n, c in zip(node.inputs, known, strict=True)
        ]
        return _single(node.op.eval(np, *arrays))

    def _operand(self, node: Node, operand: Node, query: int, key: int) -> Constant | None:
        """The value of an operand at the elements behind, where it is one."""
        if operand in self._values and (one := _single(self._values[operand])) is not None:
            return one
        skipped = len(node.shape) - len(operand.shape)
        return self.at(operand, query - skipped, key - skipped)


def _triangle(value: Any, query: int, key: int) -> Constant | None:
    """The one value of an array where `key` is greater than `query`."""
    rows, columns = np.triu_indices(value.shape[query], 1)
    return _single(np.moveaxis(value, (query, key), (0, 1))[rows, columns])


def _single(array: Any) -> Constant | None:
    """The value that all elements have; what is very low is infinitely low."""
    flat = np.asarray(array).reshape(-1)
    if not flat.size or not (flat == flat[0]).all():
        return None
    value = flat[0].item()
    return -np.inf if isinstance(value, float) and value <= HIDDEN else value


def _samples(dtype: DType, random: np.random.Generator) -> Any:
    """Values that could be anything of a type."""
    name = numpy_name(dtype)
    if dtype.is_float:
        return random.normal(0, 2, SAMPLES).astype(name)
    return random.integers(0, 2 if name == "bool" else 7, SAMPLES).astype(name)


def _is_neutral(op: Reduction | Position, tail: Constant, dtype: DType) -> bool:
    """Whether a reduction of anything gives the same when elements of the value `tail` are added to it."""
    along = {"axis": 0} if isinstance(op, Position) else {"over": (0,)}
    alone = type(op)(**{name: getattr(op, name) for name in op.fields} | along)
    random = np.random.default_rng(1)
    for _ in range(4):
        some = _samples(dtype, random)[:3]
        more = np.concatenate([some, np.full(3, tail, some.dtype)])
        if not np.array_equal(alone.eval(np, some), alone.eval(np, more)):
            return False
    return True
