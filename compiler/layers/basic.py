"""Layers that hold weights, and layers made of layers."""

from __future__ import annotations

from typing import Any

from ..ir.graph import Node
from ..ir.types import Shape
from ..ops.contract import Matmul
from ..ops.elementwise import Add, Gt, Mul, Where
from ..ops.index import Gather
from ..ops.recompute import recomputed
from ..trace import errors
from ..trace.initial import GLOROT_UNIFORM, ZEROS
from ..trace.kinds import Activation, Bias, Count, Layer, Number, Share, Tensor
from ..trace.tracer import Initial
from ..trace.use import Use
from ..trace.values import Chain, Instance, describe
from ..trace.words import word
from .random import bernoulli


@word
def dense(u: Use, x: Tensor, *, units: Count, bias: Bias = True, activation: Activation = None) -> Any:
    """x [..., in] times weight [in, units], plus bias [units]."""
    needs_axes(u, x, 2)
    y = u.add(Matmul(False, False), x, u.weight("weight", (x.shape[-1], units), GLOROT_UNIFORM))
    return u.activate(activation, add_bias(u, y, units, bias))


def add_bias(u: Use, y: Node, size: Count, bias: Bias) -> Node:
    """y plus the layer's bias [size], the tensor given for it, or nothing."""
    return y if bias is False else u.add(Add(), y, u.weight("bias", (size,), ZEROS, bias))


def needs_axes(u: Use, x: Node, rank: int) -> None:
    """Refuses an x of fewer axes."""
    if x.tensor.rank < rank:
        u.wrong(
            errors.WrongKind,
            subject=f"the input of `{u.word}`",
            expected=f"a tensor of at least {rank} axes",
            found=describe(x),
        )


@word
def embedding(u: Use, index: Tensor, *, entries: Count, width: Count) -> Any:
    """Rows of weight [entries, width] by a whole number each."""
    if not index.dtype.is_integer:
        u.wrong(
            errors.WrongKind,
            subject="the input of `embedding`",
            expected="a tensor of whole numbers, such as i32",
            found=describe(index),
        )
    return u.add(Gather(), u.weight("weight", (entries, width), Initial("normal", (0.02,))), index)


@word
def dropout(u: Use, x: Tensor, *, rate: Share) -> Any:
    """In training each element is 0 with probability `rate` and otherwise divided by what is left (inverted
    dropout, Srivastava et al. 2014); elsewhere the values themselves."""
    return _dropped(u, x, x.shape, rate)


@word
def channel_dropout(u: Use, x: Tensor, *, rate: Share) -> Any:
    """Dropout of whole channels: those of a sample [N, …, C] are 0 at every position, or at none (Tompson et al.
    2015)."""
    needs_axes(u, x, 2)
    return _dropped(u, x, (x.shape[0], *(1,) * (x.tensor.rank - 2), x.shape[-1]), rate)


def _dropped(u: Use, x: Node, shape: Shape, rate: float) -> Node:
    """x with zeros where draws of that shape, stretched over it, fall below the rate."""
    if rate == 0 or not u.is_training:
        return x
    kept = bernoulli(u, shape, 1 - rate)
    scaled = u.add(Mul(), x, u.literal(1 / (1 - rate), x.dtype))
    return u.add(Where(), kept, scaled, u.literal(0, x.dtype))


@word
def residual(u: Use, x: Tensor, *, layer: Layer) -> Any:
    """`x + layer(x)`."""
    y = u.apply(layer, x)
    if not isinstance(y, Node):
        u.wrong(errors.WrongKind, "layer", subject="the branch", expected="one tensor", found=describe(y))
    if y.tensor.rank == x.tensor.rank and y.shape[-1] != x.shape[-1] and isinstance(y.shape[-1], int):
        last = _last_with_weights(layer)
        u.wrong_at(
            errors.BranchWidth,
            last.span,
            word=last.callee.name,
            branch=str(y.type),
            trunk=str(x.type),
            width=x.shape[-1],
        )
    return u.add(Add(), x, y)


def _last_with_weights(layer: Instance | Chain) -> Instance:
    """The step that a branch has its width from: the last that holds weights, or else the last."""
    steps = layer.steps if isinstance(layer, Chain) else (layer,)
    return next((s for s in reversed(steps) if s.weights), steps[-1])


@word
def recompute(u: Use, x: Tensor, *, layer: Layer) -> Any:
    """`layer(x)`, computed again in the backward pass to save memory."""
    before = len(u.b.nodes)
    y = u.apply(layer, x)
    if not isinstance(y, Node):
        u.wrong(errors.WrongKind, "layer", subject="what is computed again", expected="one tensor", found=describe(y))
    made = u.b.nodes[before:]
    return u.well(recomputed(u.b, made, x, y)) if u.is_training and y in made else y


@word
def prelu(u: Use, x: Tensor, *, slope: Number = 0.25) -> Any:
    """max(x, 0) + weight · min(x, 0), with one weight for each channel (He et al. 2015)."""
    needs_axes(u, x, 1)
    weight = u.weight("weight", (x.shape[-1],), Initial("constant", (slope,)))
    return u.add(Where(), u.add(Gt(), x, u.literal(0, x.dtype)), x, u.add(Mul(), weight, x))
