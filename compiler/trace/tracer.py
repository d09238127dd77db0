"""Runs a spec with the Builder, once for each phase that it tells apart: what remains is a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from ...spec import tree
from ...spec.record import Record
from ...spec.source import Diagnostic, Frame, Place, Span
from ..ir.graph import CONTROL, PARAMETER, STATE, Builder, Node, Standing
from ..ir.types import I64, U32, Tensor, Unknown
from . import errors
from .scope import Scope
from .values import MISSING, BlockWord, Missing, Signature, Slot

PHASES = TRAIN, EVALUATE, PREDICT = "train", "evaluate", "predict"
PHASE_WORDS = {"training": TRAIN, "evaluating": EVALUATE, "predicting": PREDICT}
LIMIT = 40_000
KEY, STEP = Tensor(U32, (2,)), Tensor(I64, ())


class Initial(Record):
    """How a weight begins: the initialiser's word and its numbers."""

    word: str
    numbers: tuple[float, ...] = ()


class Variable(Record):
    """A weight or a state: its name is its path; `origin` is the text that makes it, in the library and in the spec."""

    name: str
    node: Node
    type: Tensor
    initial: Initial
    place: Place
    origin: tuple[Span, Span]


class Metric(Record):
    """A metric of the spec. `mean`: one node, averaged over samples; otherwise nodes collected over the whole set and
    finished by the runtime's metric of that name."""

    name: str
    kind: str
    nodes: tuple[Node, ...]
    place: Place


class LossTerm(Record):
    name: str
    node: Node
    place: Place


class Lost(Exception):
    """What a reported mistake leaves of a word: it has no value, and says nothing more."""


class TooMany(Exception):
    """Raised where the expanded spec reaches the limit; nothing more is traced."""


class Claim(Record):
    """A relation that must hold, with the names as they were where it stands and the way there."""

    relation: tree.Binary
    scope: Scope
    chain: tuple[Frame, ...]


@dataclass
class Tracer:
    """The state of one tracing: the Builder, the constants and blocks, and what the body declares."""

    phase: str
    b: Builder
    constants: dict[str, Any]
    blocks: Mapping[str, BlockWord]
    limit: int = LIMIT
    evaluated: int = 0
    last: Span | None = None
    parameters: dict[str, Variable] = field(default_factory=dict)
    states: dict[str, Variable] = field(default_factory=dict)
    state_now: dict[str, Node] = field(default_factory=dict)
    losses: list[LossTerm] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    active: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    library_use: Place | None = None
    chain: tuple[Frame, ...] = ()
    draws: list[Node] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.root = self.b

    def is_in(self, phase: str) -> bool:
        """Whether this is that phase. Phases of which nobody asked have the same nodes so far."""
        self.asked.add(phase)
        return self.phase == phase

    def fork(self, phase: str) -> Tracer | None:
        """A tracer of another phase that goes on from here, if all is the same there so far."""
        if not self.asked.isdisjoint((self.phase, phase)):
            return None
        copied = {f.name: copy(getattr(self, f.name)) for f in fields(self) if f.name not in ("b", "blocks")}
        return Tracer(b=self.b.fork(), blocks=self.blocks, **copied | {"phase": phase})

    # Places and mistakes

    def place(self, span: Span) -> Place:
        """Where a node made for this text stands: inside the standard library, where the library was used."""
        return self.library_use or Place(span, self.chain)

    def at(self, span: Span) -> Standing:
        """Nodes made inside stand at this text."""
        return self.b.at(self.place(span))

    @contextmanager
    def frame(self, what: str, span: Span) -> Iterator[None]:
        """Places made inside say that they came through here."""
        before = self.chain
        self.chain = (Frame(what, span), *before)
        try:
            yield
        finally:
            self.chain = before

    def wrong(self, kind: type[Diagnostic], span: Span, **values: Any) -> Missing:
        """Reports a mistake at a place; its value is missing from here on, in silence."""
        self.root.report(kind(self.place(span), **values))
        return MISSING

    def wrong_here(self, kind: type[Diagnostic], **values: Any) -> None:
        """Reports a mistake where nodes are being made."""
        self.root.report(kind(self.b.place, **values))

    def count(self, span: Span) -> None:
        """Counts one more expression or statement that is run; raises TooMany at the limit."""
        self.evaluated += 1
        self.last = span
        if self.evaluated > self.limit:
            self.stop(span)

    def stop(self, span: Span) -> NoReturn:
        """Ends the tracing: what is being made here is too large."""
        self.wrong(errors.TooLarge, span, limit=self.limit)
        raise TooMany

    # Weights and states

    def parameter(self, name: str, type: Tensor, initial: Initial, span: Span) -> Node:
        """The weight called `name`; the second use of an instance finds that of the first."""
        return self._variable(self.parameters, PARAMETER, name, type, initial, span)

    def state(self, name: str, type: Tensor, initial: Initial, span: Span) -> Node:
        """The state called `name`, as earlier uses in this step left it."""
        node = self._variable(self.states, STATE, name, type, initial, span)
        return self.state_now.get(name, node)

    def _variable(
        self, table: dict[str, Variable], role: str, name: str, type: Tensor, initial: Initial, span: Span
    ) -> Node:
        known = table.get(name)
        place = self.place(span)
        origin = (span, place.span)
        if known is None:
            with self.root.at(place):
                node = self.root.input(name, role, type)
            known = table[name] = Variable(name, node, type, initial, place, origin)
        elif known.origin != origin:
            related = (("first called so here", known.place.span),)
            self.wrong(errors.SameName, span, name=name, related=related)
            return self.b.unknown()
        elif known.type != type:
            self.wrong(errors.SharedShape, span, name=name, found=str(type), before=str(known.type))
            return self.b.unknown()
        return known.node

    def random(self) -> tuple[Node, Node]:
        """The key and the step that every draw of a run reads."""
        if not self.draws:
            self.draws.extend((self.root.input("key", CONTROL, KEY), self.root.input("step", CONTROL, STEP)))
        return self.draws[0], self.draws[1]

    @contextmanager
    def inner(self, builder: Builder) -> Iterator[None]:
        """Nodes made inside belong to the body of a scan."""
        before, self.b = self.b, builder
        try:
            yield
        finally:
            self.b = before


def block_words(blocks: tuple[tree.Block, ...], *, library: bool = False) -> dict[str, BlockWord]:
    """Blocks as words to call; defaults stay expressions, evaluated where the block is used."""
    found = {}
    for block in blocks:
        inputs = tuple(Slot(s.name.text, "block_input", *_default(s)) for s in block.inputs)
        settings = tuple(Slot(s.name.text, "block_setting", *_default(s)) for s in block.settings)
        found[block.name.text] = BlockWord(block.name.text, Signature(inputs, settings), block, library)
    return found


def _default(slot: tree.Slot) -> tuple[Any]:
    from .values import REQUIRED

    return (REQUIRED if slot.default is None else slot.default,)


def is_unknown(value: object) -> bool:
    return isinstance(value, Missing) or (isinstance(value, Node) and isinstance(value.type, Unknown))
