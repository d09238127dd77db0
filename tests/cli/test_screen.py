"""Numbers, durations and tables as they stand on a screen."""

import pytest
from axonc.cli.screen import cut, duration, quantity, table


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_499, "999 kB"), (999_600, "1 MB"), (25_557_032, "25.6 MB")],
)
def test_quantities_have_three_figures(number, text):
    assert quantity(number, "B") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "12 ms"), (4.2, "4.20 s"), (42, "42.0 s"), (185, "3:05"), (3723, "1:02:03")],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_wide_letters_count_as_the_columns_that_they_take():
    assert cut("日本語", 5) == "日本…"
    first, second = table(("name", "n"), [("日本", "1")])
    assert (first, second) == ("name  n", "日本  1")


def test_control_characters_in_a_table_are_escaped():
    assert "\x1b" not in "".join(table(("a",), [("\x1b[2J",)]))
