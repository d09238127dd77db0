"""The names of one body while it is traced, and how words inside it are called in paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...spec import tree
from ...spec.source import Span
from . import naming
from .values import Argument, BlockWord, Instance


@dataclass
class Scope:
    """One body: its names, its path, and the turns of the repeats around the current statement.

    `turns` counts from 0. In a block, `layer` is the instance that runs it and `given` its arguments. `states` are
    those declared in this body or turn: the path of each, and where it stands. `body` is all that gives names here.
    """

    path: str
    labels: Mapping[int, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    turns: tuple[int, ...] = ()
    layer: Instance | None = None
    given: Mapping[str, Argument] = field(default_factory=dict)
    states: dict[str, tuple[str, Span]] = field(default_factory=dict)
    body: tuple[tree.Statement, ...] = ()

    @property
    def in_library(self) -> bool:
        """Whether this is the body of a block of the standard library."""
        return self.layer is not None and isinstance(self.layer.callee, BlockWord) and self.layer.callee.library

    def label_path(self, name: tree.Name) -> str:
        """The path of the instance that this occurrence of a word makes."""
        return naming.join(self.path, self.labels.get(id(name), name.text), *self.turns)

    def named_path(self, name: str) -> str:
        """The path of an instance or weight that has a name of its own."""
        return naming.join(self.path, name, *self.turns)

    def turn(self, index: int) -> Scope:
        """The same names, inside one turn of a repeat."""
        return replace(self, turns=(*self.turns, index), names=self.names, states={})
