"""Outputs, losses, metrics, budgets, groups, training, data and generation: what each may say."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.compiler.groups import pattern
from axonc.compiler.ir.graph import Input
from axonc.compiler.trace.tracer import Initial

from .specs import HEAD, checked, computed, diagnostics, mistakes, traced, types

CLASSES = "axonc 1\ninput x: f32[N, 4]\ninput label: i64[N]\n"
DATA = 'data "f.csv" { x = a; target label = b; batch 8 }\n'
STACK = "y = x |> dense(8) |> batch_norm |> dense(3)\nloss cross_entropy(y, label)\n"


def test_without_output_the_last_value_of_the_body_is_the_output() -> None:
    assert types("y = x |> dense(3)\nz = y |> relu") == {"z": "f32[N, 3]"}
    assert types("repeat 2 { x = x |> dense(5) }") == {"x": "f32[N, 5]"}
    assert types("if true { y = x + 1 } else { z = x }") == {"y": "f32[N, 4]"}


def test_predict_asks_only_for_the_inputs_it_needs() -> None:
    graph = checked(STACK, CLASSES).phases.predict
    assert [n.op.name for n in graph.inputs if isinstance(n.op, Input) and n.op.role == "data"] == ["x"]


def test_losses_are_averaged_and_summed() -> None:
    body = "y = x\nloss a = y ** 2\nloss b = 0.5 * sum(y, axis = 1)"
    found = computed(body, {"x": np.full((2, 4), 2.0)}, "train")
    assert (found["a"], found["b"], found["loss"]) == (4, 4, 8)


def test_masked_means_divide_by_what_counts() -> None:
    found = computed("output y = mean(x, where = x > 1)", {"x": np.array([[1.0, 2.0, 4.0, 0.0]])})
    assert found["y"] == 3


def test_losses_and_metrics_are_called_by_their_words() -> None:
    phase = traced(STACK + "loss mse(y, y)\nloss mse(y, 2 * y)\nmetric accuracy(y, label)", "evaluate", CLASSES)
    assert [t.name for t in phase.losses] == ["cross_entropy", "mse", "mse_2"]
    assert [m.name for m in phase.metrics] == ["accuracy"]


def test_a_loss_is_a_tensor_of_floats() -> None:
    assert mistakes("loss 3") == [("wrong-kind", 1, 6)]
    assert mistakes("loss argmax(x)") == [("wrong-kind", 1, 6)]


def test_an_output_that_needs_a_target_is_refused() -> None:
    body = DATA + "y = x |> dense(3)\nz = y + unsqueeze(cast(label, f32), 1)\noutput a = y\noutput b = z"
    assert mistakes(body, CLASSES) == [("target-in-output", 5, 8)]


def test_each_binding_names_an_input_and_each_input_is_bound() -> None:
    body = 'data "f.csv" { xx = a; target label = b }\n' + STACK
    assert [m[0] for m in mistakes(body, CLASSES)] == ["unknown-input", "unbound-input"] or [
        m[0] for m in mistakes(body, CLASSES)
    ] == ["unbound-input", "unknown-input"]


@pytest.mark.parametrize(
    ("assertion", "column"),
    [
        ("parameters <= 10", 8),
        ("parameters == 83", 0),
        ("parameters == 84", 8),
        ("parameters < 1k, parameters > 1M", 25),
        ("flops <= 10", 8),
        ("flops > 10", 0),
        ("memory <= 100", 8),
        ("memory < 1MB", 0),
        ("last(x) == 4, 3 > 4", 22),
    ],
)
def test_budgets_are_checked_where_they_are_written(assertion: str, column: int) -> None:
    assert checked(STACK, CLASSES).parameter_count == (4 * 8 + 8) + 16 + (8 * 3 + 3)
    found = [(code, col) for code, _, col in mistakes(STACK + f"assert {assertion}", CLASSES)]
    assert found == ([("assertion-failed", column)] if column else [])


def test_flops_are_those_of_one_sample() -> None:
    body = "y = x |> dense(3, bias = false)\nassert flops == 2 * 4 * 3"
    assert mistakes(body) == []


def test_a_budget_says_what_was_found() -> None:
    (found,) = diagnostics("y = x |> dense(1000)\nassert parameters <= 1k")
    assert found.render_label() == "5,000 <= 1,000 is false"


def test_an_assertion_in_a_block_sees_the_names_where_it_stands() -> None:
    body = """
    block b(x; heads) {
      assert last(x) % heads == 0
      x = x |> dense(7)
      x
    }
    y = b(x, 2)
    z = b(x, 3)
    """
    assert mistakes(body) == [("assertion-failed", 2, 10)]


@pytest.mark.parametrize(
    ("text", "name", "matches"),
    [
        ("dense.*", "dense.weight", True),
        ("dense.*", "dense.a.weight", False),
        ("dense.**", "dense.a.weight", True),
        ("**.bias", "a.b.bias", True),
        ("*.bias", "a.b.bias", False),
        ("dense_*.weight", "dense_2.weight", True),
        ("dense.weight", "denseXweight", False),
        ("**", "a.b", True),
    ],
)
def test_a_star_matches_within_a_part_and_two_any_parts(text: str, name: str, matches: bool) -> None:
    assert bool(pattern(text).fullmatch(name)) is matches


def test_later_groups_win_key_by_key() -> None:
    groups = 'group "**" { l2 0.1; rate_multiplier 2 }\ngroup "dense.*" { l2 0.5; initial normal(0.01) }'
    found = checked(STACK + groups, CLASSES)
    by_name = {p.name: r.treatment for r in found.ranges for p in r.pieces}
    assert (by_name["dense.weight"].l2, by_name["dense.weight"].rate_multiplier) == (0.5, 2)
    assert (by_name["dense_2.weight"].l2, by_name["dense_2.weight"].rate_multiplier) == (0.1, 2)
    assert found.initials["dense.weight"] == Initial("normal", (0.01,))
    assert found.initials["dense_2.weight"] == Initial("glorot_uniform")


def test_a_group_may_name_a_file_and_how_its_weights_are_called_there() -> None:
    groups = 'group "dense.*" { source "theirs.safetensors"; rename { "fc1.*" "dense.*" } }'
    origins = checked(STACK + groups, CLASSES).origins
    assert {n: (o.file, o.name) for n, o in origins.items()} == {
        "dense.weight": ("theirs.safetensors", "fc1.weight"),
        "dense.bias": ("theirs.safetensors", "fc1.bias"),
    }


@pytest.mark.parametrize(
    ("group", "code", "column"),
    [
        ('group "densee.*" { frozen true }', "pattern-matches-nothing", 7),
        ('group "dense.*" { rate_multiplier -1 }', "wrong-kind", 35),
        ('group "dense.*" { initial normall(1) }', "unknown-name", 27),
        ('group "dense.*" { initial normal }', "missing-argument", 27),
        ('group "dense.*" { l3 1 }', "unknown-setting", 19),
    ],
)
def test_groups_are_checked(group: str, code: str, column: int) -> None:
    found = mistakes(STACK + group, CLASSES)
    assert [(c, col) for c, _, col in found] == [(code, column)]


@pytest.mark.parametrize(
    ("setting", "code", "column"),
    [
        ("optimizer adamm(1e-3)", "unknown-choice", 19),
        ("optimizer adam(rate = x)", "wrong-kind", 31),
        ("optimizer adam(beta3 = 0.1)", "unknown-argument", 24),
        ("optimizer adam(beta2 = 1.5)", "wrong-kind", 32),
        ("optimizer sgd(0.0)", "wrong-kind", 23),
        ("optimizer sgd", "missing-argument", 19),
        ("optimizer sgd(1.0, 0.9, true, 4)", "too-many-arguments", 39),
        ("schedule cosinus(3)", "unknown-choice", 18),
        ("schedule cosine(1.5)", "wrong-kind", 25),
        ("epochs 0", "wrong-kind", 16),
        ("clip { norm -1 }", "wrong-kind", 21),
        ("stop { monitor f1; patience 3 }", "unknown-choice", 24),
        ("average 1.5", "wrong-kind", 17),
        ("precision f8", "unknown-choice", 19),
    ],
)
def test_training_is_checked(setting: str, code: str, column: int) -> None:
    found = mistakes(STACK + f"train {{ {setting} }}", CLASSES)
    assert [(c, col) for c, _, col in found] == [(code, column)]


def test_training_needs_a_loss() -> None:
    assert mistakes("y = x\ntrain { epochs 3 }") == [("no-loss", 2, 1)]


def test_overrides_of_what_is_no_constant_are_refused() -> None:
    with pytest.raises(Exception, match="nothing here is called `hiden`"):
        checked("y = x", "axonc 1\nmodel m(hidden = 3)\ninput x: f32[N, 4]\n", overrides={"hiden": 3})


WRITER = """axonc 1
input tokens: i32[N, T]
input next: i64[N, T]
x = tokens |> embedding(50, 8) |> self_attention(2, causal = true)
logits = x |> dense(50)
loss cross_entropy(logits, next)
"""


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ("generate tokens from logits { start 1; stop 2; limit 60; beam 4; temperature 0.8; top_k 4; top_p 0.9 }", []),
        ("generate token from logits { limit 60 }", [("unknown-name", 10)]),
        ("generate tokens from logit { limit 60 }", [("unknown-name", 22)]),
        ("generate tokens from tokens { limit 60 }", [("wrong-kind", 22)]),
        ("generate tokens from logits { limit 0 }", [("wrong-kind", 37)]),
        ("generate tokens from logits { top_p 1.5 }", [("wrong-kind", 37)]),
        ("generate tokens from logits { lenght 5 }", [("unknown-setting", 31)]),
    ],
)
def test_generation_is_checked(section: str, found: list[tuple[str, int]]) -> None:
    assert [(code, column) for code, _, column in mistakes(section, WRITER)] == found


def test_names_in_blocks_that_nothing_uses_are_checked() -> None:
    assert mistakes("block b(x) { x |> dens(3) + 0 }\ny = x".replace(" + 0", "")) == [("unknown-layer", 1, 19)]


def test_recursion_is_refused() -> None:
    body = "block a(x) { b(x) }\nblock b(x) { a(x) }\ny = a(x)"
    assert mistakes(body) == [("recursive-block", 2, 14)]


def test_the_head_is_what_the_tests_stand_on() -> None:
    assert types("y = x", HEAD) == {"y": "f32[N, 4]"}


def test_a_loss_that_no_weight_changes_is_an_error() -> None:
    body = "y = argmax(x |> dense(3))\nloss mean(cast(y, f32))\ntrain { epochs 3 }"
    assert mistakes(body) == [("nothing-learned", 2, 6)]


def test_with_everything_frozen_there_is_nothing_to_train() -> None:
    assert [m[0] for m in mistakes(STACK + 'group "**" { frozen true }\ntrain { epochs 3 }', CLASSES)] == [
        "nothing-learned"
    ]
