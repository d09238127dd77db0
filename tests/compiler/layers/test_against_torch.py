"""Layers and losses against PyTorch: values, and gradients of every weight, through the compiled program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import axonc
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the other implementation, is not installed")
nn = torch.nn
F = nn.functional

DRAW = np.random.default_rng(3)


def draw(*shape: int) -> np.ndarray:
    return DRAW.normal(size=shape).astype(np.float32)


def tensor(array: Any) -> Any:
    return torch.tensor(np.array(array), dtype=torch.float32, requires_grad=True)


def compare(body: str, shape: str, x: np.ndarray, theirs: Callable[[Any, dict[str, Any]], Any]) -> None:
    """The output `y` of a body on `input x: f32[N, shape]`, and the gradients of its weights by a weighted mean of y,
    against `theirs(x, weights)`."""
    tie = draw(*theirs(torch.tensor(x), weights_of(spec_of(body, shape))).shape[1:])
    program = spec_of(body, shape, tie)
    weights = weights_of(program)
    y = theirs(torch.tensor(x), weights)
    np.testing.assert_allclose(program.predict({"x": x})["y"], y.detach().numpy(), rtol=2e-4, atol=2e-5)
    (y * torch.tensor(tie)).mean().backward()
    _, gradients = program.loss_and_gradients({"x": x, "t": np.broadcast_to(tie, y.shape).copy()})
    for name, weight in weights.items():
        wanted = weight.grad.numpy() if weight.grad is not None else np.zeros(weight.shape)
        np.testing.assert_allclose(gradients[name], wanted, rtol=2e-3, atol=2e-5, err_msg=name)


def spec_of(body: str, shape: str, tie: np.ndarray | None = None) -> axonc.Program:
    sizes = ", ".join(map(str, tie.shape)) if tie is not None else "1"
    loss = f"input t: f32[N, {sizes}]\nloss mean(y * t)\n" if tie is not None else ""
    program = axonc.compile(f"axonc 1\ninput x: f32[N, {shape}]\n{body}\noutput y\n{loss}")
    values = np.random.default_rng(7)
    for array in program.parameters.values():
        array[...] = values.normal(size=array.shape) * 0.5
    return program


def weights_of(program: axonc.Program) -> dict[str, Any]:
    return {name: tensor(array) for name, array in program.parameters.items()}


def channels_first(x: Any) -> Any:
    return x.movedim(-1, 1).contiguous()


def channels_last(x: Any) -> Any:
    return x.movedim(1, -1)


def kernel(w: Any) -> Any:
    """[kernel…, in, out] as PyTorch's [out, in, kernel…]."""
    return w.movedim(-1, 0).movedim(-1, 1)


def test_dense() -> None:
    compare(
        "y = x |> dense(5, tanh)", "4", draw(3, 4), lambda x, w: torch.tanh(x @ w["dense.weight"] + w["dense.bias"])
    )


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("padding = valid", {}),
        ("padding = 1, stride = 2", {"padding": 1, "stride": 2}),
        ("padding = same", {"padding": "same"}),
        (
            "padding = [2, 1], dilation = [2, 1], stride = [1, 2]",
            {"padding": (2, 1), "dilation": (2, 1), "stride": (1, 2)},
        ),
        ("groups = 2, padding = 1", {"groups": 2, "padding": 1}),
    ],
)
def test_conv2d(arguments: str, options: dict[str, Any]) -> None:
    def theirs(x: Any, w: dict[str, Any]) -> Any:
        y = F.conv2d(channels_first(x), kernel(w["conv2d.weight"]), w["conv2d.bias"], **options)
        return channels_last(y)

    compare(f"y = x |> conv2d(6, 3, {arguments})", "7, 6, 4", draw(2, 7, 6, 4), theirs)


def test_conv1d_and_conv3d() -> None:
    def line(x: Any, w: dict[str, Any]) -> Any:
        return channels_last(F.conv1d(channels_first(x), kernel(w["conv1d.weight"]), w["conv1d.bias"], padding=1))

    compare("y = x |> conv1d(5, 3, padding = 1)", "8, 4", draw(2, 8, 4), line)
    compare(
        "y = x |> conv3d(5, 2, padding = valid)", "3, 4, 5, 2", draw(2, 3, 4, 5, 2),
        lambda x, w: channels_last(F.conv3d(channels_first(x), kernel(w["conv3d.weight"]), w["conv3d.bias"])),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("stride = 2, padding = 1, output_padding = 1", {"stride": 2, "padding": 1, "output_padding": 1}),
        ("stride = 1, padding = valid", {}),
        ("stride = 2, padding = valid", {"stride": 2}),
    ],
)
def test_conv2d_transpose(arguments: str, options: dict[str, Any]) -> None:
    def theirs(x: Any, w: dict[str, Any]) -> Any:
        weight = w["conv2d_transpose.weight"].movedim(2, 0).movedim(3, 1)
        return channels_last(F.conv_transpose2d(channels_first(x), weight, w["conv2d_transpose.bias"], **options))

    compare(f"y = x |> conv2d_transpose(6, 3, {arguments})", "4, 5, 3", draw(2, 4, 5, 3), theirs)


def test_depthwise_and_separable_convolutions() -> None:
    def depthwise(x: Any, w: Any, bias: Any) -> Any:
        return F.conv2d(channels_first(x), kernel(w), bias, padding=1, groups=x.shape[-1])

    compare(
        "y = x |> depthwise_conv2d(3, 2, padding = 1)", "5, 5, 3", draw(2, 5, 5, 3),
        lambda x, w: channels_last(depthwise(x, w["depthwise_conv2d.weight"], w["depthwise_conv2d.bias"])),
    )  # fmt: skip

    def separable(x: Any, w: dict[str, Any]) -> Any:
        apart = depthwise(x, w["separable_conv2d.depthwise"], None)
        return channels_last(F.conv2d(apart, kernel(w["separable_conv2d.weight"]), w["separable_conv2d.bias"]))

    compare("y = x |> separable_conv2d(6, 3, padding = 1)", "5, 5, 3", draw(2, 5, 5, 3), separable)


@pytest.mark.parametrize(
    ("body", "theirs"),
    [
        ("max_pool2d(2)", lambda x: F.max_pool2d(x, 2)),
        ("max_pool2d(3, stride = 2, padding = 1)", lambda x: F.max_pool2d(x, 3, 2, 1)),
        ("max_pool2d(2, ceil = true)", lambda x: F.max_pool2d(x, 2, ceil_mode=True)),
        ("max_pool2d(3, stride = 2, padding = 1, ceil = true)", lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True)),
        ("average_pool2d(2)", lambda x: F.avg_pool2d(x, 2)),
        (
            "average_pool2d(3, stride = 2, padding = 1)",
            lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        ),
        (
            "average_pool2d(2, stride = 3, ceil = true)",
            lambda x: F.avg_pool2d(x, 2, 3, ceil_mode=True, count_include_pad=False),
        ),
    ],
)
def test_pools(body: str, theirs: Callable[[Any], Any]) -> None:
    compare(
        f"z = x |> conv2d(3, 1)\ny = z |> {body}", "7, 6, 3", draw(2, 7, 6, 3),
        lambda x, w: channels_last(theirs(channels_first(x @ w["conv2d.weight"][0, 0] + w["conv2d.bias"]))),
    )  # fmt: skip


def test_global_pools() -> None:
    compare("y = x |> dense(3) |> global_average_pool", "4, 5, 2", draw(2, 4, 5, 2),
            lambda x, w: (x @ w["dense.weight"] + w["dense.bias"]).mean((1, 2)))  # fmt: skip
    compare("y = x |> dense(3) |> global_max_pool", "4, 5, 2", draw(2, 4, 5, 2),
            lambda x, w: (x @ w["dense.weight"] + w["dense.bias"]).amax((1, 2)))  # fmt: skip


@pytest.mark.parametrize(
    ("word", "theirs"),
    [
        ("layer_norm", lambda x, w: F.layer_norm(x, (6,), w["layer_norm.scale"], w["layer_norm.shift"])),
        ("rms_norm", lambda x, w: F.rms_norm(x, (6,), w["rms_norm.scale"], 1e-5)),
        (
            "group_norm(3)",
            lambda x, w: channels_last(
                F.group_norm(channels_first(x), 3, w["group_norm.scale"], w["group_norm.shift"])
            ),
        ),
        (
            "instance_norm",
            lambda x, w: channels_last(
                F.instance_norm(channels_first(x), weight=w["instance_norm.scale"], bias=w["instance_norm.shift"])
            ),
        ),
    ],
)
def test_normalisations(word: str, theirs: Callable[..., Any]) -> None:
    compare(f"y = x |> {word}", "5, 4, 6", draw(2, 5, 4, 6), theirs)


def test_batch_norm_in_training_and_afterwards() -> None:
    body = "axonc 1\ninput x: f32[N, 3, 4]\ny = x |> batch_norm(momentum = 0.8)\nloss mean(y ** 3)\n"
    program = axonc.compile(body + "train { optimizer sgd(1e-30) }\n")
    theirs = nn.BatchNorm1d(4, momentum=0.2)
    for _ in range(3):
        x = draw(5, 3, 4) * 2 + 1
        ours = program.train_step({"x": x})["loss"]
        y = theirs(channels_first(torch.tensor(x)))
        assert ours == pytest.approx(float((y**3).mean().detach()), rel=1e-4)
        # PyTorch keeps the variance divided by count - 1, and here it is divided by the count.
        theirs.running_var -= 0.2 * channels_first(torch.tensor(x)).var((0, 2)) * (1 / 15)
    np.testing.assert_allclose(program.states["batch_norm.centre"], theirs.running_mean.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(program.states["batch_norm.spread"], theirs.running_var.numpy(), rtol=1e-4)
    theirs.eval()
    wanted = channels_last(theirs(channels_first(torch.tensor(x)))).detach().numpy()
    np.testing.assert_allclose(program.predict({"x": x})["y"], wanted, rtol=1e-4, atol=1e-5)


def test_embedding() -> None:
    program = axonc.compile("axonc 1\ninput x: i64[N, T]\ny = x |> embedding(7, 3)\n")
    x = DRAW.integers(0, 7, (2, 5))
    wanted = F.embedding(torch.tensor(x), torch.tensor(program.parameters["embedding.weight"])).numpy()
    np.testing.assert_array_equal(program.predict({"x": x})["y"], wanted)


GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def lstm(layer: Any, w: dict[str, Any], path: str) -> None:
    """Gates in the order in, forget, new, out, as PyTorch's; it has two biases."""
    layer.weight_ih_l0 = nn.Parameter(w[f"{path}.weight"].detach().T.contiguous())
    layer.weight_hh_l0 = nn.Parameter(w[f"{path}.recurrent"].detach().T.contiguous())
    layer.bias_ih_l0 = nn.Parameter(w[f"{path}.bias"].detach().clone())
    nn.init.zeros_(layer.bias_hh_l0)


@pytest.mark.parametrize("word", ["lstm", "rnn"])
def test_recurrent_layers(word: str) -> None:
    path = f"{word}.{word}_pass"
    x = draw(3, 6, 4)
    program = spec_of(f"y = x |> {word}(5)", "T, 4", draw(6, 5))
    theirs = {"lstm": nn.LSTM, "rnn": nn.RNN}[word](4, 5, batch_first=True)
    lstm(theirs, weights_of(program), path)
    y = theirs(torch.tensor(x))[0]
    np.testing.assert_allclose(program.predict({"x": x})["y"], y.detach().numpy(), rtol=1e-4, atol=1e-5)
    tie = draw(3, 6, 5)
    (y * torch.tensor(tie)).mean().backward()
    _, gradients = program.loss_and_gradients({"x": x, "t": tie})
    np.testing.assert_allclose(gradients[f"{path}.weight"], theirs.weight_ih_l0.grad.T, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(gradients[f"{path}.recurrent"], theirs.weight_hh_l0.grad.T, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(gradients[f"{path}.bias"], theirs.bias_ih_l0.grad, rtol=2e-3, atol=1e-5)


def test_a_gru_step_by_step() -> None:
    """Cho et al. apply the reset gate to the state before the product; PyTorch after it, so the steps are ours."""

    def theirs(x: Any, w: dict[str, Any]) -> Any:
        wx, wh, wn, b = (w[f"gru.gru_pass.{n}"] for n in ("weight", "recurrent", "candidate", "bias"))
        h, states = torch.zeros(x.shape[0], 5), []
        for step in x.unbind(1):
            into = step @ wx + b
            reset, update = torch.sigmoid(into[:, :10] + h @ wh).chunk(2, 1)
            h = update * h + (1 - update) * torch.tanh(into[:, 10:] + (reset * h) @ wn)
            states.append(h)
        return torch.stack(states, 1)

    compare("y = x |> gru(5)", "6, 4", draw(3, 6, 4), theirs)


def test_a_bidirectional_lstm_with_lengths_is_that_of_packed_sequences() -> None:
    program = axonc.compile(
        "axonc 1\ninput x: f32[N, T, 4]\ninput length: i64[N]\n"
        "y = x |> lstm(5, bidirectional = true, length = length)\n"
    )
    theirs = nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    w = program.parameters
    for path, end in (("lstm.lstm_pass", ""), ("lstm.lstm_pass_2", "_reverse")):
        w[f"{path}.bias"][...] = draw(20)
        getattr(theirs, f"weight_ih_l0{end}").data = torch.tensor(w[f"{path}.weight"].T.copy())
        getattr(theirs, f"weight_hh_l0{end}").data = torch.tensor(w[f"{path}.recurrent"].T.copy())
        getattr(theirs, f"bias_ih_l0{end}").data = torch.tensor(w[f"{path}.bias"].copy())
        getattr(theirs, f"bias_hh_l0{end}").data.zero_()
    x, length = draw(3, 6, 4), np.array([6, 2, 4])
    packed = nn.utils.rnn.pack_padded_sequence(torch.tensor(x), torch.tensor(length), True, enforce_sorted=False)
    wanted, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    ours = program.predict({"x": x, "length": length})["y"]
    np.testing.assert_allclose(ours, wanted.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_self_attention(causal: bool) -> None:
    def theirs(x: Any, w: dict[str, Any]) -> Any:
        q, k, v = (x @ w["self_attention.dense.weight"] + w["self_attention.dense.bias"]).chunk(3, -1)
        q, k, v = (a.unflatten(-1, (2, 4)).transpose(1, 2) for a in (q, k, v))
        joined = F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)
        return joined @ w["self_attention.dense_2.weight"] + w["self_attention.dense_2.bias"]

    body = f"y = x |> self_attention(2, causal = {str(causal).lower()})"
    compare(body, "5, 8", draw(3, 5, 8), theirs)


@pytest.mark.parametrize("masked", ["mask = seen", "length = length"])
def test_attention_with_masks(masked: str) -> None:
    program = axonc.compile(
        "axonc 1\ninput q: f32[N, T, 8]\ninput m: f32[N, S, 6]\ninput length: i64[N]\n"
        f"seen = range(S) < unsqueeze(length, 1)\ny = attention(q, m, heads = 2, {masked})\noutput y\n"
    )
    w = {n: torch.tensor(a) for n, a in program.parameters.items()}
    q, m, length = draw(3, 5, 8), draw(3, 7, 6), np.array([7, 1, 3])
    a = torch.tensor(q) @ w["attention.dense.weight"] + w["attention.dense.bias"]
    k, v = (torch.tensor(m) @ w["attention.dense_2.weight"] + w["attention.dense_2.bias"]).chunk(2, -1)
    a, k, v = (t.unflatten(-1, (2, 4)).transpose(1, 2) for t in (a, k, v))
    seen = torch.arange(7) < torch.tensor(length)[:, None]
    joined = F.scaled_dot_product_attention(a, k, v, attn_mask=seen[:, None, None, :]).transpose(1, 2).flatten(2)
    wanted = joined @ w["attention.dense_3.weight"] + w["attention.dense_3.bias"]
    ours = program.predict({"q": q, "m": m, "length": length})["y"]
    np.testing.assert_allclose(ours, wanted.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("word", "theirs"),
    [
        ("relu", F.relu),
        ("leaky_relu", lambda x: F.leaky_relu(x, 0.1)),
        ("elu", F.elu),
        ("selu", F.selu),
        ("gelu", F.gelu),
        ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")),
        ("silu", F.silu),
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("softplus", F.softplus),
        ("mish", F.mish),
        ("relu6", F.relu6),
        ("hard_sigmoid", F.hardsigmoid),
        ("hard_swish", F.hardswish),
        ("softmax", lambda x: F.softmax(x, -1)),
        ("log_softmax", lambda x: F.log_softmax(x, -1)),
        ("glu", lambda x: F.glu(x, -1)),
    ],
)
def test_activations(word: str, theirs: Callable[[Any], Any]) -> None:
    compare(f"y = x |> dense(6) |> {word}", "4", draw(5, 4) * 2,
            lambda x, w: theirs(x @ w["dense.weight"] + w["dense.bias"]))  # fmt: skip


LOGITS, CLASSES = draw(6, 5) * 3, np.array([0, 4, 2, 2, 1, 3])


@pytest.mark.parametrize(
    ("call", "theirs"),
    [
        ("cross_entropy(x, c)", lambda x, c: F.cross_entropy(x, c)),
        ("cross_entropy(x, c, smoothing = 0.1)", lambda x, c: F.cross_entropy(x, c, label_smoothing=0.1)),
        ("sum(cross_entropy(x, c, ignore = 2)) / 4", lambda x, c: F.cross_entropy(x, c, ignore_index=2)),
        ("mse(x, 0.5 * x[:, ::-1])", lambda x, c: F.mse_loss(x, 0.5 * x.flip(1))),
        ("mae(x, x[:, ::-1])", lambda x, c: F.l1_loss(x, x.flip(1))),
        ("huber(x, x[:, ::-1], 0.7)", lambda x, c: F.huber_loss(x, x.flip(1), delta=0.7)),
        (
            "binary_cross_entropy(x, cast(x[:, ::-1] > 0, f32))",
            lambda x, c: F.binary_cross_entropy_with_logits(x, (x.flip(1) > 0).float()),
        ),
        (
            "triplet(x, x[:, ::-1], 2 * x, 0.5)",
            lambda x, c: F.relu(((x - x.flip(1)) ** 2).sum(1) - ((x - 2 * x) ** 2).sum(1) + 0.5).mean(),
        ),
    ],
)
def test_losses(call: str, theirs: Callable[[Any, Any], Any]) -> None:
    program = axonc.compile(
        f"axonc 1\ninput x: f32[N, 5]\ninput c: i64[N]\nweight one: f32[1] = ones\nloss {call}\noutput z = x * one\n"
    )
    loss, _ = program.loss_and_gradients({"x": LOGITS, "c": CLASSES})
    assert loss == pytest.approx(float(theirs(torch.tensor(LOGITS), torch.tensor(CLASSES))), rel=1e-5)
