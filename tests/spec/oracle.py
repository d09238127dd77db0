"""The language as its grammar in docs/ has it, read by Lark: an opinion that owes nothing to our parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

GRAMMAR = Path(__file__).parents[2] / "docs" / "language" / "axon.lark"


class _Brackets:
    """Drops line ends inside round and square brackets."""

    always_accept = ("_NL",)

    def process(self, tokens: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        for token in tokens:
            depth += {"LPAR": 1, "LSQB": 1, "RPAR": -1, "RSQB": -1}.get(token.type, 0)
            if token.type != "_NL" or depth == 0:
                yield token


@cache
def grammar(start: str) -> Lark:
    text = GRAMMAR.read_text(encoding="utf-8")
    words = sorted(set(re.findall(r'"([a-z]+)"', text)))
    text = re.sub(r'"([a-z]+)"', lambda word: f"_{word[1].upper()}_WORD", text)
    text += "".join(f"\n_{word.upper()}_WORD.1: /{word}\\b/" for word in words)
    return Lark(text, parser="lalr", start=start, postlex=_Brackets(), maybe_placeholders=True)


def accepts(text: str, start: str = "file") -> bool:
    try:
        grammar(start).parse(text)
    except UnexpectedInput:
        return False
    return True


def tree_of(text: str) -> Tree[Token]:
    """The tree of an expression."""
    return grammar("pipe").parse(text)
