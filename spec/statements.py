"""Tokens -> the statements of a body, going on at the next statement after a mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .cursor import MAX_DEPTH, STRUCTURE, Cursor, Mistake
from .errors import (
    ColonBody,
    EqualsInCondition,
    ExtraBracket,
    ForeignWord,
    LostValue,
    MisplacedSection,
    NotAComparison,
    NotAName,
    Unexpected,
    UnnamedScanSetting,
)
from .expression import COMPARISONS, arguments, check_new_name, name, new_name, pipe, type_, values
from .lexer import Token
from .names import check_distinct
from .record import replace
from .recovery import AFTER_SECTION, FOREIGN_WORDS, SECTIONS, check_end, has_left_body, report_mistake, skip_indented
from .section_errors import UnknownSetting
from .suggest import nearest
from .tree import (
    Argument,
    Assert,
    Assign,
    Binary,
    Body,
    Comments,
    Declare,
    Expression,
    If,
    Loss,
    Name,
    Over,
    Repeat,
    Result,
    Scan,
    Statement,
)

SCAN_SETTINGS = ("length", "reverse", "truncate")

S = TypeVar("S", bound=Statement)

_OF_A_VALUE = frozenset("loss metric output assert".split())
_WITH_STATEMENTS = frozenset("block repeat if scan".split())
_NESTING = {"(": 1, "[": 1, ")": -1, "]": -1}
_WITH_BODY = _WITH_STATEMENTS | frozenset("data train group generate".split())


def separated(c: Cursor, opener: Token | None, read: Callable[[Cursor], S]) -> tuple[S, ...]:
    """Statements up to the `}` for `opener`, which is not taken, or the end of the text without one.

    Those that cannot be read are reported and left out.
    """
    found: list[S] = []
    while True:
        while c.take("line") or c.take(";"):
            pass
        if c.token.kind == "end" or (c.token.kind == "}" and opener) or has_left_body(c, opener):
            return tuple(found)
        if c.token.kind == "}":
            c.report(ExtraBracket(c.place(), c.advance().text))
            continue
        node = _guarded(c, read)
        if node is not None:
            found.append(node)


def _guarded(c: Cursor, read: Callable[[Cursor], S]) -> S | None:
    """One statement with its comments, or None after a mistake in it, which is then behind us."""
    first, begin = c.token, c.index
    depth, free, known = c.depth, c.words_are_free, len(c.mistakes)
    gap = c.has_gap()
    before = c.comments_before(first.start)
    headers, c.headers = c.headers, []
    try:
        node = read(c)
        check_end(c, first)
    except Mistake as mistake:
        c.depth, c.words_are_free = depth, free
        report_mistake(c, mistake.diagnostic, known)
        _skip(c, begin)
        node = None
    mine, c.headers = c.headers, headers
    inside = c.comments_before(c.end)
    after = c.comment_on_line()
    if node is None or not (before or mine or inside or after or gap):
        return node
    if mine and not after:
        after = mine.pop(0)
    return replace(node, comments=Comments((*before, *mine, *inside), after, node.comments.below, gap))


def _skip(c: Cursor, begin: int) -> None:
    """To the end of a statement that could not be read; mistakes in its body are found all the same."""
    first = c.tokens[begin]
    passed = c.tokens[begin : c.index]
    inside = sum(_NESTING.get(token.kind, 0) for token in passed)
    has_statements = first.text in _WITH_STATEMENTS or any(token.text == "scan" for token in passed)
    while c.token.kind not in ("line", "}", "end") and (c.token.kind != ";" or inside > 0):
        inside += _NESTING.get(c.token.kind, 0)
        if c.token.kind == "{":
            _skip_braces(c, has_statements=has_statements)
        else:
            has_statements |= c.advance().text == "scan"
    if c.tokens[c.index - 1].kind == ":" or (first.text in _WITH_BODY and c.tokens[c.index - 1].kind != "}"):
        skip_indented(c, first)


def _skip_braces(c: Cursor, *, has_statements: bool) -> None:
    opener = c.advance()
    if has_statements and c.depth < MAX_DEPTH // 2:
        c.depth += 2
        separated(c, opener, statement)
        c.depth -= 2
        c.take("}")
        return
    open_ = 1
    while open_ and c.token.kind != "end":
        open_ += {"{": 1, "}": -1}.get(c.advance().kind, 0)


def statement(c: Cursor) -> Body:
    """One statement of a body; what can only stand at the top level is reported."""
    token = c.token
    if token.kind == "name":
        if token.text in _STATEMENTS:
            check_no_name(c)
            return _STATEMENTS[token.text](c)
        following = c.following().kind
        if token.text in SECTIONS and following in AFTER_SECTION:
            raise Mistake(MisplacedSection(c.place(), token.text))
        if token.text in FOREIGN_WORDS and following in AFTER_SECTION:
            raise Mistake(ForeignWord(c.place(), token.text, FOREIGN_WORDS[token.text]))
        if token.text == "else" and following in ("{", "name"):
            raise c.unexpected("a statement", "`else` follows the `}` of its `if`")
    if token.kind == "//" or (token.kind == "/" and c.following().kind in ("*", "**")):
        raise c.unexpected("a statement", "a comment begins with `#`")
    if token.kind == "{":
        raise c.unexpected("a statement", "`{` stands on the line of what it is the body of")
    return _assign_or_result(c)


def check_no_name(c: Cursor) -> None:
    """Refuse `=` after a word that begins a statement or a section."""
    token = c.token
    if c.following().kind == "=":
        c.advance()
        if token.text in _OF_A_VALUE:
            raise c.unexpected("a value", f"write `{token.text} value`, without `=`")
        raise c.unexpected(f"what `{token.text}` begins", "it is a word of the language: choose another name")


def _assign_or_result(c: Cursor) -> Assign | Result:
    start = c.token.start
    if c.is_word("scan"):
        found = scan(c)
        return Result(c.span(start), found)
    left = values(c)
    if c.token.kind != "=":
        return Result(c.span(start), left)
    targets = _names(c, left, "`=`")
    c.advance()
    right = scan(c) if c.is_word("scan") else values(c)
    return Assign(c.span(start), targets, right)


def _names(c: Cursor, left: tuple[Expression, ...], where: str) -> tuple[Name, ...]:
    """The names that stand left of `=` or `in`."""
    names = []
    for expression in left:
        if not isinstance(expression, Name):
            c.report(NotAName(c.place_of(expression), where))
            continue
        if expression.text not in STRUCTURE:
            check_new_name(c, expression)
        names.append(expression)
    return tuple(names)


def body(c: Cursor, word: str, *, result: bool = False) -> tuple[Body, ...]:
    """`{ statements }`; with `result` the last may be a bare value."""
    opener = open_brace(c, word)
    c.enter(2)
    found = separated(c, opener, statement)
    c.depth -= 2
    found = one_by_one(close_brace(c, opener, found))
    check_results(c, found, f"in the body of `{word}`", last=result)
    return found


def open_brace(c: Cursor, word: str) -> Token:
    """Take `{`, and a comment that shares its line, which belongs to the statement."""
    if c.token.kind == ":" and c.following().kind in ("line", "end", "name"):
        raise Mistake(ColonBody(c.place(), word))
    if c.token.kind == "=":
        raise Mistake(EqualsInCondition(c.place()))
    if c.token.kind == "line" and c.following().kind == "{":
        c.report(Unexpected(c.place(), "`{`", c.describe(c.token), "`{` stands on the same line"))
        c.advance()
    opener = c.expect("{", "`{`")
    if comment := c.comment_on_line():
        c.headers.append(comment)
    return opener


def close_brace(c: Cursor, opener: Token, found: tuple[S, ...]) -> tuple[S, ...]:
    """Take `}`; comments on the lines before it go below the last statement."""
    below = c.comments_before(c.token.start)
    if (has_left_body(c, opener) or not c.take("}")) and c.unclosed_at != c.index:
        c.unclosed_at = c.index
        c.report(c.unclosed(opener, "}"))
    if not below:
        return found
    if not found:
        c.headers.extend(below)
        return found
    last = found[-1]
    return (*found[:-1], replace(last, comments=replace(last.comments, below=below)))


def one_by_one(found: tuple[S, ...]) -> tuple[S | Declare | Assert, ...]:
    """Each weight, state and assertion as a statement of its own: how they share lines means nothing."""
    return tuple(single for node in found for single in _singles(node))


def _singles(node: S) -> tuple[S | Declare | Assert, ...]:
    parts: tuple[Declare | Assert, ...]
    if isinstance(node, Declare) and len(node.names) > 1:
        parts = tuple(replace(node, names=(label,), comments=Comments()) for label in node.names)
    elif isinstance(node, Assert) and len(node.relations) > 1:
        parts = tuple(replace(node, relations=(relation,), comments=Comments()) for relation in node.relations)
    else:
        return (node,)
    first = replace(parts[0], comments=Comments(node.comments.before, gap=node.comments.gap))
    last = replace(parts[-1], comments=Comments((), node.comments.after, node.comments.below))
    return (first, *parts[1:-1], last)


def check_results(c: Cursor, found: tuple[Body, ...], where: str, *, last: bool) -> None:
    for node in found[: len(found) - last]:
        if isinstance(node, Result):
            c.report(LostValue(c.place_of(node), "before the last line" if last else where))


def declare(c: Cursor) -> Declare:
    """`weight a, b: type = initial`."""
    kind = c.advance()
    names = [new_name(c, f"the name of a {kind.text}")]
    while c.take(","):
        names.append(new_name(c, f"the name of a {kind.text}"))
    c.expect(":", "`:` and a type", f"write `{kind.text} {names[0].text}: f32[a, b]`")
    declared = type_(c)
    initial = pipe(c) if c.take("=") else None
    return Declare(c.span(kind.start), kind.text, tuple(names), declared, initial)


def _repeat(c: Cursor) -> Repeat:
    start = c.advance().start
    found = values(c)
    names: tuple[Name, ...] = ()
    if c.take_word("in"):
        names = _names(c, found, "`in`")
        over = pipe(c)
    elif len(found) > 1:
        raise c.unexpected("`in`")
    else:
        over = found[0]
    turns = body(c, "repeat")
    return Repeat(c.span(start), names, over, turns)


def _if(c: Cursor) -> If:
    start = c.advance().start
    condition = pipe(c)
    then = body(c, "if")
    otherwise: tuple[Body, ...] = ()
    if c.take_word("else"):
        if c.is_word("if"):
            c.enter()
            otherwise = (_if(c),)
            c.depth -= 1
        else:
            otherwise = body(c, "else")
    return If(c.span(start), condition, then, otherwise)


def scan(c: Cursor) -> Scan:
    """`scan(settings) x in xs, ... with h = h0, ... { body }`."""
    start = c.advance().start
    settings = arguments(c) if c.token.kind == "(" else ()
    _check_settings(c, settings)
    over = [_over(c)]
    while c.take(","):
        over.append(_over(c))
    carried = []
    if c.take_word("with"):
        carried.append(_carried(c))
        while c.take(","):
            carried.append(_carried(c))
    check_distinct(c.report, "name", (item.name for item in (*over, *carried)))
    step = body(c, "scan", result=True)
    return Scan(c.span(start), settings, tuple(over), tuple(carried), step)


def _check_settings(c: Cursor, settings: tuple[Argument, ...]) -> None:
    for argument in settings:
        if argument.name is None:
            c.report(UnnamedScanSetting(c.place_of(argument)))
        elif argument.name.text not in SCAN_SETTINGS:
            place = c.place_of(argument.name)
            meant = nearest(argument.name.text, SCAN_SETTINGS)
            known = ", ".join(f"`{word}`" for word in SCAN_SETTINGS)
            c.report(UnknownSetting(place, argument.name.text, "`scan`", meant, "", known))


def _over(c: Cursor) -> Over:
    start = c.token.start
    item = new_name(c)
    if not c.take_word("in"):
        raise c.unexpected("`in`", "a scan is written `scan x in xs with h = h0 { ... }`")
    value = pipe(c)
    return Over(c.span(start), item, value)


def _carried(c: Cursor) -> Over:
    start = c.token.start
    item = new_name(c)
    c.expect("=", "`=` and a first value")
    value = pipe(c)
    return Over(c.span(start), item, value)


def loss(c: Cursor) -> Loss:
    """`loss name = value` or `loss value`."""
    start = c.advance().start
    label = named(c)
    value = pipe(c)
    return Loss(c.span(start), label, value)


def named(c: Cursor) -> Name | None:
    """The `name =` that a loss or a metric may begin with."""
    if c.token.kind != "name" or c.token.text == "not" or c.following().kind != "=":
        return None
    label = name(c)
    c.advance()
    return label


def asserting(c: Cursor) -> Assert:
    """`assert relation, relation`."""
    start = c.advance().start
    relations = []
    for value in values(c):
        if isinstance(value, Binary) and value.operator in COMPARISONS:
            relations.append(value)
        elif c.token.kind == "=":
            raise Mistake(EqualsInCondition(c.place()))
        else:
            c.report(NotAComparison(c.place_of(value)))
    return Assert(c.span(start), tuple(relations))


_STATEMENTS: dict[str, Callable[[Cursor], Body]] = {
    "weight": declare,
    "state": declare,
    "repeat": _repeat,
    "if": _if,
    "scan": _assign_or_result,
    "loss": loss,
    "assert": asserting,
}
