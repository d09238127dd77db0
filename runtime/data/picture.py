"""Functions to images that are not read yet, which say how they will be."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from ..errors import quoted
from .folder import SUFFIXES
from .function import Function, Learned
from .values import Field, Images, Origin, Texts, Value


@dataclass(frozen=True, slots=True)
class Grey(Function):
    """Images by their brightness alone, without an axis of channels."""

    takes: ClassVar[str] = "images"
    gives: ClassVar[str] = "images"

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        assert isinstance(value, Images)
        return replace(value, grey=True)

    def infer(self, field: Field) -> Field:
        return Field(field.dtype, field.shape[:2])


@dataclass(frozen=True, slots=True)
class _Sized(Function):
    """What gives images of one height and width."""

    gives: ClassVar[str] = "images"
    height: int
    width: int

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"`{name}` is {size}, expected a whole number from 1")


@dataclass(frozen=True, slots=True)
class Resize(_Sized):
    """Images, stretched or shrunk to one height and width."""

    takes: ClassVar[str] = "images"

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        assert isinstance(value, Images)
        return replace(value, size=(self.height, self.width))

    def infer(self, field: Field) -> Field:
        return Field(field.dtype, (self.height, self.width, *field.shape[2:]))


@dataclass(frozen=True, slots=True)
class Image(_Sized):
    """The images that a column of a table names, by paths that begin in the folder of the table, stretched or shrunk
    to one height and width."""

    takes: ClassVar[str] = "texts"

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        assert isinstance(value, Texts)
        if len(value.columns) > 1:
            raise origin.fault("several-columns", "found another column of text, expected one", column=1)
        files = tuple(_file(origin, row, text) for row, text in enumerate(value.columns[0]))
        return Images(files, size=(self.height, self.width))

    def infer(self, field: Field) -> Field:
        return Field("u8", (self.height, self.width, 3))


def _file(origin: Origin, row: int, text: str) -> Path:
    """The file that `text` names. DataError if it is none, lies elsewhere, or is no image by its suffix."""
    if not text.strip():
        raise origin.fault("missing-value", "found nothing, expected the path of an image", "drop the row", row=row)
    home = origin.source.home
    path = Path(text) if home is None else home / text
    if path.suffix.lower() not in SUFFIXES:
        problem = f"found {quoted(text)}, expected a file that ends in one of {', '.join(SUFFIXES)}"
        raise origin.fault("unknown-format", problem, "convert it", row=row)
    if not os.path.isfile(path):  # of Path it raises what the system refuses
        where = "" if home is None else " in the folder of the table"
        raise origin.fault("no-such-file", f"there is no file {quoted(text)}{where}", "correct the path", row=row)
    if home is not None and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(home)):
        problem, advice = f"{quoted(text)} leads out of the folder of the table", "move the image there"
        raise origin.fault("outside-data", problem, advice, row=row)
    return path
