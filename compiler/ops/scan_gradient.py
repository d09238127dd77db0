"""A scan to the scan that runs back over it, with the cotangents of the carries as its carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..differentiate import with_gradients
from ..ir.dims import Size
from ..ir.graph import DATA, Builder, Graph, Input, Literal, Node
from ..ir.rewrite import rewrite
from ..ir.types import BOOL, I64, Tensor
from .elementwise import Add, And, Eq, Gt, Mod, Sub, Where
from .index import Iota
from .layout import Expand
from .state import size_number

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
        kept = {self.new[n]: self.input("kept", n.tensor) for n in op.kept if not isinstance(n.op, Input)}
        constants = op.body.inputs[op.carries + op.slices :]
        order = (*self.first, *sums, *op.body.inputs[: op.carries], *kept.values(), *slices, *constants)
        return _with_kept(ordered(b.graph(results), order), kept)


def ordered(graph: Graph, inputs: Iterable[Node]) -> Graph:
    """The graph with its inputs in another order, in front of all other nodes."""
    inputs = tuple(inputs)
    assert set(inputs) == set(graph.inputs)
    rest = tuple(n for n in graph.nodes if not isinstance(n.op, Input))
    return Graph(inputs, inputs + rest, graph.results, graph.updates, graph.guards)


def zeros(b: Builder, type_: Tensor) -> Node:
    """A tensor of zeros."""
    return b.add(Expand(type_.shape), b.literal(0, type_.dtype))


def _with_kept(graph: Graph, kept: dict[Node, Node]) -> Graph:
    """The graph that reads kept values instead of computing them again."""
    return rewrite(graph, lambda b, node, inputs: kept.get(node))


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
