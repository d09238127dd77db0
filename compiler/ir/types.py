"""Types of values: an element type and a shape of sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ...spec.record import Record
from . import dims
from .dims import Size


class DType(Enum):
    """The type of one element; the word is what specs, texts and plans write."""

    F16 = "f16"
    BF16 = "bf16"
    F32 = "f32"
    F64 = "f64"
    BOOL = "bool"
    U8 = "u8"
    I8 = "i8"
    I32 = "i32"
    U32 = "u32"
    I64 = "i64"

    __hash__ = object.__hash__  # members are single, and types are hashed all the time

    @property
    def is_float(self) -> bool:
        return self in FLOATS

    @property
    def is_half(self) -> bool:
        """Whether it is stored in two bytes and computed in f32."""
        return self in HALVES

    @property
    def is_integer(self) -> bool:
        return not self.is_float and self is not DType.BOOL

    @property
    def bytes(self) -> int:
        return _BYTES[self]

    def __repr__(self) -> str:
        return self.value

    __str__ = __repr__


F16, BF16, F32, F64 = DType.F16, DType.BF16, DType.F32, DType.F64
BOOL, U8, I8, I32, U32, I64 = DType.BOOL, DType.U8, DType.I8, DType.I32, DType.U32, DType.I64
FLOATS = frozenset((F16, BF16, F32, F64))
HALVES = frozenset((F16, BF16))
_BYTES = {F16: 2, BF16: 2, F32: 4, F64: 8, BOOL: 1, U8: 1, I8: 1, I32: 4, U32: 4, I64: 8}
WORDS: Mapping[str, DType] = {d.value: d for d in DType}

Shape: TypeAlias = tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array of one dtype; a scalar has the empty shape."""

    dtype: DType
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Size:
        """Number of elements."""
        return dims.product(self.shape)

    @property
    def bytes(self) -> Size:
        return self.size * self.dtype.bytes

    def with_shape(self, shape: Shape) -> Tensor:
        return Tensor(self.dtype, shape)

    def with_dtype(self, dtype: DType) -> Tensor:
        return Tensor(dtype, self.shape)

    def substitute(self, values: Mapping[str, Size]) -> Tensor:
        return Tensor(self.dtype, tuple(dims.substitute(s, values) for s in self.shape))

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"

    __repr__ = __str__


class Several(Record):
    """The type of a node with several results; only `Item` may read one."""

    items: tuple[Tensor, ...]

    def substitute(self, values: Mapping[str, Size]) -> Several:
        return Several(tuple(t.substitute(values) for t in self.items))

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.items))})"

    __repr__ = __str__


class Unknown(Record):
    """The type of what a mistake left; whatever reads it is unknown too and says nothing."""

    def substitute(self, values: Mapping[str, Size]) -> Unknown:
        return self

    def __str__(self) -> str:
        return "unknown"


Type: TypeAlias = Tensor | Several | Unknown
UNKNOWN = Unknown()
