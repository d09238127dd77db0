"""A spec's graphs as PyTorch code: each node is one call of the table, weights are parameters, states buffers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from ..compiler.ir.graph import CONTROL, PARAMETER, Graph, Input, Item, Literal, Node
from ..compiler.ir.rewrite import bind
from ..compiler.ops.convolution import Conv, ConvInput
from ..compiler.ops.elementwise import Add, Div, Eq, Ge, Gt, Le, Lt, Max, Min, Mul, Ne, Pow, Sub, Where
from ..compiler.ops.recompute import Recompute
from ..compiler.ops.scan import Scan, time_axis
from ..specification import Specification
from .job import Arrays
from .torch_operations import OPERATIONS, dtype

NUMBERS = (Add, Sub, Mul, Div, Pow, Max, Min, Eq, Ne, Lt, Le, Gt, Ge, Where)  # take a number beside a tensor


class FromGraph:
    """A network that PyTorch differentiates, with the weights and states of the spec by name."""

    def __init__(self, specification: Specification, sizes: Mapping[str, int], weights: Arrays, states: Arrays) -> None:
        self.phases, self.sizes = specification.phases, sizes
        self.stored = {name for name, kind in _uses(self.phases.forward).items() if kind}
        self.module = nn.Module()
        self.weights = {n: nn.Parameter(self._stored(n, torch.from_numpy(a.copy()))) for n, a in weights.items()}
        self.states = {n: torch.from_numpy(a.copy()) for n, a in states.items()}
        self.module.weights = nn.ParameterList(self.weights.values())

    def loss(self, rows: int) -> Callable[[Mapping[str, Tensor]], Tensor]:
        """The loss in training of so many samples; the states are those of the next step afterwards."""
        forward = self._compiled(self.phases.forward, rows)

        def loss(batch: Mapping[str, Tensor]) -> Tensor:
            (found, *_), updates = forward({**self.weights, **self.states, **batch})
            with torch.no_grad():
                for name, value in updates.items():
                    self.states[name].copy_(value)
            assert isinstance(found, Tensor)
            return found

        return loss

    def outputs(self, rows: int) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
        graph = self.phases.outputs
        predict, names = self._compiled(graph, rows), [name for name, _ in graph.results]

        def outputs(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
            values, _ = predict({**self.weights, **self.states, **batch})
            return dict(zip(names, values, strict=True))

        return outputs

    def gradients(self) -> Arrays:
        found = {}
        for name, parameter in self.weights.items():
            flow = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            found[name] = np.asarray(_as_spec(flow) if name in self.stored else flow)
        return found

    def _stored(self, name: str, array: Tensor) -> Tensor:
        """A weight as PyTorch keeps it: those of convolutions have their channels in front."""
        if name not in self.stored:
            return array
        return array.permute((array.ndim - 1, array.ndim - 2, *range(array.ndim - 2))).contiguous()

    def _compiled(self, graph: Graph, rows: int) -> Any:
        return module_of(bind(graph, {**self.sizes, "N": rows}), self.stored)


def module_of(graph: Graph, stored: set[str]) -> Any:
    """A function of a dictionary of values by name that gives the results, and the updates by name."""
    made = fx.Graph()
    given = made.placeholder("given")
    values = _write(made, graph, lambda node: _read(made, given, node), stored)
    updates = {name: values[n] for name, n in graph.updates}
    made.output((tuple(values[n] for _, n in graph.results), updates))
    return fx.GraphModule(nn.Module(), made)


def _read(made: fx.Graph, given: fx.Node, node: Node) -> Any:
    assert isinstance(node.op, Input)
    return 0 if node.op.role == CONTROL else made.call_function(_item, (given, node.op.name))


def _item(given: Mapping[str, Tensor], name: str) -> Tensor:
    return given[name]


def _as_spec(w: Tensor) -> Tensor:
    """A stored weight of a convolution in the order of the spec."""
    return w.permute((*range(2, w.ndim), 1, 0))


def _write(made: fx.Graph, graph: Graph, read: Any, stored: Collection[str] = ()) -> dict[Node, Any]:
    """Calls for all nodes; what each became."""
    values: dict[Node, Any] = {}
    for node in graph.nodes:
        values[node] = _call(made, node, values, read, stored)
    return values


def _call(made: fx.Graph, node: Node, values: Mapping[Node, Any], read: Any, stored: Collection[str]) -> Any:
    op = node.op
    if isinstance(op, Input):
        return read(node)
    if isinstance(op, Literal):
        return op.value
    inputs = [values[n] for n in node.inputs]
    if isinstance(op, Item):
        return made.call_function(_item, (inputs[0], op.index))
    if isinstance(op, Recompute):
        inside = dict(zip(op.body.inputs, inputs, strict=True))
        return _write(made, op.body, inside.__getitem__, stored)[op.body.result("y")]
    if not isinstance(op, NUMBERS) or all(isinstance(n.op, Literal) for n in node.inputs):
        inputs = [_tensor(made, n, value) for n, value in zip(node.inputs, inputs, strict=True)]
    if isinstance(op, Scan):
        return made.call_function(_loop_of(op), tuple(inputs))
    function, settings = OPERATIONS[type(op)](node)
    if isinstance(op, Conv | ConvInput) and isinstance(node.inputs[1].op, Input):
        settings = {**settings, "stored": node.inputs[1].op.name in stored}
    return made.call_function(function, tuple(inputs), dict(settings))


def _tensor(made: fx.Graph, node: Node, value: Any) -> Any:
    if isinstance(node.op, Literal):
        return made.call_function(torch.tensor, (value,), {"dtype": dtype(node.dtype)})
    return value


def _loop_of(op: Scan) -> Any:
    """The loop over time of a body, as a function of its operands."""
    made = fx.Graph()
    given = [made.placeholder(f"x{i}") for i in range(len(op.body.inputs))]
    inside = dict(zip(op.body.inputs, given, strict=True))
    values = _write(made, op.body, inside.__getitem__)
    made.output(tuple(values[n] for _, n in op.body.results))
    body, first = fx.GraphModule(nn.Module(), made), op.carries + op.slices
    axes = [time_axis(n.tensor.rank + 1) for _, n in op.body.results[op.carries :]]
    times = [time_axis(n.tensor.rank + 1) for n in op.body.inputs[op.carries : first]]

    def loop(*x: Tensor) -> list[Tensor]:
        carries, constants = list(x[: op.carries]), x[first:]
        steps = [s.unbind(axis) for s, axis in zip(x[op.carries : first], times, strict=True)]
        stacks: list[Sequence[Tensor]] = []
        count = len(steps[0])
        for t in reversed(range(count)) if op.reverse else range(count):
            made = body(*carries, *(s[t] for s in steps), *constants)
            carries = list(made[: op.carries])
            stacks.append(made[op.carries :])
        ordered = stacks[::-1] if op.reverse else stacks
        return [*carries, *(torch.stack(s, axis) for s, axis in zip(zip(*ordered, strict=True), axes, strict=True))]

    return loop


def _uses(graph: Graph) -> dict[str, bool]:
    """For each weight whether all that read it are convolutions, as their weights."""
    found: dict[str, bool] = {}
    for node in graph.nodes:
        for i, n in enumerate(node.inputs):
            if isinstance(n.op, Input) and n.op.role == PARAMETER:
                fits = isinstance(node.op, Conv | ConvInput) and i == 1
                found[n.op.name] = found.get(n.op.name, True) and fits
    return found
