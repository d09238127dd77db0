"""What a name can stand for while a spec is traced: tensors, and everything that is known when compiling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from ...spec.record import Record
from ...spec.source import Span
from ...spec.tree import Block, Syntax
from ..ir.dims import Dim
from ..ir.graph import Node
from ..ir.types import DType
from .naming import labels


class Missing:
    """What a reported mistake left: it spreads in silence."""

    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()


class Slot(Record):
    """A place for an argument. `kind` names what it takes; required where `default` is `REQUIRED`."""

    name: str
    kind: str
    default: Any
    many: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


REQUIRED: Any = object()


class Signature(Record):
    """`block f(inputs; settings)`."""

    inputs: tuple[Slot, ...]
    settings: tuple[Slot, ...]

    def __str__(self) -> str:
        inputs, settings = (", ".join(map(_slot_text, slots)) for slots in (self.inputs, self.settings))
        return f"({inputs}; {settings})" if settings else f"({inputs})"

    @cached_property
    def by_name(self) -> Mapping[str, Slot]:
        return {s.name: s for s in (*self.settings, *self.inputs)}

    @property
    def needs_input(self) -> bool:
        return any(s.required or s.many for s in self.inputs)


@dataclass(frozen=True, eq=False)
class Word:
    """A layer or function of the language: its name, what it takes, and what makes its nodes."""

    name: str
    signature: Signature
    build: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class BlockWord:
    """A block of the spec, or of the standard library (`library`), as something to call."""

    name: str
    signature: Signature
    block: Block
    library: bool = False

    @cached_property
    def labels(self) -> Mapping[int, str]:
        """What the instances in its body are called; see `naming.labels`."""
        return labels((*self.block.inputs, *self.block.settings, *self.block.body))


Callee: TypeAlias = Word | BlockWord


class Argument(Record):
    """A value given in a call, and where; `key` is where its name stands."""

    name: str | None
    value: Any
    span: Span
    key: Span | None = None


@dataclass(eq=False)
class Instance:
    """A word without its inputs. Every use shares its weights, which are made at the first use under `path`."""

    callee: Callee
    arguments: tuple[Argument, ...]
    path: str
    span: Span
    weights: dict[str, Node] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"layer `{self.callee.name}`"


@dataclass(eq=False)
class Chain:
    """Instances in a row: `layer_norm |> dense(4)`."""

    steps: tuple[Instance, ...]

    def __repr__(self) -> str:
        return " |> ".join(map(repr, self.steps))


Layer = Instance | Chain


class Collected(Record):
    """A metric over the whole set: the runtime's metric of that kind, on values kept for every sample."""

    kind: str
    nodes: tuple[Node, ...]


def is_tensor(value: object) -> bool:
    return isinstance(value, Node)


def is_tensor_like(value: object) -> bool:
    """A tensor, or a list that holds one."""
    return isinstance(value, Node) or (isinstance(value, tuple) and any(map(is_tensor_like, value)))


def count_items(value: object, most: int) -> int:
    """The number of items of a list, those of lists inside it counted; no further than `most`."""
    if not isinstance(value, tuple):
        return 1
    total = 0
    for item in value:
        total += count_items(item, most - total)
        if total > most:
            break
    return total


def is_size(value: object) -> bool:
    return isinstance(value, int | Dim) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, int | float | Dim) and not isinstance(value, bool)


def describe(value: object) -> str:
    """What a value is, for messages."""
    match value:
        case Node():
            return f"a tensor {value.type}"
        case bool():
            return "true" if value else "false"
        case None:
            return "none"
        case int() | float():
            return f"{value}"
        case Dim():
            return f"the size {value}"
        case str():
            return f'the text "{value}"'
        case tuple():
            return f"a list of {len(value)}"
        case DType():
            return f"the type {value}"
        case Instance() | Chain():
            return f"the {value!r}"
        case Word() | BlockWord():
            return f"the layer `{value.name}` itself"
        case _:
            return f"{value}"


def _slot_text(slot: Slot) -> str:
    if slot.many:
        return f"{slot.name}, …"
    if slot.required:
        return slot.name
    return f"{slot.name} = {_default_text(slot.default)}"


def _default_text(value: object) -> str:
    if isinstance(value, Syntax):
        return value.span.text
    return describe(value) if value is None or isinstance(value, bool) else str(value)
