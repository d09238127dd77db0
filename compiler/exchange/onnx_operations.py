"""How each operation is said in ONNX: one table, complete together with the operations that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ir.dims import Size
from ..ir.graph import Literal, Node
from ..ir.op import Op
from ..ir.types import BOOL, I32, I64
from ..ops import (
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
    scan,
    unary,
)
from ..ops import state as states
from .layers import is_lstm
from .onnx_elements import (
    Operation,
    atan2,
    binary_cross_entropy,
    cast,
    expm1,
    floor_div,
    is_finite,
    level,
    levelled,
    literal,
    log1p,
    mod,
    passed_on,
    same,
    square,
    unequal,
    where,
)
from .onnx_windows import average_pool, conv, conv_input, max_pool

if TYPE_CHECKING:
    from .onnx import Writer

END = -(2**63) + 1  # before the first element, for a slice that goes backwards


# Along axes


def reduced(kind: str) -> Operation:
    return lambda w, node, x: _over(w, node, x, kind)


def _over(w: Writer, node: Node, x: str, kind: str) -> str:
    assert isinstance(node.op, reduce.Reduction)
    axes = node.op.along(len(node.inputs[0].shape))
    return w.add(kind, x, w.whole(*axes), keepdims=int(node.op.keep)) if axes else x


def truth(kind: str) -> Operation:
    return lambda w, node, x: w.cast(_over(w, node, w.cast(x, I32), kind), BOOL)


def position(kind: str) -> Operation:
    def write(w: Writer, node: Node, x: str) -> str:
        assert isinstance(node.op, reduce.Position)
        return w.add(kind, x, axis=node.op.axis, keepdims=int(node.op.keep))

    return write


def cumsum(w: Writer, node: Node, x: str) -> str:
    assert isinstance(node.op, reduce.Cumsum)
    return w.add("CumSum", x, w.constant(node.op.axis, np.int64), reverse=int(node.op.reverse))


def shares(kind: str) -> Operation:
    def write(w: Writer, node: Node, x: str) -> str:
        assert isinstance(node.op, normal.Shares)
        return w.add(kind, x, axis=node.op.axis)

    return write


def argsort(w: Writer, node: Node, x: str) -> str:
    assert isinstance(node.op, order.Argsort)
    count = w.size(node.shape[node.op.axis])
    return w.several("TopK", 2, x, count, axis=node.op.axis, largest=int(node.op.descending))[1]


# Shapes


def reshape(w: Writer, node: Node, x: str) -> str:
    return w.reshape(x, node.shape)


def transpose(w: Writer, node: Node, x: str) -> str:
    assert isinstance(node.op, layout.Transpose)
    return w.transpose(x, node.op.order)


def expand(w: Writer, node: Node, x: str) -> str:
    return w.add("Expand", x, w.vector(node.shape))


def concat(w: Writer, node: Node, *x: str) -> str:
    assert isinstance(node.op, layout.Concat)
    return w.add("Concat", *x, axis=node.op.axis)


def slice_(w: Writer, node: Node, x: str) -> str:
    assert isinstance(node.op, layout.Slice)
    shape = node.inputs[0].shape
    rows = list(zip(node.op.starts, node.op.stops, node.op.steps, strict=True))
    axes = [i for i, row in enumerate(rows) if row != (0, shape[i], 1)]
    if not axes:
        return x
    starts, stops, steps = zip(*(rows[i] for i in axes), strict=True)
    ends = [END if stop == -1 else stop for stop in stops]
    return w.add("Slice", x, w.vector(starts), w.vector(ends), w.whole(*axes), w.whole(*steps))


def pad(w: Writer, node: Node, x: str) -> str:
    """Gaps between elements are rows of a new axis behind each, of which the last is cut off again."""
    assert isinstance(node.op, layout.Pad)
    shape, value = list(node.inputs[0].shape), w.typed(node.op.value, node.dtype)
    for axis, gap in enumerate(node.op.between):
        if gap and shape[axis] != 1:
            x = _apart(w, x, shape, axis, gap, value)
    sides = (*node.op.before, *node.op.after)
    return x if not any(sides) else w.add("Pad", x, w.vector(sides), value)


def _apart(w: Writer, x: str, shape: list[Size], axis: int, gap: int, value: str) -> str:
    """x with `gap` values from each element to the next along an axis, whose size in `shape` becomes the new one."""
    rank = len(shape)
    single = w.reshape(x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
    behind = [0] * (2 * (rank + 1))
    behind[rank + 1 + axis + 1] = gap
    wide = w.add("Pad", single, w.whole(*behind), value)
    full = shape[axis] * (gap + 1)
    joined = w.reshape(wide, (*shape[:axis], full, *shape[axis + 1 :]))
    shape[axis] = full - gap
    return w.add("Slice", joined, w.whole(0), w.size(shape[axis]), w.whole(axis))


def flip(w: Writer, node: Node, x: str) -> str:
    assert isinstance(node.op, layout.Flip)
    axes = node.op.over
    if not axes:
        return x
    many = len(axes)
    return w.add("Slice", x, w.whole(*[-1] * many), w.whole(*[END] * many), w.whole(*axes), w.whole(*[-1] * many))


def part(w: Writer, node: Node, x: str) -> str:
    assert isinstance(node.op, states.Part)
    end = node.op.offset + node.tensor.size
    return w.reshape(w.add("Slice", x, w.size(node.op.offset), w.size(end)), node.shape)


def size(w: Writer, node: Node) -> str:
    assert isinstance(node.op, states.Size)
    return w.scalar(node.op.dim, node.dtype)


def iota(w: Writer, node: Node) -> str:
    assert isinstance(node.op, index.Iota)
    if isinstance(node.op.size, int):
        return w.typed(np.arange(node.op.size), node.dtype)
    zero, one = (w.constant(n, np.int64) for n in (0, 1))
    return w.cast(w.add("Range", zero, w.scalar(node.op.size, I64), one), node.dtype)


# Positions


def _at(w: Writer, node: Node, x: str) -> str:
    """An index in a dtype that ONNX indexes with."""
    return x if node.dtype in (I32, I64) else w.cast(x, I64)


def gather(w: Writer, node: Node, x: str, at: str) -> str:
    axis = node.op.axis if isinstance(node.op, along.Take) else 0
    return w.add("Gather", x, _at(w, node.inputs[1], at), axis=axis)


def pick(w: Writer, node: Node, x: str, at: str) -> str:
    column = w.add("Unsqueeze", _at(w, node.inputs[1], at), w.whole(-1))
    return w.add("Squeeze", w.add("GatherElements", x, column, axis=-1), w.whole(-1))


def take_along(w: Writer, node: Node, x: str, at: str) -> str:
    assert isinstance(node.op, along.TakeAlong)
    return w.add("GatherElements", x, _at(w, node.inputs[1], at), axis=node.op.axis)


def _zeros(w: Writer, node: Node) -> str:
    return w.add("Expand", w.number(0, node.tensor), w.vector(node.shape))


def add_along(w: Writer, node: Node, at: str, values: str) -> str:
    assert isinstance(node.op, along.AddAlong)
    at = _at(w, node.inputs[0], at)
    return w.add("ScatterElements", _zeros(w, node), at, values, axis=node.op.axis, reduction="add")


def scatter_add(w: Writer, node: Node, at: str, values: str) -> str:
    rows = w.add("Unsqueeze", w.cast(at, I64), w.whole(-1))
    return w.add("ScatterND", _zeros(w, node), rows, values, reduction="add")


def add_at(w: Writer, node: Node, x: str, at: str, values: str) -> str:
    column, value = w.add("Unsqueeze", _at(w, node.inputs[1], at), w.whole(-1)), w.add("Unsqueeze", values, w.whole(-1))
    return w.add("ScatterElements", x, column, value, axis=-1, reduction="add")


def window(w: Writer, node: Node, x: str, start: str) -> str:
    assert isinstance(node.op, index.Window)
    first = w.add("Unsqueeze", w.cast(start, I64), w.whole(0))
    return w.add("Slice", x, first, w.add("Add", first, w.size(node.op.size)), w.whole(node.op.axis))


def update(w: Writer, node: Node, x: str, value: str, start: str) -> str:
    assert isinstance(node.op, index.Update)
    axis = node.op.axis % len(node.shape)
    first = w.add("Unsqueeze", w.cast(start, I64), w.whole(0))
    last = w.add("Add", first, w.size(node.inputs[1].shape[axis]))
    before = w.add("Slice", x, w.whole(0), first, w.whole(axis))
    after = w.add("Slice", x, last, w.size(node.shape[axis]), w.whole(axis))
    return w.add("Concat", before, value, after, axis=axis)


# Products and loops


def matmul(w: Writer, node: Node, a: str, b: str) -> str:
    assert isinstance(node.op, contract.Matmul)
    left, right = (
        _swapped(w, x, len(n.shape)) if turned else x
        for x, n, turned in zip(
            levelled(w, node, a, b), node.inputs, (node.op.transpose_a, node.op.transpose_b), strict=True
        )
    )
    if len(node.inputs[1].shape) > 1:
        return w.add("MatMul", left, right)
    column = w.add("Unsqueeze", right, w.whole(-1))  # ONNX Runtime turns a matrix before a vector wrongly
    return w.add("Squeeze", w.add("MatMul", left, column), w.whole(-1))


def _swapped(w: Writer, x: str, rank: int) -> str:
    return w.transpose(x, (*range(rank - 2), rank - 1, rank - 2)) if rank > 1 else x


def lstm(w: Writer, op: scan.Scan, *x: str) -> list[str]:
    """The operator LSTM: time stands in front in its sequences, and its gates in the order in, out, forget, new."""
    state, cell, sequence, *weights = x
    zeros = w.constant(np.zeros(op.body.inputs[-1].shape), np.float32)
    own, recurrent, bias = (w.add("Unsqueeze", _gates(w, a), w.whole(0)) for a in weights)
    biases = w.add("Concat", bias, w.add("Unsqueeze", zeros, w.whole(0)), axis=1)
    begin = [w.add("Unsqueeze", a, w.whole(0)) for a in (state, cell)]
    settings = {"hidden_size": op.body.inputs[0].shape[-1], "direction": "reverse" if op.reverse else "forward"}
    turned = w.transpose(sequence, (1, 0, 2))
    states, last, end = w.several("LSTM", 3, turned, own, recurrent, biases, "", *begin, **settings)
    stack = w.transpose(w.add("Squeeze", states, w.whole(1)), (1, 0, 2))
    return [*(w.add("Squeeze", a, w.whole(0)) for a in (last, end)), stack]


def _gates(w: Writer, a: str) -> str:
    """Weights [in, 4 units], or a bias, as [4 units, in] with its gates in the order of ONNX."""
    enter, forget, new, leave = w.several("Split", 4, a, axis=-1, num_outputs=4)
    joined = w.add("Concat", enter, leave, forget, new, axis=-1)
    return w.add("Transpose", joined)


def loop(w: Writer, node: Node, *x: str) -> list[str]:
    """A `Scan` whose body sees the constants of the loop from outside."""
    op = node.op
    assert isinstance(op, scan.Scan)
    if is_lstm(op):
        return lstm(w, op, *x)
    first = op.carries + op.slices
    inner = type(w)("body", w)
    changing = op.body.inputs[:first]
    for outer, value in zip(op.body.inputs, x, strict=True):
        inner.values[outer] = value
    names = [w.fresh() for _ in changing]
    inner.values |= dict(zip(changing, names, strict=True))
    inner.run(op.body)
    results = [w.fresh() for _ in op.body.results]
    inputs = [w.declared(name, n.tensor) for name, n in zip(names, changing, strict=True)]
    body = inner.finished(op.body, results, inputs)
    times = [scan.time_axis(len(n.shape)) for n in node.inputs[op.carries : first]]
    stacks = [scan.time_axis(t.rank) for t in node.types[op.carries :]]
    attributes: dict[str, Any] = {"body": body, "num_scan_inputs": op.slices, "scan_input_axes": times}
    attributes |= {"scan_input_directions": [int(op.reverse)] * op.slices}
    if stacks:
        attributes |= {"scan_output_axes": stacks, "scan_output_directions": [int(op.reverse)] * len(stacks)}
    return w.several("Scan", len(node.types), *x[:first], **attributes)


# The names of these are those of ONNX.
_UNARY = (
    *(unary.Neg, unary.Abs, unary.Sign, unary.Exp, unary.Log, unary.Sqrt, unary.Reciprocal, unary.Sin, unary.Cos),
    *(unary.Tan, unary.Asin, unary.Acos, unary.Atan, unary.Sinh, unary.Cosh, unary.Tanh, unary.Sigmoid, unary.Erf),
    *(unary.Floor, unary.Ceil, unary.Round, elementwise.Relu),
)
_BINARY = (
    *(elementwise.Add, elementwise.Sub, elementwise.Mul, elementwise.Div, elementwise.Pow, elementwise.Max),
    *(elementwise.Min, elementwise.And, elementwise.Or, elementwise.Xor),
)
OPERATIONS: Mapping[type[Op], Operation] = {
    **{kind: same(kind.__name__) for kind in _UNARY},
    **{kind: level(kind.__name__) for kind in _BINARY},
    unary.Square: square,
    unary.Log1p: log1p,
    unary.Expm1: expm1,
    unary.LogicalNot: same("Not"),
    unary.IsNan: same("IsNaN"),
    unary.IsFinite: is_finite,
    elementwise.Eq: level("Equal"),
    elementwise.Ne: unequal,
    elementwise.Lt: level("Less"),
    elementwise.Le: level("LessOrEqual"),
    elementwise.Gt: level("Greater"),
    elementwise.Ge: level("GreaterOrEqual"),
    elementwise.FloorDiv: floor_div,
    elementwise.Mod: mod,
    elementwise.Atan2: atan2,
    elementwise.Where: where,
    elementwise.Cast: cast,
    elementwise.StopGradient: passed_on,
    normal.BinaryCrossEntropy: binary_cross_entropy,
    Literal: literal,
    reduce.Sum: reduced("ReduceSum"),
    reduce.Mean: reduced("ReduceMean"),
    reduce.ReduceMax: reduced("ReduceMax"),
    reduce.ReduceMin: reduced("ReduceMin"),
    reduce.Prod: reduced("ReduceProd"),
    reduce.Logsumexp: reduced("ReduceLogSumExp"),
    reduce.All: truth("ReduceMin"),
    reduce.Any: truth("ReduceMax"),
    reduce.Argmax: position("ArgMax"),
    reduce.Argmin: position("ArgMin"),
    reduce.Cumsum: cumsum,
    normal.Softmax: shares("Softmax"),
    normal.LogSoftmax: shares("LogSoftmax"),
    order.Argsort: argsort,
    layout.Reshape: reshape,
    layout.Transpose: transpose,
    layout.Expand: expand,
    layout.Concat: concat,
    layout.Slice: slice_,
    layout.Pad: pad,
    layout.Flip: flip,
    states.Part: part,
    states.Size: size,
    states.Barrier: passed_on,
    index.Iota: iota,
    index.Gather: gather,
    index.Pick: pick,
    index.ScatterAdd: scatter_add,
    index.AddAt: add_at,
    index.Window: window,
    index.Update: update,
    along.Take: gather,
    along.TakeAlong: take_along,
    along.AddAlong: add_along,
    contract.Matmul: matmul,
    convolution.Conv: conv,
    convolution.ConvInput: conv_input,
    pool.MaxPool: max_pool,
    pool.AveragePool: average_pool,
    scan.Scan: loop,
}
_GRADIENT = "it belongs to a gradient, and an ONNX model has none"
REFUSED: Mapping[type[Op], str] = {
    random.RandomBits: "the random numbers of ONNX are other ones on every machine",
    convolution.ConvWeight: _GRADIENT,
    pool.MaxPoolInput: _GRADIENT,
    pool.MaxPoolPick: _GRADIENT,
    pool.AveragePoolInput: _GRADIENT,
}
