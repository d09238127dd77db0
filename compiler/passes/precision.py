"""Graph of f32 to the same graph of f64, for judging what rounding would hide."""

from __future__ import annotations

from typing import Any

from ..ir.graph import Builder, Graph, Input, Item, Node
from ..ir.op import Op
from ..ir.types import F32, F64, DType, Tensor
from ..ops.elementwise import Cast


def in_double(graph: Graph) -> Graph:
    """Every f32 becomes f64: inputs, literals, results, body graphs. What gives f32 whatever it is given is cast."""
    b = Builder(graph.nodes[0].place)
    new: dict[Node, Node] = {}
    for node in graph.nodes:
        with b.at(node.place):
            new[node] = _made(b, node, tuple(new[n] for n in node.inputs))
    for guard in graph.guards:
        b.guard(guard.left, guard.right, guard.place)
    return b.graph({name: new[n] for name, n in graph.results}, [(name, new[n]) for name, n in graph.updates])


def _made(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node:
    op = in_type(node.op, F32, F64)
    if isinstance(op, Input):
        return b.input(op.name, op.role, op.type)
    made = b.add(op, *inputs, name=node.name)
    single = isinstance(made.type, Tensor) and made.dtype is F32
    return b.add(Cast(F64), made) if single else made


def in_type(op: Op, before: DType, after: DType) -> Op:
    """The operation with another dtype wherever a field of it says `before`."""
    if isinstance(op, Item):
        return op
    return type(op)(*(_value(getattr(op, name), before, after) for name in op.fields))


def _value(value: Any, before: DType, after: DType) -> Any:
    match value:
        case DType():
            return after if value is before else value
        case Tensor(dtype, _):
            return value.with_dtype(after) if dtype is before else value
        case Graph():
            return in_double(value)
        case tuple():
            return tuple(_value(v, before, after) for v in value)
    return value
