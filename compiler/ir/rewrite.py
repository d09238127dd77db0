"""Graph to graph: one walk that keeps types and places right, and keeps nodes that did not change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ...spec.source import CompileError, Diagnostic, Place
from . import dims
from .dims import Size
from .graph import Builder, Graph, Input, Literal, Node

Rule: TypeAlias = Callable[[Builder, Node, tuple[Node, ...]], "Node | None"]


class SizesDiffer(Diagnostic):
    """A guard that the numbers break."""

    code = "sizes-differ"
    title = "two sizes must be equal here: {left} is {left_value}, {right} is {right_value}"
    label = "needs {left} == {right}"
    left: Size
    right: Size
    left_value: Size
    right_value: Size


def rewrite(graph: Graph, rule: Rule | None = None, builder: type[Builder] = Builder) -> Graph:
    """Each node through `rule`, in order, with its new inputs; None keeps it (rebuilt if its inputs changed).

    A pass that looks at every node wherever it is made gives a `builder` of its own instead.
    """
    if not graph.nodes:
        return graph
    b = builder(Place(graph.nodes[0].place.span))
    new = copy(b, graph, rule)
    for guard in graph.guards:
        b.guard(guard.left, guard.right, guard.place)
    result = b.graph({name: new[n] for name, n in graph.results}, [(name, new[n]) for name, n in graph.updates])
    return graph if result.nodes == graph.nodes and result.ends == graph.ends else result


def copy(b: Builder, graph: Graph, rule: Rule | None = None) -> dict[Node, Node]:
    """The nodes of `graph` made again in `b`; returns old to new."""
    new: dict[Node, Node] = {}
    with b.at(b.place):
        for node in graph.nodes:
            b.place = node.place
            inputs = tuple(map(new.__getitem__, node.inputs))
            made = rule(b, node, inputs) if rule else None
            new[node] = made if made is not None else again(b, node, inputs)
    return new


def again(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node:
    """The node on new inputs; itself where they are the old ones."""
    if inputs == node.inputs or isinstance(node.op, Input | Literal):
        return b.keep(node)
    alike = all(map(_same_type, inputs, node.inputs))
    return b.add(node.op, *inputs, name=node.name, like=node if alike else None)


def _same_type(a: Node, b: Node) -> bool:
    return a.type is b.type or a.type == b.type


def bind(graph: Graph, values: Mapping[str, Size]) -> Graph:
    """The graph with numbers for names. Raises CompileError where a guard breaks."""
    b = Builder(graph.nodes[0].place)

    def size(s: Size) -> Size:
        return dims.substitute(s, values)

    def body(g: Graph) -> Graph:
        return bind(g, values)

    new: dict[Node, Node] = {}
    for node in graph.nodes:
        with b.at(node.place):
            op = node.op.map(sizes=size, graphs=body)
            if isinstance(op, Input):
                new[node] = b.input(op.name, op.role, op.type)
            elif isinstance(op, Literal):
                new[node] = b.keep(node)
            else:
                new[node] = b.add(op, *(new[n] for n in node.inputs), name=node.name)
    for guard in graph.guards:
        left, right = size(guard.left), size(guard.right)
        answer = dims.same(left, right)
        if answer is False and guard.place not in {d.place for d in b.reports}:
            b.report(SizesDiffer(guard.place, guard.left, guard.right, left, right))
        elif answer is None:
            b.guard(left, right, guard.place)
    if b.reports:
        raise CompileError(tuple(b.reports))
    return b.graph({name: new[n] for name, n in graph.results}, [(name, new[n]) for name, n in graph.updates])
