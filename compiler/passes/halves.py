"""Graph to graph for targets that store numbers in two bytes but do not compute with them: all else is done in f32."""

from __future__ import annotations

from functools import partial

from ..ir.graph import Builder, Graph, Input, Item, Node
from ..ir.op import Op
from ..ir.rewrite import Rule, copy, rewrite
from ..ir.types import BF16, F32
from ..ops.elementwise import Cast, converted
from .precision import in_type
from .sequence import within


def compute_in_single(graph: Graph) -> Graph:
    """Operations that neither move data nor go element by element take f16 and bf16 as f32, and are rounded after.

    Each use is cast by itself, so that no wide copy lives longer than it is needed. What goes element by element is
    left to emitters, which compute in f32 and round where they store. bf16 comes in and goes out as f32, since those
    who feed and read plans have arrays of NumPy.
    """
    return _computed(graph, _wide)


def compute_but_products_in_single(graph: Graph) -> Graph:
    """The same for a processor that multiplies halves itself and adds up in f32."""
    return _computed(graph, _wide_but_products)


def _computed(graph: Graph, rule: Rule) -> Graph:
    if not any(t.dtype.is_half for n in graph.nodes for t in n.types):
        return graph
    return _bordered(_inside(graph, rule))


def _inside(graph: Graph, rule: Rule) -> Graph:
    return rewrite(within(graph, partial(_inside, rule=rule)), rule)


def _wide_but_products(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return None if node.op.precision == "half" else _wide(b, node, inputs)


def _wide(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    if not _computes(node.op) or not any(t.dtype.is_half for n in (*inputs, node) for t in n.types):
        return None
    wide = (converted(b, x, F32) if x.dtype.is_half else x for x in inputs)
    return converted(b, b.add(in_type(node.op, node.dtype, F32), *wide, name=node.name), node.dtype)


def _computes(op: Op) -> bool:
    """Whether an operation is a kernel of its own that does more than move elements."""
    return op.rule() == "kernel" and not op.moves and not op.bodies and not isinstance(op, Input | Item)


def _bordered(graph: Graph) -> Graph:
    """The graph with f32 where bf16 came in or went out."""
    ends = [n for _, n in graph.results]
    if not any(n.dtype is BF16 for n in (*graph.inputs, *ends)):
        return graph
    b = Builder(graph.nodes[0].place)
    new = copy(b, graph, _given)
    for guard in graph.guards:
        b.guard(guard.left, guard.right, guard.place)
    results = {}
    for name, node in graph.results:
        with b.at(node.place):
            results[name] = b.add(Cast(F32), new[node]) if node.dtype is BF16 else new[node]
    return b.graph(results, [(name, new[n]) for name, n in graph.updates])


def _given(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    if not isinstance(node.op, Input) or node.dtype is not BF16:
        return None
    return b.add(Cast(BF16), b.input(node.op.name, node.op.role, node.tensor.with_dtype(F32)))
