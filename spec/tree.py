"""The typed tree of a spec: what both notations are read into and written from.

Trees compare without places and comments, so `read(yaml) == read(axon)` says that two files mean the same.
"""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from .record import Record
from .source import Span


class Comments(Record):
    """The comment lines before a statement, the one that ends its line, and those below the last one of a body.

    `gap` says that a blank line sets the statement off from the one before.
    """

    before: tuple[str, ...] = ()
    after: str = ""
    below: tuple[str, ...] = ()
    gap: bool = False


class Syntax(Record):
    """Whatever stands at a place in the text."""

    span: Span = field(compare=False, repr=False)


# Expressions


class Name(Syntax):
    """A word: a value, a constant, a layer, or one of `true`, `false`, `none`, `training`, ..."""

    text: str


class Number(Syntax):
    """`value` is an int or a float as the text has it; `text` keeps its spelling (`61_706`, `2GB`, `1e-3`)."""

    value: int | float
    text: str = field(compare=False)


class Text(Syntax):
    value: str


class ListOf(Syntax):
    items: tuple[Expression, ...]


class Argument(Syntax):
    name: Name | None
    value: Expression


class Call(Syntax):
    function: Expression
    arguments: tuple[Argument, ...]


class Slice(Syntax):
    start: Expression | None
    stop: Expression | None
    step: Expression | None


class Rest(Syntax):
    """`...` inside an index."""


class Index(Syntax):
    """`value[indices]`."""

    value: Expression
    indices: tuple[Expression | Slice | Rest, ...]


class Member(Syntax):
    """`value.name`."""

    value: Expression
    name: Name


class Unary(Syntax):
    """`operator` is `+`, `-` or `not`."""

    operator: str
    value: Expression


class Binary(Syntax):
    """`operator` is one of `+ - * / // % @ ** == != < > <= >= and or`; `place` is where the operator stands."""

    operator: str
    left: Expression
    right: Expression
    place: Span = field(compare=False, repr=False)


class Choice(Syntax):
    """`yes if condition else no`."""

    yes: Expression
    condition: Expression
    no: Expression


class Pipe(Syntax):
    """`value |> step`."""

    value: Expression
    step: Expression


Expression: TypeAlias = Name | Number | Text | ListOf | Call | Index | Member | Unary | Binary | Choice | Pipe


# Statements


class Statement(Syntax):
    comments: Comments = field(compare=False, repr=False, kw_only=True, default=Comments())


class Type(Syntax):
    """`f32[N, 8, 8]`: a dtype's word and the sizes, each an expression."""

    dtype: Name
    sizes: tuple[Expression, ...]


class Over(Syntax):
    """`x in xs` of a scan, or `h = zeros(...)` after its `with`."""

    name: Name
    value: Expression


class Scan(Syntax):
    """`scan(settings) x in xs, ... with h = h0, ... { body }`."""

    settings: tuple[Argument, ...]
    over: tuple[Over, ...]
    carried: tuple[Over, ...]
    body: tuple[Body, ...]


class Assign(Statement):
    """`a, b = values`."""

    targets: tuple[Name, ...]
    values: tuple[Expression, ...] | Scan


class Result(Statement):
    """The values of a block or a scan: its last line."""

    values: tuple[Expression, ...] | Scan


class Declare(Statement):
    """`weight a, b: type = initial`; `kind` is `weight` or `state`."""

    kind: str
    names: tuple[Name, ...]
    type: Type
    initial: Expression | None


class Repeat(Statement):
    """`repeat names in over { body }`; no names when only counted."""

    names: tuple[Name, ...]
    over: Expression
    body: tuple[Body, ...]


class If(Statement):
    """`otherwise` is empty without `else`; `else if` is one If inside it."""

    condition: Expression
    then: tuple[Body, ...]
    otherwise: tuple[Body, ...]


class Loss(Statement):
    name: Name | None
    value: Expression


class Assert(Statement):
    """Each relation is a comparison."""

    relations: tuple[Binary, ...]


Body: TypeAlias = Assign | Result | Declare | Repeat | If | Loss | Assert


# Sections


class Constant(Statement):
    name: Name
    value: Expression


class Include(Statement):
    path: Text


class Input(Statement):
    name: Name
    type: Type


class Slot(Syntax):
    """An input or a setting of a block; required where `default` is None."""

    name: Name
    default: Expression | None


class Block(Statement):
    name: Name
    inputs: tuple[Slot, ...]
    settings: tuple[Slot, ...]
    body: tuple[Body, ...]


class Setting(Statement):
    """`name value` or `name { settings }`; the name may be a text (a pattern)."""

    name: Name | Text
    value: Expression | Settings


class Settings(Syntax):
    """A brace block of settings."""

    items: tuple[Setting, ...]

    def get(self, name: str) -> Setting | None:
        return next((s for s in self.items if isinstance(s.name, Name) and s.name.text == name), None)


class Binding(Statement):
    """`image = pixels` or, with `target`, `target label = digit` of the data section."""

    target: bool
    name: Name
    value: Expression


class Data(Statement):
    source: Text | None
    bindings: tuple[Binding, ...]
    settings: Settings


class Output(Statement):
    """`output p = softmax(logits)`; without a value the name itself is the value."""

    name: Name
    value: Expression | None


class Metric(Statement):
    name: Name | None
    value: Expression


class Group(Statement):
    pattern: Text
    settings: Settings


class Train(Statement):
    settings: Settings


class Generate(Statement):
    input: Name
    origin: Expression
    settings: Settings


class Model(Syntax):
    """A whole file. `name` is None where the file has no `model` line (a library of blocks)."""

    version: Number | None
    name: Name | None
    constants: tuple[Constant, ...] = ()
    includes: tuple[Include, ...] = ()
    data: Data | None = None
    inputs: tuple[Input, ...] = ()
    blocks: tuple[Block, ...] = ()
    body: tuple[Body, ...] = ()
    outputs: tuple[Output, ...] = ()
    losses: tuple[Loss, ...] = ()
    metrics: tuple[Metric, ...] = ()
    groups: tuple[Group, ...] = ()
    train: Train | None = None
    generate: Generate | None = None
    asserts: tuple[Assert, ...] = ()
    comments: Comments = field(compare=False, repr=False, default=Comments())
