"""Screens for people, data for tools."""

from __future__ import annotations

import json

from axonc.spec.errors import LostValue, NotAName
from axonc.spec.load import parse
from axonc.spec.render import as_json, escape, excerpt, render, width_of
from axonc.spec.source import Frame, Place, Source, Span


def screen(text: str) -> list[str]:
    _, mistakes = parse(Source("m.axon", text))
    return render(mistakes[0]).splitlines()


def caret(lines: list[str]) -> int:
    """The terminal column of the first caret."""
    return width_of(lines[4].split("^")[0])


def test_the_caret_stands_below_its_token() -> None:
    lines = screen("x = 1\ny = f(2d)\n")
    assert lines[3] == "2 | y = f(2d)"
    assert caret(lines) == lines[3].index("2d")


def test_tabs_and_wide_characters_keep_the_caret_in_place() -> None:
    lines = screen('x =\t"日本",\t2d\n')
    assert lines[3].startswith('1 | x = "日本",')
    assert caret(lines) == width_of(lines[3].split("2d")[0])


def test_a_long_line_is_cut_round_the_caret() -> None:
    lines = screen("y = " + " + ".join(["abc"] * 30) + " + 2d + " + " + ".join(["abc"] * 30) + "\n")
    assert len(lines[3]) < 130
    assert lines[3][caret(lines) :].startswith("2d")


def test_a_mark_wider_than_the_screen_is_cut() -> None:
    source = Source("m.axon", "x" * 1000)
    shown, before, width = excerpt(Span(source, 0, 1000))
    assert before == 0
    assert width < 70
    assert len(shown) < 120


def test_user_text_cannot_steer_the_terminal() -> None:
    source = Source("m\x1b[2J.axon", "x \x1b[31m \u202e = 3\n")
    text = render(NotAName(Place(Span(source, 2, 8)), "`\x07`"))
    assert text.isprintable() or all(line.isprintable() for line in text.split("\n"))
    assert "\\x1b[31m" in text
    assert escape("a\u202eb") == "a\\u202eb"


def test_colour_only_when_asked() -> None:
    mistake = NotAName(Place(Span(Source("m.axon", "3 = x"), 0, 1)), "`=`")
    assert "\x1b" not in render(mistake)
    assert "\x1b[1;31m" in render(mistake, colour=True)


def test_the_gutter_grows_with_the_line_number() -> None:
    lines = screen("x = 1\n" * 99 + "y = 2d\n")
    assert lines[1].startswith("   --> m.axon:100:5")
    assert lines[2] == "    |"
    assert lines[3] == "100 | y = 2d"


def test_the_chain_and_the_related_places_are_shown() -> None:
    main = Source("main.axon", 'include "a.axon"\ny = f(x)\n')
    frame = Frame("include `a.axon`", Span(main, 0, 16))
    source = Source("a.axon", "3 = x\n", (frame,))
    use = Frame("block `f`", Span(main, 21, 25))
    mistake = NotAName(Place(Span(source, 0, 1), (use,)), "`=`", related=(("like here", Span(source, 4, 5)),))
    text = render(mistake)
    assert "= in: block `f` (main.axon:2), include `a.axon` (main.axon:1)" in text
    assert "= like here --> a.axon:1:5" in text


def test_the_same_as_data() -> None:
    source = Source("m.axon", "x = 1\ny\n+ 2\n")
    mistake = LostValue(Place(Span(source, 6, 11)), "at the top level", related=(("here", Span(source, 0, 1)),))
    found = json.loads(json.dumps(as_json(mistake)))
    assert found["code"] == "lost-value"
    assert found["severity"] == "error"
    assert (found["line"], found["column"], found["end_line"], found["end_column"]) == (2, 1, 3, 4)
    assert found["file"] == "m.axon"
    assert found["help"] == "give it a name: `y = ...`"
    assert found["chain"] == []
    assert found["related"][0]["message"] == "here"
    assert found["related"][0]["column"] == 1
