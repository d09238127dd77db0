"""Reading tokens one by one: expectations, places, comments and going on after a mistake."""

from __future__ import annotations

from .errors import (
    BadNumber,
    ForeignOperator,
    TooDeep,
    TooLong,
    UnclosedBracket,
    UnclosedText,
    Unexpected,
    UnexpectedCharacter,
)
from .lexer import FOREIGN, MAX_TOKENS, Token, tokenise
from .source import Diagnostic, Place, Source, Span
from .tree import Syntax

MAX_DEPTH = 56
MAX_HEIGHT = 160

STRUCTURE = frozenset(
    "axonc model include data input block output metric loss train group generate assert weight state repeat scan if "
    "else in with and or not".split()
)
RESERVED = STRUCTURE | frozenset("true false none training evaluating predicting".split())
RESERVED_IN_YAML = frozenset("expression weights states from as then layers residual".split())

_INSTEAD = {
    "&&": "`and`", "||": "`or`", "===": "`==`", "!==": "`!=`", "<>": "`!=`", "->": "`|>`", "=>": "`|>`", ":=": "`=`",
    "!": "`not`", "^": "`**`", "|": "`|>`, or `or` between conditions", "&": "`and`", "\u00d7": "`*`",
    "\u2212": "`-`", "\u2013": "`-`", "\u00f7": "`/`", "\u00b7": "`*`", "\u2264": "`<=`", "\u2265": "`>=`",
    "\u2260": "`!=`", "\u201c": '`"`', "\u201d": '`"`', "\u2018": "`'`", "\u2019": "`'`", "`": '`"` around a text',
    "\\": "nothing: a line goes on inside brackets, or where the next one begins with `|>`",
}  # fmt: skip


class Mistake(Exception):
    """The statement cannot be read on from here."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic)
        self.diagnostic = diagnostic


class Cursor:
    """Where a reader stands in a text. `mistakes` collects what it found.

    `words_are_free` says that reserved words may name values: in the standard library, and columns in `data`.
    """

    def __init__(self, source: Source, start: int = 0, end: int | None = None, *, library: bool = False) -> None:
        self.source = source
        self.tokens, self.comments, is_too_long = tokenise(source, start, end)
        self.words_are_free = library
        self.mistakes: list[Diagnostic] = [TooLong(self.place(self.tokens[0]), MAX_TOKENS)] if is_too_long else []
        self.index = 0
        self.token = self.tokens[0]
        self.end = start
        self.depth = 0
        self.height = 0
        self.next_comment = 0
        self.headers: list[str] = []
        self.unclosed_at = -1
        self.lacks_brace = sum({"{": 1, "}": -1}.get(token.kind, 0) for token in self.tokens) > 0

    # Tokens

    def advance(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.index += 1
            self.token = self.tokens[self.index]
            self.end = token.end
        return token

    def following(self) -> Token:
        """The token after the present one."""
        return self.tokens[min(self.index + 1, len(self.tokens) - 1)]

    def take(self, kind: str) -> Token | None:
        return self.advance() if self.token.kind == kind else None

    def is_word(self, text: str) -> bool:
        return self.token.kind == "name" and self.token.text == text

    def take_word(self, text: str) -> Token | None:
        return self.advance() if self.is_word(text) else None

    def expect(self, kind: str, what: str, instead: str = "") -> Token:
        if self.token.kind != kind:
            raise self.unexpected(what, instead)
        return self.advance()

    def close(self, opener: Token, closing: str) -> None:
        """Take the bracket that closes `opener`."""
        if self.token.kind == closing:
            self.advance()
        elif self.token.kind in ("line", "end", "{", "}"):
            raise Mistake(self.unclosed(opener, closing))
        else:
            advice = "in a call settings follow after a comma: `f(x, 64, rate = 0.1)`" if self.token.kind == ";" else ""
            raise self.unexpected(f"`,` or `{closing}`", advice)

    def is_closed(self, closing: str) -> bool:
        """Whether nothing more can stand inside of a bracket: it closes, or never will."""
        return self.token.kind in (closing, "line", "end", "{", "}")

    def unclosed(self, opener: Token, closing: str) -> UnclosedBracket:
        return UnclosedBracket(self.place(opener), opener.text, closing, self.describe(self.token))

    def starts_line(self) -> bool:
        """Whether nothing stands before the present token on its line."""
        return self.index == 0 or self.tokens[self.index - 1].kind == "line"

    def margin(self, token: Token) -> int:
        """How far the line of a token is indented."""
        text = self.source.text
        start = text.rfind("\n", 0, token.start) + 1
        return len(text[start : token.start]) - len(text[start : token.start].lstrip(" \t"))

    # Depth

    def enter(self, levels: int = 1) -> None:
        """Go deeper; leave with `depth -= levels`. A body counts as two, so that it nests as deep in YAML."""
        self.depth += levels
        if self.depth > MAX_DEPTH:
            raise Mistake(TooDeep(self.place(self.tokens[self.index - 1]), MAX_DEPTH))

    def grow(self, *heights: int) -> None:
        """Note that a node was put on others of the given heights."""
        self.height = 1 + max(heights)
        if self.height > MAX_HEIGHT:
            raise Mistake(TooDeep(self.place(), MAX_HEIGHT))

    # Places and mistakes

    def span(self, start: int) -> Span:
        """From `start` to the end of the last token taken."""
        return Span(self.source, start, self.end)

    def place(self, token: Token | None = None) -> Place:
        token = token or self.token
        return Place(Span(self.source, token.start, token.end))

    def place_of(self, node: Syntax) -> Place:
        return Place(node.span)

    def report(self, diagnostic: Diagnostic) -> None:
        self.mistakes.append(diagnostic)

    def unexpected(self, expected: str, instead: str = "") -> Mistake:
        """The mistake that the present token is, where `expected` should stand."""
        token = self.token
        if token.kind == "wrong":
            return Mistake(_wrong(self.place(), token.text))
        return Mistake(Unexpected(self.place(), expected, self.describe(token), instead))

    def describe(self, token: Token) -> str:
        if token.kind == "line":
            return "the end of the line"
        if token.kind == "end":
            return "the end of the text"
        return f"`{token.text}`"

    # Comments

    def comments_before(self, limit: int) -> tuple[str, ...]:
        """Take the comments that stand before `limit`."""
        taken = []
        while self.next_comment < len(self.comments) and self.comments[self.next_comment].start < limit:
            taken.append(self.comments[self.next_comment].text)
            self.next_comment += 1
        return tuple(taken)

    def has_gap(self) -> bool:
        """Whether a blank line stands before the present token and the comments that lead to it."""
        start = self.token.start
        if self.next_comment < len(self.comments):
            start = min(start, self.comments[self.next_comment].start)
        return self.source.has_gap(start)

    def comment_on_line(self) -> str:
        """Take the comment that shares the line with the last token taken and stands before the next statement."""
        if self.next_comment < len(self.comments):
            text, start = self.comments[self.next_comment]
            limit = self.following().start if self.token.kind == ";" else self.token.start
            if start < limit and "\n" not in self.source.text[self.end : start]:
                self.next_comment += 1
                return text
        return ""


def _wrong(place: Place, found: str) -> Diagnostic:
    if found[0] in "\"'":
        return UnclosedText(place)
    if found[0].isdigit():
        return BadNumber(place, found, *_number_reason(found))
    if found in FOREIGN:
        instead = _INSTEAD.get(found) or f"`x = x {found[:-1]} y`"
        return ForeignOperator(place, found, instead)
    if found in _INSTEAD:
        return ForeignOperator(place, found, _INSTEAD[found])
    instead = "names with the letters a to z, digits and `_`" if found[0].isalpha() else ""
    return UnexpectedCharacter(place, found, instead)


def _number_reason(found: str) -> tuple[str, str]:
    digits = found.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
    word = found[len(digits) :].strip("_")
    if digits and word:
        return "a number runs into a word", f"`{digits} * {word}` for a product"
    return "a number runs into a word", ""
