"""What names stand for, how arguments find their places, and arithmetic on what is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from .specs import checked, computed, diagnostics, mistakes, types, weights

SHAPED = "axonc 1\ninput x: f32[N, 6, 4]\n"


def known(expression: str) -> float:
    """The value of an expression of constants, as the spec computes it."""
    found = computed(f"y = x * 0 + ({expression})", {"x": np.zeros((1, 4))})["y"]
    return float(found[0, 0])


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 / 2", 3.5),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("7 % -3", -2),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("1_000 + 2k + 1M", 1_003_000),
        ("1KiB", 1024),
        ("2kB", 2000),
        ("3e-3", 3e-3),
        ("sqrt(2)", math.sqrt(2)),
        ("max(1, 2, 3) + min([4, 5])", 7),
        ("ceil(2.1) + floor(-2.1)", 0),
        ("round_to(91, 8)", 88),
        ("round_to(32 * 0.75, 8)", 24),
        ("len([1, 2, 3]) + [4, 5][1] + [1, 2, 3][-1]", 11),
        ("reversed([1, 2])[0]", 2),
        ("enumerate([5, 6])[1][0]", 1),
        ("zip([1, 2], [3, 4])[1][1]", 4),
        ("([1] + [2])[1:][0]", 2),
        ("1 if 2 > 1 and not false else 0", 1),
        ("1 if none == none else 0", 1),
        ("last(x) + size(x, 1) + shape(x)[1]", 12),
    ],
)
def test_arithmetic_of_what_is_known(expression: str, value: float) -> None:
    assert known(expression) == pytest.approx(value, rel=1e-6)


def test_an_integer_serves_where_a_float_is_asked_and_never_the_reverse() -> None:
    assert types("y = x |> dropout(0)") == {"y": "f32[N, 4]"}
    assert mistakes("y = x |> dense(4.0)") == [("wrong-kind", 1, 16)]


def test_integers_of_two_widths_meet_in_the_wider() -> None:
    head = "axonc 1\ninput a: i32[N]\ninput b: i64[N]\n"
    assert types("y = a + b", head) == {"y": "i64[N]"}


def test_floats_and_integers_do_not_meet() -> None:
    head = "axonc 1\ninput a: i32[N]\ninput b: f32[N]\n"
    assert mistakes("y = a + b", head) == [("type-mismatch", 1, 7)]


def test_division_of_integers_is_true_division() -> None:
    head = "axonc 1\ninput a: i64[N]\n"
    assert types("y = a / 2", head) == {"y": "f32[N]"}
    assert types("y = a // 2", head) == {"y": "i64[N]"}


def test_sums_and_means_of_truths_are_numbers() -> None:
    assert types("y = sum(x > 0, axis = 1)\nz = mean(x > 0, axis = 1)\noutput y\noutput z") == {
        "y": "i64[N]", "z": "f32[N]",
    }  # fmt: skip


def test_binding_again_leaves_earlier_uses_alone() -> None:
    found = computed("y = x + 1\nx = x * 10\noutput y\noutput x", {"x": np.ones((1, 4))})
    assert (found["y"][0, 0], found["x"][0, 0]) == (2, 10)


def test_an_own_name_hides_a_word() -> None:
    assert types("block maxout(x; n) { x |> dense(n) }\ny = x |> maxout(3)") == {"y": "f32[N, 3]"}


def test_misuse_of_a_name_that_hides_a_word_says_so() -> None:
    (found,) = diagnostics("size = x\ny = size(x, 0)")
    assert found.code == "wrong-kind"
    assert "hides the word `size`" in found.render_help()


def test_a_block_sees_its_arguments_and_the_constants_alone() -> None:
    body = "w = 3\nblock b(x; k) { x * k * w }\ny = b(x, 2)"
    assert mistakes(body) == [("unknown-name", 2, 25)]
    head = "axonc 1\nmodel m(w = 3)\ninput x: f32[N, 4]\n"
    assert types("block b(x; k) { x * k * w }\ny = b(x, 2)", head) == {"y": "f32[N, 4]"}


def test_a_block_does_not_see_the_dimensions_of_the_model() -> None:
    assert mistakes("block b(x) { reshape(x, N, 4) }\ny = b(x)") == [("unknown-name", 1, 25)]


def test_sections_see_names_as_they_are_at_the_end() -> None:
    assert types("output p = y\ny = x |> dense(3)\ny = y |> dense(2)") == {"p": "f32[N, 2]"}


def test_output_names_bind_nothing() -> None:
    assert mistakes("y = x\noutput p = y\noutput q = p") == [("unknown-name", 3, 12)]


def test_a_pipe_is_the_first_argument() -> None:
    values = {"x": np.array([[1.0, 2.0, 3.0, 4.0]])}
    found = computed("block sub(a, b) { a - b }\ny = x |> sub(2 * x)", values)
    np.testing.assert_allclose(found["y"], -values["x"])


def test_a_piped_list_fills_the_inputs_in_order() -> None:
    values = {"x": np.array([[1.0, 2.0, 3.0, 4.0]])}
    found = computed("block sub(a, b) { a - b }\ny = [x, 2 * x] |> sub", values)
    np.testing.assert_allclose(found["y"], -values["x"])


def test_positional_settings_go_to_the_first_place_that_takes_their_kind() -> None:
    assert weights("y = x |> dense(2, relu)") == {"dense.weight": "f32[4, 2]", "dense.bias": "f32[2]"}
    assert weights("y = x |> dense(2, false, relu)") == {"dense.weight": "f32[4, 2]"}


def test_a_setting_that_takes_no_such_kind_is_named() -> None:
    assert mistakes("y = x |> dense(2, 3)") == [("wrong-kind", 1, 19)]


def test_named_arguments_free_their_place() -> None:
    body = "block f(x; a, b) { x * a + b }\ny = f(x, 2, a = 10)"
    assert computed(body, {"x": np.ones((1, 4))})["y"][0, 0] == 12


def test_a_number_given_by_name_to_an_input_is_a_constant_tensor() -> None:
    body = "block f(x, b = none) { x + b * ones(2)[0] if b != none else x }\ny = f(x, b = 3)"
    assert computed(body, {"x": np.ones((1, 4))})["y"][0, 0] == 4


def test_a_list_is_spread_where_any_number_is_taken() -> None:
    body = "y = reshape(x, [-1, 2, 2])\nz = concat([x, x])\nw = max([x, 2 * x])\noutput y\noutput z\noutput w"
    assert types(body) == {"y": "f32[N, 2, 2]", "z": "f32[N, 8]", "w": "f32[N, 4]"}


def test_nothing_to_join_is_an_error() -> None:
    assert mistakes("y = concat([])") == [("missing-argument", 1, 5)]


def test_several_results_are_a_list() -> None:
    body = "block two(x) { x, 2 * x }\nboth = two(x)\na, b = both\ny = both[1] - a"
    np.testing.assert_allclose(computed(body, {"x": np.ones((1, 4))})["y"], np.ones((1, 4)))


def test_taking_apart_counts() -> None:
    assert mistakes("a, b, c = split(x, 2)") == [("wrong-count", 1, 11)]


def test_a_slot_that_offers_words_reads_a_bare_name_as_its_word_first() -> None:
    body = "valid = 3\ny = x |> conv1d(2, 3, padding = valid)"
    assert types(body, SHAPED) == {"y": "f32[N, 4, 2]"}
    assert types("f16 = 3\ny = cast(x, f16)") == {"y": "f16[N, 4]"}


def test_a_word_of_another_slot_is_unknown() -> None:
    assert mistakes("y = x |> dense(valid)") == [("unknown-name", 1, 16)]


def test_operands_of_functions_may_be_numbers() -> None:
    found = computed("y = max(x, 0) + where(x > 0, 1.0, 0.0)", {"x": np.array([[-1.0, 2.0, -3.0, 4.0]])})
    np.testing.assert_allclose(found["y"], [[0, 3, 0, 5]])


def test_an_index_takes_a_place_and_a_slice_keeps_the_axis() -> None:
    body = "a = x[:, 0]\nb = x[:, 1:3]\nc = x[..., -1]\nd = x[:, ::2]\noutput a\noutput b\noutput c\noutput d"
    assert types(body, SHAPED) == {
        "a": "f32[N, 4]", "b": "f32[N, 2, 4]", "c": "f32[N, 6]", "d": "f32[N, 3, 4]",
    }  # fmt: skip


def test_a_repeated_argument_is_an_error() -> None:
    assert mistakes("y = layer_norm(x, x = x)") == [("too-many-arguments", 1, 16)]
    assert mistakes("y = x |> dense(3, units = 4)") == [("wrong-kind", 1, 16)]
    assert mistakes("y = x |> dense(units = 3, units = 4)") == [("duplicate-name", 1, 27)]


def test_overrides_replace_constants() -> None:
    head = "axonc 1\nmodel m(d = 3, e = 2 * d)\ninput x: f32[N, 4]\n"
    assert checked("y = x |> dense(e)", head).parameter_count == 4 * 6 + 6
    assert checked("y = x |> dense(e)", head, overrides={"d": 5}).parameter_count == 4 * 10 + 10
