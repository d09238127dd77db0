"""Our parser against the grammar in docs/, read by Lark."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from axonc.spec.cursor import RESERVED, Cursor
from axonc.spec.expression import pipe
from axonc.spec.parser import parse
from axonc.spec.source import Source
from axonc.spec.tree import (
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
    Unary,
)
from lark import Token, Tree

from .oracle import accepts, tree_of

MODELS = sorted((Path(__file__).parent / "models").glob("*.axon"))

# Mistakes of a text that the grammar accepts.
BEYOND_GRAMMAR = {
    "huge-number",
    "duplicate-name",
    "duplicate-section",
    "lost-value",
    "missing-result",
    "not-a-comparison",
    "not-a-name",
    "reserved-name",
    "unknown-setting",
    "unknown-version",
    "unnamed-scan-setting",
}
PIECES = """if else in not and or with from scan weight loss repeat assert state as "a" 1.5 2d ... : ; ** // == = |> { }
( ) [ ] , . - + x f(x) [1] = # // <= 3""".split()
# Lark's lexer takes reserved words for words of the language behind a separator, even where only names can stand.
RESERVED_SETTING = re.compile(rf"[{{;\n]\s*(?:{'|'.join(RESERVED)})\b")


def is_accepted(text: str) -> bool:
    _, mistakes = parse(Source("text", text))
    return all(mistake.code in BEYOND_GRAMMAR for mistake in mistakes)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_models_are_accepted_by_both(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert accepts(text)
    assert is_accepted(text)


def _statements() -> list[str]:
    texts = (path.read_text(encoding="utf-8") for path in MODELS)
    return [part for text in texts for part in re.split(r"\n(?=\w)", text) if len(part) < 400]


def _mutated(random_: random.Random, text: str) -> str:
    parts = re.findall(r"\w+|\s+|[^\w\s]", text)
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(parts)) if parts else 0
        kind = random_.randrange(4)
        if kind == 0 and parts:
            del parts[at]
        elif kind == 1 and parts:
            parts[at] = random_.choice(PIECES)
        elif kind == 2 and parts:
            other = random_.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        else:
            parts.insert(at, random_.choice([*PIECES, "\n", "\n|> f", "\nelse {}", "# c\n"]))
    return "".join(parts)


@pytest.mark.parametrize("seed", range(8))
def test_mutated_statements_are_accepted_by_both_or_by_neither(seed: int) -> None:
    random_ = random.Random(seed)
    statements = _statements()
    accepted = 0
    for _ in range(2000):
        text = _mutated(random_, random_.choice(statements))
        if text.startswith(("data", "train", "group", "generate")) and RESERVED_SETTING.search(text):
            continue
        expected = accepts(text)
        accepted += expected
        assert is_accepted(text) is expected, text
    assert 200 < accepted < 1800


# Structure


def shape(e: Expression | Slice | Rest | None) -> object:
    """An expression as nested tuples."""
    match e:
        case None:
            return None
        case Name() | Number():
            return e.text
        case Text():
            return ("text", e.value)
        case ListOf():
            return ("list", *map(shape, e.items))
        case Call():
            return ("call", shape(e.function), *((a.name and a.name.text, shape(a.value)) for a in e.arguments))
        case Index():
            return ("item", shape(e.value), *map(shape, e.indices))
        case Slice():
            return ("slice", shape(e.start), shape(e.stop), shape(e.step))
        case Rest():
            return ("ellipsis",)
        case Member():
            return ("member", shape(e.value), e.name.text)
        case Unary():
            return (e.operator, shape(e.value))
        case Binary():
            return (e.operator, shape(e.left), shape(e.right))
        case Choice():
            return ("if", shape(e.yes), shape(e.condition), shape(e.no))
        case Pipe():
            return ("|>", shape(e.value), shape(e.step))


def lark_shape(node: Tree[Token] | Token | None) -> object:
    """The same for a tree of Lark's."""
    if node is None or isinstance(node, Token):
        return node and str(node)
    parts = node.children
    match str(node.data):
        case "name" | "number":
            return str(parts[0])
        case "text":
            return ("text", str(parts[0])[1:-1])
        case "list":
            return ("list", *(lark_shape(part) for part in parts if part is not None))
        case "call":
            found = [part for part in parts[1].children if part is not None]
            arguments = [(lark_shape(a.children[0]), lark_shape(a.children[1])) for a in found]
            return ("call", lark_shape(parts[0]), *arguments)
        case "item":
            return ("item", lark_shape(parts[0]), *map(lark_shape, parts[1:]))
        case "index":
            return lark_shape(parts[0])
        case "slice" | "member" | "ellipsis" as word:
            return (word, *map(lark_shape, parts))
        case "choice":
            return ("if", *map(lark_shape, parts))
        case "pipe":
            return ("|>", *map(lark_shape, parts))
        case "either" | "both":
            return ("or" if node.data == "either" else "and", *map(lark_shape, parts))
        case "not":
            return ("not", lark_shape(parts[0]))
        case "power":
            return ("**", *map(lark_shape, parts))
        case "signed":
            return (str(parts[0]), lark_shape(parts[1]))
        case _:
            return (str(parts[1]), lark_shape(parts[0]), lark_shape(parts[2]))


def _random_expression(random_: random.Random, depth: int) -> str:
    """Tokens in an order that is often sound, without any thought of binding strength."""
    atoms = ["a", "b", "2", "1e-3", "'t'", "f(x)", "f(x, k = 2)", "a.b", "a[1:, ::2]", "[a, 1]", "a[..., 0]"]
    atom = random_.choice(atoms)
    if depth == 0:
        return atom
    left, right = _random_expression(random_, depth - 1), _random_expression(random_, depth - 1)
    operators = "+ - * / // % @ ** == < >= and or |> |>".split()
    return random_.choice(
        [
            atom,
            f"{left} {random_.choice(operators)} {right}",
            f"{left} {random_.choice(operators)} {right}",
            f"{left} if {right} else {atom}",
            f"-{left}",
            f"not {left}",
            f"({left})",
            f"({left}){random_.choice(['(x)', '[0]', '.w'])}",
        ]
    )


def test_expressions_bind_as_the_grammar_says() -> None:
    random_ = random.Random(7)
    compared = 0
    for _ in range(4000):
        text = _random_expression(random_, 3)
        if not accepts(text, "pipe"):
            continue
        c = Cursor(Source("text", text))
        assert shape(pipe(c)) == lark_shape(tree_of(text)), text
        assert c.token.kind == "end", text
        compared += 1
    assert compared > 1500
