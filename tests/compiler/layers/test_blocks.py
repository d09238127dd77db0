"""Blocks of the library, against NumPy's arithmetic, ONNX Runtime and what they must do."""

from __future__ import annotations

import numpy as np
import pytest

from ..ops.oracles import first, last, run
from ..trace.specs import computed, mistakes, types, weights
from .models import head_of, output, real

X = real(2, 5, 8)
IMAGE = real(2, 6, 6, 4)


def test_local_response_norm_is_that_of_onnx() -> None:
    for near in (1, 3, 5):
        body = f"local_response_norm(x, {near}, alpha = 0.5, beta = 0.6, bias = 1.5)"
        wanted = last(run("LRN", first(IMAGE), size=near, alpha=0.5, beta=0.6, bias=1.5))
        np.testing.assert_allclose(output(body, x=IMAGE), wanted, rtol=1e-5, atol=1e-6)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_dot_attention_weighs_the_memory_by_products() -> None:
    q, m, length = real(2, 3, 8, seed=1), X, np.array([5, 2])
    score = np.einsum("ntd,nsd->nts", q, m)
    np.testing.assert_allclose(output("dot_attention(q, m)", q=q, m=m), softmax(score) @ m, rtol=1e-4, atol=1e-5)
    score = np.where((np.arange(5) < length[:, None])[:, None], score, -np.inf)
    found = output("dot_attention(q, m, length = n)", q=q, m=m, n=length)
    np.testing.assert_allclose(found, softmax(score) @ m, rtol=1e-4, atol=1e-5)
    one = output("dot_attention(q[:, 0], m, length = n)", q=q, m=m, n=length)
    np.testing.assert_allclose(one, found[:, 0], rtol=1e-5, atol=1e-6)


def test_additive_attention_scores_sums() -> None:
    q, mask = real(2, 3, 6, seed=1), np.array([[True] * 3 + [False] * 2, [True] * 5])
    wq, wm, v = real(6, 4, seed=2), real(8, 4, seed=3), real(4, 1, seed=4)
    values = dict(zip(("dense", "dense_2", "dense_3"), (wq, wm, v), strict=True))
    values = {f"additive_attention.{name}.weight": w for name, w in values.items()}
    score = (np.tanh((q @ wq)[:, :, None] + (X @ wm)[:, None]) @ v)[..., 0]
    wanted = softmax(np.where(mask[:, None], score, -np.inf)) @ X
    found = output("additive_attention(q, m, mask = k, units = 4)", values, q=q, m=X, k=mask)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    one = output("additive_attention(q[:, 1], m, mask = k, units = 4)", values, q=q, m=X, k=mask)
    np.testing.assert_allclose(one, wanted[:, 1], rtol=1e-4, atol=1e-5)


def test_groups_of_queries_share_keys_and_values() -> None:
    assert weights("y = self_attention(x, 4, groups = 2)", head_of({"x": X})) == {
        "self_attention.dense.weight": "f32[8, 16]",
        "self_attention.dense.bias": "f32[16]",
        "self_attention.dense_2.weight": "f32[8, 8]",
        "self_attention.dense_2.bias": "f32[8]",
    }
    w, out = real(8, 16, seed=1), real(8, 8, seed=2)
    values = {"self_attention.dense.weight": w, "self_attention.dense_2.weight": out}
    values |= {"self_attention.dense.bias": np.zeros(16), "self_attention.dense_2.bias": np.zeros(8)}
    found = output("self_attention(x, 4, groups = 2)", values, x=X)
    query, key, value = (part.swapaxes(1, 2) for part in split_heads(X @ w, (4, 2, 2)))
    heads = [softmax(query[:, h] @ key[:, h // 2].swapaxes(1, 2) / np.sqrt(2)) @ value[:, h // 2] for h in range(4)]
    np.testing.assert_allclose(found, np.concatenate(heads, -1) @ out, rtol=1e-4, atol=1e-4)


def split_heads(x: np.ndarray, heads: tuple[int, ...]) -> list[np.ndarray]:
    """x [N, T, sum(heads) · 2] as one [N, T, heads, 2] for each number of heads."""
    cuts = np.cumsum([2 * n for n in heads])[:-1]
    return [p.reshape(*p.shape[:2], -1, 2) for p in np.split(x, cuts, -1)]


def test_rotary_positions_turn_by_the_position_so_that_products_know_distances_only() -> None:
    found = output("rotary_positions(x)", x=X)
    pairs = X[..., :4] + 1j * X[..., 4:]
    turned = pairs * np.exp(1j * np.arange(5)[:, None] * 10000.0 ** (-np.arange(4) / 4))
    np.testing.assert_allclose(found, np.concatenate([turned.real, turned.imag], -1), rtol=1e-4, atol=1e-5)
    same = output("rotary_positions(x)", x=np.broadcast_to(X[:, :1], X.shape).copy())
    products = np.einsum("ntd,nsd->nts", same, same)
    np.testing.assert_allclose(products[:, 1:, 1:], products[:, :-1, :-1], rtol=1e-3, atol=1e-4)


def test_positions_are_added_and_a_class_token_stands_in_front() -> None:
    place = real(7, 8, seed=1)
    found = output("learned_positions(x, 7)", {"learned_positions.weight": place}, x=X)
    np.testing.assert_allclose(found, X + place[:5], rtol=1e-6)
    np.testing.assert_allclose(output("sinusoidal_positions(0 * x)", x=X)[0, 0], [0] * 4 + [1] * 4, atol=1e-6)
    token = real(1, 1, 8, seed=2)
    found = output("class_token(x)", {"class_token.token": token}, x=X)
    np.testing.assert_array_equal(found, np.concatenate([np.repeat(token, 2, 0), X], 1))


@pytest.mark.parametrize("pre", ["true", "false"])
def test_transformer_blocks_are_their_parts(pre: str) -> None:
    values = {"heads": 2, "hidden": 12}
    settings = ", ".join(f"{k} = {v}" for k, v in values.items())
    body = f"y = transformer_encoder(x, {settings}, pre = {pre}) |> transformer_decoder(x, {settings}, pre = {pre})"
    assert types(body, head_of({"x": X})) == {"y": "f32[N, 5, 8]"}
    names = weights(body, head_of({"x": X}))
    count = sum(int(np.prod([int(n) for n in t[4:-1].split(",")])) for t in names.values())
    attention, feed, norm = 4 * 8 * 8 + 4 * 8, 2 * 8 * 12 + 12 + 8, 2 * 8
    assert count == (attention + feed + 2 * norm) + (2 * attention + feed + 3 * norm)
    assert output(body.removeprefix("y = "), x=X).shape == X.shape


def test_a_norm_after_each_sum_leaves_centred_rows() -> None:
    ones = {f"transformer_encoder.layer_norm{n}.{w}": np.full(8, v) for n in ("", "_2", "_3", "_4") for w, v in SCALES}
    found = output("transformer_encoder(x, heads = 2, pre = false)", ones, x=X)
    np.testing.assert_allclose(found.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(-1), 1, atol=1e-3)


SCALES = (("scale", 1.0), ("shift", 0.0))


def test_squeeze_excitation_and_channel_attention_scale_channels() -> None:
    down, up = real(4, 2, seed=1), real(2, 4, seed=2)
    zeros = {"dense.bias": np.zeros(2), "dense_2.bias": np.zeros(4), "dense.weight": down, "dense_2.weight": up}

    def share(pooled: np.ndarray) -> np.ndarray:
        return np.maximum(pooled @ down, 0) @ up

    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    values = {f"squeeze_excitation.{n}": v for n, v in zeros.items()}
    wanted = IMAGE * sigmoid(share(IMAGE.mean((1, 2))))[:, None, None]
    np.testing.assert_allclose(output("squeeze_excitation(x, 2)", values, x=IMAGE), wanted, rtol=1e-4, atol=1e-5)
    values = {f"channel_attention.shares.{n}": v for n, v in zeros.items()}
    wanted = IMAGE * sigmoid(share(IMAGE.mean((1, 2))) + share(IMAGE.max((1, 2))))[:, None, None]
    np.testing.assert_allclose(output("channel_attention(x, 2)", values, x=IMAGE), wanted, rtol=1e-4, atol=1e-5)


def test_an_inverted_residual_has_the_weights_of_its_paper_and_adds_where_shapes_agree() -> None:
    head = head_of({"x": IMAGE})
    names = weights("y = inverted_residual(x, 4)", head)
    sizes = [t for n, t in names.items() if n.endswith("conv2d.weight")]
    assert sizes == ["f32[1, 1, 4, 24]", "f32[3, 3, 1, 24]", "f32[1, 1, 24, 4]"]
    body = "y = inverted_residual(x, 6, stride = 2, expansion = 1, excitation = 3)\noutput y"
    assert types(body, head) == {"y": "f32[N, 3, 3, 6]"}
    silent = {"inverted_residual.conv_norm_3.batch_norm.scale": np.zeros(4)}
    silent |= {"inverted_residual.conv_norm_3.batch_norm.shift": np.zeros(4)}
    states = {f"inverted_residual.conv_norm{n}.batch_norm.spread": np.ones(c) for n, c in NORMS}
    found = output("inverted_residual(x, 4)", silent | states, x=IMAGE)
    np.testing.assert_array_equal(found, IMAGE)


NORMS = (("", 24), ("_2", 24), ("_3", 4))


def test_patches_are_rows_of_an_image() -> None:
    w = real(2, 2, 4, 5, seed=1)
    values = {"patch_embedding.conv2d.weight": w, "patch_embedding.conv2d.bias": np.zeros(5)}
    patches = IMAGE.reshape(2, 3, 2, 3, 2, 4).transpose(0, 1, 3, 2, 4, 5).reshape(2, 9, 16)
    found = output("patch_embedding(x, 2, 5)", values, x=IMAGE)
    np.testing.assert_allclose(found, patches @ w.reshape(16, 5), rtol=1e-4, atol=1e-5)


def test_merges_go_element_by_element() -> None:
    a, b, c = (real(2, 3, seed=s) for s in range(3))
    given = {"a": a, "b": b, "c": c}
    np.testing.assert_allclose(output("average(a, b, c)", **given), (a + b + c) / 3, rtol=1e-6)
    np.testing.assert_array_equal(output("maximum(a, b, c)", **given), np.maximum(np.maximum(a, b), c))
    np.testing.assert_array_equal(output("minimum([a, b]) + 0 * c", **given), np.minimum(a, b))
    np.testing.assert_allclose(output("dot(a, b) + 0 * c[:, 0]", **given), (a * b).sum(-1), rtol=1e-5, atol=1e-6)
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    np.testing.assert_allclose(output("cosine_similarity(a, b) + 0 * c[:, 0]", **given), cosine, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(output("rsqrt(a * a) + 0 * b + 0 * c", **given), 1 / np.abs(a), rtol=1e-5)


def test_functions_of_angles_and_truths() -> None:
    a, b = real(2, 3), real(2, 3, seed=1)
    np.testing.assert_allclose(output("atan2(a, b)", a=a, b=b), np.arctan2(a, b), rtol=1e-5)
    np.testing.assert_array_equal(output("xor(a > 0, b > 0)", a=a, b=b), (a > 0) != (b > 0))
    odd = np.array([[1.0, np.nan, np.inf]], np.float32)
    np.testing.assert_array_equal(output("is_nan(a)", a=odd), [[False, True, False]])
    np.testing.assert_array_equal(output("is_finite(a)", a=odd), [[True, False, False]])
    np.testing.assert_array_equal(output("a % 1.5", a=a), np.mod(a, np.float32(1.5)))


def test_a_reparameterised_draw_is_random_in_training_and_its_mean_elsewhere() -> None:
    head = "axonc 1\ninput m: f32[N, 3]\ninput v: f32[N, 3]\n"
    given = {"m": real(400, 3), "v": np.full((400, 3), 2 * np.log(0.5), np.float32)}
    np.testing.assert_array_equal(computed("y = reparameterise(m, v)", given, head=head)["y"], given["m"])
    body = "y = reparameterise(m, v)\nloss mean((y - m) ** 2)"
    assert 0.2 < computed(body, given, "train", head)["loss"] < 0.3


def test_channels_are_dropped_whole() -> None:
    head = "axonc 1\ninput x: f32[N, 9, 50]\n"
    body = "y = channel_dropout(x, 0.4)\nloss mean(y)\nloss spread = mean(var(y, axis = 1))"
    found = computed(body, {"x": np.ones((20, 9, 50))}, "train", head)
    assert abs(float(found["loss"]) - 1) < 0.1
    assert float(found["spread"]) < 1e-10


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ("y = self_attention(x, 4, groups = 3)", ("assertion-failed", 1, 5)),
        ("y = transformer_encoder(x)", ("missing-argument", 1, 5)),
        ("y = channel_dropout(x, 1.5)", ("wrong-kind", 1, 24)),
        ("y = conv_norm(x, 3, 3)", ("wrong-kind", 1, 5)),
        ("y = average(x, zeros(3))", ("shape-mismatch", 1, 5)),
    ],
)
def test_a_mistake_stands_at_the_users_word(body: str, mistake: tuple[str, int, int]) -> None:
    assert mistakes(body, head_of({"x": X})) == [mistake]
