"""No document exhausts time or memory, and every failure of YAML is a mistake with a place."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest
from axonc.spec.load import parse
from axonc.spec.source import Source

from ..timing import is_done_within

MODELS = sorted((Path(__file__).parent / "models").iterdir())


def _laughs(levels: int, width: int) -> str:
    names = [f"a{i}" for i in range(levels)]
    lines = [f"{names[0]}: &{names[0]} [{', '.join(['1'] * width)}]"]
    for last, name in pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{last}'] * width)}]")
    return "\n".join(lines)


BOMBS = {
    "lists": "[" * 500_000,
    "mappings": "{a: " * 200_000,
    "closed lists": "[" * 200_000 + "]" * 200_000,
    "dashes": "- " * 300_000,
    "questions": "? " * 300_000,
    "laughs": _laughs(10, 9),
    "wide laughs": _laughs(4, 300),
    "deep laughs": _laughs(60, 2),
    "mapping laughs": "\n".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}" if i else "a0: &a0 1" for i in range(60)),
    "itself": "a: &a [*a]",
    "itself as key": "&a {*a : 1}",
    "keys": "\n".join(f"k{i}: 1" for i in range(60_000)),
    "a long word": "a: " + "b" * 900_000,
    "a long text": 'a: "' + "b\n" * 400_000,
    "too large": "a" * 2_000_000,
    "colons": ": " * 100_000,
    "anchors": "&a " * 100_000,
    "tags": "!!" * 200_000,
    "quotes": "'" * 500_000,
    "hashes": "#" * 900_000,
    "comments": "# a\n" * 200_000,
    "blank lines": "\n" * 900_000 + "a: 1",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_within_a_second(text: str) -> None:
    assert is_done_within(1, lambda: parse(Source("bomb.yaml", text)))


AXON_BOMBS = {
    "brackets": "x = " + "(" * 300_000,
    "lists": "x = " + "[" * 300_000 + "]" * 300_000,
    "signs": "x = " + "-" * 500_000 + "1",
    "powers": "x = " + "2**" * 200_000 + "1",
    "nots": "x = " + "not " * 200_000 + "1",
    "choices": "x = " + "1 if 1 else " * 60_000 + "1",
    "sums": "x = " + "1+" * 400_000 + "1",
    "pipes": "x = 1" + "|>f" * 200_000,
    "calls": "x = f" + "()" * 300_000,
    "members": "x = f" + ".a" * 300_000,
    "blocks": "repeat 2 {" * 60_000,
    "else if": "if 1 {} " + "else if 1 {} " * 60_000,
    "settings": "train {" + "stop {" * 100_000,
    "blank lines": "x = 1" + "\n" * 900_000 + "|> f",
    "comments": "x = 1" + "\n# c" * 200_000 + "\n|> f",
    "names": "a, " * 300_000 + "= 1",
    "braces": "{" * 300_000,
    "closing braces": "}" * 100_000,
    "digits": "x = " + "9" * 500_000,
    "quotes": "'" * 500_000,
    "errors": "x = = 1\n" * 20_000,
}


def test_a_text_of_too_many_words_is_a_mistake() -> None:
    _, mistakes = parse(Source("long.axon", "x = 1\n" * 100_000))
    assert [mistake.code for mistake in mistakes] == ["too-long"]


@pytest.mark.parametrize("text", AXON_BOMBS.values(), ids=AXON_BOMBS)
def test_a_bomb_in_the_language_ends_within_seconds(text: str) -> None:
    assert is_done_within(3, lambda: parse(Source("bomb.axon", text)))


@pytest.mark.parametrize("depth", [65, 1000, 100_000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_beyond_the_limit_is_a_mistake(depth: int, opening: str) -> None:
    _, mistakes = parse(Source("deep.yaml", opening * depth))
    assert [mistake.code for mistake in mistakes] == ["too-deep"]


PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "\n",
    "\n  ",
    '"',
    "'",
    "#",
    "|",
    ">",
    "&a ",
    "*a",
    "!x",
    "? ",
    "<<: ",
    "\t",
    "\r",
]
PIECES += [
    "from: ",
    "as: x",
    "- repeat: 3\n",
    "layers:",
    "é",
    "\x07",
    "0",
    ".5",
    "~",
    "---\n",
    "%",
    "@",
    "`",
    "|>",
    "else",
]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_specs_end_in_mistakes_with_places(seed: int) -> None:
    random_ = random.Random(seed)
    for _ in range(150):
        path = random_.choice(MODELS)
        text = path.read_text(encoding="utf-8")
        for _ in range(random_.randint(1, 6)):
            at = random_.randrange(len(text))
            text = text[:at] + random_.choice(PIECES) + text[at + random_.choice([0, 0, 1, 5]) :]
        _, mistakes = parse(Source(path.name, text))
        for mistake in mistakes:
            assert mistake.render_title()
            assert 0 <= mistake.place.span.start <= mistake.place.span.end <= len(text)
