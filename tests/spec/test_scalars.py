"""What YAML scalars mean in an expression place: YAML 1.2, not what PyYAML makes of them."""

from __future__ import annotations

import pytest
from axonc.spec.load import parse, read
from axonc.spec.source import CompileError, Source
from axonc.spec.tree import Expression, ListOf, Name, Number, Text, Unary
from axonc.spec.write_expression import flat


def value(text: str) -> Expression:
    """The constant `a` of a document that gives it this scalar."""
    return read(Source("m.yaml", f"name: m\nconstants:\n  a: {text}\n")).constants[0].value


NUMBERS = {
    "1e-3": 1e-3, "1e3": 1000.0, "1.0e-3": 1e-3, "1E3": 1000.0, "12": 12, "017": 17, "0o17": 15, "0x1F": 31,
    ".5": 0.5, "5.": 5.0, "1_000": 1000, "2GB": 2 * 10**9, "1.5k": 1500, "4KiB": 4096, "1M": 10**6, "0": 0,
    "1e-9": 1e-9, "3.0": 3.0, ".5e3": 500.0, "1T": 10**12, "1kB": 1000, "007": 7, "0.1": 0.1, "'3'": 3, '"1e-3"': 1e-3,
}  # fmt: skip
WORDS = ["no", "yes", "on", "off", "y", "n", "Yes", "NO", "true_", "nan", "inf", "e3", "O7", "_1", "none", "valid"]
TRUTHS = {"true": "true", "True": "true", "TRUE": "true", "false": "false", "False": "false", "FALSE": "false"}
NOT_VALUES = [
    "1:30",
    "190:20:30",
    ".inf",
    "-.inf",
    ".nan",
    "~",
    "null",
    "2d",
    "1.2.3",
    "0b11",
    "12e",
    "2001-",
    "0x",
    "=",
]


@pytest.mark.parametrize(("text", "expected"), NUMBERS.items())
def test_numbers_are_those_of_yaml_1_2_and_of_the_language(text: str, expected: float) -> None:
    found = value(text)
    assert isinstance(found, Number)
    assert found.value == expected
    assert type(found.value) is type(expected)


@pytest.mark.parametrize("text", ["-1", "-.5", "-1e-3", "-0x1F"])
def test_a_negative_number_is_a_sign_before_a_number(text: str) -> None:
    found = value(text)
    assert isinstance(found, Unary)
    assert isinstance(found.value, Number)
    assert found.operator == "-"


@pytest.mark.parametrize("text", WORDS)
def test_words_that_are_truths_elsewhere_are_words(text: str) -> None:
    assert value(text) == Name(value(text).span, text)


@pytest.mark.parametrize(("text", "expected"), TRUTHS.items())
def test_truths_are_the_words_of_the_language(text: str, expected: str) -> None:
    assert flat(value(text)) == expected


@pytest.mark.parametrize("text", NOT_VALUES)
def test_what_means_something_else_elsewhere_is_a_mistake(text: str) -> None:
    with pytest.raises(CompileError) as caught:
        value(text)
    assert caught.value.diagnostics[0].place.span.line == 3


def test_dates_are_subtractions() -> None:
    assert flat(value("2020-99-99")) == "2020 - 99 - 99"


def test_a_text_needs_its_own_quotes() -> None:
    assert isinstance(value("\"'male'\""), Text)
    assert isinstance(value("male"), Name)


def test_a_list_is_a_list_of_expressions() -> None:
    found = value('[1, "a + b", [c]]')
    assert isinstance(found, ListOf)
    assert flat(found) == "[1, a + b, [c]]"


def test_a_block_holds_an_expression_of_several_lines() -> None:
    text = 'name: m\nconstants:\n  a: |\n    f(\n      "it\'s",  # why\n      2,\n    )\n      |> g\n'
    assert flat(read(Source("m.yaml", text)).constants[0].value) == 'f("it\'s", 2) |> g'


IN_STRINGS = [
    "  a: b ++ * c", '  a: "b + * c"', "  'a': 'b + * c'", "  a: [b, 'c + * d']", """  a: {f: [b, '"ü" + * d']}""",
    "  a: &x b + * c", '  "c": "b + * c"', "  a: {f: {k: 'b + * c'}}", "  ? a\n  : b + * c",
]  # fmt: skip


@pytest.mark.parametrize("line", IN_STRINGS)
def test_a_mistake_in_a_string_has_its_exact_column(line: str) -> None:
    text = f"name: m\nconstants:\n{line}\n"
    _, mistakes = parse(Source("m.yaml", text))
    assert [mistake.place.span.start for mistake in mistakes if mistake.code == "unexpected"] == [text.index("*")]


def test_the_same_column_is_found_in_a_block() -> None:
    text = "name: m\nconstants:\n  a: |\n    b\n      |> f( * 2)\n"
    _, mistakes = parse(Source("m.yaml", text))
    assert [mistake.place.span.start for mistake in mistakes] == [text.index("*")]
