"""Records, sources, suggestions and the table of sections."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import pytest
from axonc.spec.load import parse
from axonc.spec.record import Record, fields, replace
from axonc.spec.sections import SECTIONS
from axonc.spec.source import Source, Span
from axonc.spec.suggest import nearest
from axonc.spec.tree import Comments, Name, Number


class Point(Record):
    """A record to test with."""

    origin: ClassVar[str] = "here"
    x: int
    y: int = 2


class Named(Point):
    """One that derives."""

    name: str = ""


def test_a_record_is_made_by_position_and_by_name() -> None:
    assert (Point(1).x, Point(1).y) == (1, 2)
    assert Named(1, 3, "a") == Named(x=1, y=3, name="a")
    assert repr(Named(1)) == "Named(x=1, y=2, name='')"


@pytest.mark.parametrize("wrong", [(), (1, 2, 3)])
def test_a_record_with_too_few_or_too_many_values_is_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(TypeError):
        Point(*wrong)
    with pytest.raises(TypeError):
        Point(1, z=3)  # type: ignore[call-arg]


def test_a_record_cannot_be_changed_but_copied() -> None:
    point = Point(1)
    with pytest.raises(AttributeError):
        point.x = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del point.x
    assert replace(point, x=3) == Point(3)
    assert point == Point(1)


def test_another_default_leaves_a_field_where_it_was() -> None:
    class Nearer(Point):
        y: int = 1

    assert list(fields(Nearer)) == ["x", "y"]
    assert Nearer(5) == Nearer(5, 1)


def test_what_a_record_found_out_is_not_copied() -> None:
    class Square(Point):
        @cached_property
        def area(self) -> int:
            return self.x * self.y

    square = Square(2, 3)
    assert (square.area, replace(square, x=4).area) == (6, 12)


def test_records_compare_by_class_and_value() -> None:
    assert Point(1) != Named(1)
    assert Point(1) != 1
    assert len({Point(1), Point(1), Point(2)}) == 2


def test_records_are_taken_apart_by_match() -> None:
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)


def test_places_comments_and_spellings_do_not_count_in_comparisons() -> None:
    one, other = Span(Source("a", "x"), 0, 1), Span(Source("b", "y"), 0, 1)
    assert Name(one, "x") == Name(other, "x")
    assert Number(one, 1000, "1k") == Number(other, 1000, "1_000")
    assert Comments(("a",)) != Comments(("b",))


def test_lines_and_columns_count_from_one() -> None:
    source = Source("m", "ab\r\ncd\n\nef")
    assert [(Span(source, i, i).line, Span(source, i, i).column) for i in (0, 4, 8, 9)] == [
        (1, 1),
        (2, 1),
        (4, 1),
        (4, 2),
    ]
    assert source.line(1) == "ab"
    assert source.line(4) == "ef"


@pytest.mark.parametrize(
    ("word", "meant"),
    [("filtres", "filters"), ("optimiser", "optimizer"), ("form", "from"), ("epoch", "epochs"), ("Batch", "batch"),
     ("x", ""), ("zzzzzz", ""), ("teh", "the"), ("weigth_decay", "weight_decay"), ("filters", ""),
     ("lr", "rate"), ("batch_size", "batch"), ("out_channels", "filters"), ("kernel_size", "")],
)  # fmt: skip
def test_the_word_that_was_meant_is_found(word: str, meant: str) -> None:
    known = ["filters", "optimizer", "from", "epochs", "batch", "the", "weight_decay", "rate"]
    assert nearest(word, known) == meant


@pytest.mark.parametrize("section", SECTIONS)
def test_each_setting_is_known_in_both_notations(section: str) -> None:
    heads = {"train": "train", "data": "data", "group": 'group "a"', "generate": "generate x from y"}
    keys = {"train": "train", "data": "data", "group": "groups", "generate": "generate"}
    for key, takes in SECTIONS[section].items():
        value = {"`true` or `false`": "true", "a text in quotes": "'a'"}.get(str(takes), "3")
        nested = isinstance(takes, dict) or takes == "pairs of texts"
        axon = f"{heads[section]} {{ {key} {'{}' if nested else value} }}\n"
        inner = f"{key}: {'{}' if nested else chr(34) + value + chr(34)}"
        body = {"group": f"{{a: {{{inner}}}}}", "generate": f"{{input: x, from: y, {inner}}}"}.get(
            section, f"{{{inner}}}"
        )
        for name, text in (("m.axon", axon), ("m.yaml", f"{keys[section]}: {body}\n")):
            _, mistakes = parse(Source(name, text))
            assert mistakes == [], (text, [mistake.render_title() for mistake in mistakes])
