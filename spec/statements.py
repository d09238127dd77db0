"""Tokens -> the statements of a body, going on at the next statement after a mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .cursor import STRUCTURE, Cursor, Mistake
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
from .record import replace
from .source import Diagnostic
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

S = TypeVar("S", bound=Statement)

SECTIONS = frozenset("axonc model include data input block output metric train group generate".split())
_AFTER_SECTION = frozenset(("name", "text", "number", "{"))
_WITH_BODY = frozenset("block repeat if scan data train group generate".split())

_FOREIGN = {
    "for": "write `repeat i in n { ... }`, or `scan x in xs with h = h0 { ... }` for a loop over time",
    "while": "write `repeat n { ... }`: how often is known when compiling",
    "def": "write `block f(x; units) { ... }`",
    "fn": "write `block f(x; units) { ... }`",
    "func": "write `block f(x; units) { ... }`",
    "function": "write `block f(x; units) { ... }`",
    "class": "write `block f(x; units) { ... }`",
    "return": "a block's result is its last line: leave the word out",
    "let": "write `y = ...`",
    "var": "write `y = ...`",
    "const": "constants stand in the model line: `model m(d = 64)`",
    "import": 'write `include "blocks.axon"`',
    "from": 'write `include "blocks.axon"`',
    "elif": "write `else if`",
    "elseif": "write `else if`",
    "elsif": "write `else if`",
    "param": "write `weight W: f32[a, b]`",
    "parameter": "write `weight W: f32[a, b]`",
    "outputs": "write `output p = softmax(logits)`",
    "inputs": "write `input x: f32[N, 8]`",
}


def separated(c: Cursor, closing: str, read: Callable[[Cursor], S]) -> tuple[S, ...]:
    """Statements up to `closing`, which is not taken; those that cannot be read are reported and left out."""
    found: list[S] = []
    while True:
        while c.take("line") or c.take(";"):
            pass
        if c.token.kind in (closing, "end") or (closing == "}" and _left_body(c)):
            return tuple(found)
        if c.token.kind == "}":
            c.report(ExtraBracket(c.place(), c.advance().text))
            continue
        node = _guarded(c, read)
        if node is not None:
            found.append(node)


def _left_body(c: Cursor) -> bool:
    """Whether a section begins at the margin, so that a `}` must have been forgotten before it."""
    is_section = c.token.text in SECTIONS and c.following().kind in _AFTER_SECTION
    return is_section and c.starts_line() and c.margin(c.token) == 0


def _guarded(c: Cursor, read: Callable[[Cursor], S]) -> S | None:
    """One statement with its comments, or None after a mistake in it, which is then behind us."""
    first = c.token
    depth, free, known = c.depth, c.words_are_free, len(c.mistakes)
    before = c.comments_before(first.start)
    headers, c.headers = c.headers, []
    try:
        node = read(c)
        _end(c, first)
    except Mistake as mistake:
        c.depth, c.words_are_free = depth, free
        report_mistake(c, mistake.diagnostic, known)
        _skip(c, first)
        node = None
    mine, c.headers = c.headers, headers
    inside = c.comments_before(c.end)
    after = c.comment_on_line()
    if node is None or not (before or mine or inside or after):
        return node
    if mine and not after:
        after = mine.pop(0)
    return replace(node, comments=Comments((*before, *mine, *inside), after, node.comments.below))


def _end(c: Cursor, first: Token) -> None:
    if c.token.kind in ("line", ";", "}", "end") or c.starts_line():
        return
    if c.token.text in _FOREIGN:
        raise Mistake(ForeignWord(c.place(), c.token.text, _FOREIGN[c.token.text]))
    if c.token.kind == "=" and first.text in ("if", "repeat", "assert"):
        raise Mistake(EqualsInCondition(c.place()))
    raise c.unexpected("the end of the statement", _advice(c, first))


def _advice(c: Cursor, first: Token) -> str:
    """What somebody may have meant who wrote one thing too many."""
    token = c.token
    if token.kind in ("name", "number", "text") and c.tokens[c.index - 1].kind == "name":
        return f"a call is written `{c.tokens[c.index - 1].text}({token.text})`"
    if token.kind == ":" and c.tokens[c.index - 1] is first:
        return f"an input is declared by `input {first.text}: f32[N, 8]`, a weight by `weight {first.text}: f32[a, b]`"
    return ""


def report_mistake(c: Cursor, diagnostic: Diagnostic, known: int) -> None:
    """A reserved word used as a value is what then could not be read on: one mistake, told once."""
    for i, earlier in enumerate(c.mistakes[known:], known):
        if earlier.code == "reserved-name" and earlier.place.span.end >= c.tokens[max(c.index - 1, 0)].start:
            del c.mistakes[i:]
            c.report(Unexpected(earlier.place, "a value", f"the word `{earlier.place.span.text}`"))
            return
    c.report(diagnostic)


def _skip(c: Cursor, first: Token) -> None:
    """To the end of a statement that could not be read; mistakes in its body are found all the same."""
    while c.token.kind not in ("line", ";", "}", "end"):
        if c.take("{"):
            _skip_body(c, first)
        else:
            c.advance()
    if c.tokens[c.index - 1].kind == ":" or (first.text in _WITH_BODY and c.tokens[c.index - 1].kind != "}"):
        _skip_indented(c, first)


def _skip_body(c: Cursor, first: Token) -> None:
    if first.text in ("data", "train", "group", "generate") or c.depth > 32:
        depth = 1
        while depth and c.token.kind != "end":
            depth += {"{": 1, "}": -1}.get(c.advance().kind, 0)
        return
    separated(c, "}", statement)
    c.take("}")


def _skip_indented(c: Cursor, first: Token) -> None:
    """Past the lines that were meant as the body of a statement whose `{` is missing, and past their `}`."""
    margin = c.margin(first)
    while c.token.kind == "line" and c.following().kind != "end" and c.margin(c.following()) > margin:
        c.advance()
        while c.token.kind not in ("line", "end"):
            c.advance()
    if c.token.kind == "line" and c.following().kind == "}" and c.margin(c.following()) == margin:
        c.advance()
        c.advance()


def statement(c: Cursor) -> Body:
    """One statement of a body; what can only stand at the top level is reported."""
    token = c.token
    if token.kind == "name":
        if token.text in _STATEMENTS:
            return _STATEMENTS[token.text](c)
        following = c.following().kind
        if token.text in SECTIONS and following in _AFTER_SECTION:
            raise Mistake(MisplacedSection(c.place(), token.text))
        if token.text in _FOREIGN and following in _AFTER_SECTION:
            raise Mistake(ForeignWord(c.place(), token.text, _FOREIGN[token.text]))
        if token.text == "else":
            raise c.unexpected("a statement", "`else` follows the `}` of its `if`")
    if token.kind == "//" or (token.kind == "/" and c.following().kind in ("*", "**")):
        raise c.unexpected("a statement", "a comment begins with `#`")
    if token.kind == "{":
        raise c.unexpected("a statement", "`{` stands on the line of what it is the body of")
    return _assign_or_result(c)


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
            raise Mistake(NotAName(c.place_of(expression), where))
        if expression.text not in STRUCTURE:
            check_new_name(c, expression)
        names.append(expression)
    return tuple(names)


def body(c: Cursor, word: str, *, result: bool = False) -> tuple[Body, ...]:
    """`{ statements }`; with `result` the last may be a bare value."""
    opener = open_brace(c, word)
    c.enter()
    found = separated(c, "}", statement)
    c.depth -= 1
    found = close_brace(c, opener, found)
    check_results(c, found, f"in the body of `{word}`", last=result)
    return found


def open_brace(c: Cursor, word: str) -> Token:
    """Take `{`, and a comment that shares its line, which belongs to the statement."""
    if c.token.kind == ":" and c.following().kind in ("line", "end", "name"):
        raise Mistake(ColonBody(c.place(), word))
    if c.token.kind == "=":
        raise Mistake(EqualsInCondition(c.place()))
    instead = "`{` stands on the same line" if c.token.kind == "line" and c.following().kind == "{" else ""
    opener = c.expect("{", "`{`", instead)
    if comment := c.comment_on_line():
        c.headers.append(comment)
    return opener


def close_brace(c: Cursor, opener: Token, found: tuple[S, ...]) -> tuple[S, ...]:
    """Take `}`; comments on the lines before it go below the last statement."""
    below = c.comments_before(c.token.start)
    if not c.take("}") and c.unclosed_at != c.index:
        c.unclosed_at = c.index
        c.report(c.unclosed(opener, "}"))
    if not below:
        return found
    if not found:
        c.headers.extend(below)
        return found
    last = found[-1]
    return (*found[:-1], replace(last, comments=replace(last.comments, below=below)))


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
    return Repeat(c.span(start), names, over, body(c, "repeat"))


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
    return Scan(c.span(start), settings, tuple(over), tuple(carried), body(c, "scan", result=True))


def _check_settings(c: Cursor, settings: tuple[Argument, ...]) -> None:
    for argument in settings:
        if argument.name is None:
            c.report(UnnamedScanSetting(c.place_of(argument)))


def _over(c: Cursor) -> Over:
    start = c.token.start
    item = new_name(c)
    if not c.take_word("in"):
        raise c.unexpected("`in`", "a scan is written `scan x in xs with h = h0 { ... }`")
    return Over(c.span(start), item, pipe(c))


def _carried(c: Cursor) -> Over:
    start = c.token.start
    item = new_name(c)
    c.expect("=", "`=` and a first value")
    return Over(c.span(start), item, pipe(c))


def loss(c: Cursor) -> Loss:
    """`loss name = value` or `loss value`."""
    start = c.advance().start
    label = named(c)
    return Loss(c.span(start), label, pipe(c))


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
