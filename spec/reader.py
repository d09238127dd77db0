"""A YAML text -> Model, with every mistake of its notation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from .clauses import asserts, clauses, losses
from .cursor import RESERVED_IN_YAML, Mistake
from .document import Document, Node, expected, joined
from .entries import across, commented, each
from .errors import ReservedName, UnknownVersion
from .expression import type_
from .items import Items
from .names import check_definitions
from .record import replace
from .scalars import attempt, expression, fragment, name, text
from .settings import data, generate, groups, train
from .source import Diagnostic, Source, Span
from .suggest import nearest
from .tree import (
    Assert,
    Assign,
    Block,
    Comments,
    Constant,
    Data,
    Declare,
    Generate,
    Group,
    If,
    Include,
    Input,
    Loss,
    Metric,
    Model,
    Name,
    Number,
    Output,
    Repeat,
    Slot,
    Statement,
    Train,
)
from .yaml_errors import MissingKey, UnknownKey

S = TypeVar("S", bound=Statement)


def parse(source: Source, *, library: bool = False) -> tuple[Model, list[Diagnostic]]:
    """The model a document describes, as far as it can be read, and its mistakes in the order of the text."""
    d = Document(source, library=library)
    reader = _Reader(d)
    root = d.root
    if root is not None:
        attempt(d, reader.read, root)
    reader.comments = replace(reader.comments, below=d.take_before(len(source.text) + 1))
    model = reader.model()
    check_definitions(model, d.mistakes)
    return model, sorted(d.mistakes, key=lambda mistake: mistake.place.span.start)


class _Reader:
    """Reads the sections of a document in the order of its text."""

    def __init__(self, d: Document) -> None:
        self.d = d
        self.version: Number | None = None
        self.name: Name | None = None
        self.comments = Comments()
        self.first_input: Name | None = None
        self.found: list[Statement] = []

    def read(self, root: Node) -> None:
        if root.is_null:
            return
        if root.kind != "map":
            raise expected(self.d, root, "a spec", "a mapping of sections", "begin with `axonc: 1` and `name: ...`")
        self.first_input = self._first_input(root.get("inputs"))
        if root.get("constants") and not root.get("name"):
            self.d.report(MissingKey(self.d.place(root.entries[0][0]), "name", "a spec with `constants`"))
        for key, value in root.entries:
            before = self.d.take_before(key.start)
            known = len(self.found)
            attempt(self.d, self._section, key, value)
            around = self.d.take_around(0, value.end)
            self._note(known, Comments((*before, *around.before), around.after))

    def model(self) -> Model:
        def every(kind: type[S]) -> tuple[S, ...]:
            return tuple(node for node in self.found if isinstance(node, kind))

        def only(kind: type[S]) -> S | None:
            return next(iter(every(kind)), None)

        return Model(
            Span(self.d.source, 0, len(self.d.source.text)),
            self.version,
            self.name,
            constants=every(Constant),
            includes=every(Include),
            data=only(Data),
            inputs=every(Input),
            blocks=every(Block),
            body=tuple(node for node in self.found if isinstance(node, Assign | Declare | Repeat | If)),
            outputs=every(Output),
            losses=every(Loss),
            metrics=every(Metric),
            groups=every(Group),
            train=only(Train),
            generate=only(Generate),
            asserts=every(Assert),
            comments=self.comments,
        )

    def _first_input(self, inputs: Node | None) -> Name | None:
        if inputs is None or not inputs.entries:
            return None
        key = inputs.entries[0][0]
        return Name(self.d.span(key), key.text)

    def _note(self, known: int, comments: Comments) -> None:
        """Give the comments of a section to its first and last statement, or to the file where it has none."""
        if comments == Comments():
            return
        if len(self.found) == known:
            self.comments = joined(self.comments, comments)
            return
        first = self.found[known]
        self.found[known] = replace(first, comments=joined(Comments(comments.before), first.comments))
        last = self.found[-1]
        self.found[-1] = replace(last, comments=joined(last.comments, Comments((), comments.after)))

    def _section(self, key: Node, value: Node) -> None:
        if key.text == "axonc":
            self.version = self._version(value)
        elif key.text == "name":
            self.name = name(self.d, value, "a model", new=False)
        elif key.text == "layers":
            self._layers(value)
        elif key.text in _SECTIONS:
            is_single = key.text in _SINGLE or (key.text in ("loss", "metrics") and value.kind == "map")
            header = Comments((), self.d.take_on_line(key.end)) if is_single else Comments()
            for node in _SECTIONS[key.text](self.d, value):
                self.found.append(replace(node, comments=joined(header, node.comments)))
        elif key.text != "<<":
            known = ("axonc", "name", "layers", *_SECTIONS)
            meant = _MEANT.get(key.text) or nearest(key.text, known)
            listed = ", ".join(f"`{word}`" for word in known)
            raise Mistake(UnknownKey(self.d.place(key), key.text, "a spec", meant, listed))

    def _version(self, value: Node) -> Number:
        found = expression(self.d, value)
        if not isinstance(found, Number) or found.value != 1 or not isinstance(found.value, int):
            raise Mistake(UnknownVersion(self.d.place(value), found.span.text))
        return found

    def _layers(self, value: Node) -> None:
        if value.kind != "list":
            raise expected(self.d, value, "`layers`", "a list of layers", "write `- dense: 64`, one layer an item")
        items = Items(self.d, self.first_input)
        items.read(value, is_body=False)
        self.found.extend(items.end_named())


def _constants(d: Document, node: Node) -> Iterator[Constant]:
    def read(key: Node, value: Node) -> Constant:
        return Constant(across(d, key, value), name(d, key, "a constant"), expression(d, value))

    return each(d, node, "constants", read)


def _includes(d: Document, node: Node) -> Iterator[Include]:
    if node.kind != "list":
        raise expected(d, node, "`include`", "a list of files", "write `include: [blocks.axon]`")
    for item in node.items:
        before = d.take_before(item.start)
        found = Include(d.span(item), text(d, item, "a file name"))
        yield commented(d, found, before, item)


def _inputs(d: Document, node: Node) -> Iterator[Input]:
    def read(key: Node, value: Node) -> Input:
        return Input(across(d, key, value), name(d, key, "an input"), fragment(d, value, type_))

    return each(d, node, "inputs", read)


def _outputs(d: Document, node: Node) -> Iterator[Output]:
    def read(key: Node, value: Node) -> Output:
        label = name(d, key, "an output", new=False)
        return Output(across(d, key, value), label, None if value.is_null else expression(d, value))

    return each(d, node, "outputs", read)


def _metrics(d: Document, node: Node) -> Iterator[Metric]:
    for clause in clauses(d, node, "metric"):
        yield Metric(clause.span, clause.name, clause.value, comments=clause.comments)


# Blocks


def _blocks(d: Document, node: Node) -> Iterator[Block]:
    return each(d, node, "blocks", lambda key, value: _block(d, key, value))


def _block(d: Document, key: Node, value: Node) -> Block:
    label = name(d, key, "a block")
    if label.text in RESERVED_IN_YAML:
        d.report(ReservedName(d.place(key), label.text))
    if value.kind != "map":
        raise expected(d, value, "a block", "a mapping with `layers`")
    header = d.take_on_line(key.end)
    for part, _ in value.entries:
        if part.text not in _BLOCK_KEYS:
            known = ", ".join(f"`{word}`" for word in _BLOCK_KEYS)
            d.report(UnknownKey(d.place(part), part.text, "a block", nearest(part.text, _BLOCK_KEYS), known))
    inputs = _slots(d, value.get("inputs"), "inputs")
    settings = _slots(d, value.get("parameters"), "parameters")
    layers = value.get("layers")
    if layers is None:
        raise Mistake(MissingKey(d.place(key), "layers", f"block `{label.text}`"))
    if layers.kind != "list":
        raise expected(d, layers, "`layers`", "a list of layers")
    before = d.take_before(next(part.start for part, _ in value.entries if part.text == "layers"))
    d.depth += 2
    items = Items(d, inputs[0].name if inputs else None)
    items.read(layers)
    d.depth -= 2
    comments = Comments(before, header)
    return Block(across(d, key, value), label, inputs, settings, items.end_result(is_block=True), comments=comments)


def _slots(d: Document, node: Node | None, where: str) -> tuple[Slot, ...]:
    if node is None:
        return ()
    if node.kind != "list":
        raise expected(d, node, f"`{where}`", "a list", f"write `{where}: [units, {{rate: 0.1}}]`")
    found: list[Slot] = []
    for item in node.items:
        if item.kind == "map":
            found.extend(_default(d, key, value) for key, value in item.entries)
        else:
            found.append(Slot(d.span(item), name(d, item, "an input or a setting"), None))
    return tuple(found)


def _default(d: Document, key: Node, value: Node) -> Slot:
    return Slot(across(d, key, value), name(d, key, "an input or a setting"), expression(d, value))


_SECTIONS: dict[str, Callable[[Document, Node], Iterable[Statement]]] = {
    "constants": _constants,
    "include": _includes,
    "data": data,
    "inputs": _inputs,
    "blocks": _blocks,
    "outputs": _outputs,
    "loss": losses,
    "metrics": _metrics,
    "groups": groups,
    "train": train,
    "generate": generate,
    "assert": asserts,
}
_SINGLE = ("data", "train", "generate")
_BLOCK_KEYS = ("parameters", "inputs", "layers")
_MEANT = {"model": "name", "network": "layers", "metric": "metrics", "training": "train", "dataset": "data"}
