"""Other implementations of the operations: ONNX Runtime, SciPy, and Python's own numbers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import scipy.special
from axonc.compiler.ir.graph import numpy_name
from onnx import TensorProto, helper

Oracle = Callable[..., np.ndarray]
OPSET = 21


def run(kind: str, *arrays: np.ndarray | None, **attributes: Any) -> np.ndarray:
    """The result of a model of one ONNX operator; None for an input that is left out."""
    names = ["" if a is None else f"x{i}" for i, a in enumerate(arrays)]
    given = {n: np.asarray(a) for n, a in zip(names, arrays, strict=True) if a is not None}
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in given.items()
    ]
    node = helper.make_node(kind, names, ["y"], **attributes)
    result = helper.make_tensor_value_info("y", _result_type(kind, list(given.values()), attributes), None)
    graph = helper.make_graph([node], "one", infos, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, given)[0])


def _result_type(kind: str, arrays: list[np.ndarray], attributes: dict[str, Any]) -> int:
    if kind in (
        "Equal",
        "Less",
        "LessOrEqual",
        "Greater",
        "GreaterOrEqual",
        "And",
        "Or",
        "Xor",
        "Not",
        "IsNaN",
        "IsInf",
    ):
        return int(TensorProto.BOOL)
    if kind in ("ArgMax", "ArgMin"):
        return int(TensorProto.INT64)
    if kind == "Cast":
        return int(attributes["to"])
    like = arrays[{"Where": 1, "OneHot": 2}.get(kind, 0)]
    return int(helper.np_dtype_to_tensor_dtype(like.dtype))


def onnx_op(kind: str, **attributes: Any) -> Oracle:
    return lambda op, *arrays: run(kind, *_one_width(*arrays), **attributes)


def each(function: Callable[..., Any]) -> Oracle:
    """A function of Python numbers, element by element."""

    def oracle(op: Any, *arrays: np.ndarray) -> np.ndarray:
        spread = np.broadcast_arrays(*arrays)
        values = [function(*(v.item() for v in vs)) for vs in zip(*(a.flat for a in spread), strict=True)]
        kind = np.result_type(*arrays) if values and not isinstance(values[0], bool) else bool
        return np.array(values, dtype=kind).reshape(spread[0].shape)

    return oracle


def _one_width(*arrays: np.ndarray) -> list[np.ndarray]:
    """Integers of different width as the wider one: ONNX does not mix them."""
    if {a.dtype.kind for a in arrays} <= {"i", "u"} and len(arrays) > 1:
        return [a.astype(np.result_type(*arrays)) for a in arrays]
    return list(arrays)


def reduced(kind: str) -> Oracle:
    def oracle(op: Any, x: np.ndarray) -> np.ndarray:
        if not op.over:
            return run(kind, x, np.array([], np.int64), keepdims=int(op.keep), noop_with_empty_axes=1)
        return run(kind, x, np.array(op.over, np.int64), keepdims=int(op.keep))

    return oracle


def truth(function: Callable[[list[bool]], bool]) -> Oracle:
    def oracle(op: Any, x: np.ndarray) -> np.ndarray:
        axes = tuple(a % x.ndim for a in op.over)
        rest = [i for i in range(x.ndim) if i not in axes]
        rows = np.transpose(x, (*rest, *axes)).reshape(*(x.shape[i] for i in rest), -1)
        found = np.apply_along_axis(lambda row: function(list(row)), -1, rows)
        return np.expand_dims(found, axes) if op.keep else found

    return oracle


def variance(op: Any, x: np.ndarray) -> np.ndarray:
    axes, x = np.array(op.over, np.int64), x.astype(np.float32)
    if not op.over:
        return np.zeros_like(x)
    middle = run("ReduceMean", x, axes, keepdims=1)
    count = math.prod(x.shape[a] for a in op.over)
    return run("ReduceSumSquare", x - middle, axes, keepdims=int(op.keep)) / (count - op.correction)


def cumulative(op: Any, x: np.ndarray) -> np.ndarray:
    return run("CumSum", x, np.array(op.axis), reverse=int(op.reverse))


def sliced(op: Any, x: np.ndarray) -> np.ndarray:
    if not x.ndim:
        return x
    stops = [z if z >= 0 else -x.shape[i] - 1 for i, z in enumerate(op.stops)]
    parts = (op.starts, stops, range(x.ndim), op.steps)
    return run("Slice", x, *(np.array(p, np.int64) for p in parts))


def padded(op: Any, x: np.ndarray) -> np.ndarray:
    for axis, gap in enumerate(op.between):
        rows = np.split(x, x.shape[axis], axis)
        empty = np.full_like(rows[0], op.value)
        x = np.concatenate([r for row in rows for r in (*[empty] * gap, row)][gap:], axis)
    return run("Pad", x, np.array((*op.before, *op.after), np.int64), np.asarray(op.value, x.dtype))


def flipped(op: Any, x: np.ndarray) -> np.ndarray:
    for axis in op.over:
        x = np.stack(list(np.moveaxis(x, axis, 0))[::-1], axis)
    return x


def product(op: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = _one_width(a, b)
    left = a.swapaxes(-1, -2) if op.transpose_a else a
    right = b.swapaxes(-1, -2) if op.transpose_b else b
    return run("MatMul", np.ascontiguousarray(left), np.ascontiguousarray(right))


def first(x: np.ndarray) -> np.ndarray:
    """Channels first."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


def kernels(w: np.ndarray) -> np.ndarray:
    """Weights [kernel..., in, out] as [out, in, kernel...]."""
    return np.ascontiguousarray(np.moveaxis(w, (-1, -2), (0, 1)))


def pads(op: Any) -> list[int]:
    return [p[0] for p in op.padding] + [p[1] for p in op.padding]


def slides(op: Any) -> dict[str, Any]:
    return {"strides": op.stride, "pads": pads(op), "dilations": op.dilation, "group": op.groups}


def convolved(op: Any, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return last(run("Conv", first(x), kernels(w), **slides(op)))


def convolved_back(op: Any, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    found = last(run("ConvTranspose", first(y), kernels(w), **slides(op)))
    missing = [(0, want - have) for want, have in zip(op.size, found.shape[1:-1], strict=True)]
    return np.pad(found, [(0, 0), *missing, (0, 0)])  # data at the end that no window reads


def convolved_weight(op: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Each weight from its own convolution of data with the result, stride and dilation exchanged."""
    found = []
    c, k = x.shape[-1] // op.groups, y.shape[-1] // op.groups
    for g in range(op.groups):
        data = np.ascontiguousarray(np.moveaxis(x[..., g * c : (g + 1) * c], -1, 0))
        flow = np.ascontiguousarray(np.moveaxis(y[..., g * k : (g + 1) * k], -1, 0))
        w = run("Conv", data, flow, strides=op.dilation, dilations=op.stride, pads=pads(op))
        found.append(np.moveaxis(w, (0, 1), (-2, -1))[tuple(slice(n) for n in op.kernel)])
    return np.concatenate(found, axis=-1)


def pooled(kind: str) -> Oracle:
    def oracle(op: Any, x: np.ndarray) -> np.ndarray:
        more = {"count_include_pad": int(op.count_padding)} if kind == "AveragePool" else {}
        return last(run(kind, first(x), kernel_shape=op.size, strides=op.stride, pads=pads(op), **more))

    return oracle


def added(op: Any, index: np.ndarray, values: np.ndarray) -> np.ndarray:
    zeros = np.zeros((op.rows, *values.shape[index.ndim :]), values.dtype)
    if not values.size:
        return zeros
    return run("ScatterND", zeros, index[..., None].astype(np.int64), values, reduction="add")


def picked(op: Any, x: np.ndarray, index: np.ndarray) -> np.ndarray:
    return run("GatherElements", x, index[..., None], axis=-1)[..., 0]


def added_at(op: Any, x: np.ndarray, index: np.ndarray, values: np.ndarray) -> np.ndarray:
    return run("ScatterElements", x, index[..., None], values[..., None], axis=-1, reduction="add")


def placed(op: Any, index: np.ndarray, values: np.ndarray) -> np.ndarray:
    zeros = np.zeros((*index.shape, op.depth), values.dtype)
    return run("ScatterElements", zeros, index[..., None], values[..., None], axis=-1)


def hot(op: Any, index: np.ndarray) -> np.ndarray:
    values = np.array([0, 1], np.float32)
    return run("OneHot", index[None], np.array(op.depth), values, axis=-1)[0].astype(numpy_name(op.dtype))


def selected(op: Any, condition: np.ndarray, yes: np.ndarray, no: np.ndarray) -> np.ndarray:
    if yes.dtype == bool:
        return run("Where", condition, yes.astype(np.uint8), no.astype(np.uint8)).astype(bool)
    return run("Where", condition, yes, no)


def read(op: Any, x: np.ndarray, position: np.ndarray) -> np.ndarray:
    start = np.array([position], np.int64)
    return run("Slice", x, start, start + op.size, np.array([op.axis]))


def written(op: Any, x: np.ndarray, value: np.ndarray, position: np.ndarray) -> np.ndarray:
    rows = np.moveaxis(x, op.axis, 0)
    at = np.arange(value.shape[op.axis])[:, None] + int(position)
    return np.moveaxis(run("ScatterND", rows, at, np.moveaxis(value, op.axis, 0)), 0, op.axis)


def ordered(op: Any, x: np.ndarray) -> np.ndarray:
    """Python's own sort, which is stable in both directions."""

    def positions(row: np.ndarray) -> list[int]:
        values = row.tolist()
        return sorted(range(len(values)), key=values.__getitem__, reverse=op.descending)

    rows = np.moveaxis(x, op.axis, -1)
    lines = [positions(row) for row in rows.reshape(-1, rows.shape[-1])] if x.size else []
    return np.moveaxis(np.array(lines, np.int64).reshape(rows.shape), -1, op.axis)


def added_along(op: Any, index: np.ndarray, values: np.ndarray) -> np.ndarray:
    shape = list(values.shape)
    shape[op.axis] = op.size
    zeros = np.zeros(shape, values.dtype)
    return run("ScatterElements", zeros, index, values, axis=op.axis, reduction="add") if values.size else zeros


def chosen_loss(op: Any, logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    if logits.ndim == 1:
        return run("SoftmaxCrossEntropyLoss", logits[None], target[None], reduction="none")[0]
    return run("SoftmaxCrossEntropyLoss", first(logits), target, reduction="none")


def cast(op: Any, x: np.ndarray) -> np.ndarray:
    return run("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(numpy_name(op.dtype))))


ORACLES: dict[str, Oracle] = {
    **{
        word: onnx_op(kind)
        for word, kind in {
            "neg": "Neg",
            "abs": "Abs",
            "sign": "Sign",
            "exp": "Exp",
            "log": "Log",
            "sqrt": "Sqrt",
            "tan": "Tan",
            "reciprocal": "Reciprocal",
            "sin": "Sin",
            "cos": "Cos",
            "asin": "Asin",
            "acos": "Acos",
            "atan": "Atan",
            "sinh": "Sinh",
            "cosh": "Cosh",
            "tanh": "Tanh",
            "sigmoid": "Sigmoid",
            "erf": "Erf",
            "floor": "Floor",
            "ceil": "Ceil",
            "round": "Round",
            "logical_not": "Not",
            "is_nan": "IsNaN",
            "relu": "Relu",
            "add": "Add",
            "sub": "Sub",
            "mul": "Mul",
            "div": "Div",
            "pow": "Pow",
            "max": "Max",
            "min": "Min",
            "and": "And",
            "or": "Or",
            "xor": "Xor",
            "eq": "Equal",
            "lt": "Less",
            "le": "LessOrEqual",
            "gt": "Greater",
            "ge": "GreaterOrEqual",
            "gather": "Gather",
        }.items()
    },
    "log1p": lambda op, x: scipy.special.log1p(x),
    "expm1": lambda op, x: scipy.special.expm1(x),
    "where": selected,
    "square": each(lambda x: x * x),
    "is_finite": each(math.isfinite),
    "floor_div": each(lambda a, b: a // b),
    "mod": each(lambda a, b: a % b),
    "atan2": each(math.atan2),
    "ne": each(lambda a, b: a != b),
    "cast": cast,
    "sum": reduced("ReduceSum"),
    "reduce_max": reduced("ReduceMax"),
    "reduce_min": reduced("ReduceMin"),
    "prod": reduced("ReduceProd"),
    "mean": reduced("ReduceMean"),
    "logsumexp": reduced("ReduceLogSumExp"),
    "var": variance,
    "any": truth(any),
    "all": truth(all),
    "cumsum": cumulative,
    "argmax": lambda op, x: run("ArgMax", x, axis=op.axis, keepdims=int(op.keep)),
    "argmin": lambda op, x: run("ArgMin", x, axis=op.axis, keepdims=int(op.keep)),
    "reshape": lambda op, x: run("Reshape", x, np.array(op.shape, np.int64), allowzero=1),
    "transpose": lambda op, x: run("Transpose", x, perm=op.order) if op.order else x,
    "expand": lambda op, x: run("Expand", x, np.array(op.shape, np.int64)),
    "concat": lambda op, *x: run("Concat", *x, axis=op.axis),
    "slice": sliced,
    "pad": padded,
    "flip": flipped,
    "matmul": product,
    "conv": convolved,
    "conv_input": convolved_back,
    "conv_weight": convolved_weight,
    "max_pool": pooled("MaxPool"),
    "average_pool": pooled("AveragePool"),
    "scatter_add": added,
    "pick": picked,
    "take": lambda op, x, index: run("Gather", x, index, axis=op.axis),
    "take_along": lambda op, x, index: run("GatherElements", x, index, axis=op.axis),
    "add_along": added_along,
    "argsort": ordered,
    "place": placed,
    "add_at": added_at,
    "one_hot": hot,
    "window": read,
    "update": written,
    "iota": lambda op: np.array(list(range(op.size)), numpy_name(op.dtype)),
    "softmax": lambda op, x: run("Softmax", x, axis=op.axis),
    "log_softmax": lambda op, x: run("LogSoftmax", x, axis=op.axis),
    "cross_entropy": chosen_loss,
    "binary_cross_entropy": lambda op, x, t: -t * scipy.special.log_expit(x) - (1 - t) * scipy.special.log_expit(-x),
}

# No other implementation is at hand; what they must do is written in the tests named beside them.
WITHOUT = {
    "stop_gradient": "test_elementwise.py",
    "barrier": "test_layout.py",
    "size": "test_layout.py",
    "part": "test_layout.py",
    "max_pool_input": "test_pool.py",
    "max_pool_pick": "test_pool.py",
    "average_pool_input": "test_pool.py",
    "random_bits": "test_random.py",
    "uniform": "test_random.py",
    "normal": "test_random.py",
    "bernoulli": "test_random.py",
}
