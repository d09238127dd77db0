"""A spec's graphs as JAX functions: definitions on JAX's arrays, and its own calls where it has better ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array, lax, nn

from ..compiler.ir.graph import CONTROL, Graph, Input, Item, Node, numpy_name
from ..compiler.ir.op import Op
from ..compiler.ir.rewrite import bind
from ..compiler.ops import (
    along,
    contract,
    convolution,
    elementwise,
    index,
    layout,
    normal,
    pool,
    random,
    recompute,
    unary,
)
from ..compiler.ops import scan as loops
from ..compiler.phases import LOSS
from ..specification import Specification

Tensors = Mapping[str, Array]
Rule: TypeAlias = "Callable[..., Any]"  # of the node and its operands
SPATIAL = "DHW"


class FromGraph:
    """A network over weights and states by the names of the spec."""

    def __init__(self, specification: Specification, sizes: Mapping[str, int]) -> None:
        self.phases, self.sizes = specification.phases, sizes

    def loss(self, p: Tensors, states: Tensors, batch: Tensors) -> tuple[Array, Tensors]:
        """The loss in training, and the next states."""
        found = self._run(self.phases.forward, {**p, **states, **batch}, batch)
        return found[LOSS], {name: found.get(name, state) for name, state in states.items()}

    def outputs(self, p: Tensors, states: Tensors, batch: Tensors) -> dict[str, Array]:
        return self._run(self.phases.outputs, {**p, **states, **batch}, batch)

    def _run(self, graph: Graph, given: Tensors, batch: Tensors) -> dict[str, Array]:
        rows = len(next(iter(batch.values())))
        return run(bind(graph, {**self.sizes, "N": rows}), given)


def run(graph: Graph, given: Tensors) -> dict[str, Array]:
    """Results and updates of a graph by name."""
    values: dict[Node, Any] = {}
    for node in graph.nodes:
        values[node] = _value(node, [values[n] for n in node.inputs], given)
    return {name: values[n] for name, n in (*graph.results, *graph.updates)}


def _value(node: Node, inputs: Sequence[Any], given: Tensors) -> Any:
    op = node.op
    if isinstance(op, Input):
        return 0 if op.role == CONTROL else given[op.name]
    if isinstance(op, Item):
        return inputs[0][op.index]
    rule = OPERATIONS.get(type(op))
    return rule(node, *inputs) if rule else op.eval(jnp, *inputs)


def conv(node: Node, x: Array, w: Array) -> Array:
    op = node.op
    assert isinstance(op, convolution.Conv)
    space = SPATIAL[-len(op.stride) :]
    return lax.conv_general_dilated(
        x,
        w,
        op.stride,
        op.padding,
        rhs_dilation=op.dilation,
        dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"),
        feature_group_count=op.groups,
    )


def conv_input(node: Node, y: Array, w: Array) -> Array:
    """The transpose of a convolution: JAX's own, of the data that it would have."""
    op = node.op
    assert isinstance(op, convolution.ConvInput)
    space = SPATIAL[-len(op.stride) :]

    def forward(x: Array) -> Array:
        return lax.conv_general_dilated(
            x,
            w,
            op.stride,
            op.padding,
            rhs_dilation=op.dilation,
            dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"),
            feature_group_count=op.groups,
        )

    (found,) = jax.linear_transpose(forward, jax.ShapeDtypeStruct(node.shape, y.dtype))(y)
    assert isinstance(found, Array)
    return found


def _windows(op: pool.Pool) -> tuple[Any, ...]:
    sides = ((0, 0), *op.padding, (0, 0))
    return (1, *op.size, 1), (1, *op.stride, 1), sides


def max_pool(node: Node, x: Array) -> Array:
    assert isinstance(node.op, pool.MaxPool)
    return lax.reduce_window(x, -jnp.inf, lax.max, *_windows(node.op))


def average_pool(node: Node, x: Array) -> Array:
    op = node.op
    assert isinstance(op, pool.AveragePool)
    total = lax.reduce_window(x, 0.0, lax.add, *_windows(op))
    if op.count_padding:
        count = 1
        for k in op.size:
            count *= k
        return total / count
    return total / lax.reduce_window(jnp.ones_like(x[:1, ..., :1]), 0.0, lax.add, *_windows(op))


def loop(node: Node, *x: Array) -> list[Array]:
    op = node.op
    assert isinstance(op, loops.Scan)
    first = op.carries + op.slices
    names = [n.op.name for n in op.body.inputs if isinstance(n.op, Input)]
    times = [loops.time_axis(s.ndim) for s in x[op.carries : first]]
    rolled = tuple(jnp.moveaxis(s, axis, 0) for s, axis in zip(x[op.carries : first], times, strict=True))

    def step(carries: tuple[Array, ...], now: tuple[Array, ...]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        made = run(op.body, dict(zip(names, (*carries, *now, *x[first:]), strict=True)))
        values = [made[name] for name, _ in op.body.results]
        return tuple(values[: op.carries]), tuple(values[op.carries :])

    last, stacks = lax.scan(step, tuple(x[: op.carries]), rolled, reverse=op.reverse)
    axes = [loops.time_axis(s.ndim) for s in stacks]
    return [*last, *(jnp.moveaxis(s, 0, axis) for s, axis in zip(stacks, axes, strict=True))]


def matmul(node: Node, a: Array, b: Array) -> Array:
    op = node.op
    assert isinstance(op, contract.Matmul)
    left = a.swapaxes(-1, -2) if op.transpose_a and a.ndim > 1 else a
    return left @ (b.swapaxes(-1, -2) if op.transpose_b and b.ndim > 1 else b)


def pad(node: Node, x: Array) -> Array:
    op = node.op
    assert isinstance(op, layout.Pad)
    gaps = op.between or (0,) * x.ndim
    rows = tuple(zip(op.before, op.after, gaps, strict=True))
    return lax.pad(x, jnp.asarray(op.value, x.dtype), rows)


def scatter_add(node: Node, at: Array, values: Array) -> Array:
    return jnp.zeros(node.shape, values.dtype).at[at].add(values)


def add_along(node: Node, at: Array, values: Array) -> Array:
    assert isinstance(node.op, along.AddAlong)
    places = list(jnp.indices(at.shape))
    places[node.op.axis] = at
    return jnp.zeros(node.shape, values.dtype).at[tuple(places)].add(values)


def update(node: Node, x: Array, value: Array, start: Array) -> Array:
    assert isinstance(node.op, index.Update)
    return lax.dynamic_update_slice_in_dim(x, value, start, node.op.axis)


def window(node: Node, x: Array, start: Array) -> Array:
    assert isinstance(node.op, index.Window)
    return lax.dynamic_slice_in_dim(x, start, node.op.size, node.op.axis)


def recomputed(node: Node, *x: Array) -> Array:
    op = node.op
    assert isinstance(op, recompute.Recompute)
    names = [n.op.name for n in op.body.inputs if isinstance(n.op, Input)]
    return jax.checkpoint(lambda *given: run(op.body, dict(zip(names, given, strict=True)))["y"])(*x)


def drawn(draw: Callable[..., Array], *fields: str) -> Rule:
    """Numbers of JAX's own; they are the same at each step."""

    def rule(node: Node, key: Any, step: Any) -> Array:
        return draw(jax.random.key(0), *(getattr(node.op, name) for name in fields), node.shape)

    return rule


def cast(node: Node, x: Array) -> Array:
    return jnp.asarray(x).astype(numpy_name(node.dtype))


OPERATIONS: Mapping[type[Op], Rule] = {
    convolution.Conv: conv,
    convolution.ConvInput: conv_input,
    pool.MaxPool: max_pool,
    pool.AveragePool: average_pool,
    loops.Scan: loop,
    contract.Matmul: matmul,
    layout.Pad: pad,
    index.ScatterAdd: scatter_add,
    index.Update: update,
    index.Window: window,
    along.AddAlong: add_along,
    recompute.Recompute: recomputed,
    elementwise.Cast: cast,
    elementwise.StopGradient: lambda node, x: lax.stop_gradient(x),
    elementwise.Relu: lambda node, x: nn.relu(x),
    unary.Erf: lambda node, x: lax.erf(x),
    normal.Softmax: lambda node, x: nn.softmax(x, node.op.axis),
    normal.LogSoftmax: lambda node, x: nn.log_softmax(x, node.op.axis),
    random.Uniform: drawn(lambda key, shape: jax.random.uniform(key, shape)),
    random.Normal: drawn(lambda key, shape: jax.random.normal(key, shape)),
    random.Bernoulli: drawn(jax.random.bernoulli, "rate"),
    random.RandomBits: drawn(lambda key, shape: jax.random.bits(key, shape)),
}
