"""Functions from images that were not read yet to such, which say how they will be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from .function import Function, Learned
from .values import Field, Images, Origin, Value


@dataclass(frozen=True, slots=True)
class Grey(Function):
    """Images of a folder by their brightness alone, without an axis of channels."""

    takes: ClassVar[str] = "images"
    gives: ClassVar[str] = "images"

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        assert isinstance(value, Images)
        return replace(value, grey=True)

    def infer(self, field: Field) -> Field:
        return Field(field.dtype, field.shape[:2])


@dataclass(frozen=True, slots=True)
class Resize(Function):
    """Images of a folder, stretched or shrunk to one height and width."""

    takes: ClassVar[str] = "images"
    gives: ClassVar[str] = "images"
    height: int
    width: int

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"`{name}` is {size}, expected a whole number from 1")

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        assert isinstance(value, Images)
        return replace(value, size=(self.height, self.width))

    def infer(self, field: Field) -> Field:
        return Field(field.dtype, (self.height, self.width, *field.shape[2:]))
