"""Layers on cases that are small enough to be worked out with a pencil, or by a loop over every element."""

from __future__ import annotations

import axonc
import numpy as np
import pytest

DRAW = np.random.default_rng(11)


def draw(*shape: int) -> np.ndarray:
    return DRAW.normal(size=shape).astype(np.float32)


def ready(body: str, inputs: str, **weights: object) -> axonc.Program:
    """A program with the weights that are given, by names whose points are written `__`."""
    program = axonc.compile(f"axonc 1\n{inputs}\n{body}\n")
    for name, value in weights.items():
        program.parameters[name.replace("__", ".")][...] = value
    return program


def test_dense_is_a_product_and_a_bias() -> None:
    program = ready(
        "y = x |> dense(2)", "input x: f32[N, 3]", dense__weight=[[1, 2], [3, 4], [5, 6]], dense__bias=[10, 20]
    )
    np.testing.assert_array_equal(program.predict({"x": np.array([[1, 0, -1]], "f4")})["y"], [[6, 16]])


def test_a_convolution_slides_over_an_image_with_zeros_around_it() -> None:
    weight = np.zeros((3, 3, 1, 1))
    weight[0, 0] = 1  # looks one up and one to the left
    program = ready("y = x |> conv2d(1, 3, bias = false)", "input x: f32[N, 3, 3, 1]", conv2d__weight=weight)
    image = np.arange(1, 10, dtype="f4").reshape(1, 3, 3, 1)
    np.testing.assert_array_equal(program.predict({"x": image})["y"][0, :, :, 0], [[0, 0, 0], [0, 1, 2], [0, 4, 5]])


@pytest.mark.parametrize(("size", "stride", "before"), [(5, 2, 1), (6, 2, 0), (7, 3, 1), (4, 3, 1)])
def test_same_padding_gives_ceil_of_size_by_stride_with_the_odd_one_after(size: int, stride: int, before: int) -> None:
    program = ready(
        f"y = x |> conv1d(1, 3, stride = {stride}, bias = false)", f"input x: f32[N, {size}, 1]", conv1d__weight=1
    )
    x = np.arange(1, size + 1, dtype="f4")
    y = program.predict({"x": x.reshape(1, -1, 1)})["y"][0, :, 0]
    count = -(-size // stride)
    padded = np.concatenate([np.zeros(before), x, np.zeros(9)])
    assert len(y) == count
    np.testing.assert_array_equal(y, [padded[i * stride : i * stride + 3].sum() for i in range(count)])


@pytest.mark.parametrize("padding", ["[2, 0]", "[[2, 0]]"])
def test_two_numbers_are_the_padding_before_and_after_the_one_axis(padding: str) -> None:
    body = f"y = x |> conv1d(1, 3, padding = {padding}, bias = false)\nz = x |> max_pool1d(3, 1, padding = {padding})"
    program = ready(f"{body}\noutput y\noutput z", "input x: f32[N, 4, 1]", conv1d__weight=1)
    found = program.predict({"x": np.arange(1, 5, dtype="f4").reshape(1, 4, 1)})
    np.testing.assert_array_equal(found["y"].ravel(), [1, 3, 6, 9])  # a window ends at its own position
    np.testing.assert_array_equal(found["z"].ravel(), [1, 2, 3, 4])


def test_numbers_become_tensors_where_a_word_takes_nothing_else() -> None:
    x = np.array([[-1, 2], [3, -4]], "f4")
    lines = "a = x * stack(2.0, 3.0)\nb = maximum(x, 0)\nc = average(x, 1)\nd = dot(x, stack([1.0, 1.0]))"
    program = ready(f"{lines}\noutput a\noutput b\noutput c\noutput d", "input x: f32[N, 2]")
    found = program.predict({"x": x})
    np.testing.assert_array_equal(found["a"], x * [2, 3])
    np.testing.assert_array_equal(found["b"], np.maximum(x, 0))
    np.testing.assert_array_equal(found["c"], (x + 1) / 2)
    np.testing.assert_array_equal(found["d"], x.sum(1))


def test_expand_keeps_the_sizes_that_are_not_said() -> None:
    program = ready("y = expand(unsqueeze(x, 1), -1, 2, -1)", "input x: f32[N, 3]")
    x = draw(4, 3)
    np.testing.assert_array_equal(program.predict({"x": x})["y"], np.stack([x, x], 1))


def test_a_convolution_in_groups_is_one_for_each() -> None:
    weight = draw(1, 2, 4)
    program = ready("y = x |> conv1d(4, 1, groups = 2, bias = false)", "input x: f32[N, 5, 4]", conv1d__weight=weight)
    x = draw(2, 5, 4)
    wanted = np.concatenate([x[..., :2] @ weight[0, :, :2], x[..., 2:] @ weight[0, :, 2:]], -1)
    np.testing.assert_allclose(program.predict({"x": x})["y"], wanted, rtol=1e-5)


def test_pools_take_the_largest_or_the_mean_of_a_window() -> None:
    image = np.array([[1, 2, 5, 6], [3, 4, 7, 8]], "f4").reshape(1, 2, 4, 1)
    inputs = "input x: f32[N, 2, 4, 1]"
    np.testing.assert_array_equal(ready("y = x |> max_pool2d(2)", inputs).predict({"x": image})["y"].ravel(), [4, 8])
    np.testing.assert_array_equal(
        ready("y = x |> average_pool2d(2)", inputs).predict({"x": image})["y"].ravel(), [2.5, 6.5]
    )


def test_padding_is_not_counted_by_average_pools_and_never_largest() -> None:
    image = np.full((1, 2, 2, 1), -4, "f4")
    inputs = "input x: f32[N, 2, 2, 1]"
    for word in ("average_pool2d", "max_pool2d"):
        program = ready(f"y = x |> {word}(2, stride = 2, padding = 1)", inputs)
        np.testing.assert_array_equal(program.predict({"x": image})["y"].ravel(), [-4, -4, -4, -4])


def test_batch_norm_by_the_statistics_of_the_batch_and_then_by_those_it_kept() -> None:
    program = axonc.compile(
        "axonc 1\ninput x: f32[N, 1]\ny = x |> batch_norm(momentum = 0.9, epsilon = 0.0)\n"
        "loss mean(y ** 2)\ntrain { optimizer sgd(1e-30) }\n"
    )
    x = np.array([[1], [3]], "f4")  # mean 2, variance 1: normalised to -1 and 1
    assert program.train_step({"x": x})["loss"] == pytest.approx(1)
    assert program.states["batch_norm.centre"] == pytest.approx(0.1 * 2)
    assert program.states["batch_norm.spread"] == pytest.approx(0.9 * 1 + 0.1 * 1)
    np.testing.assert_allclose(program.predict({"x": x})["y"], [[0.8], [2.8]], rtol=1e-5)


def test_layer_norm_has_mean_0_and_deviation_1_in_each_row() -> None:
    program = ready("y = x |> layer_norm", "input x: f32[N, 4]", layer_norm__scale=2, layer_norm__shift=1)
    y = program.predict({"x": np.array([[1, 2, 3, 4]], "f4")})["y"]
    np.testing.assert_allclose(y, 1 + 2 * np.array([[-3, -1, 1, 3]]) / np.sqrt(5), rtol=1e-4)


def test_an_embedding_is_rows_of_its_weight() -> None:
    program = ready("y = x |> embedding(3, 2)", "input x: i32[N, T]", embedding__weight=[[1, 2], [3, 4], [5, 6]])
    y = program.predict({"x": np.array([[2, 0]], "i4")})["y"]
    np.testing.assert_array_equal(y, [[[5, 6], [1, 2]]])


def test_attention_by_a_loop_over_positions() -> None:
    program = axonc.compile("axonc 1\ninput x: f32[N, T, 4]\ny = x |> self_attention(2, causal = true)\n")
    w = program.parameters
    x = draw(1, 3, 4)
    q, k, v = np.split(x[0] @ w["self_attention.dense.weight"], 3, axis=1)
    joined = np.zeros((3, 4))
    for head in (slice(0, 2), slice(2, 4)):
        for t in range(3):
            scores = np.exp([q[t, head] @ k[s, head] / np.sqrt(2) for s in range(t + 1)])
            joined[t, head] = sum(a * v[s, head] for s, a in enumerate(scores / scores.sum()))
    np.testing.assert_allclose(
        program.predict({"x": x})["y"][0], joined @ w["self_attention.dense_2.weight"], rtol=1e-4
    )


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_an_lstm_by_a_loop_over_steps_of_each_row() -> None:
    program = axonc.compile(
        "axonc 1\ninput x: f32[N, T, 3]\ninput length: i64[N]\n"
        "y, h = x |> lstm(2, state = true, length = length)\noutput y\noutput h\n"
    )
    w = program.parameters
    x, length = draw(2, 4, 3), np.array([4, 2])
    wanted, last = np.zeros((2, 4, 2)), np.zeros((2, 2))
    for n in range(2):
        h = c = np.zeros(2)
        for t in range(length[n]):
            enter, keep, new, leave = np.split(
                x[n, t] @ w["lstm.lstm_pass.weight"] + h @ w["lstm.lstm_pass.recurrent"], 4
            )
            c = sigmoid(keep) * c + sigmoid(enter) * np.tanh(new)
            h = sigmoid(leave) * np.tanh(c)
            wanted[n, t] = h
        last[n] = h
    found = program.predict({"x": x, "length": length})
    np.testing.assert_allclose(found["y"], wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["h"], last, rtol=1e-4, atol=1e-6)


def loss_of(call: str, **inputs: np.ndarray) -> float:
    types = {"f": "f32", "i": "i64"}
    sizes = {n: ", ".join(["N", *map(str, a.shape[1:])]) for n, a in inputs.items()}
    declared = "".join(f"input {n}: {types[a.dtype.kind]}[{sizes[n]}]\n" for n, a in inputs.items())
    program = axonc.compile(f"axonc 1\n{declared}loss {call}\noutput y = x\n")
    return program.loss_and_gradients(inputs)[0]


def test_losses_of_known_value() -> None:
    x = np.array([[0, np.log(3)]], "f4")  # shares 1/4 and 3/4
    assert loss_of("cross_entropy(x, c)", x=x, c=np.array([1])) == pytest.approx(np.log(4 / 3))
    assert loss_of("cross_entropy(x, c)", x=x, c=np.array([0])) == pytest.approx(np.log(4))
    assert loss_of("binary_cross_entropy(x, t)", x=x, t=np.array([[1, 1]], "f4")) == pytest.approx(
        (np.log(2) + np.log(4 / 3)) / 2
    )
    a, b = np.array([[1, 2]], "f4"), np.array([[3, 2.5]], "f4")
    both = np.array([0, 1])
    weighted = (1 * np.log(4) + 2.5 * np.log(4 / 3)) / 2
    assert loss_of("cross_entropy(x, c, weights = [1, 2.5])", x=x.repeat(2, 0), c=both) == pytest.approx(weighted)
    assert loss_of("mse(x, 3)", x=a) == pytest.approx((4 + 1) / 2)
    assert loss_of("mse(x, t)", x=a, t=b) == pytest.approx((4 + 0.25) / 2)
    assert loss_of("mae(x, t)", x=a, t=b) == pytest.approx((2 + 0.5) / 2)
    assert loss_of("huber(x, t)", x=a, t=b) == pytest.approx((1.5 + 0.125) / 2)


def test_an_ignored_target_counts_nothing() -> None:
    x = np.array([[0, 9], [0, np.log(3)]], "f4")
    assert loss_of("sum(cross_entropy(x, c, ignore = 0))", x=x, c=np.array([0, 1])) == pytest.approx(np.log(4 / 3))


def test_dropout_keeps_the_mean_and_the_share_it_was_told() -> None:
    program = axonc.compile(
        "axonc 1\ninput x: f32[N, 1000]\ny = x |> dropout(0.3)\n"
        "loss kept = mean(cast(y > 0, f32))\nloss total = mean(y)\n"
    )
    ones = np.ones((200, 1000), "f4")
    program.train_step({"x": ones})
    found = program.train_step({"x": ones})
    # 200,000 draws: four deviations of a share of 0.7 are 0.004.
    assert found["kept"] == pytest.approx(0.7, abs=0.004)
    assert found["total"] == pytest.approx(1, abs=0.006)
    np.testing.assert_array_equal(program.predict({"x": ones})["y"], ones)


def test_dropout_draws_anew_at_each_step_and_the_same_with_the_same_seed() -> None:
    text = "axonc 1\ninput x: f32[N, 50]\ny = x |> dropout(0.5)\nloss mean(y * x)\n"
    x = draw(4, 50)
    first, second = axonc.compile(text), axonc.compile(text)
    losses = [first.train_step({"x": x})["loss"] for _ in range(3)]
    assert len(set(losses)) == 3
    assert [second.train_step({"x": x})["loss"] for _ in range(3)] == losses
