"""Reading and writing at positions that are computed: rows of a table, elements along an axis, stretches.

`check_range` refuses positions outside; where a plan lacks it, they are the nearest inside or refused all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from .errors import InputError

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Call: TypeAlias = Callable[[], object]
Writes: TypeAlias = Sequence[Array]
Reads: TypeAlias = Sequence[Any]
Attributes: TypeAlias = Mapping[str, Any]

FLAGS = 8192  # indices, whose truths are fewer bytes than what counts as an allocation
SCATTERED = 1 << 15  # elements whose places are found together


class OutOfRange(InputError):
    """An index that points outside the axis it selects from."""

    @classmethod
    def at(cls, where: str, index: int, limit: int) -> OutOfRange:
        """`where` is the place in the spec, empty if it is unknown."""
        problem = f"{where}: index {index} is outside 0 … {limit - 1}".removeprefix(": ")
        return cls("index-out-of-range", problem)

    @classmethod
    def of(cls, refusal: IndexError) -> OutOfRange:
        return cls("index-out-of-range", str(refusal))


def check_range(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """Raises OutOfRange unless every index lies in 0 … limit - 1."""
    index, limit = reads
    where = attributes.get("where", "")

    unsigned = index.view(f"u{index.itemsize}") if index.dtype.kind == "i" else index  # a negative one is the largest
    largest = partial(np.maximum.reduce, unsigned, axis=None)
    beyond = np.empty(index.shape if index.size <= FLAGS else 0, np.bool_)
    compare = partial(np.greater_equal, unsigned, np.asarray(limit, unsigned.dtype), beyond)

    def is_wrong() -> bool:
        if index.size > FLAGS:
            return bool(largest() >= limit)
        compare()
        return beyond.tobytes().find(1) >= 0  # a third of the time of a reduction

    def check() -> None:
        if is_wrong():
            raise OutOfRange.at(where, index[(index < 0) | (index >= limit)].flat[0], limit)

    return (check,)


def take(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    x, index = reads
    return (partial(x.take, index, attributes["axis"], writes[0], "clip"),)


def scatter_add(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """Adds rows to the rows of zeros that the index names: element by element, which `add.at` does in a quarter of the
    time, some rows at a time."""
    (out,), (index, rows) = writes, reads
    width = math.prod(out.shape[1:])
    if not all(x.flags.c_contiguous for x in (out, index, rows)) or not 0 < width <= SCATTERED:
        return partial(out.fill, 0), partial(_add_at, out, index, rows)
    flat, index, columns = out.reshape(-1), index.reshape(-1), np.arange(width)
    count = SCATTERED // width
    at = np.empty((min(count, index.size), width), np.int64)
    calls: list[Call] = [partial(out.fill, 0)]
    for start in range(0, index.size, count):
        some = index[start : start + count]
        place = at[: some.size]
        calls += (
            partial(np.multiply, some[:, None], width, place),
            partial(np.add, place, columns, place),
            partial(_add_at, flat, place.reshape(-1), rows.reshape(-1)[start * width :][: place.size]),
        )
    return tuple(calls)


def _add_at(out: Array, index: Any, values: Array) -> None:
    """Adds values at their positions. Raises OutOfRange, where a plan that a file brought did not check them."""
    try:
        np.add.at(out, index, values)
    except IndexError as refusal:
        raise OutOfRange.of(refusal) from None


def put(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """Writes values at flat positions; the first operand is what lies there already."""
    (out,), (_, index, values) = writes, reads
    return (partial(out.reshape(-1).put, index, values, "clip"),)


def take_along(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """Elements at positions along an axis, one for each element of the index."""
    (out,), (x, index) = writes, reads
    at = list(np.indices(index.shape, sparse=True))
    at[attributes["axis"]] = index

    def take() -> None:
        try:
            np.copyto(out, x[tuple(at)])
        except IndexError as refusal:
            raise OutOfRange.of(refusal) from None

    return (take,)


def add_along(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """Adds values to zeros, each at its own position along an axis."""
    (out,), (index, values) = writes, reads
    at = list(np.indices(index.shape, sparse=True))
    at[attributes["axis"]] = index
    return partial(out.fill, 0), partial(_add_at, out, tuple(at), values)


def slice_at(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """The stretch of an axis that begins at a position."""
    (out,), (x, position) = writes, reads
    axis = attributes["axis"]
    lead, size, last = (slice(None),) * axis, out.shape[axis], x.shape[axis] - out.shape[axis]

    def copy() -> None:
        start = min(max(int(position), 0), last)
        np.copyto(out, x[(*lead, slice(start, start + size))])

    return (copy,)


def write_at(writes: Writes, reads: Reads, attributes: Attributes) -> tuple[Call, ...]:
    """Writes over the stretch of an axis that begins at a position; the first operand is what lies there already."""
    (out,), (_, value, position) = writes, reads
    axis = attributes["axis"]
    lead, size, last = (slice(None),) * axis, value.shape[axis], out.shape[axis] - value.shape[axis]

    def copy() -> None:
        start = min(max(int(position), 0), last)
        np.copyto(out[(*lead, slice(start, start + size))], value)

    return (copy,)
