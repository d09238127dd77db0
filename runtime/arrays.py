"""The instruction table: the name in a plan -> calls over arrays that are bound once and run many times.

A binder gets the arrays an instruction writes, the operands it reads (arrays, or Python numbers) and its attributes,
and returns callables without arguments. It may allocate; the calls it returns allocate nothing of 16 KB or more
unless the instruction stands in `ALLOCATING`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from . import bfloat, choice, places, scalars
from .philox import Philox

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Call: TypeAlias = Callable[[], object]
Writes: TypeAlias = Sequence[Array]
Reads: TypeAlias = Sequence[Any]
Attributes: TypeAlias = Mapping[str, Any]
Binder: TypeAlias = Callable[[Writes, Reads, Attributes], tuple[Call, ...]]

UFUNCS: Mapping[str, np.ufunc] = {
    "neg": np.negative,
    "abs": np.absolute,
    "sign": np.sign,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "square": np.square,
    "reciprocal": np.reciprocal,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "logical_not": np.logical_not,
    "is_finite": np.isfinite,
    "is_nan": np.isnan,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "floor_div": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "max": np.maximum,
    "min": np.minimum,
    "atan2": np.arctan2,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}

REDUCTIONS: Mapping[str, np.ufunc] = {
    "reduce_sum": np.add,
    "reduce_prod": np.multiply,
    "reduce_max": np.maximum,
    "reduce_min": np.minimum,
    "reduce_any": np.logical_or,
    "reduce_all": np.logical_and,
}

FEW = 4  # columns
LINE, LONGEST = 512, 1 << 16  # elements of a line of equal numbers


def _ufunc(function: np.ufunc) -> Binder:
    def bind(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
        return (partial(function, *_arrays(reads), writes[0]),)

    return bind


def _power(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """A negative power of an integer is 0, but for those of 1 and -1, as in native code; NumPy refuses it."""
    (out,), (a, b) = writes, _arrays(reads)
    if out.dtype.kind != "i":
        return (partial(np.power, a, b, out),)
    base, exponent = np.empty_like(a), np.empty_like(b)
    small, negative = np.empty(a.shape, np.bool_), np.empty(b.shape, np.bool_)
    lost = np.empty(out.shape, np.bool_)
    one, zero = (np.asarray(n, out.dtype) for n in (1, 0))
    return (
        partial(np.absolute, a, base),
        partial(np.not_equal, base, one, small),
        partial(np.less, b, zero, negative),
        partial(np.logical_and, small, negative, lost),
        partial(np.absolute, b, exponent),
        partial(np.power, a, exponent, out),
        partial(np.copyto, out, zero, "same_kind", lost),
    )


def _extremum(function: np.ufunc) -> Binder:
    """Of an array and a number by lines of equal numbers, since NumPy compares vectors with vectors only."""

    def bind(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
        (out,), (x, other) = writes, _arrays(reads)
        length, is_number = _line(out.shape), not isinstance(reads[1], np.ndarray)
        if is_number and x.shape == out.shape and length <= LONGEST and _all_contiguous(x, out):
            shape = (length,) if length == out.size else (-1, length)
            x, out, other = x.reshape(shape), out.reshape(shape), np.full(length, other)
        return (partial(function, x, other, out=out),)  # a third position is deprecated for these two

    return bind


def _line(shape: Sequence[int]) -> int:
    """As many of the last axes in one as make a loop long enough."""
    length = 1
    for n in reversed(shape):
        if length >= LINE:
            break
        length *= n
    return length


def _all_contiguous(*arrays: Array) -> bool:
    return all(x.flags.c_contiguous for x in arrays)


def _arrays(reads: Reads) -> list[Array]:
    """Numbers as 0-d arrays of the type of the arrays beside them: half the call time of a Python number, and less
    than that of an array of shape [1, 1], for which NumPy builds an iterator."""
    dtype = next((r.dtype for r in reads if isinstance(r, np.ndarray)), None)
    arrays = [r if isinstance(r, np.ndarray) else np.asarray(r, dtype) for r in reads]
    return [a.reshape(()) if a.size == 1 else a for a in arrays]


def _reduction(function: np.ufunc) -> Binder:
    def bind(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
        (out,), (x,) = writes, reads
        axes = tuple(attributes["axes"])
        axis: Any = axes[0] if len(axes) == 1 else axes
        if axes == (x.ndim - 1,) and 2 <= x.shape[-1] <= FEW and function in (np.maximum, np.minimum):
            return tuple(_by_columns(function, x, out))
        reduce: Callable[..., object] = function.reduce
        return (partial(reduce, x, axis, None, out, out.ndim == x.ndim),)

    return bind


def _by_columns(function: np.ufunc, x: Array, out: Array) -> Iterator[Call]:
    """A short last axis, one column at a time: a reduction would begin anew at each row."""
    target = out[..., 0] if out.ndim == x.ndim else out
    yield partial(function, x[..., 0], x[..., 1], out=target)
    for i in range(2, x.shape[-1]):
        yield partial(function, target, x[..., i], out=target)


def _accumulation(function: np.ufunc) -> Binder:
    def bind(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
        return (partial(function.accumulate, reads[0], attributes["axis"], None, writes[0]),)

    return bind


def _copy(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    (out,), (x,) = writes, reads
    if not isinstance(x, np.ndarray):
        return _fill(writes, (), {"value": x})
    if _same(out, x):
        return ()
    return (partial(np.copyto, out, x, "unsafe"),)


def _fill(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    return (partial(writes[0].fill, attributes["value"]),)


def _select(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """`yes` where the condition holds, else `no`; the result may lie where `no` lies."""
    condition, yes, no = reads
    return (*_copy(writes, (no,), {}), *_put_where(writes, (no, condition, yes), {}))


def _put_where(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """Writes the value where the mask holds; the first operand is what lies there already."""
    (out,), (_, mask, value) = writes, reads
    if not isinstance(value, np.ndarray):
        value = np.asarray(value, out.dtype)
    if value.ndim == 0 and mask.shape == out.shape:
        return (partial(np.putmask, out, mask, value),)
    return (partial(np.copyto, out, value, "same_kind", mask),)


def _matmul(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """Products of the last two axes; `dot`, which starts in half the time, where it copies nothing."""
    (out,), (a, b) = writes, reads
    if out.flags.c_contiguous and a.dtype.kind == "f" and all(x.ndim <= 2 and x.flags.forc for x in (a, b)):
        return (partial(np.dot, a, b, out),)
    return (partial(np.matmul, a, b, out),)


def _argument(function: Callable[..., Any]) -> Binder:
    def bind(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
        return (partial(function, reads[0], attributes["axis"], writes[0]),)

    return bind


def _iota(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """0, step, 2·step … with a step of 1 if none is read."""
    (out,) = writes
    values = np.arange(out.shape[-1]) * (reads[0] if reads else 1)
    return (partial(np.copyto, out, values.astype(out.dtype)),)


def _constant(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    (out,) = writes
    return (partial(np.copyto, out, np.asarray(attributes["values"], out.dtype).reshape(out.shape)),)


def _argsort(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    (out,), (x,) = writes, reads
    axis = attributes["axis"]

    def argsort() -> None:
        np.copyto(out, np.argsort(x, axis, stable=True))

    return (argsort,)


def _random_bits(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """The words of one stream for each write but the last, which is scratch."""
    *outs, scratch = writes
    return (Philox(outs, attributes["streams"], scratch, *reads).fill,)


def _erf(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """To the last digit, one element at a time: for f64, where gradients are checked."""
    out, x = writes[0], np.broadcast_to(reads[0], writes[0].shape)

    def erf() -> None:
        for at in np.ndindex(out.shape):
            out[at] = math.erf(x[at])

    return (erf,)


def _same(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.strides == b.strides and _address(a) == _address(b)


def _address(x: Array) -> int:
    return int(x.__array_interface__["data"][0])


INSTRUCTIONS: Mapping[str, Binder] = {
    **{name: _ufunc(function) for name, function in UFUNCS.items()},
    "pow": _power,
    "max": _extremum(np.maximum),
    "min": _extremum(np.minimum),
    **{name: _reduction(function) for name, function in REDUCTIONS.items()},
    "cumulative_sum": _accumulation(np.add),
    "copy": _copy,
    "fill": _fill,
    "select": _select,
    "put_where": _put_where,
    "keep": choice.keep,
    "mask": choice.mask,
    "blend": choice.blend,
    "matmul": _matmul,
    "argmax": _argument(np.argmax),
    "argmin": _argument(np.argmin),
    "iota": _iota,
    "constant": _constant,
    "check_range": places.check_range,
    "take": places.take,
    "scatter_add": places.scatter_add,
    "argsort": _argsort,
    "take_along": places.take_along,
    "add_along": places.add_along,
    "put": places.put,
    "random_bits": _random_bits,
    "slice_at": places.slice_at,
    "write_at": places.write_at,
    "erf": _erf,
    "scalars": scalars.bind,
    "widen": bfloat.widen,
    "narrow": bfloat.narrow,
}

ALLOCATING = frozenset(("argsort", "take_along", "scatter_add", "add_along"))
