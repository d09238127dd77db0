"""A scan to the scan that runs back over it, with the cotangents of the carries as its carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ..differentiate import with_gradients
from ..ir.dims import Size
from ..ir.graph import DATA, Builder, Graph, Input, Literal, Node
from ..ir.op import Elementwise
from ..ir.rewrite import rewrite
from ..ir.types import BOOL, I64, Tensor
from .elementwise import Add, And, Eq, Gt, Mod, Sub, Where
from .index import Iota
from .layout import Concat, Expand
from .state import size_number
from .unary import Function

if TYPE_CHECKING:
    from .scan import Scan


def backward(
    b: Builder, op: Scan, node: Node, cotangents: Sequence[Node | None], kept: Sequence[Node]
) -> Sequence[Node | None]:
    """The cotangent of each input of the scan `node`: of carries and constants from the last values of the carries
    of a reversed scan, of sequences from its stacks. `kept` holds the stacks of `op.kept`."""
    if all(g is None for g in cotangents):
        return [None] * len(node.inputs)
    body = _Body(op, node, cotangents)
    steps = node.inputs[op.carries].shape
    sequences = [*kept, *node.inputs[op.carries : op.carries + op.slices], *(g for _, g in body.stacked)]
    if op.truncate:
        sequences.append(_cuts(b, op, steps[min(1, len(steps) - 1)]))
    firsts = [cotangents[i] or zeros(b, op.body.inputs[i].tensor) for i in body.carried]
    firsts += [zeros(b, n.tensor) for n, _ in body.summed]
    constants = node.inputs[op.carries + op.slices :]
    type_ = type(op)
    again = type_(body.graph(), len(firsts), len(sequences), not op.reverse)
    values = iter(b.many(again, *firsts, *sequences, *constants))
    sources = [*(op.body.inputs[i] for i in body.carried), *(n for n, _ in body.summed), *(n for n, _ in body.stepped)]
    found = dict(zip(sources, values, strict=True))
    return [found.get(n) for n in op.body.inputs]


def needed(op: Scan) -> tuple[Node, ...]:
    """The nodes of the body that the gradient wants kept, of those that depend on carries: what the way back reads,
    or rather, where that is cheap to compute again, what it is computed from.

    What depends on slices only is computed again: its products can be done for all steps at once, and are then the
    same as those of the way forward.
    """
    b = Builder(op.body.nodes[0].place)
    ends = {name: n.tensor for name, n in op.body.results if n.dtype.is_float}
    flows: dict[str, Node | None] = {name: b.input(f"cotangent of {name}", DATA, t) for name, t in ends.items()}
    new, gradients = with_gradients(b, op.body, flows, [n for n in op.body.inputs if n.dtype.is_float])
    old = {n: node for node, n in new.items()}
    back = ancestors(b.nodes, gradients, lambda n: n in old)
    carried = set(op.body.inputs[: op.carries])
    for node in op.body.nodes:
        if not carried.isdisjoint(node.inputs):
            carried.add(node)
    read = {old[n] for n in back if n in old}
    kept = []
    for node in reversed(op.body.nodes):
        if node not in read or node not in carried:
            continue
        if isinstance(node.op, Input) or not _is_cheap(node):
            kept.append(node)
        else:
            read.update(node.inputs)
    return tuple(reversed(kept))


def _is_cheap(node: Node) -> bool:
    """Whether a node is computed again rather than kept: it moves elements, or does little with each. A node with
    several results cannot be kept."""
    simple = isinstance(node.op, Elementwise) and not isinstance(node.op, Function)
    return simple or node.op.view or isinstance(node.op, Concat) or len(node.types) > 1


def ancestors(
    nodes: Sequence[Node], ends: Iterable[Node], is_leaf: Callable[[Node], bool] = lambda n: False
) -> set[Node]:
    """Of nodes in order, those that `ends` depend on, themselves among them; what is behind a leaf does not count."""
    found = set(ends)
    for node in reversed(nodes):
        if node in found and not is_leaf(node):
            found.update(node.inputs)
    return found


class _Body:
    """The body of the reversed scan while it is made.

    It computes the body of the scan again, but for what was kept, and goes back through it. `carried` are the
    numbers of the carries with a cotangent, `stacked` the cotangents of stacks, `summed` and `stepped` the
    gradients of constants, summed over the steps, and of slices.
    """

    def __init__(self, op: Scan, node: Node, cotangents: Sequence[Node | None]) -> None:
        self.op = op
        self.b = Builder(node.place)
        self.taken = {n.op.name for n in op.body.inputs if isinstance(n.op, Input)}
        ends = [n for _, n in op.body.results]
        self.carried = [i for i in range(op.carries) if ends[i].dtype.is_float]
        flows = {op.body.results[i][0]: self.input("d", ends[i].tensor) for i in self.carried}
        self.first = list(flows.values())
        self.stacked: list[tuple[Node, Node]] = []
        for (name, end), g in list(zip(op.body.results, cotangents, strict=True))[op.carries :]:
            if g is not None:
                flows[name] = self.input("e", end.tensor)
                self.stacked.append((flows[name], g))
        wrt = [n for n in op.body.inputs if n.dtype.is_float]
        self.new, gradients = with_gradients(self.b, op.body, dict(flows), wrt)
        self.gradients = dict(zip(wrt, gradients, strict=True))
        flowing = {n: g for n, g in self.gradients.items() if not _is_zero(g)}
        after = op.carries + op.slices
        self.stepped = [(n, flowing[n]) for n in op.body.inputs[op.carries : after] if n in flowing]
        self.summed = [(n, flowing[n]) for n in op.body.inputs[after:] if n in flowing]

    def input(self, prefix: str, type_: Tensor) -> Node:
        """An input under a name that is free."""
        number = len(self.taken)
        while f"{prefix}.{number}" in self.taken:
            number += 1
        self.taken.add(f"{prefix}.{number}")
        return self.b.input(f"{prefix}.{number}", DATA, type_)

    def graph(self) -> Graph:
        """Carries: the cotangents of carries, and the sums for constants. Slices: what was kept, the slices of the
        scan, the cotangents of its stacks, and where to cut."""
        op, b = self.op, self.b
        after: list[Node] = [self.gradients[op.body.inputs[i]] for i in self.carried]
        slices: list[Node] = [*op.body.inputs[op.carries : op.carries + op.slices], *(e for e, _ in self.stacked)]
        if op.truncate:
            cut = self.input("cut", Tensor(BOOL, ()))
            slices.append(cut)
            after = [b.add(Where(), cut, b.literal(0, n.dtype), n) for n in after]
        sums = [self.input("sum", n.tensor) for n, _ in self.summed]
        after += [b.add(Add(), before, g) for before, (_, g) in zip(sums, self.summed, strict=True)]
        results = {f"carry.{i}": n for i, n in enumerate(after)}
        results |= {f"stack.{i}": n for i, (_, n) in enumerate(self.stepped)}
        for guard in op.body.guards:
            b.guard(guard.left, guard.right, guard.place)
        kept = {n: n if isinstance(n.op, Input) else self.input("kept", n.tensor) for n in op.kept}
        constants = op.body.inputs[op.carries + op.slices :]
        made = _with_kept(b.graph(results), {self.new[n]: k for n, k in kept.items() if n is not k})
        return _closed(made, (*self.first, *sums, *kept.values(), *slices, *constants))


def _closed(graph: Graph, inputs: tuple[Node, ...]) -> Graph:
    """What the results of a graph need, behind its inputs in the order given."""
    live = ancestors(graph.nodes, graph.ends)
    rest = tuple(n for n in graph.nodes if n in live and n not in inputs)
    assert not any(isinstance(n.op, Input) for n in rest), rest
    return Graph(inputs, inputs + rest, graph.results, graph.updates, graph.guards)


def zeros(b: Builder, type_: Tensor) -> Node:
    """A tensor of zeros."""
    return b.add(Expand(type_.shape), b.literal(0, type_.dtype))


def _with_kept(graph: Graph, kept: dict[Node, Node]) -> Graph:
    """The graph, its inputs first, that reads kept values instead of computing them again."""
    rest = tuple(n for n in graph.nodes if not isinstance(n.op, Input))
    first = Graph(graph.inputs, graph.inputs + rest, graph.results, graph.updates, graph.guards)
    return rewrite(first, lambda b, node, inputs: kept.get(node))


def _cuts(b: Builder, op: Scan, steps: Size) -> Node:
    """True at each step past which no cotangent of a carry flows: every `truncate`-th but the first."""
    number = b.add(Iota(steps, I64))
    if op.reverse:
        number = b.add(Sub(), size_number(b, steps - 1, I64), number)
    first = b.add(Gt(), number, b.literal(0, I64))
    every = b.add(Eq(), b.add(Mod(), number, b.literal(op.truncate, I64)), b.literal(0, I64))
    return b.add(And(), first, every)


def _is_zero(node: Node) -> bool:
    """Whether a gradient is the zeros of what nothing has flowed to."""
    source = node.inputs[0].op if isinstance(node.op, Expand) else None
    return isinstance(source, Literal) and source.value == 0
