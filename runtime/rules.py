"""What each instruction takes: how many arrays, of which types, and how their shapes belong together.

A step that its rule accepts is bound and run without a refusal by NumPy or Python. Rules see shapes as formulas, where
equal extents are equal for every number of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .arrays import REDUCTIONS, UFUNCS
from .machine import BadPlan
from .operands import Array, DType, Number, Operand, need
from .philox import CHUNK, SCRATCH, WORDS
from .plan import Extent
from .scalars import ARITIES

Attributes: TypeAlias = Mapping[str, Any]
Check: TypeAlias = Callable[[Sequence[Array], Sequence[Operand], Attributes], None]


ANY = range(1, 1 << 10)


class Rule(NamedTuple):
    """How many arrays may be written and operands read, which attributes must be there, and what must hold of them."""

    writes: Sequence[int]
    reads: Sequence[int]
    check: Check
    needs: tuple[str, ...] = ()


def _array(operand: Operand, kinds: str = "biuf", *, like: DType | None = None) -> Array:
    """The operand, which lies in memory, is of one of these kinds, or of the type `like`."""
    if isinstance(operand, Number):
        raise BadPlan(f"expected an array, found {operand}")
    need(operand.dtype.kind in kinds, f"an array of kind {kinds}", operand.dtype)
    need(like is None or operand.dtype == like, f"an array of {like}", operand.dtype)
    return operand


def _number(value: object, dtype: DType) -> None:
    """A number that an array of that type can hold."""
    need(isinstance(value, bool | int | float), "a number", value)
    try:
        with np.errstate(over="raise", invalid="raise"):
            np.asarray(value).astype(dtype) if isinstance(value, float) else np.asarray(value, dtype)
    except (OverflowError, ValueError, FloatingPointError):
        need(False, f"a number that {dtype} can hold", value)


def _operand(operand: Operand, dtype: DType) -> None:
    """A number that fits, or an array of just this type."""
    if isinstance(operand, Number):
        _number(operand.least, dtype)
        _number(operand.most, dtype)
    else:
        need(operand.dtype == dtype, f"an array of {dtype}", operand.dtype)


def _stretches(operand: Operand, out: Array) -> None:
    """Numbers, single elements, and arrays of which each axis is that of the result, or one element long."""
    if isinstance(operand, Array) and any(extent != 1 for extent in operand.shape):
        pairs = zip(reversed(operand.shape), reversed(out.shape), strict=False)
        holds = len(operand.shape) <= len(out.shape) and all(a in (1, b) for a, b in pairs)
        need(holds, f"a shape that stretches to {out.shape}", operand.shape)


def _shaped(array: Array, shape: Sequence[Extent]) -> None:
    need(array.shape == tuple(shape), f"the shape {tuple(shape)}", array.shape)


def _axis(attributes: Attributes, *arrays: Array) -> int:
    """The attribute `axis`, which all the arrays have; as many axes in each."""
    axis, rank = attributes["axis"], len(arrays[0].shape)
    need(type(axis) is int and 0 <= axis < rank, f"an axis of {rank}", axis)
    need(all(len(array.shape) == rank for array in arrays), f"{rank} axes", [array.shape for array in arrays])
    return int(axis)


def _others(axis: int, a: Array, b: Array) -> None:
    """Both have the same extents along all other axes."""
    _shaped(a, (*b.shape[:axis], a.shape[axis], *b.shape[axis + 1 :]))


def _position(operand: Operand) -> None:
    need(_array(operand, "iu").shape == (), "a single number", operand)


@lru_cache(1024)
def _resolves(function: np.ufunc, dtypes: tuple[DType, ...]) -> bool:
    try:
        function.resolve_dtypes(dtypes, casting="same_kind")
    except TypeError:
        return False
    return True


def _ufunc(name: str) -> Rule:
    function = UFUNCS[name]

    def check(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
        (out,) = writes
        dtypes = [r.dtype for r in reads if isinstance(r, Array)]
        need(dtypes, "an array among the operands", reads)
        for r in reads:
            _stretches(r, out)
            _operand(r, r.dtype if isinstance(r, Array) else dtypes[0])
        found = (*(r.dtype if isinstance(r, Array) else dtypes[0] for r in reads), out.dtype)
        need(_resolves(function, found), "types that belong together", found)

    return Rule((1,), (function.nin,), check)


def _reduction(name: str) -> Rule:
    def check(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
        (out,), x, axes = writes, _array(reads[0]), attributes["axes"]
        rank = len(x.shape)
        holds = isinstance(axes, tuple) and all(type(a) is int and 0 <= a < rank for a in axes)
        need(holds and len({*axes}) == len(axes) > 0, f"some of {rank} axes", axes)
        kept = [1 if i in axes else n for i, n in enumerate(x.shape)]
        if len(out.shape) != rank:
            kept = [n for i, n in enumerate(x.shape) if i not in axes]
        _shaped(out, kept)
        need(name not in ("reduce_max", "reduce_min") or all(x.least[a] for a in axes), "an element at least", x.shape)
        need(out.dtype == (np.bool_ if name in ("reduce_any", "reduce_all") else x.dtype), "its own type", out.dtype)

    return Rule((1,), (1,), check, ("axes",))


def _position_of(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), x = writes, _array(reads[0])
    axis = _axis(attributes, x)
    need(x.least[axis] > 0, "an element at least", x.shape)
    _array(out, like=np.dtype(np.int64))
    _shaped(out, (*x.shape[:axis], *x.shape[axis + 1 :]))


def _along(dtype: DType | None) -> Check:
    """A result of the same shape, of that type or that of the operand."""

    def check(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
        (out,), x = writes, _array(reads[0])
        _axis(attributes, x)
        _array(out, like=dtype or x.dtype)
        _shaped(out, x.shape)

    return check


def _copy(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), (x,) = writes, reads
    _stretches(x, out)
    if isinstance(x, Number):
        _operand(x, out.dtype)


def _fill(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    _number(attributes["value"], writes[0].dtype)


def _choice(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    """A condition, and what it chooses between; the other writes are scratch of the same type."""
    out, (condition, *values) = writes[0], reads
    for operand in (_array(condition, "b"), *values):
        _stretches(operand, out)
    for operand in (*values, *writes):
        _operand(operand, out.dtype)


def _blend(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    _choice(writes, reads, attributes)
    _shaped(writes[1], writes[0].shape)


def _mask(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    _choice(writes, reads, attributes)
    _array(reads[1])
    _number(attributes["value"], writes[0].dtype)
    for scratch in writes[1:]:
        _stretches(reads[0], scratch)
        _stretches(scratch, writes[0])


def _put_where(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    _choice(writes, reads[1:], attributes)


def _matmul(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), a, b = writes, _array(reads[0]), _array(reads[1])
    dtypes = a.dtype, b.dtype, out.dtype
    need(len({*dtypes}) == 1 or (a.dtype.kind != "f" and _resolves(np.matmul, dtypes)), "one type", dtypes)
    need(a.shape and b.shape, "vectors or matrices", (a.shape, b.shape))
    inner = b.shape[-2] if len(b.shape) > 1 else b.shape[0]
    need(a.shape[-1] == inner, f"{inner} columns", a.shape)
    rows, columns = a.shape[-2:-1], b.shape[-1:] if len(b.shape) > 1 else ()
    lead = out.shape[: len(out.shape) - len(rows) - len(columns)]
    _shaped(out, (*lead, *rows, *columns))
    batches = a.shape[:-2], b.shape[:-2]
    need(len(lead) == max(map(len, batches)), f"{len(lead)} leading axes", batches)
    for i, n in enumerate(reversed(lead)):
        found = {batch[-1 - i] for batch in batches if i < len(batch)}
        need(n in found and found <= {1, n}, f"leading axes of {lead}", batches)


def _iota(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    need(writes[0].shape and writes[0].dtype.kind in "iuf", "an axis of numbers", writes[0])
    for step in reads:
        need(isinstance(step, Number), "a number", step)
        _operand(step, np.dtype(np.int32))


def _constant(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    values = list(_flat(attributes["values"]))
    (out,) = writes
    need(out.least == out.most and prod(out.most) == len(values), f"{len(values)} elements", out.shape)
    for value in values:
        _number(value, out.dtype)


def _flat(values: object) -> Iterator[object]:
    if isinstance(values, tuple):
        for value in values:
            yield from _flat(value)
    else:
        yield values


def _check_range(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    index, limit = _array(reads[0], "iu"), reads[1]
    need(isinstance(limit, Number), "a number", limit)
    _operand(limit, np.dtype(f"u{index.dtype.itemsize}"))
    need(isinstance(attributes.get("where", ""), str), "a text", attributes)


def _take(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), x, index = writes, _array(reads[0], like=writes[0].dtype), _array(reads[1], "iu")
    axis = _axis(attributes, x)
    need(x.least[axis] > 0, "an element at least", x.shape)
    _shaped(out, (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _scatter_add(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), index, rows = writes, _array(reads[0], "iu"), _array(reads[1], like=writes[0].dtype)
    need(out.shape, "rows", out.shape)
    _shaped(rows, (*index.shape, *out.shape[1:]))


def _put(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), index, values = writes, _array(reads[1], like=np.dtype(np.int64)), _array(reads[2], like=writes[0].dtype)
    need(all(out.least), "an element at least", out.shape)
    _shaped(values, index.shape)


def _take_along(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), x, index = writes, _array(reads[0], like=writes[0].dtype), _array(reads[1], "iu")
    _others(_axis(attributes, x, index), index, x)
    _shaped(out, index.shape)


def _add_along(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), index, values = writes, _array(reads[0], "iu"), _array(reads[1], like=writes[0].dtype)
    _others(_axis(attributes, out, index), index, out)
    _shaped(values, index.shape)


def _random_bits(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    *outs, scratch = writes
    for out in outs:
        _array(out, like=np.dtype(np.uint32))
    _array(scratch, like=np.dtype(np.int64))
    streams = attributes["streams"]
    need(isinstance(streams, tuple) and len(streams) == len(outs), f"{len(outs)} streams", streams)
    for stream in streams:
        _number(stream, np.dtype(np.uint32))
    blocks = sum(-(-prod(out.most) // WORDS) for out in outs)
    need(len(scratch.shape) == 1 and scratch.least[0] >= SCRATCH * min(blocks, CHUNK), "room for blocks", scratch.shape)
    _shaped(_array(reads[0], like=np.dtype(np.uint32)), (2,))
    _position(reads[1])


def _slice_at(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), x = writes, _array(reads[0], like=writes[0].dtype)
    _stretch(_axis(attributes, x, out), out, x)
    _position(reads[1])


def _write_at(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    (out,), value = writes, _array(reads[1], like=writes[0].dtype)
    _stretch(_axis(attributes, out, value), value, out)
    _position(reads[2])


def _stretch(axis: int, part: Array, whole: Array) -> None:
    _others(axis, part, whole)
    need(part.most[axis] <= whole.least[axis] or part.shape == whole.shape, "a part of an axis", part.shape)


def _erf(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    _array(writes[0], "f")
    _stretches(_array(reads[0], "f"), writes[0])


def _scalars(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    """Registers are made before they are read; integers are read by casts alone, so that nothing grows."""
    constants, program, results = (attributes[name] for name in ("constants", "program", "results"))
    for value in (*constants, *(n for r in reads if isinstance(r, Number) for n in r)):
        _number(value, np.dtype(np.float64))
    need(all(prod(a.most) == 1 for a in (*writes, *reads) if isinstance(a, Array)), "single numbers", (writes, reads))
    need(all(w.dtype.kind in "bf" for w in writes) and len(results) == len(writes), "results of floats", writes)
    whole = {len(constants) + i for i, r in enumerate(reads) if isinstance(r, Array) and r.dtype.kind in "iu"}
    known = len(constants) + len(reads)
    for line in program:
        word, *registers = line
        need(ARITIES.get(word) == len(registers), "a word and its registers", line)
        need(_among(registers, known) and (word == "cast" or whole.isdisjoint(registers)), f"{known} registers", line)
        known += 1
    need(_among(results, known), f"{known} registers", results)


def _among(registers: Sequence[object], known: int) -> bool:
    return all(type(r) is int and 0 <= r < known for r in registers)


def _widen(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    _array(writes[0], like=np.dtype(np.float32))
    _stretches(_array(reads[0], like=np.dtype(np.uint16)), writes[0])


def _narrow(writes: Sequence[Array], reads: Sequence[Operand], attributes: Attributes) -> None:
    out, scratch = writes
    _array(out, like=np.dtype(np.uint16))
    _shaped(_array(scratch, like=np.dtype(np.uint32)), out.shape)
    _stretches(_array(reads[0], like=np.dtype(np.float32)), out)


RULES: Mapping[str, Rule] = {
    **{name: _ufunc(name) for name in UFUNCS},
    **{name: _reduction(name) for name in REDUCTIONS},
    "cumulative_sum": Rule((1,), (1,), _along(None), ("axis",)),
    "copy": Rule((1,), (1,), _copy),
    "fill": Rule((1,), (0,), _fill, ("value",)),
    "select": Rule((1,), (3,), _choice),
    "put_where": Rule((1,), (3,), _put_where),
    "keep": Rule((1,), (2,), _choice),
    "mask": Rule((3,), (2,), _mask, ("value",)),
    "blend": Rule((2,), (3,), _blend),
    "matmul": Rule((1,), (2,), _matmul),
    "argmax": Rule((1,), (1,), _position_of, ("axis",)),
    "argmin": Rule((1,), (1,), _position_of, ("axis",)),
    "iota": Rule((1,), (0, 1), _iota),
    "constant": Rule((1,), (0,), _constant, ("values",)),
    "check_range": Rule((0,), (2,), _check_range),
    "take": Rule((1,), (2,), _take, ("axis",)),
    "scatter_add": Rule((1,), (2,), _scatter_add),
    "argsort": Rule((1,), (1,), _along(np.dtype(np.int64)), ("axis",)),
    "take_along": Rule((1,), (2,), _take_along, ("axis",)),
    "add_along": Rule((1,), (2,), _add_along, ("axis",)),
    "put": Rule((1,), (3,), _put),
    "random_bits": Rule(ANY, (2,), _random_bits, ("streams",)),
    "slice_at": Rule((1,), (2,), _slice_at, ("axis",)),
    "write_at": Rule((1,), (3,), _write_at, ("axis",)),
    "erf": Rule((1,), (1,), _erf),
    "scalars": Rule(ANY, range(1 << 10), _scalars, ("constants", "program", "results")),
    "widen": Rule((1,), (1,), _widen),
    "narrow": Rule((2,), (1,), _narrow),
}
