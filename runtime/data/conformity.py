"""Prepared values to the dtype and shape that the model wants, or the place of what does not fit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .recipe import Binding
from .values import Origin, Tokens, Value, dtype_of

Shape = Sequence[int | str | None]


def conform(binding: Binding, value: Value, width: int, window: int, origin: Origin) -> np.ndarray:
    """`value` with the dtype and shape that the binding wants, contiguous; a DataError names what does not fit.

    Tokens become rows of `width`. `window` is how many rows make a sample, 0 if each is one.
    """
    wanted = binding.shape
    if wanted is not None and window:
        if not wanted or (isinstance(wanted[0], int) and wanted[0] != window):
            problem = f"gives windows of {window} rows, `{binding.name}` wants the shape {_shown(wanted)}"
            raise origin.fault("wrong-shape", problem)
        wanted = wanted[1:]
    array = _padded(value, width, origin) if isinstance(value, Tokens) else value
    assert isinstance(array, np.ndarray)
    array = _cast(binding, array if wanted is None else _shaped(binding, array, wanted, origin), origin)
    if binding.entries is not None and (wrong := (array < 0) | (array >= binding.entries)).any():
        expected = f"expected 0 to {binding.entries - 1} for `{binding.name}`"
        advice = "numbers begin at 0: correct them, give the model more entries, or let `classes` number what is there"
        raise origin.fault_at(wrong, array, "out-of-range", expected, advice)
    return np.asarray(array, order="C")


def fits(wanted: Shape, row: Shape, *, in_windows: bool) -> bool:
    """Whether samples of the shape `row` can be what is wanted, as `conform` judges them; windows are their axis 0."""
    if in_windows:
        return bool(wanted) and _agree(wanted[:1], row[:1]) and fits(wanted[1:], row[1:], in_windows=False)
    return _agree(wanted, row) or _fills(wanted, row)


def width_of(binding: Binding, values: Sequence[Value], window: int) -> int:
    """How wide rows of tokens are padded: as wanted, to the limit, or to the longest."""
    wanted = (binding.shape or ())[1 if window else 0 :]
    if wanted and isinstance(wanted[0], int):
        return wanted[0]
    tokens = [value for value in values if isinstance(value, Tokens)]
    return max((value.limit or value.longest for value in tokens), default=0)


def check_varies(binding: Binding, training: np.ndarray, origin: Origin) -> None:
    """DataError for a target that is the same in every training row."""
    if len(training) > 1 and (training == training[0]).all():
        problem = f"found {training.flat[0]} in every training row of the target `{binding.name}`"
        raise origin.fault("one-class", problem, "there is nothing to learn: add other rows")


def _padded(tokens: Tokens, width: int, origin: Origin) -> np.ndarray:
    if tokens.longest > width:
        row = int(np.argmax(tokens.lengths > width))
        problem = f"found {tokens.lengths[row]} tokens, the model was made for at most {width}"
        raise origin.fault("too-long", problem, "give `words` or `characters` a `limit`", row=row)
    return tokens.padded(width)


def _shaped(binding: Binding, array: np.ndarray, wanted: Shape, origin: Origin) -> np.ndarray:
    row = array.shape[1:]
    if _agree(wanted, row):
        return array
    if _fills(wanted, row):
        return array.reshape(len(array), *_sizes(wanted))
    problem = f"gives rows of shape {_shown(row)}, `{binding.name}` wants {_shown(wanted)}"
    columns = "choose other columns, or change the declared type"
    images = f"write `image |> resize(height, width)` in the spec, or declare `{binding.name}` so"
    raise origin.fault("wrong-shape", problem, images if origin.source.images else columns)


def _agree(wanted: Shape, row: Shape) -> bool:
    """Whether a row has the wanted axes, each of the wanted size."""
    return len(row) == len(wanted) and all(w == r or not isinstance(w, int) for w, r in zip(wanted, row, strict=True))


def _fills(wanted: Shape, row: Shape) -> bool:
    """Whether the elements of a row, in another shape, are what is wanted."""
    whole = all(isinstance(size, int) for size in wanted)
    return math.prod(_sizes(wanted)) == math.prod(_sizes(row)) and (whole or not row)


def _sizes(shape: Shape) -> list[int]:
    return [size if isinstance(size, int) else 1 for size in shape]


def _shown(shape: Shape) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def _cast(binding: Binding, array: np.ndarray, origin: Origin) -> np.ndarray:
    natural = np.dtype(np.float32) if array.dtype == np.float64 else array.dtype
    wanted = dtype_of(binding.dtype) if binding.dtype else natural
    if wanted == array.dtype:
        return array
    with np.errstate(all="ignore"):
        result = array.astype(wanted)
        wrong = ~np.isfinite(result) if wanted.kind == "f" else result != array
    if wanted.kind in "iu" and array.dtype.kind == "f":
        wrong |= np.abs(array) >= 2.0**53  # beyond that, not every whole number survived being read as f64
    if wrong.any():
        kind = {"f": "a number", "b": "0 or 1"}.get(wanted.kind, "a whole number")
        expected = f"expected {kind} that {binding.dtype} can hold"
        advice = f"correct it, or give `{binding.name}` another type" if wanted.kind != "f" else ""
        raise origin.fault_at(wrong, array, "wrong-type", expected, advice)
    return result
