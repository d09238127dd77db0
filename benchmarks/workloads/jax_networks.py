"""The workloads as one writes them in JAX, over a dictionary of the weights by the names that the specs give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import jax.numpy as jnp
from jax import Array, lax, nn

Weights = Mapping[str, Array]


def dense(p: Weights, name: str, x: Array) -> Array:
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def playground(p: Weights, x: Array) -> Array:
    return dense(p, "dense_3", jnp.tanh(dense(p, "dense_2", jnp.tanh(dense(p, "dense", x)))))


def mlp(p: Weights, x: Array) -> Array:
    return dense(p, "dense_3", nn.relu(dense(p, "dense_2", nn.relu(dense(p, "dense", x)))))


def convolve(x: Array, w: Array, stride: int = 1, padding: str = "SAME") -> Array:
    sides = [(w.shape[0] // 2,) * 2] * 2 if padding == "SAME" else padding
    return lax.conv_general_dilated(x, w, (stride, stride), sides, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pool(x: Array) -> Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def cnn(p: Weights, x: Array) -> Array:
    for level in ("level", "level_2"):
        x = pool(nn.relu(convolve(x, p[f"{level}.conv2d.weight"]) + p[f"{level}.conv2d.bias"]))
    return dense(p, "dense_2", nn.relu(dense(p, "dense", x.reshape(len(x), -1))))


class Norms:
    """Batch norm with the statistics of the batch when training, which become part of those that are kept."""

    def __init__(self, p: Weights, states: Weights, *, training: bool) -> None:
        self.p, self.states, self.training = p, dict(states), training

    def __call__(self, name: str, x: Array) -> Array:
        centre, spread = f"{name}.centre", f"{name}.spread"
        mean, variance = self.states[centre], self.states[spread]
        if self.training:
            mean = x.mean((0, 1, 2))
            variance = jnp.square(x - mean).mean((0, 1, 2))
            for state, value in ((centre, mean), (spread, variance)):
                self.states[state] = 0.9 * self.states[state] + 0.1 * lax.stop_gradient(value)
        return (x - mean) * (self.p[f"{name}.scale"] * lax.rsqrt(variance + 1e-5)) + self.p[f"{name}.shift"]


def convolution(p: Weights, norms: Norms, name: str, x: Array, stride: int = 1) -> Array:
    return norms(f"{name}.batch_norm", convolve(x, p[f"{name}.conv2d.weight"], stride))


def resnet20(p: Weights, norms: Norms, x: Array) -> Array:
    x = nn.relu(convolution(p, norms, "convolution", x))
    for level in range(3):
        for i in range(3):
            name, stride = f"pair.{level}.{i}", 2 if level > 0 and i == 0 else 1
            y = nn.relu(convolution(p, norms, f"{name}.convolution", x, stride))
            y = convolution(p, norms, f"{name}.convolution_2", y)
            if x.shape[-1] != y.shape[-1]:
                x = convolution(p, norms, f"{name}.convolution_3", x, stride)
            x = nn.relu(x + y)
    return dense(p, "dense", x.mean((1, 2)))


def layer_norm(p: Weights, name: str, x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    spread = lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-5)
    return centred * spread * p[f"{name}.scale"] + p[f"{name}.shift"]


def attention(p: Weights, name: str, x: Array, heads: int, *, causal: bool) -> Array:
    n, t, d = x.shape
    joint = dense(p, f"{name}.dense", x).reshape(n, t, 3, heads, d // heads)
    q, k, v = (joint[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
    score = q @ k.swapaxes(2, 3) * (d // heads) ** -0.5
    if causal:
        score = jnp.where(jnp.tril(jnp.ones((t, t), bool)), score, -1e9)
    mixed = (nn.softmax(score) @ v).transpose(0, 2, 1, 3).reshape(n, t, d)
    return dense(p, f"{name}.dense_2", mixed)


def blocks(p: Weights, x: Array, heads: int, depth: int, *, causal: bool) -> Array:
    for i in range(depth):
        x = x + attention(p, f"self_attention.{i}", layer_norm(p, f"layer_norm.{i}", x), heads, causal=causal)
        wide = dense(p, f"dense.{i}", layer_norm(p, f"layer_norm_2.{i}", x))
        x = x + dense(p, f"dense_2.{i}", nn.gelu(wide, approximate=False))
    return x


def gpt(p: Weights, tokens: Array) -> Array:
    x = blocks(p, p["embedding.weight"][tokens] + p["place"], 4, 4, causal=True)
    return dense(p, "dense_3", layer_norm(p, "layer_norm_3", x))


def vit(p: Weights, image: Array) -> Array:
    x = convolve(image, p["patch_embedding.conv2d.weight"], 4, "VALID") + p["patch_embedding.conv2d.bias"]
    n, d = len(x), x.shape[-1]
    token = jnp.broadcast_to(p["token"], (n, 1, d))
    x = jnp.concatenate((token, x.reshape(n, -1, d)), 1) + p["place"]
    return dense(p, "dense_3", layer_norm(p, "layer_norm_3", blocks(p, x, 4, 4, causal=False))[:, 0])


def lstm(p: Weights, x: Array) -> Array:
    into = (x @ p["lstm.lstm_pass.weight"] + p["lstm.lstm_pass.bias"]).swapaxes(0, 1)
    recurrent = p["lstm.lstm_pass.recurrent"]

    def step(carry: tuple[Array, Array], now: Array) -> tuple[tuple[Array, Array], None]:
        h, c = carry
        enter, keep, new, leave = jnp.split(now + h @ recurrent, 4, -1)
        c = nn.sigmoid(keep) * c + nn.sigmoid(enter) * jnp.tanh(new)
        return (nn.sigmoid(leave) * jnp.tanh(c), c), None

    zeros = jnp.zeros((len(x), len(recurrent)), x.dtype)
    (h, _), _ = lax.scan(step, (zeros, zeros), into)
    return dense(p, "dense", h)


def double(p: Weights, norms: Norms, name: str, x: Array) -> Array:
    for i in range(2):
        x = nn.relu(norms(f"{name}.batch_norm.{i}", convolve(x, p[f"{name}.conv2d.{i}.weight"])))
    return x


def unet(p: Weights, norms: Norms, x: Array) -> Array:
    skips = []
    for i in range(3):
        skips.append(double(p, norms, f"double.{i}", x))
        x = pool(skips[-1])
    x = double(p, norms, "double_2", x)
    for i, skip in enumerate(reversed(skips)):
        w = p[f"conv2d_transpose.{i}.weight"][::-1, ::-1]
        wider = lax.conv_transpose(x, w, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = double(p, norms, f"double_3.{i}", jnp.concatenate((skip, wider + p[f"conv2d_transpose.{i}.bias"]), -1))
    return convolve(x, p["conv2d.weight"]) + p["conv2d.bias"]


NETWORKS: dict[str, Callable[..., Array]] = {
    f.__name__: f for f in (playground, mlp, cnn, resnet20, gpt, lstm, unet, vit)
}


class Workload:
    """The network of a workload."""

    def __init__(self, name: str) -> None:
        self.name = name

    def logits(self, p: Weights, states: Weights, x: Array, *, training: bool) -> tuple[Array, Weights]:
        if not states:
            return NETWORKS[self.name](p, x), {}
        norms = Norms(p, states, training=training)
        return NETWORKS[self.name](p, norms, x), norms.states

    def loss(self, p: Weights, states: Weights, batch: Weights) -> tuple[Array, Weights]:
        """The loss in training, and the next states."""
        x, target = _parts(batch)
        logits, states = self.logits(p, states, x, training=True)
        own = jnp.take_along_axis(nn.log_softmax(logits), target[..., None], -1)
        return -own.mean(), states

    def outputs(self, p: Weights, states: Weights, batch: Weights) -> dict[str, Array]:
        return {"logits": self.logits(p, states, _parts(batch)[0], training=False)[0]}


def _parts(batch: Weights) -> tuple[Array, Array]:
    """What the network sees, and the target: JAX puts names in order of the alphabet."""
    target = next(name for name in batch if name in ("label", "mask", "next"))
    return next(array for name, array in batch.items() if name != target), batch[target]


def network(spec: str) -> Workload:
    """The network of the workload in the file `spec`."""
    return Workload(Path(spec).stem)
