"""Each operation as PyTorch's own call: one table."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name in this field

from ..compiler.ir.graph import Node, numpy_name
from ..compiler.ir.op import Op
from ..compiler.ir.types import DType
from ..compiler.ops import (
    along,
    contract,
    convolution,
    elementwise,
    index,
    layout,
    normal,
    order,
    pool,
    random,
    reduce,
    unary,
)
from ..compiler.ops import state as states
from .torch_windows import average_pool, conv, conv_input, max_pool

Call: TypeAlias = tuple[Callable[..., Any], Mapping[str, Any]]  # a function of tensors, and its settings
Rule: TypeAlias = Callable[[Node], Call]


def dtype(d: DType) -> torch.dtype:
    found = getattr(torch, numpy_name(d))
    assert isinstance(found, torch.dtype)
    return found


def plain(function: Callable[..., Any]) -> Rule:
    return lambda node: (function, {})


def field(function: Callable[..., Any], *names: str) -> Rule:
    """A function that takes fields of the operation under their names."""
    return lambda node: (function, {name: getattr(node.op, name) for name in names})


def shaped(function: Callable[..., Any], *names: str) -> Rule:
    """A function that takes the shape of the result, and fields."""
    return lambda node: (function, {"shape": node.shape, **{name: getattr(node.op, name) for name in names}})


def typed(function: Callable[..., Any], *names: str) -> Rule:
    """A function that takes the dtype of the result, and fields."""
    return lambda node: (function, {"dtype": dtype(node.dtype), **{name: getattr(node.op, name) for name in names}})


# Elements


def maximum(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.maximum(a, b)
    return a.clamp(min=b) if isinstance(a, Tensor) else b.clamp(min=a)


def minimum(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.minimum(a, b)
    return a.clamp(max=b) if isinstance(a, Tensor) else b.clamp(max=a)


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    return (x if dtype.is_floating_point or dtype is torch.bool or not x.is_floating_point() else x.trunc()).to(dtype)


def where(condition: Tensor, yes: Any, no: Any, dtype: torch.dtype) -> Tensor:
    return torch.where(condition, yes, no).to(dtype)


def binary_cross_entropy(x: Tensor, t: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(x, t, reduction="none")


def detached(x: Tensor) -> Tensor:
    return x.detach()


def first(x: Any, *others: Any) -> Any:
    return x


# Axes


def _reduced(function: Callable[..., Tensor], *names: str) -> Rule:
    """A function that takes axes counted from the left, whether they stay, and more fields."""

    def rule(node: Node) -> Call:
        assert isinstance(node.op, reduce.Reduction)
        axes = node.op.along(len(node.inputs[0].shape))
        return function, {"over": axes, "keep": node.op.keep, **{name: getattr(node.op, name) for name in names}}

    return rule


def total(x: Tensor, over: Sequence[int], keep: bool) -> Tensor:
    return x.sum(over, keep) if over else x


def mean(x: Tensor, over: Sequence[int], keep: bool) -> Tensor:
    return x.mean(over, keep) if over else x


def greatest(x: Tensor, over: Sequence[int], keep: bool) -> Tensor:
    return x.amax(over, keep) if over else x


def least(x: Tensor, over: Sequence[int], keep: bool) -> Tensor:
    return x.amin(over, keep) if over else x


def product(x: Tensor, over: Sequence[int], keep: bool) -> Tensor:
    for axis in sorted(over, reverse=True):
        x = x.prod(axis, keep)
    return x


def variance(x: Tensor, over: Sequence[int], keep: bool, correction: int) -> Tensor:
    return x.var(over, correction=correction, keepdim=keep) if over else torch.zeros_like(x)


def logsumexp(x: Tensor, over: Sequence[int], keep: bool) -> Tensor:
    return x.logsumexp(over, keep) if over else x


def every(x: Tensor, over: Sequence[int], keep: bool) -> Tensor:
    return x.all(over, keep) if over else x


def some(x: Tensor, over: Sequence[int], keep: bool) -> Tensor:
    return x.any(over, keep) if over else x


def cumsum(x: Tensor, axis: int, reverse: bool) -> Tensor:
    return x.flip(axis).cumsum(axis).flip(axis) if reverse else x.cumsum(axis)


def argmax(x: Tensor, axis: int, keep: bool) -> Tensor:
    return x.argmax(axis, keep)


def argmin(x: Tensor, axis: int, keep: bool) -> Tensor:
    return x.argmin(axis, keep)


def argsort(x: Tensor, axis: int, descending: bool) -> Tensor:
    return torch.argsort(x, axis, descending, stable=True)


def softmax(x: Tensor, axis: int) -> Tensor:
    return x.softmax(axis)


def log_softmax(x: Tensor, axis: int) -> Tensor:
    return x.log_softmax(axis)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    flat = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1).long(), reduction="none")
    return flat.reshape(target.shape)


# Shapes


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    return x.reshape(shape)


def permute(x: Tensor, order: Sequence[int]) -> Tensor:
    return x.permute(order)


def expand(x: Tensor, shape: Sequence[int]) -> Tensor:
    return x.expand(shape)


def concat(*x: Tensor, axis: int) -> Tensor:
    return torch.cat(x, axis)


def sliced(x: Tensor, starts: Sequence[int], stops: Sequence[int], steps: Sequence[int]) -> Tensor:
    turned = [i for i, step in enumerate(steps) if step < 0]
    ranges = list(zip(starts, stops, steps, strict=True))
    if turned:
        x = x.flip(turned)
        for i in turned:
            last = x.shape[i] - 1
            ranges[i] = (last - starts[i], last - stops[i], -steps[i])
    return x[tuple(slice(*row) for row in ranges)]


def pad(x: Tensor, before: Sequence[int], after: Sequence[int], value: float, between: Sequence[int]) -> Tensor:
    for axis, gap in enumerate(between):
        if gap and x.shape[axis] > 1:
            x = F.pad(x.unsqueeze(axis + 1), [*[0] * (2 * (x.ndim - axis - 1)), 0, gap], value=value)
            x = x.flatten(axis, axis + 1).narrow(axis, 0, x.shape[axis] * (gap + 1) - gap)
    sides = [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
    return F.pad(x, sides, value=value) if any(sides) else x


def flip(x: Tensor, over: Sequence[int]) -> Tensor:
    return x.flip(over)


def part(x: Tensor, offset: int, shape: Sequence[int]) -> Tensor:
    count = int(torch.tensor(shape).prod())
    return x.narrow(0, offset, count).reshape(shape)


def counted(size: int, dtype: torch.dtype) -> Tensor:
    return torch.arange(size, dtype=dtype)


def sized(dim: int, dtype: torch.dtype) -> Tensor:
    return torch.tensor(dim, dtype=dtype)


# Positions


def gather(table: Tensor, at: Tensor) -> Tensor:
    return F.embedding(at, table) if table.ndim == 2 else table[at]


def take(x: Tensor, at: Tensor, axis: int) -> Tensor:
    return x.index_select(axis, at)


def pick(x: Tensor, at: Tensor) -> Tensor:
    return x.gather(-1, at.long().unsqueeze(-1)).squeeze(-1)


def take_along(x: Tensor, at: Tensor, axis: int) -> Tensor:
    return x.gather(axis, at.long())


def add_along(at: Tensor, values: Tensor, axis: int, shape: Sequence[int]) -> Tensor:
    return torch.zeros(shape, dtype=values.dtype).scatter_add(axis, at.long(), values)


def scatter_add(at: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
    rows = values.reshape(at.numel(), *shape[1:])
    return torch.zeros(shape, dtype=values.dtype).index_add(0, at.reshape(-1).long(), rows)


def add_at(x: Tensor, at: Tensor, values: Tensor) -> Tensor:
    return x.scatter_add(-1, at.long().unsqueeze(-1), values.unsqueeze(-1))


def placed(at: Tensor, values: Tensor, depth: int) -> Tensor:
    zeros = torch.zeros((*at.shape, depth), dtype=values.dtype)
    return zeros.scatter(-1, at.long().unsqueeze(-1), values.unsqueeze(-1))


def one_hot(at: Tensor, depth: int, dtype: torch.dtype) -> Tensor:
    return F.one_hot(at.long(), depth).to(dtype)


def window(x: Tensor, start: Tensor, axis: int, size: int) -> Tensor:
    return x.narrow(axis, int(start), size)


def update(x: Tensor, value: Tensor, start: Tensor, axis: int) -> Tensor:
    at = int(start) + torch.arange(value.shape[axis])
    return x.index_copy(axis, at, value)


# Products


def matmul(a: Tensor, b: Tensor, transpose_a: bool, transpose_b: bool) -> Tensor:
    left = a.mT if transpose_a and a.ndim > 1 else a
    return left @ (b.mT if transpose_b and b.ndim > 1 else b)


# Random


def uniform(key: Tensor, step: Tensor, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    return torch.rand(shape, dtype=dtype)


def gaussian(key: Tensor, step: Tensor, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, dtype=dtype)


def bernoulli(key: Tensor, step: Tensor, shape: Sequence[int], rate: float) -> Tensor:
    return torch.empty(shape).bernoulli_(rate) > 0


def random_bits(key: Tensor, step: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.randint(0, 2**32, shape, dtype=torch.int64)


_SLIDES = ("stride", "padding", "dilation", "groups")
_WINDOW = ("size", "stride", "padding")
_UNARY = (  # whose words are those of PyTorch
    *(unary.Neg, unary.Abs, unary.Sign, unary.Exp, unary.Log, unary.Log1p, unary.Expm1, unary.Sqrt, unary.Square),
    *(unary.Reciprocal, unary.Sin, unary.Cos, unary.Tan, unary.Asin, unary.Acos, unary.Atan, unary.Sinh, unary.Cosh),
    *(unary.Tanh, unary.Sigmoid, unary.Erf, unary.Floor, unary.Ceil, unary.Round),
)
OPERATIONS: Mapping[type[Op], Rule] = {
    **{kind: plain(getattr(torch, kind.word)) for kind in _UNARY},
    unary.LogicalNot: plain(torch.logical_not),
    unary.IsFinite: plain(torch.isfinite),
    unary.IsNan: plain(torch.isnan),
    elementwise.Add: plain(operator.add),
    elementwise.Sub: plain(operator.sub),
    elementwise.Mul: plain(operator.mul),
    elementwise.Div: plain(operator.truediv),
    elementwise.FloorDiv: plain(operator.floordiv),
    elementwise.Mod: plain(operator.mod),
    elementwise.Pow: plain(operator.pow),
    elementwise.Max: plain(maximum),
    elementwise.Min: plain(minimum),
    elementwise.Atan2: plain(torch.atan2),
    elementwise.And: plain(torch.logical_and),
    elementwise.Or: plain(torch.logical_or),
    elementwise.Xor: plain(torch.logical_xor),
    elementwise.Eq: plain(operator.eq),
    elementwise.Ne: plain(operator.ne),
    elementwise.Lt: plain(operator.lt),
    elementwise.Le: plain(operator.le),
    elementwise.Gt: plain(operator.gt),
    elementwise.Ge: plain(operator.ge),
    elementwise.Where: typed(where),
    elementwise.Relu: plain(torch.relu),
    elementwise.Cast: typed(cast),
    elementwise.StopGradient: plain(detached),
    normal.BinaryCrossEntropy: plain(binary_cross_entropy),
    normal.CrossEntropy: plain(cross_entropy),
    normal.Softmax: field(softmax, "axis"),
    normal.LogSoftmax: field(log_softmax, "axis"),
    reduce.Sum: _reduced(total),
    reduce.Mean: _reduced(mean),
    reduce.ReduceMax: _reduced(greatest),
    reduce.ReduceMin: _reduced(least),
    reduce.Prod: _reduced(product),
    reduce.Logsumexp: _reduced(logsumexp),
    reduce.All: _reduced(every),
    reduce.Any: _reduced(some),
    reduce.Var: _reduced(variance, "correction"),
    reduce.Argmax: field(argmax, "axis", "keep"),
    reduce.Argmin: field(argmin, "axis", "keep"),
    reduce.Cumsum: field(cumsum, "axis", "reverse"),
    order.Argsort: field(argsort, "axis", "descending"),
    layout.Reshape: shaped(reshape),
    layout.Transpose: field(permute, "order"),
    layout.Expand: shaped(expand),
    layout.Concat: field(concat, "axis"),
    layout.Slice: field(sliced, "starts", "stops", "steps"),
    layout.Pad: field(pad, "before", "after", "value", "between"),
    layout.Flip: field(flip, "over"),
    states.Part: field(part, "offset", "shape"),
    states.Size: typed(sized, "dim"),
    states.Barrier: plain(first),
    index.Iota: typed(counted, "size"),
    index.Gather: plain(gather),
    index.Pick: plain(pick),
    index.Place: field(placed, "depth"),
    index.OneHot: typed(one_hot, "depth"),
    index.ScatterAdd: shaped(scatter_add),
    index.AddAt: plain(add_at),
    index.Window: field(window, "axis", "size"),
    index.Update: field(update, "axis"),
    along.Take: field(take, "axis"),
    along.TakeAlong: field(take_along, "axis"),
    along.AddAlong: shaped(add_along, "axis"),
    contract.Matmul: field(matmul, "transpose_a", "transpose_b"),
    convolution.Conv: field(conv, *_SLIDES),
    convolution.ConvInput: field(conv_input, *_SLIDES, "size"),
    pool.MaxPool: field(max_pool, *_WINDOW),
    pool.AveragePool: field(average_pool, *_WINDOW, "count_padding"),
    random.Uniform: typed(uniform, "shape"),
    random.Normal: typed(gaussian, "shape"),
    random.Bernoulli: field(bernoulli, "shape", "rate"),
    random.RandomBits: field(random_bits, "shape"),
}
