"""Specs that are too large are an error within a second, whatever grows in them."""

from __future__ import annotations

import pytest

from ...timing import is_done_within
from .specs import HEAD, diagnostics, mistakes

BOMBS = {
    "a count": "repeat 1_000_000_000 { y = 1 }",
    "counts in counts": "repeat 1000 { repeat 1000 { repeat 1000 { x = x } } }",
    "layers": "repeat 1_000_000 { x = x |> dense(4) |> relu }",
    "a list that doubles": "l = [1, 2]\nrepeat 60 { l = l + l }",
    "a list that nests": "l = [1, 2]\nrepeat 60 { l = [l, l] }",
    "blocks that call blocks twice": "".join(f"block b{i}(x) {{ b{i - 1}(b{i - 1}(x)) }}\n" for i in range(40, 0, -1))
    + "block b0(x) { x }\ny = b40(x)",
    "floor divisions in floor divisions": "h = size(x, 0)\nrepeat 5000 { h = (h + 1) // 2 }",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_expansions_end(bomb: str) -> None:
    assert [d.code for d in diagnostics(bomb)] == ["too-large"]
    assert is_done_within(3, lambda: diagnostics(bomb))  # a second on a machine of its own


@pytest.mark.parametrize(
    "number", ["10 ** 10 ** 10", "2 ** 64", "1e308 * 1e308", "9 ** 9 ** 9", "0.0 ** -1", "(-8) ** 0.5", "1e308 ** 2"]
)
def test_numbers_that_do_not_fit_are_refused(number: str) -> None:
    assert [code for code, *_ in mistakes(f"y = x * ({number})")] == ["bad-index"]


@pytest.mark.parametrize(
    ("dtype", "number"),
    [("u8", "256"), ("u8", "-1"), ("i8", "128"), ("i32", "2 ** 31"), ("f32", "1e39"), ("i64", "1.5")],
)
def test_numbers_that_their_tensor_cannot_hold_are_refused(dtype: str, number: str) -> None:
    assert len(mistakes(f"y = cast(x, {dtype}) + {number}")) == 1


def test_sizes_do_not_grow_without_end() -> None:
    body = "d = size(x, 0) + size(x, 1)\nrepeat 40 { d = d * d }"
    assert {code for code, *_ in mistakes(body, "axonc 1\ninput x: f32[N, T, U]\n")} <= {"bad-index", "too-large"}
    assert mistakes(body, "axonc 1\ninput x: f32[N, T, U]\n") != []


def test_a_long_sum_is_no_bomb() -> None:
    assert mistakes("y = x" + " + 1" * 100, HEAD) == []


def test_deep_parentheses_are_an_error_or_read() -> None:
    found = mistakes("y = " + "(" * 5000 + "x" + ")" * 5000)
    assert len(found) == 1


def test_a_sum_without_end_is_an_error_or_read() -> None:
    assert len(mistakes("y = x" + " + 1" * 20_000)) <= 1
