"""Functions from numbers to numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .function import Function, Learned
from .values import Field, Origin, Value, dtype_of

_ROWS, _NUMBERS = 4096, 2**22  # at most so many at a time, so that an array of small integers is never whole in f64


@dataclass(frozen=True, slots=True)
class Normalise(Function):
    """Less the mean, divided by the standard deviation, of each column; for images and series of each channel (last
    axis). A column without variation is only shifted."""

    takes: ClassVar[str] = "numbers"
    gives: ClassVar[str] = "numbers"
    learns: ClassVar[bool] = True

    def learn(self, value: Value, origin: Origin) -> Learned:
        assert isinstance(value, np.ndarray)
        mean, deviation = _moments(value, _axes(value.ndim))
        return {"mean": mean.tolist(), "deviation": deviation.tolist()}

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        assert isinstance(value, np.ndarray)
        dtype = _float(value.dtype)
        result: np.ndarray = np.subtract(value, np.asarray(learned["mean"], dtype), dtype=dtype)
        result /= np.asarray(learned["deviation"], dtype)
        return result

    def infer(self, field: Field) -> Field:
        return _as_floats(field)

    def invert(self, array: np.ndarray, learned: Learned) -> np.ndarray:
        result: np.ndarray = array * np.asarray(learned["deviation"], array.dtype)
        result += np.asarray(learned["mean"], array.dtype)
        return result


@dataclass(frozen=True, slots=True)
class Log(Function):
    """The natural logarithm, of positive numbers."""

    takes: ClassVar[str] = "numbers"
    gives: ClassVar[str] = "numbers"

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        assert isinstance(value, np.ndarray)
        if (wrong := value <= 0).any():
            advice = "leave `log` out, or mend the row"
            raise origin.fault_at(wrong, value, "not-positive", "`log` takes numbers above 0", advice)
        return np.log(value, dtype=_float(value.dtype))

    def infer(self, field: Field) -> Field:
        return _as_floats(field)

    def invert(self, array: np.ndarray, learned: Learned) -> np.ndarray:
        result: np.ndarray = np.exp(array)
        return result


def _axes(rank: int) -> tuple[int, ...]:
    return (0,) if rank <= 2 else tuple(range(rank - 1))


def _moments(value: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation in f64, in two passes over blocks of rows; a deviation of 1 where nothing varies."""
    rows = min(_ROWS, max(1, _NUMBERS * len(value) // value.size))
    blocks = [value[start : start + rows] for start in range(0, len(value), rows)]
    count = value.size // int(np.prod([value.shape[axis] for axis in range(value.ndim) if axis not in axes]))
    mean = sum(block.sum(axes, dtype=np.float64) for block in blocks) / count
    square = sum(np.square(block - mean).sum(axes) for block in blocks) / count
    varies = value.max(axes) > value.min(axes)
    return np.asarray(mean), np.where(varies, np.sqrt(square), 1.0)


def _float(dtype: np.dtype) -> np.dtype:
    """f64 stays; everything else is computed in f32."""
    return dtype if dtype == np.float64 else np.dtype(np.float32)


def _as_floats(field: Field) -> Field:
    return Field("f64" if dtype_of(field.dtype) == np.float64 else "f32", field.shape)
