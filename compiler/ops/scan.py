"""The loop over time: a body graph repeated for each step of its sequences, and its gradient, which is one too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ..ir.check import Check
from ..ir.dims import Size
from ..ir.evaluate import evaluate
from ..ir.graph import Builder, Graph, Input, Item, Node, numpy_name
from ..ir.op import Array, Axes, Op
from ..ir.types import Several, Tensor
from .rows import row_axes


def time_axis(rank: int) -> int:
    """The axis of time in a sequence or stack of this rank: the second, or the only one."""
    return min(1, rank - 1)


def over_time(step: Tensor, steps: Size) -> Tensor:
    """The type of a stack of `steps` values of type `step`."""
    at = time_axis(step.rank + 1)
    return step.with_shape((*step.shape[:at], steps, *step.shape[at:]))


def one_step(sequence: Tensor) -> Tensor:
    """The type of one step of a sequence."""
    at = time_axis(sequence.rank)
    return sequence.with_shape((*sequence.shape[:at], *sequence.shape[at + 1 :]))


class Scan(Op):
    """`body` once for each step of time. Time is the second axis of sequences and stacks, or the only one.

    Inputs: the first values of the carries, the sequences, then constants. The inputs of the body are the carries,
    one step of each sequence, and the constants; its results the next carries, then what is stacked. Results: the
    last carries, then the stacks. `reverse` goes from the last step to the first; stacks keep the order of time.
    With `truncate` the gradient of a carry does not flow past every `truncate`-th step.
    """

    body: Graph
    carries: int
    slices: int
    reverse: bool = False
    truncate: int = 0

    def infer(self, c: Check, *types: Tensor) -> Several:
        assert self.slices, "a scan without a sequence has no number of steps"
        assert len(types) == len(self.body.inputs), "each input of the body needs an operand"
        sequences = types[self.carries : self.carries + self.slices]
        steps = sequences[0].shape[time_axis(sequences[0].rank)]
        for sequence in sequences[1:]:
            problem = "`scan` goes over sequences of different length"
            steps = c.same(
                steps, sequence.shape[time_axis(sequence.rank)], problem, found=" and ".join(map(str, sequences))
            )
        given = (*types[: self.carries], *map(one_step, sequences), *types[self.carries + self.slices :])
        for type_, inner in zip(given, self.body.inputs, strict=True):
            _agree(c, type_, inner.tensor)
        results = [n.tensor for _, n in self.body.results]
        for before, after in zip(given, results[: self.carries], strict=False):
            _agree(c, before, after)
        return Several((*results[: self.carries], *(over_time(t, steps) for t in results[self.carries :])))

    def eval(self, xp: Any, *arrays: Array) -> tuple[Array, ...]:
        first = self.carries + self.slices
        carries, sequences, constants = list(arrays[: self.carries]), arrays[self.carries : first], arrays[first:]
        names = [n.op.name for n in self.body.inputs if isinstance(n.op, Input)]
        steps = sequences[0].shape[time_axis(sequences[0].ndim)]
        stacks: list[list[Array]] = [[] for _ in self.body.results[self.carries :]]
        for t in reversed(range(steps)) if self.reverse else range(steps):
            slices = [xp.take(s, t, axis=time_axis(s.ndim)) for s in sequences]
            made = evaluate(self.body, dict(zip(names, (*carries, *slices, *constants), strict=True)), xp)
            values = [made[name] for name, _ in self.body.results]
            carries = values[: self.carries]
            for stack, value in zip(stacks, values[self.carries :], strict=True):
                stack.append(value)
        return (*carries, *(self._stacked(xp, i, stack) for i, stack in enumerate(stacks)))

    def _stacked(self, xp: Any, index: int, values: list[Array]) -> Array:
        step = self.body.results[self.carries + index][1].tensor
        if not values:
            return xp.zeros(over_time(step, 0).shape, dtype=getattr(xp, numpy_name(step.dtype)))
        return xp.stack(values[::-1] if self.reverse else values, axis=time_axis(step.rank + 1))

    def record(self, b: Builder, *inputs: Node) -> tuple[Node, tuple[Node, ...]]:
        """Keeps what the gradient needs of each step, as more stacks."""
        known = {n: i for i, (_, n) in reversed(list(enumerate(self.body.results))) if i >= self.carries}
        missing = [n for n in self.kept if n not in known]
        known |= {n: len(self.body.results) + i for i, n in enumerate(missing)}
        results = (*self.body.results, *((f"kept.{len(self.body.results) + i}", n) for i, n in enumerate(missing)))
        body = Graph(self.body.inputs, self.body.nodes, results, (), self.body.guards)
        node = b.add(Scan(body, self.carries, self.slices, self.reverse, self.truncate), *inputs)
        return node, tuple(b.add(Item(known[n]), node) for n in self.kept)

    @cached_property
    def kept(self) -> tuple[Node, ...]:
        """The nodes of the body whose values at each step the gradient reads."""
        from .scan_gradient import needed

        return needed(self)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        from .scan_gradient import backward

        count = len(node.types)
        kept = [n for n in g[count:] if n is not None]
        return backward(b, self, node, g[:count], kept)

    def axes(self, *types: Tensor) -> Axes:
        return row_axes(self.body, self.carries, self.slices) or super().axes(*types)

    def flops(self, *types: Tensor) -> Size:
        sequence = types[self.carries]
        each = (n.op.flops(*(t for i in n.inputs for t in i.types)) for n in self.body.nodes)
        return sequence.shape[time_axis(sequence.rank)] * sum(each, 0)


def is_product(node: Node) -> bool:
    """Whether a node is a contraction of two operands."""
    return len(node.inputs) == 2 and bool(node.op.axes(*(n.tensor for n in node.inputs)).added)


def _agree(c: Check, given: Tensor, wanted: Tensor) -> None:
    assert (given.dtype, given.rank) == (wanted.dtype, wanted.rank), f"{given} meets {wanted} in the body of a scan"
    for a, z in zip(given.shape, wanted.shape, strict=True):
        c.same(a, z, "`scan` repeats a body for values of another shape", found=f"{given} and {wanted}")
