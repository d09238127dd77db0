"""Tokens -> expressions: the part of the grammar that both notations share. Binding strength, loosest first:

`|>`, `a if c else b`, `or`, `and`, `not`, comparison, `+ -`, `* / // % @`, sign, `**`, call and index and `.`.
"""

from __future__ import annotations

from .cursor import RESERVED, STRUCTURE, Cursor, Mistake
from .errors import (
    ChainedComparison,
    DuplicateName,
    EqualsInCondition,
    HugeNumber,
    MissingElse,
    Percent,
    PipeOperand,
    ReservedName,
)
from .lexer import Token
from .source import Place, Span
from .tree import (
    Argument,
    Binary,
    Call,
    Choice,
    Expression,
    Index,
    ListOf,
    Member,
    Name,
    Number,
    Pipe,
    Rest,
    Slice,
    Text,
    Type,
    Unary,
)

COMPARISONS = frozenset(("==", "!=", "<=", ">=", "<", ">"))
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT = range(1, 7)
_STRENGTH = {
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(COMPARISONS, _COMPARISON),
    **dict.fromkeys("+-", _SUM),
    **dict.fromkeys(("*", "/", "//", "%", "@"), _PRODUCT),
}
_ENDS = frozenset(("line", "end", ";", ",", "}", ")", "]"))
_SCALES: dict[str, int] = {"": 1, **{c: 1000 ** (i + 1) for i, c in enumerate("kMGT")}}
_BINARY_SCALES: dict[str, int] = {c: 1024 ** (i + 1) for i, c in enumerate("KMGT")}
_LONGEST_NUMBER = 64


def pipe(c: Cursor) -> Expression:
    """One whole expression."""
    start = c.token.start
    value = choice(c)
    while c.token.kind == "|>":
        below = c.height
        c.advance()
        step = postfix(c)
        value = Pipe(c.span(start), value, step)
        c.grow(below, c.height)
        if c.token.kind in _STRENGTH or c.token.kind == "**":
            raise Mistake(PipeOperand(c.place(), c.token.text))
    return value


def values(c: Cursor) -> tuple[Expression, ...]:
    """One expression or several with commas between them."""
    found = [pipe(c)]
    while c.take(","):
        found.append(pipe(c))
    return tuple(found)


def choice(c: Cursor) -> Expression:
    start = c.token.start
    yes = _binary(c, _OR)
    if not c.take_word("if"):
        return yes
    below = c.height
    condition = _binary(c, _OR)
    below = max(below, c.height)
    if c.token.kind == "=":
        raise Mistake(EqualsInCondition(c.place()))
    if not c.take_word("else"):
        raise Mistake(MissingElse(c.place(), c.describe(c.token)))
    c.enter()
    no = choice(c)
    c.depth -= 1
    c.grow(below, c.height)
    return Choice(c.span(start), yes, condition, no)


def _binary(c: Cursor, weakest: int) -> Expression:
    """Operators that bind at least as strongly as `weakest`."""
    start = c.token.start
    left = _negation(c) if weakest <= _NOT and c.is_word("not") else _signed(c)
    while True:
        operator = c.token
        strength = _strength(operator)
        if strength < weakest:
            return left
        below = c.height
        c.advance()
        if operator.kind == "%" and isinstance(left, Number) and c.token.kind in _ENDS:
            raise Mistake(Percent(Place(c.span(start)), f"{left.value / 100:g}"))
        right = _binary(c, strength + 1)
        c.grow(below, c.height)
        left = Binary(c.span(start), operator.text, left, right, Span(c.source, operator.start, operator.end))
        if strength == _COMPARISON and c.token.kind in COMPARISONS:
            raise Mistake(ChainedComparison(c.place()))


def _strength(token: Token) -> int:
    word = token.text if token.kind == "name" else token.kind
    return _STRENGTH.get(word, 0)


def _negation(c: Cursor) -> Expression:
    start = c.advance().start
    c.enter()
    value = _binary(c, _NOT)
    c.depth -= 1
    c.grow(c.height)
    return Unary(c.span(start), "not", value)


def _signed(c: Cursor) -> Expression:
    sign = c.take("-") or c.take("+")
    if sign is None:
        return _power(c)
    c.enter()
    value = _signed(c)
    c.depth -= 1
    c.grow(c.height)
    return Unary(c.span(sign.start), sign.text, value)


def _power(c: Cursor) -> Expression:
    start = c.token.start
    base = postfix(c)
    operator = c.take("**")
    if operator is None:
        return base
    below = c.height
    c.enter()
    exponent = _signed(c)
    c.depth -= 1
    c.grow(below, c.height)
    return Binary(c.span(start), "**", base, exponent, Span(c.source, operator.start, operator.end))


def postfix(c: Cursor) -> Expression:
    """An atom with the calls, indices and members that follow it."""
    start = c.token.start
    value = _atom(c)
    while True:
        below = c.height
        if c.token.kind == "(":
            found = arguments(c)
            value = Call(c.span(start), value, found)
        elif c.token.kind == "[":
            indices = _indices(c)
            value = Index(c.span(start), value, indices)
        elif c.take("."):
            part = name(c, "the name of a part")
            value = Member(c.span(start), value, part)
            c.height = 0
        else:
            return value
        c.grow(below, c.height)


def _atom(c: Cursor) -> Expression:
    token = c.token
    c.height = 0
    if token.kind == "name":
        return _word(c)
    if token.kind == "number":
        return number(c)
    if token.kind == "text":
        return text(c)
    if token.kind == "[":
        return _list(c)
    if token.kind == "(":
        return _parenthesis(c)
    raise c.unexpected("a value")


def _word(c: Cursor) -> Name:
    token = c.advance()
    if token.text in STRUCTURE and not c.words_are_free:
        c.report(ReservedName(c.place(token), token.text))
    return Name(c.span(token.start), token.text)


def _parenthesis(c: Cursor) -> Expression:
    opener = c.advance()
    c.enter()
    if c.token.kind in ("line", "end"):
        c.close(opener, ")")
    value = pipe(c)
    c.depth -= 1
    if c.token.kind == ",":
        raise c.unexpected("`)`", "a list stands in square brackets: `[3, 3]`")
    c.close(opener, ")")
    return value


def _list(c: Cursor) -> ListOf:
    opener = c.advance()
    c.enter()
    items: list[Expression] = []
    tallest = 0
    while not c.is_closed("]"):
        items.append(pipe(c))
        tallest = max(tallest, c.height)
        if not c.take(","):
            break
    c.depth -= 1
    c.close(opener, "]")
    c.grow(tallest)
    return ListOf(c.span(opener.start), tuple(items))


def arguments(c: Cursor) -> tuple[Argument, ...]:
    """`(a, b, name = c)`."""
    opener = c.advance()
    c.enter()
    found: list[Argument] = []
    tallest = 0
    while not c.is_closed(")"):
        found.append(_argument(c))
        tallest = max(tallest, c.height)
        if not c.take(","):
            break
    c.depth -= 1
    c.close(opener, ")")
    c.height = tallest
    _check_distinct(c, found)
    return tuple(found)


def _argument(c: Cursor) -> Argument:
    start = c.token.start
    label = None
    if c.token.kind == "name" and c.token.text != "not" and c.following().kind == "=":
        label = name(c)
        c.advance()
    value = pipe(c)
    return Argument(c.span(start), label, value)


def _check_distinct(c: Cursor, found: list[Argument]) -> None:
    first: dict[str, Name] = {}
    for label in (argument.name for argument in found):
        if label is None:
            continue
        known = first.setdefault(label.text, label)
        if known is not label:
            related = (("first given here", known.span),)
            c.report(DuplicateName(c.place_of(label), "argument", label.text, related=related))


def _indices(c: Cursor) -> tuple[Expression | Slice | Rest, ...]:
    opener = c.advance()
    c.enter()
    found = [_index(c)]
    tallest = c.height
    while c.take(","):
        found.append(_index(c))
        tallest = max(tallest, c.height)
    c.depth -= 1
    c.close(opener, "]")
    c.height = tallest
    return tuple(found)


def _index(c: Cursor) -> Expression | Slice | Rest:
    start = c.token.start
    c.height = 0
    if c.take("..."):
        return Rest(c.span(start))
    first = None if c.token.kind == ":" else pipe(c)
    tallest = c.height
    if not c.take(":"):
        assert first is not None
        return first
    stop = _bound(c)
    tallest = max(tallest, c.height)
    step = _bound(c) if c.take(":") else None
    c.grow(tallest, c.height)
    return Slice(c.span(start), first, stop, step)


def _bound(c: Cursor) -> Expression | None:
    return None if c.token.kind in (":", ",", "]") else pipe(c)


def name(c: Cursor, what: str = "a name") -> Name:
    """Any word, reserved ones too: the name of a setting, a column, a part."""
    token = c.expect("name", what)
    return Name(c.span(token.start), token.text)


def new_name(c: Cursor, what: str = "a name") -> Name:
    """A word that names a value from here on."""
    found = name(c, what)
    check_new_name(c, found)
    return found


def check_new_name(c: Cursor, found: Name) -> None:
    if found.text in RESERVED and not c.words_are_free:
        c.report(ReservedName(c.place_of(found), found.text))


def text(c: Cursor, what: str = "a text in quotes", instead: str = "") -> Text:
    token = c.expect("text", what, instead)
    return Text(c.span(token.start), token.text[1:-1])


def number(c: Cursor, what: str = "a number") -> Number:
    token = c.expect("number", what)
    value: int | float = 0
    if len(token.text) > _LONGEST_NUMBER:
        c.report(HugeNumber(c.place(token), token.text, f"a number has at most {_LONGEST_NUMBER} characters"))
    elif (value := number_value(token.text)) == float("inf"):
        c.report(HugeNumber(c.place(token), token.text, "no float is as large as this"))
    return Number(c.span(token.start), value, token.text)


def number_value(spelling: str) -> int | float:
    """`61_706` -> 61706, `2GB` -> 2_000_000_000, `1.5k` -> 1500, `1e-3` -> 0.001."""
    digits = spelling.replace("_", "")
    body = digits.rstrip("kKMGTiB")
    scale = _scale(digits[len(body) :])
    whole, _, rest = body.partition(".")
    if "e" in body or "E" in body:
        return float(body) * scale
    if not rest:
        return int(whole) * scale
    exact, remainder = divmod(int(whole + rest) * scale, 10 ** len(rest))
    return exact if scale > 1 and not remainder else float(body) * scale


def _scale(suffix: str) -> int:
    if suffix.endswith("iB"):
        return _BINARY_SCALES[suffix[0]]
    return _SCALES[suffix.removesuffix("B")]


def type_(c: Cursor) -> Type:
    """`f32[N, 8, 8]`, or a scalar's `f32`."""
    start = c.token.start
    dtype = name(c, "a type such as `f32[N, 8]`")
    sizes: list[Expression] = []
    if opener := c.take("["):
        c.enter()
        if not c.is_closed("]"):
            sizes.extend(values(c))
        c.depth -= 1
        c.close(opener, "]")
    return Type(c.span(start), dtype, tuple(sizes))
