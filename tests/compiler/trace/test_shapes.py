"""Sizes and types: names, products, guards, and mistakes at the exact place."""

from __future__ import annotations

import axonc
import numpy as np
import pytest
from axonc.compiler.ir.evaluate import evaluate
from axonc.spec.source import CompileError

from .specs import checked, computed, diagnostics, mistakes, traced, types

TWO = "axonc 1\ninput a: f32[N, A]\ninput b: f32[N, B]\n"


def test_sizes_flow_from_inputs_through_everything() -> None:
    head = "axonc 1\ninput x: f32[N, 4 * H, 8 * W, 3]\n"
    body = "y = x |> conv2d(5, 3, stride = 2) |> max_pool2d(2)\nz = y |> flatten |> dense(2)\noutput y"
    assert types(body, head) == {"y": "f32[N, H, 2 * W, 5]"} or types(body, head) == {"y": "f32[N, H, 2 * W, 5]"}


def test_sizes_halved_and_doubled_are_equal_again() -> None:
    head = "axonc 1\ninput x: f32[N, 2 * H, 2 * W, 3]\n"
    body = "y = x |> max_pool2d(2) |> conv2d_transpose(3, 2, stride = 2)\nz = concat(x, y)"
    assert types(body, head) == {"z": "f32[N, 2 * H, 2 * W, 6]"}


def test_two_free_dimensions_broadcast_only_if_they_are_the_same() -> None:
    assert mistakes("y = a + b", TWO) == [("shape-mismatch", 1, 7)]


def test_a_number_and_a_free_dimension_wait_for_its_number() -> None:
    found = traced("y = a + ones(3)", head=TWO)
    graph = found.b.graph(dict(found.outputs))
    values = evaluate(graph, {"a": np.ones((2, 3)), "b": np.ones((2, 1))})
    np.testing.assert_array_equal(values["y"], np.full((2, 3), 2))
    with pytest.raises(CompileError, match=r"<text>:4:7"):
        evaluate(graph, {"a": np.ones((2, 5)), "b": np.ones((2, 1))})


def test_a_claim_about_free_sizes_waits_for_their_numbers() -> None:
    found = traced("assert A == B\ny = a", head=TWO)
    graph = found.b.graph(dict(found.outputs))
    assert evaluate(graph, {"a": np.ones((2, 3)), "b": np.ones((2, 3))})["y"].shape == (2, 3)
    with pytest.raises(CompileError, match=r"<text>:4:8"):
        evaluate(graph, {"a": np.ones((2, 3)), "b": np.ones((2, 4))})


def test_sizes_that_differ_for_every_number_are_refused_at_once() -> None:
    head = "axonc 1\ninput x: f32[N, T, 4]\n"
    assert mistakes("y = reshape(x, N, T, 3)", head) == [("shape-mismatch", 1, 5)]


def test_a_name_that_is_no_constant_introduces_a_dimension_if_capitalised() -> None:
    assert mistakes("y = x", "axonc 1\ninput x: f32[N, width]\n") == [("unknown-name", -0, 17)]
    assert types("y = x", "axonc 1\nmodel m(W = 7)\ninput x: f32[N, W]\n") == {"y": "f32[N, 7]"}


@pytest.mark.parametrize(
    ("inputs", "column"),
    [
        ("input x: f32[8, 4]", 14),
        ("input x: f32[2 * N, 4]", 14),
        ("input x: f32[]", 10),
        ("input x: f32", 10),
    ],
)
def test_the_first_dimension_of_an_input_is_the_batch(inputs: str, column: int) -> None:
    assert mistakes("y = x", f"axonc 1\n{inputs}\n") == [("batch-dimension", 0, column)]


def test_all_inputs_have_the_same_batch() -> None:
    assert mistakes("y = a", "axonc 1\ninput a: f32[N]\ninput b: f32[M]\n") == [("batch-dimension", 0, 14)]


def test_the_batch_may_have_another_name() -> None:
    found = computed("y = x * 2", {"x": np.ones((3, 2))}, head="axonc 1\ninput x: f32[B, 2]\n")
    assert found["y"].shape == (3, 2)


def test_data_sizes_are_given_from_outside() -> None:
    found = checked("y = a |> dense(2)", TWO, sizes={"A": 5})
    assert found.parameter_count == 5 * 2 + 2


@pytest.mark.parametrize(
    ("body", "code", "column"),
    [
        ("y = x + ones(3)", "shape-mismatch", 7),
        ("y = x @ ones(3, 2)", "shape-mismatch", 7),
        ("y = reshape(x, 3, -1, 5, -1)", "bad-index", 26),
        ("y = reshape(x, N, 5)", "shape-mismatch", 5),
        ("y = x |> reshape(N, 5)", "shape-mismatch", 10),
        ("y = transpose(x, 1)", "shape-mismatch", 5),
        ("y = concat(x, ones(2, 3, 4))", "shape-mismatch", 5),
        ("y = concat(x, x, axis = 2)", "shape-mismatch", 5),
        ("y = sum(x, axis = 2)", "bad-index", 19),
        ("y = sum(x, axis = [0, -3])", "bad-index", 19),
        ("y = softmax(x, axis = 5)", "shape-mismatch", 5),
        ("y = argmax(x, axis = 5)", "shape-mismatch", 5),
        ("y = split(x, 3)", "bad-index", 14),
        ("y = split(x, 2, axis = 7)", "bad-index", 24),
        ("y = squeeze(x, 1)", "shape-mismatch", 5),
        ("y = unsqueeze(x, 9)", "shape-mismatch", 5),
        ("y = expand(x, 2, 5)", "shape-mismatch", 5),
        ("y = x[:, 4]", "bad-index", 10),
        ("y = x[0, 0, 0]", "bad-index", 5),
        ("y = x[:, ::0]", "bad-index", 10),
        ("y = einsum(x, ones(3), 'ni,i->n')", "shape-mismatch", 5),
        ("y = x |> conv2d(3, 3)", "wrong-kind", 10),
        ("y = x |> max_pool2d(2)", "wrong-kind", 10),
        ("y = x |> embedding(3, 3)", "wrong-kind", 10),
        ("y = x |> self_attention(2)", "assertion-failed", 10),
        ("y = where(x > 0, x, ones(3))", "shape-mismatch", 5),
        ("y = where(x, x, x)", "wrong-kind", 11),
        ("y = x and x", "wrong-kind", 5),
        ("y = x |> residual(dense(3))", "shape-mismatch", 19),
        ("y = x |> residual(conv2d(3, 3))", "wrong-kind", 19),
        ("y = one_hot(x, 3)", "type-mismatch", 5),
        ("loss cross_entropy(x, x)", "wrong-kind", 23),
        ("loss binary_cross_entropy(x, sum(x, axis = 1))", "wrong-kind", 27),
        ("loss mse(x, ones(3))", "shape-mismatch", 6),
        ("y = cast(x, f33)", "unknown-name", 13),
        ("y = min(x, 3, axis = 1)", "bad-index", 22),
        ("y = x |> batch_norm(momentum = x)", "wrong-kind", 32),
        ("weight W: i32[4]\ny = x", "wrong-kind", 11),
        ("weight W: f32[4.5]\ny = x", "wrong-kind", 15),
        ("weight W: f99[4]\ny = x", "unknown-type", 11),
        ("weight W: f32[4] = normal\ny = x", "missing-argument", 20),
        ("weight W: f32[4] = normal(0.1, 2)\ny = x", "too-many-arguments", 32),
        ("weight W: f32[4] = normall(1)\ny = x", "unknown-name", 20),
        ("weight W: f32[4] = normal(deviaton = 1)\ny = x", "unknown-argument", 27),
    ],
)
def test_a_mistake_stands_at_its_word(body: str, code: str, column: int) -> None:
    assert [(c, col) for c, _, col in mistakes(body)] == [(code, column)]


def test_a_mismatch_in_the_library_stands_at_the_users_word() -> None:
    (found,) = diagnostics("y = x |> lstm(3)")
    assert (found.place.span.text, found.code) == ("lstm", "assertion-failed")
    (found,) = diagnostics("y = x |> lstm(3, initial = ones(2, 3, 4))", "axonc 1\ninput x: f32[N, T, 4]\n")
    assert (found.place.span.text, found.code) == ("lstm", "shape-mismatch")


def test_the_chain_names_blocks_and_turns_innermost_first() -> None:
    body = """
    block inner(x) {
      x + ones(3)
    }
    block outer(x) { x |> inner }
    repeat i in 2 { x = outer(x) }
    y = x
    """
    (found,) = diagnostics(body)
    assert [str(f) for f in found.place.chain] == [
        "block `inner` (<text>:6)", "block `outer` (<text>:7)", "repeat i = 0 of 2 (<text>:7)",
    ]  # fmt: skip


def test_a_mistake_says_both_shapes_and_what_to_write() -> None:
    head = "axonc 1\ninput x: f32[N, T, 768]\n"
    (found,) = diagnostics("y = x |> residual(layer_norm |> dense(3072))", head)
    assert (found.place.span.text, found.render_label()) == ("dense", "gives f32[N, T, 3072]")
    assert "f32[N, T, 768] and f32[N, T, 3072]" in found.render_notes()[0]
    assert found.render_help() == "end the branch with `dense(768)`"


def test_independent_mistakes_are_reported_together_and_no_consequences() -> None:
    body = """
    a = x |> dense(oops)
    b = a |> dense(3) |> relu
    c = b + a
    d = x |> conv2d(3, 3)
    repeat 3 { e = x + ones(3) }
    f = split(x, 3)
    g, h = f
    output c
    loss mse(d, e)
    train { optimizer sgdd(1.0); epochs 0 }
    group "nothing.*" { frozen 3 }
    """
    assert mistakes(body) == [
        ("unknown-name", 1, 16),
        ("wrong-kind", 4, 10),
        ("shape-mismatch", 5, 18),
        ("bad-index", 6, 14),
        ("unknown-choice", 10, 19),
        ("wrong-kind", 10, 37),
        ("wrong-setting", 11, 28),
    ]


@pytest.mark.parametrize("names", ["N, T", "B, T", "B, N"])
def test_a_batch_of_any_name_runs(names: str) -> None:
    program = axonc.compile(f"axonc 1\ninput x: f32[{names}]\nweight w: f32[] = ones\ny = 2 * x * w\nloss mean(y)\n")
    x = np.ones((5, 3), np.float32)
    np.testing.assert_array_equal(program.predict({"x": x})["y"], 2 * x)
    assert program.loss_and_gradients({"x": x})[0] == 2


@pytest.mark.parametrize(
    ("inputs", "shapes"),
    [
        ("input x: f32[N, 2 * H]", {"x": (3, 5)}),
        ("input x: f32[N, T]\ninput z: f32[N, T]", {"x": (3, 5), "z": (3, 4)}),
        ("input x: f32[N, T, T]", {"x": (3, 5, 4)}),
    ],
)
def test_arrays_that_no_sizes_explain_are_refused(inputs: str, shapes: dict[str, tuple[int, ...]]) -> None:
    total = " + ".join(f"sum({n})" for n in shapes)
    program = axonc.compile(f"axonc 1\n{inputs}\ny = {total}\n")
    with pytest.raises(axonc.InputError, match="found an array of shape"):
        program.predict({n: np.ones(s, np.float32) for n, s in shapes.items()})
