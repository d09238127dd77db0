"""Softmax and the losses that belong to it, stable for logits of any size."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node
from ..ir.op import Array, Axes, Axis, Elementwise, Op
from ..ir.scalar import Scalars, Value
from ..ir.types import Tensor
from .elementwise import Div, Mul, Sub
from .index import AddAt, Pick, paired
from .layout import Reshape
from .reduce import ReduceMax, Sum
from .unary import Exp, Log, Neg


class Shares(Op, abstract=True):
    """What softmax and its logarithm have in common: floats, one axis that is needed whole."""

    axis: int = -1

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        c.floats(self.word, x)
        axis = c.axis(self.word, self.axis, x.rank)
        if x.shape[axis] == 0:
            c.shape(f"`{self.word}` of no elements has no value", f"{x}")
        return x

    def axes(self, *types: Tensor) -> Axes:
        rank = types[0].rank
        axis = self.axis % rank
        inputs = tuple(Axis(f"a{i}", "whole" if i == axis else "point") for i in range(rank))
        return Axes((inputs,), (tuple("y" if i == axis else f"a{i}" for i in range(rank)),))

    def flops(self, *types: Tensor) -> Size:
        return types[0].size * 4


class Softmax(Shares):
    """exp x / Σ exp x along `axis`."""

    def eval(self, xp: Array, *arrays: Array) -> Array:
        powers = xp.exp(arrays[0] - xp.max(arrays[0], axis=self.axis, keepdims=True))
        return powers / xp.sum(powers, axis=self.axis, keepdims=True)

    def expand(self, b: Builder, *inputs: Node) -> Node:
        _, powers, total = _parts(b, inputs[0], self.axis % len(inputs[0].shape))
        return b.add(Div(), powers, total)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        weighted = b.add(Mul(), g[0], node)
        total = b.add(Sum((self.axis % len(node.shape),), True), weighted)
        return [b.add(Mul(), node, b.add(Sub(), g[0], total))]


class LogSoftmax(Shares):
    """x - log Σ exp x along `axis`."""

    def eval(self, xp: Array, *arrays: Array) -> Array:
        below = arrays[0] - xp.max(arrays[0], axis=self.axis, keepdims=True)
        return below - xp.log(xp.sum(xp.exp(below), axis=self.axis, keepdims=True))

    def expand(self, b: Builder, *inputs: Node) -> Node:
        below, _, total = _parts(b, inputs[0], self.axis % len(inputs[0].shape))
        return b.add(Sub(), below, b.add(Log(), total))

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        axis = self.axis % len(node.shape)
        share = b.add(Softmax(axis), node.inputs[0])
        return [b.add(Sub(), g[0], b.add(Mul(), share, b.add(Sum((axis,), True), g[0])))]


def _parts(b: Builder, x: Node, axis: int) -> tuple[Node, Node, Node]:
    """x less its maximum, exp of that, and the sum of those: made alike by forward and backward, so made once."""
    below = b.add(Sub(), x, b.add(ReduceMax((axis,), True), x))
    powers = b.add(Exp(), below)
    return below, powers, b.add(Sum((axis,), True), powers)


class CrossEntropy(Op):
    """-log softmax(logits)[target]: logits [..., C] and an integer target [...] in 0..C-1 give [...]."""

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        logits, target = types
        c.floats(self.word, logits)
        return logits.with_shape(paired(c, self.word, logits, target))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        logits, target = arrays
        chosen = xp.take_along_axis(LogSoftmax(-1).eval(xp, logits), target[..., None], axis=-1)
        return -chosen[..., 0]

    def expand(self, b: Builder, *inputs: Node) -> Node:
        logits, target = inputs
        below, _, total = _parts(b, logits, len(logits.shape) - 1)
        return b.add(Sub(), b.add(Log(), b.add(Reshape(target.shape), total)), b.add(Pick(), below, target))

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None, None]
        logits, target = node.inputs
        axis = len(logits.shape) - 1
        weighted = b.add(Mul(), b.add(Softmax(axis), logits), b.add(Reshape((*node.shape, 1)), g[0]))
        return [b.add(AddAt(), weighted, target, b.add(Neg(), g[0])), None]

    def axes(self, *types: Tensor) -> Axes:
        names = tuple(f"a{i}" for i in range(types[1].rank))
        return Axes(((*map(Axis, names), Axis("c", "whole")), tuple(map(Axis, names))), (names,))

    def flops(self, *types: Tensor) -> Size:
        return types[0].size * 4

    def formula(self, *names: str) -> str:
        return f"-log softmax({names[0]})[{names[1]}]"


class BinaryCrossEntropy(Elementwise):
    """-t·log σ(x) - (1 - t)·log(1 - σ(x)) for a logit x and a target t in [0, 1].

    It is computed as max(x, 0) - x·t + log(1 + exp(-|x|)).
    """

    precision = "wide"

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        c.floats(self.word, *types)
        return super().infer(c, *types)

    def scalar(self, e: Scalars, *x: Value) -> Value:
        logit, target = x
        tail = e.apply("log1p", e.exp(-e.apply("abs", logit)))
        return e.max(logit, 0.0) - logit * target + tail

    def eval(self, xp: Array, *arrays: Array) -> Array:
        logit, target = arrays
        return xp.where(logit > 0, logit, xp.zeros_like(logit)) - logit * target + xp.log1p(xp.exp(-xp.abs(logit)))

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        logit, target = x
        return [g * (e.sigmoid(logit) - target), -(g * logit)]
