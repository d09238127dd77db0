"""Model -> text in either notation, and from one notation to the other. Nothing but the text is needed."""

from __future__ import annotations

from .load import guess_notation, read
from .source import Source
from .tree import Model


def write(model: Model, notation: str) -> str:
    """The canonical text of a model in `axon` or `yaml`."""
    if notation == "yaml":
        from .write_yaml import write as write_notation
    else:
        from .write_axon import write as write_notation
    return write_notation(model)


def convert(source: Source, to: str) -> str:
    """The same model in the notation `axon` or `yaml`. Raises `CompileError`."""
    return write(read(source), to)


def format_source(source: Source) -> str:
    """The same model in its own notation, in canonical form. Raises `CompileError`."""
    return write(read(source), guess_notation(source))
