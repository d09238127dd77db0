"""Proves that a graph is well made: whatever a pass or a rule has built, this is what the next one may rely on."""

from __future__ import annotations

from .check import Check
from .dims import Size
from .graph import Graph, Input, Item, Node
from .op import Op
from .types import Several, Tensor, Type


def verify(graph: Graph) -> None:
    """Asserts that the graph is closed and in order, that every type is the one its operation infers, and that
    results exist. Body graphs are verified too."""
    made: set[Node] = set()
    known: dict[tuple[Op, tuple[Type, ...]], Type] = {}
    guards = {(g.left, g.right) for g in graph.guards}
    for node in graph.nodes:
        assert node not in made, f"{node} stands twice"
        for source in node.inputs:
            assert source in made, f"{node} reads {source}, which does not stand before it"
        key = (node.op, tuple(n.type for n in node.inputs))
        if key not in known:
            known[key] = _inferred(node, guards)
        assert node.type == known[key], f"{node} should have type {known[key]}"
        made.add(node)
    _verify_inputs(graph)
    _verify_ends(graph, made)


def _inferred(node: Node, guards: set[tuple[Size, Size]]) -> Type:
    """The type that the operation infers, asking for the guards it needs."""
    if isinstance(node.op, Item):
        return _item(node, node.op.index)
    types = []
    for source in node.inputs:
        assert isinstance(source.type, Tensor), f"{node} reads {source}; only an item may read several results"
        types.append(source.type)
    check = Check()
    inferred = node.op.infer(check, *types)
    for pair in check.open:
        assert pair in guards, f"{node} needs a guard for {pair[0]} == {pair[1]}"
    node.op.map(graphs=_verified)
    return inferred


def _item(node: Node, index: int) -> Tensor:
    (source,) = node.inputs
    assert isinstance(source.type, Several), f"{node} reads {source}, which has one result"
    assert 0 <= index < len(source.type.items), f"{node} reads item {index} of {source}"
    return source.type.items[index]


def _verified(body: Graph) -> Graph:
    verify(body)
    return body


def _verify_inputs(graph: Graph) -> None:
    found = tuple(n for n in graph.nodes if isinstance(n.op, Input))
    assert found == graph.inputs, "the inputs listed are not the inputs that stand in the graph, in order"
    names = [n.op.name for n in found if isinstance(n.op, Input)]
    assert len(set(names)) == len(names), f"inputs of the same name: {sorted(names)}"


def _verify_ends(graph: Graph, made: set[Node]) -> None:
    types = {n.op.name: n.type for n in graph.inputs if isinstance(n.op, Input)}
    for ends in (graph.results, graph.updates):
        names = [name for name, _ in ends]
        assert len(set(names)) == len(names), f"results of the same name: {names}"
        for name, node in ends:
            assert node in made, f"{name} is {node}, which is not in the graph"
            assert isinstance(node.type, Tensor), f"{name} is {node}, which is not one array"
    for name, node in graph.updates:
        assert types.get(name, node.type) == node.type, f"{name} becomes {node}, but is {types[name]}"
