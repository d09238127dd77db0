"""The definition of every graph: each node by its operation's `eval`, slow and obvious."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .bfloat import rounded
from .dims import Dim, Size
from .graph import Graph, Input, Node, numpy_name
from .rewrite import bind
from .types import BF16, F16, DType, Tensor


def evaluate(graph: Graph, inputs: Mapping[str, Any], xp: Any = None) -> dict[str, Any]:
    """Results and updates of the graph by name, for arrays by input name; `xp` is their module, NumPy without it.

    Operations on f16 and bf16 are computed in f32 and rounded after each.

    Names of sizes are read off the arrays. Raises CompileError where a guard breaks.
    """
    if xp is None:
        import numpy as np  # checking a spec reads shapes here and evaluates nothing

        xp = np
    sizes = read_sizes(graph, {name: tuple(map(int, xp.shape(a))) for name, a in inputs.items()})
    bound = bind(graph, sizes) if sizes else graph
    values: dict[Node, Any] = {}
    for node in bound.nodes:
        values[node] = _value(xp, node, values, inputs)
    return {name: values[n] for name, n in (*bound.results, *bound.updates)}


def _value(xp: Any, node: Node, values: Mapping[Node, Any], inputs: Mapping[str, Any]) -> Any:
    if isinstance(node.op, Input):
        return _rounded(xp, node, xp.asarray(inputs[node.op.name], dtype=getattr(xp, numpy_name(node.dtype))))
    operands = (xp.astype(values[n], xp.float32) if _is(n, F16) else values[n] for n in node.inputs)
    return _rounded(xp, node, node.op.eval(xp, *operands))


def _rounded(xp: Any, node: Node, value: Any) -> Any:
    """A value as its type holds it."""
    if _is(node, BF16):
        return rounded(xp, value)
    return xp.astype(xp.asarray(value), xp.float16) if _is(node, F16) else value


def _is(node: Node, dtype: DType) -> bool:
    return isinstance(node.type, Tensor) and node.dtype is dtype


def read_sizes(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The number of each name of a size, from the shapes of the inputs that say it."""
    found: dict[str, int] = {}
    for node in graph.inputs:
        assert isinstance(node.op, Input)
        shape = shapes.get(node.op.name)
        if shape is None:
            continue
        assert len(shape) == node.tensor.rank, (node, shape)
        found |= read_shape(node.shape, shape)
    return found


def read_shape(sizes: tuple[Size, ...], numbers: tuple[int, ...]) -> dict[str, int]:
    """The number of each name in a shape, from the numbers of an array."""
    found: dict[str, int] = {}
    for size, number in zip(sizes, numbers, strict=True):
        found |= _solve(size, number)
    return found


def _solve(size: Size, number: int) -> dict[str, int]:
    """`16 * H == 64` says that H is 4; sizes of another form say nothing."""
    if not isinstance(size, Dim) or len(size.terms) != 1:
        return {}
    ((factors, multiple),) = size.terms
    if len(factors) != 1 or factors[0][1] != 1 or not isinstance(factors[0][0], str):
        return {}
    return {factors[0][0]: number // multiple}
