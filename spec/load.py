"""A file, or a text, of either notation -> Model; what a file includes is merged into it."""

from __future__ import annotations

from pathlib import Path

from .parser import parse
from .source import CompileError, Source
from .tree import Model


def read(source: Source, *, library: bool = False) -> Model:
    """The model that a text describes. Raises `CompileError` with every mistake."""
    model, mistakes = parse(source, library=library)
    if mistakes:
        raise CompileError(tuple(mistakes))
    return model


def load(path: str | Path) -> Model:
    """The model that a file describes. Raises `CompileError` with every mistake."""
    return read(Source(str(path), Path(path).read_text(encoding="utf-8")))
