"""Random models for the property tests: everything the tree can say that both notations can."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from axonc.spec.record import replace
from axonc.spec.source import Source, Span
from axonc.spec.tree import (
    Argument,
    Assert,
    Assign,
    Binary,
    Binding,
    Block,
    Body,
    Call,
    Choice,
    Comments,
    Constant,
    Data,
    Declare,
    Expression,
    Generate,
    Group,
    If,
    Include,
    Index,
    Input,
    ListOf,
    Loss,
    Member,
    Metric,
    Model,
    Name,
    Number,
    Output,
    Over,
    Pipe,
    Repeat,
    Rest,
    Result,
    Scan,
    Setting,
    Settings,
    Slice,
    Slot,
    Statement,
    Text,
    Train,
    Type,
    Unary,
)

T = TypeVar("T")

HERE = Span(Source("random", ""), 0, 0)
WORDS = ["x", "y", "h", "a", "b", "f", "g", "dense", "relu", "no", "null", "True", "as", "from_", "layers", "states"]
VALUES = [*WORDS, "true", "none", "training", "from", "with_", "residual", "expression", "weights"]
KEYS = [*WORDS, "weight", "if", "in", "from", "as", "axis"]
COMPARISONS = ["==", "!=", "<", ">", "<=", ">="]
OPERATORS = [*COMPARISONS, "+", "-", "*", "/", "//", "%", "@", "**", "and", "or"]
NUMBERS = {"2GB": 2 * 10**9, "61_706": 61706, "1.5M": 1_500_000, "4KiB": 4096, "1e-3": 1e-3, "0.5": 0.5, "3e8": 3e8}
TEXTS = ["", "a b", "it's", 'say "a"', "back\\slash", "# no comment", "x: y", "é日本", "'", "%", "'\\"]
REMARKS = ["one", "two", "three: 3", "a # b", "#", "- dash"]


class Trees:
    """Draws parts of models from one source of randomness."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def one_of(self, *makers: Callable[[], T]) -> T:
        return self.random.choice(makers)()

    def several(self, make: Callable[[], T], most: int, least: int = 0) -> tuple[T, ...]:
        return tuple(make() for _ in range(self.random.randint(least, most)))

    def distinct(self, make: Callable[[], T], key: Callable[[T], object], most: int = 2) -> tuple[T, ...]:
        return tuple({key(found): found for found in self.several(make, most)}.values())

    def maybe(self, make: Callable[[], T]) -> T | None:
        return make() if self.random.random() < 0.5 else None

    def name(self, words: list[str] = WORDS) -> Name:
        return Name(HERE, self.random.choice(words))

    def number(self) -> Number:
        if self.random.random() < 0.7:
            value = self.random.randrange(1000)
            return Number(HERE, value, str(value))
        text = self.random.choice(sorted(NUMBERS))
        return Number(HERE, NUMBERS[text], text)

    def text(self) -> Text:
        return Text(HERE, self.random.choice(TEXTS))

    def comments(self) -> Comments:
        if self.random.random() < 0.6:
            return Comments()
        before = self.several(lambda: self.random.choice(REMARKS), 2)
        return Comments(before, self.random.choice([*REMARKS, "", "", ""]), gap=self.random.random() < 0.3)

    def node(self, kind: Callable[..., T], *parts: object) -> T:
        return kind(HERE, *parts, comments=self.comments())

    # Expressions

    def expression(self, depth: int = 2) -> Expression:
        atoms: list[Callable[[], Expression]] = [lambda: self.name(VALUES), self.number, self.text]
        if depth == 0:
            return self.one_of(*atoms)
        deeper = [self._list, self._call, self._chain, self._index, self._unary, self._binary, self._choice]
        return self.one_of(*atoms, lambda: self.random.choice(deeper)(depth - 1))

    def _list(self, depth: int) -> Expression:
        return ListOf(HERE, self.several(lambda: self.expression(depth), 3))

    def _call(self, depth: int) -> Expression:
        function = self.one_of(lambda: self.name(VALUES), lambda: self.name(VALUES), lambda: self.expression(depth))
        found = self.several(lambda: self._argument(depth), 3)
        names = [argument.name.text for argument in found if argument.name]
        return Call(HERE, function, found if len(names) == len(set(names)) else found[:1])

    def _argument(self, depth: int) -> Argument:
        return Argument(HERE, self.maybe(lambda: self.name(KEYS)), self.expression(depth))

    def _chain(self, depth: int) -> Expression:
        value = self.expression(depth)
        for _ in range(self.random.randint(1, 3)):
            layers = [lambda: self._call(depth), lambda: self._call(depth), lambda: self.name(VALUES)]
            value = Pipe(HERE, value, self.one_of(*layers, lambda: self.expression(depth)))
        return value

    def _index(self, depth: int) -> Expression:
        if self.random.random() < 0.3:
            return Member(HERE, self.expression(depth), self.name(KEYS))
        return Index(HERE, self.expression(depth), self.several(lambda: self._one_index(depth), 2, 1))

    def _one_index(self, depth: int) -> Expression | Slice | Rest:
        bounds = [self.maybe(lambda: self.expression(depth)) for _ in range(3)]
        return self.one_of(lambda: self.expression(depth), lambda: Slice(HERE, *bounds), lambda: Rest(HERE))

    def _unary(self, depth: int) -> Expression:
        return Unary(HERE, self.random.choice(["-", "+", "not"]), self.expression(depth))

    def _binary(self, depth: int) -> Expression:
        operator = self.random.choice(OPERATORS)
        return Binary(HERE, operator, self.expression(depth), self.expression(depth), HERE)

    def _choice(self, depth: int) -> Expression:
        return Choice(HERE, self.expression(depth), self.expression(depth), self.expression(depth))

    def type(self) -> Type:
        return Type(HERE, self.name(["f32", "i64"]), self.several(self.expression, 2))

    def relation(self) -> Binary:
        return Binary(HERE, self.random.choice(COMPARISONS), self.expression(), self.expression(), HERE)

    # Statements

    def body(self, depth: int, *, result: bool = False, losses: bool = True, is_top: bool = False) -> tuple[Body, ...]:
        makers = [self._assign, self._assign, self._assign, self._declare, self._repeat, self._if]
        found = self.several(lambda: self.random.choice(makers + losses * [self._loss, self._assert])(depth), 4)
        if result:
            found = (*found, self.node(Result, self._values(depth)))
        return found if is_top else self._with_below(found)

    def _with_below(self, found: tuple[Body, ...]) -> tuple[Body, ...]:
        """Sometimes with a comment below the last statement, where a body ends behind it."""
        if not found or self.random.random() < 0.7:
            return found
        below = (self.random.choice(REMARKS),)
        return (*found[:-1], replace(found[-1], comments=replace(found[-1].comments, below=below)))

    def _values(self, depth: int) -> tuple[Expression, ...] | Scan:
        if depth and self.random.random() < 0.2:
            return self._scan(depth)
        return self.several(lambda: self.expression(3), 2, 1) if self.random.random() < 0.3 else (self.expression(3),)

    def _assign(self, depth: int) -> Body:
        if self.random.random() < 0.6:
            return self.node(Assign, (self.name(["x", "y"]),), self._values(depth))
        return self.node(Assign, self.several(self.name, 2, 1), self._values(depth))

    def _declare(self, depth: int) -> Body:
        kind = self.random.choice(["weight", "state"])
        return self.node(Declare, kind, (self.name(),), self.type(), self.maybe(self.expression))

    def _repeat(self, depth: int) -> Body:
        inner = self.body(depth - 1) if depth else ()
        return self.node(Repeat, self.several(self.name, 2), self.expression(), inner)

    def _if(self, depth: int) -> Body:
        then, otherwise = (self.body(depth - 1) if depth else () for _ in range(2))
        return self.node(If, self.expression(), then, otherwise)

    def _loss(self, depth: int) -> Body:
        return self.node(Loss, self.maybe(lambda: self.name(KEYS)), self.expression())

    def _assert(self, depth: int) -> Body:
        return self.node(Assert, (self.relation(),))

    def _scan(self, depth: int) -> Scan:
        names = self.random.sample(WORDS, self.random.randint(1, 3))
        overs = tuple(Over(HERE, Name(HERE, word), self.expression()) for word in names)
        cut = self.random.randint(1, len(overs))
        keys = self.random.sample(["length", "reverse", "truncate"], self.random.randint(0, 2))
        found = tuple(Argument(HERE, Name(HERE, key), self.expression()) for key in keys)
        return Scan(HERE, found, overs[:cut], overs[cut:], self.body(depth - 1, result=self.random.random() < 0.5))

    # Sections

    def settings(self, **makers: Callable[[], object]) -> Settings:
        keys = self.random.sample(sorted(makers), self.random.randint(0, len(makers)))
        return Settings(HERE, tuple(self.node(Setting, Name(HERE, key), makers[key]()) for key in keys))

    def call(self) -> Expression:
        return Call(HERE, self.name(), (Argument(HERE, None, self.number()),))

    def renames(self) -> Settings:
        found = self.distinct(lambda: self.node(Setting, self.text(), self.text()), lambda item: item.name.value)
        return Settings(HERE, found)

    def slots(self, words: list[str]) -> tuple[Slot, ...]:
        return tuple(Slot(HERE, Name(HERE, word), self.maybe(self.expression)) for word in words)

    def block(self) -> Block:
        names = self.random.sample(WORDS, self.random.randint(0, 3))
        cut = self.random.randint(0, len(names))
        body = self.body(2, result=True)
        return self.node(Block, self.name(["b1", "b2"]), self.slots(names[:cut]), self.slots(names[cut:]), body)

    def data(self) -> Data:
        make = lambda: self.node(Binding, self.random.random() < 0.5, self.name(KEYS), self.expression())  # noqa: E731
        bindings = tuple(sorted(self.distinct(make, by_name, 3), key=lambda binding: binding.target))
        splits = lambda: self.settings(train=self.number, test=self.number)  # noqa: E731
        changes = lambda: self.settings(flip=self.expression, noise=self.number)  # noqa: E731
        augment = lambda: self.settings(x=changes, y=changes)  # noqa: E731
        settings = self.settings(batch=self.name, augment=augment, split=splits)
        return self.node(Data, self.maybe(self.text), bindings, settings)

    def train(self) -> Train:
        stops = lambda: self.settings(monitor=self.expression)  # noqa: E731
        return self.node(Train, self.settings(optimizer=self.call, schedule=self.expression, stop=stops))

    def group(self) -> Group:
        found = self.settings(initial=self.call, l2=self.number, rename=self.renames, source=self.text)
        return self.node(Group, self.text(), found)

    def generate(self) -> Generate:
        found = self.settings(limit=self.name, stop=self.expression)
        return self.node(Generate, self.name(KEYS), self.expression(), found)

    def named(self, kind: type[Statement]) -> Statement:
        return self.node(kind, self.maybe(lambda: self.name(KEYS)), self.expression())

    def model(self) -> Model:
        """A whole model; constants only where it has a name to stand behind."""
        label = self.maybe(self.name)
        constant = lambda: self.node(Constant, self.name(["c1", "c2"]), self.expression())  # noqa: E731
        output = lambda: self.node(Output, self.name(KEYS), self.maybe(self.expression))  # noqa: E731
        return Model(
            HERE,
            self.maybe(lambda: Number(HERE, 1, "1")),
            label,
            constants=self.distinct(constant, by_name) if label else (),
            includes=self.several(lambda: self.node(Include, self.text()), 1),
            data=self.maybe(self.data),
            inputs=self.distinct(lambda: self.node(Input, self.name(), self.type()), by_name),
            blocks=self.distinct(self.block, by_name),
            body=self.body(2, losses=False, is_top=True),
            outputs=self.distinct(output, by_name),
            losses=self.several(lambda: self.named(Loss), 2),
            metrics=self.several(lambda: self.named(Metric), 2),
            groups=self.distinct(self.group, lambda group: group.pattern.value),
            train=self.maybe(self.train),
            generate=self.maybe(self.generate),
            asserts=self.several(lambda: self._assert(0), 2),
        )


def by_name(found: Statement) -> str:
    return found.name.text
