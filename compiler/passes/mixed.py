"""Forward graph of f32 to one that computes in f16 or bf16 where that is well: casts, by what operations say of it."""

from __future__ import annotations

from ..ir.graph import PARAMETER, Builder, Graph, Input, Literal, Node
from ..ir.op import Op
from ..ir.rewrite import copy
from ..ir.types import F16, F32, DType, Tensor
from ..ops.elementwise import Cast, converted

LARGEST = 65504.0  # of f16


def mixed(graph: Graph, half: DType) -> Graph:
    """The graph with casts to `half` and back (Micikevicius et al. 2018); inputs, results and updates stay f32.

    `Op.precision` says where an operation computes. Weights and numbers follow what they meet: a bias is cast for a
    product of halves, and asks nothing of its own.
    """
    policy = _Policy(graph, half)
    b = Builder(graph.nodes[0].place)
    new = copy(b, graph, policy.rule)
    for guard in graph.guards:
        b.guard(guard.left, guard.right, guard.place)
    back = {n: _as_before(b, n, new[n]) for n in graph.ends}
    results = {name: back[n] for name, n in graph.results}
    return b.graph(results, [(name, back[n]) for name, n in graph.updates])


def _as_before(b: Builder, old: Node, new: Node) -> Node:
    with b.at(new.place):
        return converted(b, new, old.dtype)


class _Policy:
    """Where each node of one graph computes."""

    def __init__(self, graph: Graph, half: DType) -> None:
        self.half = half
        self.follows = {n for n in graph.nodes if _is_written(n)}  # weights, numbers, and what only moves them
        for node in graph.nodes:
            if _kind(node.op) == "exact" and node.inputs and all(n in self.follows for n in node.inputs):
                self.follows.add(node)
        self.wanted = _wanted(graph)

    def rule(self, b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        """The node on operands of the type it computes in."""
        if not any(_is_single(n) for n in node.inputs) or node in self.follows:
            return None
        if node.op.bodies:
            body = node.op.map(graphs=lambda graph: mixed(graph, self.half))
            return b.add(body, *(_as_before(b, o, n) for o, n in zip(node.inputs, inputs, strict=True)), name=node.name)
        type_ = self.half if self._in_half(node, inputs) else F32
        pairs = zip(node.inputs, inputs, strict=True)
        return b.add(node.op, *(_cast(b, n, type_) if _is_single(o) else n for o, n in pairs), name=node.name)

    def _in_half(self, node: Node, inputs: tuple[Node, ...]) -> bool:
        pairs = [(o, n) for o, n in zip(node.inputs, inputs, strict=True) if _is_single(o)]
        leading = [n for o, n in pairs if o not in self.follows]
        if not all(self._holds(o) for o, _ in pairs):
            return False
        match _kind(node.op):
            case "half":
                return True
            case "exact":
                return bool(leading) and (node in self.wanted or all(n.dtype is self.half for n in leading))
            case "same":
                return bool(leading) and all(n.dtype is self.half for n in leading)
        return False

    def _holds(self, node: Node) -> bool:
        """Whether a number is not too large for the type; what is no written number is taken to be none."""
        while node.op.view and node.inputs:
            node = node.inputs[0]
        return self.half is not F16 or not isinstance(node.op, Literal) or abs(node.op.value) <= LARGEST


def _wanted(graph: Graph) -> set[Node]:
    """The nodes that products alone read, at once or through what loses nothing: they may be narrowed early."""
    found: set[Node] = set()
    ends = set(graph.ends)
    for node in reversed(graph.nodes):
        kinds = [_kind(r.op) == "half" or (_kind(r.op) == "exact" and r in found) for r in graph.readers.get(node, ())]
        if kinds and all(kinds) and node not in ends:
            found.add(node)
    return found


def _kind(op: Op) -> str:
    return "exact" if op.view or op.moves else op.precision


def _is_written(node: Node) -> bool:
    return isinstance(node.op, Literal) or (isinstance(node.op, Input) and node.op.role == PARAMETER)


def _is_single(node: Node) -> bool:
    return isinstance(node.type, Tensor) and node.dtype is F32


def _cast(b: Builder, x: Node, dtype: DType) -> Node:
    if x.dtype is dtype:
        return x
    return b.literal(x.op.value, dtype) if isinstance(x.op, Literal) else b.add(Cast(dtype), x)
