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
    op = _widened(node.op)
    if isinstance(op, Input):
        return b.input(op.name, op.role, op.type)
    made = b.add(op, *inputs, name=node.name)
    single = isinstance(made.type, Tensor) and made.dtype is F32
    return b.add(Cast(F64), made) if single else made


def _widened(op: Op) -> Op:
    """The operation with F64 wherever a field of it says F32."""
    if isinstance(op, Item):
        return op
    values = [_value(getattr(op, name)) for name in op.fields]
    return type(op)(*values)


def _value(value: Any) -> Any:
    match value:
        case DType():
            return F64 if value is F32 else value
        case Tensor(dtype, _):
            return value.with_dtype(F64) if dtype is F32 else value
        case Graph():
            return in_double(value)
        case tuple():
            return tuple(map(_value, value))
    return value
