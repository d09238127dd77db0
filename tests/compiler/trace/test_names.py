"""Instances, sharing, and the names of weights."""

from __future__ import annotations

import numpy as np
import pytest

from .specs import checked, computed, diagnostics, mistakes, weights

SEQUENCE = "axonc 1\ninput x: f32[N, T, 4]\n"


def names(body: str, head: str = "axonc 1\ninput x: f32[N, 4]\n") -> list[str]:
    return list(weights(body, head))


def test_the_second_use_of_a_word_in_a_body_has_a_number() -> None:
    assert names("y = x |> dense(3) |> relu |> dense(2)") == [
        "dense.weight", "dense.bias", "dense_2.weight", "dense_2.bias",
    ]  # fmt: skip


def test_turns_stand_behind_the_word_from_0() -> None:
    assert names("repeat 2 { x = x |> dense(4, bias = false) }") == ["dense.0.weight", "dense.1.weight"]


def test_turns_of_nested_repeats_stand_in_order() -> None:
    body = "repeat 2 { repeat i in 2 { x = x |> dense(4, bias = false) } }"
    assert names(body) == [f"dense.{i}.{j}.weight" for i in range(2) for j in range(2)]


def test_the_path_goes_through_block_turn_and_second_use() -> None:
    body = """
    block encoder(x) { x |> dense(4) |> dense(4) }
    repeat 4 { x = encoder(x) }
    """
    assert "encoder.3.dense_2.weight" in names(body)


def test_an_instance_gives_its_own_name() -> None:
    assert names("head = dense(3)\ny = head(x)") == ["head.weight", "head.bias"]


def test_several_instances_in_one_line_have_their_own_names() -> None:
    assert names("a, b = dense(4, bias = false), dense(4, bias = false)\ny = b(a(x))") == ["a.weight", "b.weight"]


def test_a_chain_with_a_name_is_the_path_of_its_steps() -> None:
    body = "f = layer_norm |> dense(4, bias = false) |> dense(3, bias = false)\ny = f(x)"
    assert names(body) == ["f.layer_norm.scale", "f.layer_norm.shift", "f.dense.weight", "f.dense_2.weight"]


def test_another_name_for_an_instance_changes_nothing() -> None:
    assert names("f = dense(4)\ng = f\ny = x |> f |> g") == ["f.weight", "f.bias"]


def test_an_instance_that_was_passed_keeps_the_name_of_where_it_was_written() -> None:
    body = """
    block apply(x; layer) {
      inner = layer
      inner(x)
    }
    y = apply(x, dense(3))
    """
    assert names(body) == ["dense.weight", "dense.bias"]


def test_layers_written_as_an_argument_belong_where_they_are_written() -> None:
    assert names("y = x |> residual(layer_norm |> dense(4))")[-2:] == ["dense.weight", "dense.bias"]


def test_numbers_count_uses_in_both_branches() -> None:
    body = """
    block b(x; wide) {
      if wide { x = x |> dense(8) } else { x = x |> dense(4) }
      x |> dense(2)
    }
    y = b(x, true)
    """
    assert [n for n in names(body) if "weight" in n] == ["b.dense.weight", "b.dense_3.weight"]
    assert [n for n in names(body.replace("true", "false")) if "weight" in n] == [
        "b.dense_2.weight",
        "b.dense_3.weight",
    ]


def test_words_in_outputs_and_losses_are_numbered_after_the_body() -> None:
    body = "y = x |> dense(4)\noutput p = dense(y, 3)\nloss mean(dense(y, 1))"
    assert [n for n in names(body) if "weight" in n] == ["dense.weight", "dense_3.weight", "dense_2.weight"]


def test_values_and_phases_do_not_change_names() -> None:
    first = names("y = x |> dense(4) |> dropout(0.5)\nz = y |> dense(2)\nloss mean(z)")
    second = names("first = x |> dense(4) |> dropout(0.5)\nsecond = first |> dense(2)\nloss mean(second)")
    assert first == second


def test_weights_and_states_are_named_as_declared() -> None:
    body = """
    block b(x) {
      weight W: f32[4, 3]
      state m: f32[3]
      m = m + 1
      x @ W + m
    }
    repeat 2 { y = b(x) }
    """
    found = checked(body)
    assert (list(found.parameters), list(found.states)) == (["b.0.W", "b.1.W"], ["b.0.m", "b.1.m"])


def test_an_instance_used_twice_shares_its_weights() -> None:
    assert weights("f = dense(4)\ny = f(f(x))") == {"f.weight": "f32[4, 4]", "f.bias": "f32[4]"}


def test_a_block_as_instance_shares_everything_inside() -> None:
    body = "block b(x) { x |> dense(4, bias = false) |> dense(4, bias = false) }\nf = b()\ny = f(f(x))"
    assert names(body) == ["f.dense.weight", "f.dense_2.weight"]


def test_a_word_has_its_own_weights_at_each_place_turn_and_use() -> None:
    body = """
    block b(x) { x |> dense(4, bias = false) }
    a = b(x)
    repeat 2 { a = b(a) }
    """
    assert names(body) == ["b.dense.weight", "b_2.0.dense.weight", "b_2.1.dense.weight"]


def test_steps_of_a_scan_share() -> None:
    body = "y = scan step in x { step |> dense(3) }"
    assert weights(body, SEQUENCE) == {"dense.weight": "f32[4, 3]", "dense.bias": "f32[3]"}


def test_a_weight_of_an_instance_is_a_tensor() -> None:
    w = np.arange(12, dtype=np.float32).reshape(4, 3)
    found = computed("f = dense(3)\ny = f(x)\noutput z = y @ transpose(f.weight)",
                     {"x": np.ones((1, 4)), "f.weight": w, "f.bias": np.zeros(3)})  # fmt: skip
    np.testing.assert_allclose(found["z"], np.ones((1, 4)) @ w @ w.T)


def test_a_weight_before_its_first_use_is_not_there_yet() -> None:
    assert mistakes("f = dense(3)\nw = f.weight\ny = f(x)") == [("unknown-member", 2, 7)]


def test_a_tied_weight_is_no_weight_of_its_own() -> None:
    head = "axonc 1\ninput tokens: i32[N, T]\n"
    body = """
    embed = embedding(10, 4)
    x = embed(tokens)
    y = x |> dense(10, weight = transpose(embed.weight), bias = false)
    """
    assert weights(body, head) == {"embed.weight": "f32[10, 4]"}


def test_a_tied_weight_is_used() -> None:
    values = {"x": np.eye(4)[:2], "e.weight": np.arange(8).reshape(4, 2)}
    body = "e = dense(2, bias = false)\ny = x |> e |> dense(4, weight = transpose(e.weight), bias = false)"
    w = np.arange(8).reshape(4, 2)
    np.testing.assert_allclose(computed(body, values)["y"], np.eye(4)[:2] @ w @ w.T)


def test_a_bias_may_be_true_false_or_a_tensor() -> None:
    body = "weight b: f32[3]\ny = x |> dense(3, bias = b)"
    assert names(body) == ["b", "dense.weight"]
    assert names("y = x |> dense(3, bias = false)") == ["dense.weight"]


def test_a_tied_weight_of_another_shape_is_refused_where_it_is_given() -> None:
    assert mistakes("e = dense(2)\ny = x |> e |> dense(4, weight = e.weight)") == [("shape-mismatch", 2, 33)]


def test_sharing_between_different_shapes_is_refused() -> None:
    (found,) = diagnostics("f = dense(3)\na = f(x)\nb = f(a)")
    assert (found.code, found.place.span.line, found.place.chain[0].span.line) == ("shared-weight", 3, 5)


@pytest.mark.parametrize(
    "body",
    [
        "weight W: f32[4]\ny = x * W\nweight W: f32[4]\nz = y * W",
        "f = dense(4)\ny = f(x)\nf = dense(4)\nz = f(y)",
        "dense_2 = dense(4)\ny = x |> dense_2 |> dense(4)\nz = y",
    ],
)
def test_two_weights_never_share_a_name(body: str) -> None:
    assert {m[0] for m in mistakes(body)} == {"same-name"}


def test_parameters_are_those_of_all_phases() -> None:
    body = """
    y = x |> dense(3)
    if training { extra = y |> dense(2) } else { extra = y }
    if predicting { y = y |> dense(5) }
    """
    assert [n for n in names(body) if "weight" in n] == ["dense.weight", "dense_2.weight", "dense_3.weight"]


def test_some_but_not_all_inputs_is_an_error() -> None:
    body = "block f(a, b) { a + b }\ny = f(x)"
    assert mistakes(body) == [("missing-argument", 2, 5)]


def test_counts_of_weights_by_hand() -> None:
    body = "y = x |> dense(8) |> batch_norm |> dense(3, bias = false)"
    assert checked(body).parameter_count == (4 * 8 + 8) + 2 * 8 + 8 * 3
