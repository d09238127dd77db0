"""Repeat, if, choice and scan: what is written out, what lives on, what is looked at."""

from __future__ import annotations

import numpy as np
import pytest

from .specs import checked, computed, diagnostics, filled, mistakes, traced, types

SEQUENCE = "axonc 1\ninput x: f32[N, T, 2]\n"
LENGTHS = SEQUENCE + "input length: i32[N]\n"
STEPS = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
SUMS = "s = scan step in x with h = zeros(size(x, 0), 2) { h = h + step }\n"


def test_repeat_reads_as_its_copies() -> None:
    assert computed("repeat i in 3 { x = x * 2 + i }\ny = x", {"x": np.ones((1, 4))})["y"][0, 0] == 12


def test_rows_are_taken_apart_by_several_names() -> None:
    body = "repeat a, b in [[1, 2], [3, 4]] { x = x * a + b }\ny = x"
    assert computed(body, {"x": np.ones((1, 4))})["y"][0, 0] == (1 * 1 + 2) * 3 + 4


def test_a_list_may_hold_numbers_and_layers() -> None:
    body = "repeat f in [dense(3), relu, dense(2)] { x = x |> f }\ny = x"
    assert types(body) == {"y": "f32[N, 2]"}


def test_the_index_does_not_live_on_and_what_the_body_binds_does() -> None:
    assert mistakes("repeat i in 3 { k = i }\ny = x * k\nz = x * i") == [("unknown-name", 3, 9)]


def test_the_index_gives_a_hidden_name_back() -> None:
    body = "i = 10\nrepeat i in 3 { x = x + i }\ny = x * i"
    assert computed(body, {"x": np.zeros((1, 4))})["y"][0, 0] == 30


def test_a_turn_can_be_told_by_its_index() -> None:
    assert types("repeat i in 3 { x = x |> dense(7 if i == 2 else 4) }\ny = x") == {"y": "f32[N, 7]"}


@pytest.mark.parametrize("count", ["1.5", "x", "relu", '"a"', "true", "N"])
def test_only_counts_and_lists_are_repeated(count: str) -> None:
    assert mistakes(f"repeat {count} {{ x = x + 1 }}\ny = x") == [("wrong-kind", 1, 8)]


def test_rows_of_another_length_are_an_error() -> None:
    assert mistakes("repeat a, b in [[1, 2], [3]] { x = x + a + b }\ny = x") == [("wrong-count", 1, 16)]


def test_only_the_branch_taken_is_run() -> None:
    assert types("if last(x) == 4 { y = x |> dense(3) } else { y = x |> dense(1.5) }") == {"y": "f32[N, 3]"}


def test_names_in_the_other_branch_are_checked() -> None:
    body = "if last(x) == 4 { y = x } else { y = foo(x, hidden, padding = same) }"
    assert mistakes(body) == [("unknown-layer", 1, 38), ("unknown-name", 1, 45)]


def test_words_of_slots_types_and_weights_are_no_names() -> None:
    body = """
    if last(x) != 4 {
      weight W: f32[4, 4] = normal(0.1)
      x = cast(x |> conv1d(3, 3, padding = same), f32) @ W
    }
    y = x
    """
    assert mistakes(body) == []


def test_a_name_bound_in_a_branch_lives_on_if_it_is_taken() -> None:
    assert mistakes("if true { z = 3 }\ny = x * z") == []
    assert mistakes("if false { z = 3 }\ny = x * z") == [("unknown-name", 2, 9)]


def test_instances_are_compared_by_identity() -> None:
    body = "f = dense(4)\ng = f\nh = dense(4)\ny = x |> dense((1 if f == g else 2) + (10 if f == h else 20))"
    assert types(body) == {"y": "f32[N, 21]"}


def test_a_condition_of_a_tensor_offers_where() -> None:
    (found,) = diagnostics("y = x if x > 0 else -x")
    assert (found.code, found.place.span.column) == ("not-known-when-compiling", 10)
    assert "where(condition, yes, no)" in found.render_help()


def test_a_free_dimension_in_a_condition_is_an_error() -> None:
    assert mistakes("if size(x, 0) > 3 { x = x + 1 }\ny = x") == [("not-known-when-compiling", 1, 15)]


def test_a_dimension_that_is_bound_decides() -> None:
    head = "axonc 1\ninput x: f32[N, W]\n"
    assert checked("y = x if W > 3 else x + 1", head, sizes={"W": 5}).sizes == {"W": 5}


def test_phases_are_constants() -> None:
    body = "y = x * (1 if training else 2 if evaluating else 3)\nloss mean(y)"
    assert computed(body, {"x": np.ones((1, 4))})["y"][0, 0] == 3
    assert computed(body, {"x": np.ones((1, 4))}, "train")["loss"] == 1


def test_a_scan_stacks_its_carried_names_and_leaves_the_last() -> None:
    found = computed(SUMS + "output s\noutput h", {"x": STEPS}, head=SEQUENCE)
    np.testing.assert_allclose(found["s"], np.cumsum(STEPS, axis=1))
    np.testing.assert_allclose(found["h"], STEPS.sum(axis=1))


def test_a_last_line_is_the_value_of_a_scan() -> None:
    body = "s = scan step in x with h = zeros(size(x, 0), 2) {\n h = h + step\n 2 * h\n}\noutput s"
    found = computed(body, {"x": STEPS}, head=SEQUENCE)
    np.testing.assert_allclose(found["s"], 2 * np.cumsum(STEPS, axis=1))


def test_several_carried_names_and_results() -> None:
    body = """
    a, b = scan step in x with h = zeros(size(x, 0), 2), k = ones(size(x, 0), 2) {
      h = h + step
      k = k * 2
      h, k
    }
    output a
    output b
    output h
    output k
    """
    found = computed(body, {"x": STEPS}, head=SEQUENCE)
    np.testing.assert_allclose(found["a"], np.cumsum(STEPS, axis=1))
    np.testing.assert_allclose(found["b"][0, :, 0], [2, 4, 8])
    np.testing.assert_allclose(found["k"], np.full((2, 2), 8))


def test_several_sequences_go_in_step() -> None:
    body = "s = scan a in x, b in 2 * x { a * b }"
    np.testing.assert_allclose(computed(body, {"x": STEPS}, head=SEQUENCE)["s"], 2 * STEPS**2)


def test_beyond_a_length_carried_values_stay_and_results_are_0() -> None:
    body = SUMS.replace("scan", "scan(length = length)") + "output s\noutput h"
    found = computed(body, {"x": STEPS, "length": [2, 3]}, head=LENGTHS)
    wanted = np.cumsum(STEPS, axis=1)
    wanted[0, 2] = 0
    np.testing.assert_allclose(found["s"], wanted)
    np.testing.assert_allclose(found["h"], [STEPS[0, :2].sum(axis=0), STEPS[1].sum(axis=0)])


def test_reversed_scans_begin_at_the_end_of_each_row() -> None:
    body = SUMS.replace("scan", "scan(length = length, reverse = true)") + "output s\noutput h"
    found = computed(body, {"x": STEPS, "length": [2, 3]}, head=LENGTHS)
    wanted = np.cumsum(STEPS[:, ::-1], axis=1)[:, ::-1].copy()
    wanted[0] = [STEPS[0, :2].sum(axis=0), STEPS[0, 1], [0, 0]]
    np.testing.assert_allclose(found["s"], wanted)
    np.testing.assert_allclose(found["h"], wanted[:, 0])


def test_a_sequence_of_rank_1_has_time_on_its_only_axis() -> None:
    head = "axonc 1\ninput x: f32[N]\n"
    body = "s = scan v in x with h = zeros([]) { h = h + v }"
    np.testing.assert_allclose(computed(body, {"x": [1, 2, 3]}, head=head)["s"], [1, 3, 6])


def test_scans_nest_and_capture() -> None:
    body = """
    scale = mean(x)
    s = scan row in x {
      inner = scan v in row with a = zeros(size(x, 0)) { a = a + v * scale }
      inner
    }
    """
    found = computed(body, {"x": STEPS}, head=SEQUENCE)["s"]
    np.testing.assert_allclose(found, np.cumsum(STEPS, axis=2) * STEPS.mean(), rtol=1e-6)


def test_what_the_body_of_a_scan_binds_does_not_live_on() -> None:
    body = "s = scan step in x { inner = step + 1\n inner }\ny = inner"
    assert mistakes(body, SEQUENCE) == [("unknown-name", 3, 5)]


def test_carried_values_keep_their_type() -> None:
    body = "s = scan step in x with h = zeros(size(x, 0), 1) { h = h + step }"
    assert mistakes(body, SEQUENCE) == [("carried-type", 1, 25)]


def test_settings_of_a_scan_are_checked() -> None:
    assert mistakes("s = scan(truncate = -1) step in x { step }", SEQUENCE) == [("wrong-kind", 1, 21)]
    assert mistakes("s = scan(length = x) step in x { step }", SEQUENCE) == [("wrong-kind", 1, 19)]
    assert mistakes("s = scan(reverse = 1) step in x { step }", SEQUENCE) == [("wrong-kind", 1, 20)]


def test_states_and_losses_cannot_stand_in_a_scan() -> None:
    assert mistakes("s = scan step in x { step |> batch_norm }", SEQUENCE) == [("not-in-scan", 1, 30)]
    assert mistakes("s = scan step in x { loss mean(step)\n step }", SEQUENCE) == [("not-in-scan", 1, 27)]


def test_a_block_with_a_loss_adds_it_in_training() -> None:
    body = """
    block watched(x) {
      loss small = 0.5 * mean(x ** 2)
      x
    }
    y = watched(x)
    loss mean(y)
    """
    found = computed(body, {"x": np.full((2, 4), 3.0)}, "train")
    assert (found["small"], found["mean"], found["loss"]) == (4.5, 3.0, 7.5)


STATE = """
block counted(x) {
  state count: f32[4] = zeros
  count = count + mean(x, axis = 0)
  x + count
}
c = counted()
y = c(c(x))
output y
loss mean(y)
"""


def test_a_shared_state_sees_its_own_first_update() -> None:
    found = computed(STATE, {"x": np.ones((1, 4)), "c.count": np.full(4, 10.0)}, "train")
    first = 10 + 1
    second = first + (1 + first)
    np.testing.assert_allclose(found["c.count"], np.full(4, second))


def test_states_change_in_training_alone() -> None:
    assert traced(STATE, "train").state_updates.keys() == {"c.count"}
    assert traced(STATE, "evaluate").state_updates == traced(STATE, "predict").state_updates == {}


def test_states_declared_in_a_branch_or_a_turn_are_kept() -> None:
    body = """
    if training {
      state a: f32[4]
      a = a + 1
    }
    repeat 2 {
      state b: f32[4]
      b = b + 1
    }
    y = x * b
    loss mean(y)
    """
    assert set(traced(body, "train").state_updates) == {"a", "b.0", "b.1"}


def test_a_state_keeps_its_type() -> None:
    assert mistakes("state m: f32[4]\nm = m + x\ny = m\nloss mean(y)") == [("carried-type", 1, 7)]


def test_draws_are_the_same_for_the_same_seed_and_step() -> None:
    found = traced("y = x |> dropout(0.5)\nloss mean(y)", "train")
    graph = found.b.graph({"y": found.scope.names["y"]})
    assert {"key", "step"} <= filled(graph, {}).keys()
