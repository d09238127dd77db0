"""A text in the language's own notation -> Model, with every mistake of its syntax."""

from __future__ import annotations

from collections.abc import Callable

from .cursor import RESERVED_IN_YAML, Cursor, Mistake
from .errors import DuplicateSection, ReservedName, SettingSign, UnknownVersion
from .expression import name, new_name, number, pipe, text, type_
from .names import check_definitions
from .record import replace
from .sections import data_of
from .source import Diagnostic, Source, Span
from .statements import (
    S,
    check_no_name,
    check_results,
    close_brace,
    named,
    one_by_one,
    open_brace,
    separated,
    statement,
)
from .statements import body as read_body
from .tree import (
    Assert,
    Assign,
    Binding,
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
    Result,
    Setting,
    Settings,
    Slot,
    Statement,
    Train,
)


class Version(Statement):
    """`axonc 1`."""

    number: Number


class Header(Statement):
    """`model name(constants)`."""

    name: Name
    constants: tuple[Constant, ...]


def parse(source: Source, *, library: bool = False) -> tuple[Model, list[Diagnostic]]:
    """The model a text describes, as far as it can be read, and its mistakes in the order of the text.

    With `library` reserved words may name values, as in the standard library (`weight weight: f32[a, b]`).
    """
    c = Cursor(source, library=library)
    sections = one_by_one(separated(c, None, _section))
    below = c.comments_before(len(source.text) + 1)
    model = _assemble(c, sections, below)
    check_definitions(model, c.mistakes)
    return model, sorted(c.mistakes, key=lambda mistake: mistake.place.span.start)


def _section(c: Cursor) -> Statement:
    reader = _SECTIONS.get(c.token.text) if c.token.kind == "name" else None
    if reader is None:
        return statement(c)
    check_no_name(c)
    return reader(c)


def _version(c: Cursor) -> Version:
    start = c.advance().start
    found = number(c, "the version of the language")
    if found.value != 1 or not isinstance(found.value, int):
        c.report(UnknownVersion(c.place_of(found), found.text))
    return Version(c.span(start), found)


def _header(c: Cursor) -> Header:
    start = c.advance().start
    title = name(c, "the name of the model")
    constants: list[Constant] = []
    if opener := c.take("("):
        if comment := c.comment_on_line():
            c.headers.append(comment)
        if c.token.kind != ")":
            constants.append(_constant(c))
        while c.take(","):
            constants[-1] = _with_comment(c, constants[-1])
            constants.append(_constant(c))
        c.close(opener, ")")
    return Header(c.span(start), title, tuple(constants))


def _constant(c: Cursor) -> Constant:
    before = c.comments_before(c.token.start)
    start = c.token.start
    label = new_name(c, "the name of a constant")
    c.expect("=", "`=` and a value", "a constant has a value: `d = 64`")
    value = pipe(c)
    return Constant(c.span(start), label, value, comments=Comments(before, c.comment_on_line()))


def _with_comment(c: Cursor, constant: Constant) -> Constant:
    after = c.comment_on_line()
    return replace(constant, comments=replace(constant.comments, after=after)) if after else constant


def _include(c: Cursor) -> Include:
    start = c.advance().start
    path = text(c, "a file name in quotes", 'write `include "blocks.axon"`')
    return Include(c.span(start), path)


def _data(c: Cursor) -> Data:
    start = c.advance().start
    source = text(c) if c.token.kind == "text" else None
    if c.token.kind in ("name", "number"):
        raise c.unexpected("a file name in quotes, or `{`", 'write `data "digits.npz" { ... }`')
    opener = open_brace(c, "data")
    free, c.words_are_free = c.words_are_free, True
    items = close_brace(c, opener, separated(c, opener, _bind_or_setting))
    c.words_are_free = free
    return data_of(c.span(start), source, items, Comments())


def _bind_or_setting(c: Cursor) -> Binding | Setting:
    start = c.token.start
    target = c.take_word("target")
    if not target and (c.token.kind != "name" or c.following().kind != "="):
        return _setting(c)
    label = name(c, "the name of an input")
    c.expect("=", "`=`", f"write `target {label.text} = column`")
    value = pipe(c)
    return Binding(c.span(start), target is not None, label, value)


def _setting(c: Cursor) -> Setting:
    start = c.token.start
    label = text(c) if c.token.kind == "text" else name(c, "the name of a setting")
    if c.token.kind in ("=", ":"):
        raise Mistake(SettingSign(c.place(), c.span(start).text, c.token.kind))
    if c.token.kind in ("line", ";", "}", "end"):
        raise c.unexpected(f"a value for `{c.span(start).text}`")
    value = _settings(c, c.span(start).text) if c.token.kind == "{" else pipe(c)
    return Setting(c.span(start), label, value)


def _settings(c: Cursor, word: str) -> Settings:
    start = c.token.start
    opener = open_brace(c, word)
    c.enter()
    items = close_brace(c, opener, separated(c, opener, _setting))
    c.depth -= 1
    return Settings(c.span(start), items)


def _input(c: Cursor) -> Input:
    start = c.advance().start
    label = new_name(c, "the name of an input")
    c.expect(":", "`:` and a type", f"write `input {label.text}: f32[N, 8]`")
    declared = type_(c)
    return Input(c.span(start), label, declared)


def _block(c: Cursor) -> Block:
    start = c.advance().start
    label = new_name(c, "the name of a block")
    if label.text in RESERVED_IN_YAML:
        c.report(ReservedName(c.place_of(label), label.text))
    if c.token.kind != "(":
        raise c.unexpected("`(`", f"write `block {label.text}(x) {{ ... }}`")
    opener = c.advance()
    inputs = _slots(c)
    settings = _slots(c) if c.take(";") else ()
    c.close(opener, ")")
    statements = read_body(c, "block", result=True)
    return Block(c.span(start), label, inputs, settings, statements)


def _slots(c: Cursor) -> tuple[Slot, ...]:
    if c.token.kind in (")", ";"):
        return ()
    found = [_slot(c)]
    while c.take(","):
        found.append(_slot(c))
    return tuple(found)


def _slot(c: Cursor) -> Slot:
    start = c.token.start
    label = new_name(c, "the name of an input or a setting")
    default = pipe(c) if c.take("=") else None
    return Slot(c.span(start), label, default)


def _output(c: Cursor) -> Output:
    start = c.advance().start
    label = name(c, "the name of an output")
    value = pipe(c) if c.take("=") else None
    return Output(c.span(start), label, value)


def _metric(c: Cursor) -> Metric:
    start = c.advance().start
    label = named(c)
    value = pipe(c)
    return Metric(c.span(start), label, value)


def _train(c: Cursor) -> Train:
    start = c.advance().start
    settings = _settings(c, "train")
    return Train(c.span(start), settings)


def _group(c: Cursor) -> Group:
    start = c.advance().start
    pattern = text(c, "a pattern in quotes", 'write `group "head.*" { ... }`')
    settings = _settings(c, "group")
    return Group(c.span(start), pattern, settings)


def _generate(c: Cursor) -> Generate:
    start = c.advance().start
    grown = name(c, "the input that grows")
    if not c.take_word("from"):
        raise c.unexpected("`from`", f"write `generate {grown.text} from logits {{ ... }}`")
    origin = pipe(c)
    settings = _settings(c, "generate")
    return Generate(c.span(start), grown, origin, settings)


_SECTIONS: dict[str, Callable[[Cursor], Statement]] = {
    "axonc": _version,
    "model": _header,
    "include": _include,
    "data": _data,
    "input": _input,
    "block": _block,
    "output": _output,
    "metric": _metric,
    "train": _train,
    "group": _group,
    "generate": _generate,
}


def _assemble(c: Cursor, sections: tuple[Statement, ...], below: tuple[str, ...]) -> Model:
    def every(kind: type[S]) -> tuple[S, ...]:
        return tuple(node for node in sections if isinstance(node, kind))

    def only(kind: type[S], word: str) -> S | None:
        found = every(kind)
        for extra in found[1:]:
            c.report(DuplicateSection(c.place_of(extra), word, related=(("the first is here", found[0].span),)))
        return found[0] if found else None

    version = only(Version, "axonc")
    header = only(Header, "model")
    body = tuple(node for node in sections if isinstance(node, Assign | Result | Declare | Repeat | If))
    check_results(c, body, "at the top level", last=False)
    return Model(
        Span(c.source, 0, len(c.source.text)),
        version.number if version else None,
        header.name if header else None,
        constants=header.constants if header else (),
        includes=every(Include),
        data=only(Data, "data"),
        inputs=every(Input),
        blocks=every(Block),
        body=tuple(node for node in body if not isinstance(node, Result)),
        outputs=every(Output),
        losses=every(Loss),
        metrics=every(Metric),
        groups=every(Group),
        train=only(Train, "train"),
        generate=only(Generate, "generate"),
        asserts=every(Assert),
        comments=_file_comments(version, header, below),
    )


def _file_comments(version: Version | None, header: Header | None, below: tuple[str, ...]) -> Comments:
    found = [node.comments for node in (version, header) if node]
    before = [line for comments in found for line in (*comments.before, *comments.below)]
    after = [comments.after for comments in found if comments.after]
    return Comments((*before, *after[:-1]), after[-1] if after else "", below)
