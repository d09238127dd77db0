"""What follows a mistake: where a statement ends, what its writer may have meant, and where to read on."""

from __future__ import annotations

from .cursor import Cursor, Mistake
from .errors import EqualsInCondition, ForeignWord, Unexpected
from .lexer import Token
from .source import Diagnostic

SECTIONS = frozenset("axonc model include data input block output metric train group generate".split())
AFTER_SECTION = frozenset(("name", "text", "number", "{"))
FOREIGN_WORDS = {
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


def has_left_body(c: Cursor, opener: Token | None) -> bool:
    """Whether a `}` must have been forgotten before the present token, which belongs to something outside.

    A section at the margin says so and, in a text that lacks a `}`, whatever is indented no more than the line of `{`.
    """
    if opener is None or not c.starts_line():
        return False
    if c.lacks_brace:
        return c.margin(c.token) < c.margin(opener) + (c.token.kind != "}")
    is_section = c.token.text in SECTIONS and c.following().kind in AFTER_SECTION
    return is_section and c.margin(c.token) == 0


def check_end(c: Cursor, first: Token) -> None:
    """A statement that began with `first` has been read: nothing else may stand on its line."""
    if c.token.kind in ("line", ";", "}", "end") or c.starts_line():
        return
    if c.token.text in FOREIGN_WORDS:
        raise Mistake(ForeignWord(c.place(), c.token.text, FOREIGN_WORDS[c.token.text]))
    if c.token.kind == "=" and first.text in ("if", "repeat", "assert"):
        raise Mistake(EqualsInCondition(c.place()))
    raise c.unexpected("the end of the statement", _advice(c, first))


def _advice(c: Cursor, first: Token) -> str:
    """What somebody may have meant who wrote one thing too many."""
    token = c.token
    if token.kind == ",":
        return "what stands on one line is set apart by `;`"
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


def skip_indented(c: Cursor, first: Token) -> None:
    """Past the lines that were meant as the body of a statement whose `{` is missing, and past their `}`."""
    margin = c.margin(first)
    while c.token.kind == "line" and c.following().kind != "end" and c.margin(c.following()) > margin:
        c.advance()
        while c.token.kind not in ("line", "end"):
            c.advance()
    if c.token.kind == "line" and c.following().kind == "}" and c.margin(c.following()) == margin:
        c.advance()
        c.advance()
