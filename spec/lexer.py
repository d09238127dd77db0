"""Text of the language -> tokens and comments, each with its place in the source.

Line ends are tokens, but not inside `(` and `[`, nor where the next line begins with `|>` or `else`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .source import Source


class Token(NamedTuple):
    """One word, sign or line end. `kind` is `name`, `number`, `text`, `line`, `end`, `wrong`, or the sign itself."""

    kind: str
    text: str
    start: int
    end: int


class Comment(NamedTuple):
    """A comment's text without its `#`, from `start` on."""

    text: str
    start: int


class Tokens(NamedTuple):
    """What a stretch of text is made of; the last token is always `end`. A text that is too long has no other."""

    tokens: list[Token]
    comments: list[Comment]
    is_too_long: bool = False


MAX_TOKENS = 200_000


# Spellings of other languages, longest first: none of them can stand side by side in a sound text.
FOREIGN = ("===", "!==", "&&", "||", "->", "=>", "<>", ":=", "**=", "//=", "+=", "-=", "*=", "/=", "@=", "%=")

# What YAML cannot hold, or takes for a line end where the language sees none.
UNPRINTABLE = re.compile(
    "\r(?!\n)|[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<line>\r?\n)"
    r"|(?P<comment>#[^\n]*)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?!\w))"
    r"|(?P<number>[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]+)?(?:[kMGT]B?|[KMGT]iB)?(?!\w))"
    r"|(?P<text>\"[^\"\n]*\"|'[^'\n]*')"
    rf"|(?P<foreign>{'|'.join(map(re.escape, FOREIGN))})"
    r"|(?P<sign>\|>|\.\.\.|\*\*|//|[=!<>]=|[-+*/%@<>=()\[\]{},:;.])"
)
_WRONG = re.compile(r"[\"'][^\n]*|[0-9]\w*(?:\.\w+)?|\w+|.", re.DOTALL)
_CLOSERS = {")": "(", "]": "["}


def tokenise(source: Source, start: int = 0, end: int | None = None) -> Tokens:
    """The tokens of `source.text[start:end]`; what is no token becomes one of kind `wrong`."""
    text = source.text
    end = len(text) if end is None else end
    tokens: list[Token] = []
    comments: list[Comment] = []
    position = start
    while position < end:
        match = _TOKEN.match(text, position, end)
        if match is None:
            match = _WRONG.match(text, position, end)
            assert match is not None
            found = match[0].rstrip() or match[0]
            tokens.append(Token("wrong", found, position, position + len(found)))
        elif (kind := match.lastgroup) == "comment":
            comments.append(Comment(_comment_text(match[0]), position))
        elif kind != "space":
            tokens.append(_token(kind or "", match[0], position, match.end()))
            if len(tokens) > MAX_TOKENS:
                return Tokens([Token("end", "", position, position)], [], is_too_long=True)
        position = match.end()
    tokens.append(Token("end", "", end, end))
    return Tokens(_significant(tokens), comments)


def _token(kind: str, text: str, start: int, end: int) -> Token:
    if kind == "sign":
        kind = text
    elif kind == "foreign":
        kind = "wrong"
    return Token(kind, text, start, end)


def _comment_text(text: str) -> str:
    return text[1:].removeprefix(" ").rstrip()


def _significant(tokens: list[Token]) -> list[Token]:
    """Without the line ends that mean nothing, and one for each run of the others."""
    closed = _closed_brackets(tokens)
    kept: list[Token] = []
    depth = 0
    line_end: Token | None = None
    for i, token in enumerate(tokens):
        if token.kind == "line":
            line_end = line_end or (None if depth else token)
            continue
        if line_end and not _continues(token):
            kept.append(line_end)
        line_end = None
        if i in closed:
            depth += 1 if token.kind in "([" else -1
        kept.append(token)
    return kept


def _continues(token: Token) -> bool:
    return token.kind == "|>" or (token.kind == "name" and token.text == "else")


def _closed_brackets(tokens: list[Token]) -> set[int]:
    """The indices of round and square brackets that have a partner: one that has none ends with its line."""
    partners: set[int] = set()
    open_: list[tuple[int, int]] = []
    line = 0
    for i, token in enumerate(tokens):
        if token.kind == "line":
            line += 1
        elif token.kind in ("(", "["):
            open_.append((i, line))
        elif token.kind in ("{", "}"):
            open_.clear()
        elif token.kind in _CLOSERS and open_:
            opener, opened_on = open_[-1]
            if tokens[opener].kind == _CLOSERS[token.kind] or opened_on == line:
                open_.pop()
                partners |= {opener, i}
    return partners
