"""Times whole training steps of the NumPy backend, and PyTorch's eager steps beside them.

Run with OMP_NUM_THREADS=1: `python benchmarks/numpy_steps.py [case ...]`.
"""

from __future__ import annotations

import argparse
import itertools
import timeit
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from axonc.compiler.differentiate import with_gradients
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.graph import CONTROL, DATA, PARAMETER, STATE, TARGET, Builder, Graph, Node
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import F32, I64, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.convolution import Conv
from axonc.compiler.ops.elementwise import Add, Div, Ge, Mul, Relu, Sub, Where
from axonc.compiler.ops.index import Gather, Iota
from axonc.compiler.ops.layout import Concat, Expand, Reshape, Transpose, split
from axonc.compiler.ops.normal import CrossEntropy, Softmax
from axonc.compiler.ops.pool import MaxPool
from axonc.compiler.ops.reduce import Mean, Var
from axonc.compiler.ops.scan import Scan
from axonc.compiler.ops.state import Part
from axonc.compiler.ops.unary import Erf, Sigmoid, Sqrt, Tanh
from axonc.compiler.pipeline import compile_graph
from axonc.compiler.training.arithmetic import Formula
from axonc.compiler.training.optimizers import Adam
from axonc.runtime.machine import Machine
from axonc.spec.source import Place, Source, Span

NOWHERE = Place(Span(Source("benchmark", ""), 0, 0))
N = dims.name("N")


class Net:
    """A graph under construction whose weights are parts of one flat range."""

    def __init__(self) -> None:
        self.b = Builder(NOWHERE)
        self.shapes: list[tuple[int, ...]] = []
        self.parts: list[Node] = []

    def weights(self, *shapes: tuple[int, ...]) -> None:
        """Declares all weights, in order."""
        self.shapes = list(shapes)
        theta = self.b.input("theta", PARAMETER, Tensor(F32, (sum(map(count, shapes)),)))
        offset = 0
        for shape in shapes:
            self.parts.append(self.b.add(Part(offset, shape), theta))
            offset += count(shape)

    def number(self, value: float) -> Node:
        return self.b.literal(value, F32)

    def affine(self, x: Node, w: Node, bias: Node) -> Node:
        return self.b.add(Add(), self.b.add(Matmul(), x, w), bias)

    def loss(self, logits: Node, target: Node) -> Graph:
        """The mean cross-entropy, its gradients, and Adam's update."""
        losses = self.b.add(CrossEntropy(), logits, target)
        mean = self.b.add(Mean(tuple(range(len(losses.shape)))), losses)
        return training_step(self.b.graph({"loss": mean}), self.parts)


def count(shape: Sequence[int]) -> int:
    return int(np.prod(shape))


def training_step(forward: Graph, parts: list[Node]) -> Graph:
    """The graph with its gradients, joined in one range, and Adam's update of it."""
    b = Builder(NOWHERE)
    new, gradients = with_gradients(b, forward, {"loss": None}, parts)
    flat = b.add(Concat(0), *(b.add(Reshape((g.tensor.size,)), g) for g in gradients))
    names = Adam().remembered
    states = [b.input(f"adam.{name}", STATE, flat.tensor) for name in names]
    rate, step = (b.input(name, CONTROL, Tensor(F32, ())) for name in ("rate", "step"))
    f = Formula(b)
    theta = f.value(new[forward.input("theta")])
    after, remembered = Adam().update(f, theta, f.value(flat), f.values(*states), f.value(rate), f.value(step))
    updates = {f"adam.{n}": f.node(v) for n, v in zip(names, remembered, strict=True)}
    return b.graph({"loss": new[forward.result("loss")]}, {"theta": f.node(after)} | updates)


def mlp(widths: Sequence[int], activation: Op) -> Graph:
    """A multi-layer perceptron for N rows."""
    net = Net()
    b = net.b
    x, y = b.input("x", DATA, Tensor(F32, (N, widths[0]))), b.input("y", TARGET, Tensor(I64, (N,)))
    net.weights(*(s for i, o in itertools.pairwise(widths) for s in ((i, o), (o,))))
    for i in range(0, len(net.parts), 2):
        x = net.affine(x, *net.parts[i : i + 2])
        if i < len(net.parts) - 2:
            x = b.add(activation, x)
    return net.loss(x, y)


def cnn() -> Graph:
    """Two convolutions with pools and two dense layers, for images of 28×28."""
    net = Net()
    b = net.b
    x, y = b.input("x", DATA, Tensor(F32, (N, 28, 28, 1))), b.input("y", TARGET, Tensor(I64, (N,)))
    net.weights((3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (3136, 128), (128,), (128, 10), (10,))
    around = ((1, 1), (1, 1))
    for i in (0, 2):
        x = b.add(Conv((1, 1), around, (1, 1), 1), x, net.parts[i])
        x = b.add(MaxPool((2, 2), (2, 2), ((0, 0), (0, 0))), b.add(Relu(), b.add(Add(), x, net.parts[i + 1])))
    h = b.add(Relu(), net.affine(b.add(Reshape((N, 3136)), x), *net.parts[4:6]))
    return net.loss(net.affine(h, *net.parts[6:]), y)


def gpt(vocabulary: int = 256, width: int = 128, heads: int = 4, layers: int = 4, length: int = 128) -> Graph:
    """A decoder of pre-normalised blocks over N sequences."""
    net = Net()
    b = net.b
    x, y = (b.input(n, r, Tensor(I64, (N, length))) for n, r in (("x", DATA), ("y", TARGET)))
    d = width
    block = [(d,), (d,), (d, 3 * d), (3 * d,), (d, d), (d,), (d,), (d,), (d, 4 * d), (4 * d,), (4 * d, d), (d,)]
    net.weights((vocabulary, d), (length, d), *block * layers, (d,), (d,), (d, vocabulary), (vocabulary,))
    h = b.add(Add(), b.add(Gather(), net.parts[0], x), net.parts[1])
    for i in range(layers):
        w = net.parts[2 + 12 * i : 14 + 12 * i]
        h = b.add(Add(), h, net_attention(net, normal(net, h, *w[:2]), w[2:6], heads))
        u = net.affine(normal(net, h, *w[6:8]), *w[8:10])
        h = b.add(Add(), h, net.affine(gelu(net, u), *w[10:12]))
    return net.loss(net.affine(normal(net, h, *net.parts[-4:-2]), *net.parts[-2:]), y)


def lstm(features: int = 64, width: int = 128, length: int = 50, classes: int = 10) -> Graph:
    """One LSTM layer over N sequences, and a dense layer on its last state."""
    net = Net()
    b = net.b
    x, y = b.input("x", DATA, Tensor(F32, (N, length, features))), b.input("y", TARGET, Tensor(I64, (N,)))
    net.weights((features, 4 * width), (width, 4 * width), (4 * width,), (width, classes), (classes,))
    inner = Builder(NOWHERE)
    state = Tensor(F32, (N, width))
    h, c = inner.input("h", DATA, state), inner.input("c", DATA, state)
    now = inner.input("x", DATA, Tensor(F32, (N, features)))
    w, u, bias = (inner.input(f"w{i}", DATA, part.tensor) for i, part in enumerate(net.parts[:3]))
    gates = inner.add(Add(), inner.add(Add(), inner.add(Matmul(), now, w), bias), inner.add(Matmul(), h, u))
    i, f, o, g = split(inner, gates, 1, (width,) * 4)
    kept = inner.add(Mul(), inner.add(Sigmoid(), f), c)
    cell = inner.add(Add(), kept, inner.add(Mul(), inner.add(Sigmoid(), i), inner.add(Tanh(), g)))
    after = inner.add(Mul(), inner.add(Sigmoid(), o), inner.add(Tanh(), cell))
    body = inner.graph({"h": after, "c": cell})
    zeros = b.add(Expand((N, width)), net.number(0.0))
    last, _ = b.many(Scan(body, 2, 1), zeros, zeros, x, *net.parts[:3])
    return net.loss(net.affine(last, *net.parts[3:]), y)


def normal(net: Net, x: Node, scale: Node, shift: Node) -> Node:
    """Layer normalisation over the last axis."""
    b, last = net.b, (len(x.shape) - 1,)
    away = b.add(Sub(), x, b.add(Mean(last, True), x))
    spread = b.add(Sqrt(), b.add(Add(), b.add(Var(last, True), x), net.number(1e-5)))
    return b.add(Add(), b.add(Mul(), b.add(Div(), away, spread), scale), shift)


def gelu(net: Net, x: Node) -> Node:
    b = net.b
    phi = b.add(Add(), b.add(Erf(), b.add(Mul(), x, net.number(0.5**0.5))), net.number(1.0))
    return b.add(Mul(), b.add(Mul(), x, net.number(0.5)), phi)


def net_attention(net: Net, x: Node, w: Sequence[Node], heads: int) -> Node:
    """Causal self-attention with one product for queries, keys and values."""
    b = net.b
    rows, length, width = x.shape
    assert isinstance(width, int)
    assert isinstance(length, int)
    shape: tuple[Size, ...] = (rows, length, 3, heads, width // heads)
    joint = b.add(Transpose((2, 0, 3, 1, 4)), b.add(Reshape(shape), net.affine(x, w[0], w[1])))
    q, k, v = (b.add(Reshape(part.shape[1:]), part) for part in split(b, joint, 0, (1, 1, 1)))
    scores = b.add(Mul(), b.add(Matmul(False, True), q, k), net.number((width // heads) ** -0.5))
    at = b.add(Iota(length, I64))
    seen = b.add(Ge(), b.add(Reshape((length, 1)), at), at)
    shares = b.add(Softmax(3), b.add(Where(), seen, scores, net.number(-1e9)))
    mixed = b.add(Transpose((0, 2, 1, 3)), b.add(Matmul(), shares, v))
    return net.affine(b.add(Reshape((rows, length, width)), mixed), w[2], w[3])


class Case(NamedTuple):
    """A training step, the most rows it is for, and the same step in PyTorch."""

    graph: Callable[[], Graph]
    rows: int
    classes: int
    peer: Callable[[int], Callable[[], object]]

    def machine(self, seed: int = 0) -> Machine:
        """A machine with random weights and one random batch in its inputs."""
        random = np.random.default_rng(seed)
        made = Machine(compile_graph(self.graph(), rows=self.rows))
        theta = made.memory["theta"]
        theta[:] = random.standard_normal(theta.size) * 0.05
        inputs = made.binding().inputs
        for name in ("x", "y"):
            whole = inputs[name].dtype.kind == "i"
            inputs[name][...] = random.integers(0, self.classes, inputs[name].shape) if whole else random.random()
            if not whole:
                inputs[name][...] = random.standard_normal(inputs[name].shape)
        inputs["rate"][...], inputs["step"][...] = 1e-3, 1
        return made


def torch_mlp(widths: Sequence[int], activation: str) -> Callable[[int], Callable[[], object]]:
    def peer(rows: int) -> Callable[[], object]:
        import torch

        layers: list[torch.nn.Module] = []
        for i, (a, z) in enumerate(itertools.pairwise(widths)):
            layers += [torch.nn.Linear(a, z)] + ([getattr(torch.nn, activation)()] if i < len(widths) - 2 else [])
        return torch_step(torch.nn.Sequential(*layers), torch.randn(rows, widths[0]), torch.randint(0, 2, (rows,)))

    return peer


def torch_cnn(rows: int) -> Callable[[], object]:
    import torch
    from torch import nn

    convolutions = [
        m for a, z in ((1, 32), (32, 64)) for m in (nn.Conv2d(a, z, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    ]
    dense = [nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)]
    return torch_step(nn.Sequential(*convolutions, *dense), torch.randn(rows, 1, 28, 28), torch.randint(0, 10, (rows,)))


def torch_gpt(rows: int) -> Callable[[], object]:
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.n1, self.n2 = nn.LayerNorm(128), nn.LayerNorm(128)
            self.joint, self.out = nn.Linear(128, 384), nn.Linear(128, 128)
            self.up, self.down = nn.Linear(128, 512), nn.Linear(512, 128)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = (p.view(*p.shape[:2], 4, 32).transpose(1, 2) for p in self.joint(self.n1(x)).split(128, -1))
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).flatten(2))
            return x + self.down(nn.functional.gelu(self.up(self.n2(x))))

    class Gpt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.at = nn.Embedding(256, 128), nn.Parameter(torch.zeros(128, 128))
            self.blocks = nn.Sequential(*(Block() for _ in range(4)))
            self.end, self.head = nn.LayerNorm(128), nn.Linear(128, 256)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.end(self.blocks(self.table(x) + self.at))).flatten(0, 1)

    return torch_step(Gpt(), torch.randint(0, 256, (rows, 128)), torch.randint(0, 256, (rows * 128,)))


def torch_lstm(rows: int) -> Callable[[], object]:
    import torch
    from torch import nn

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.loop, self.head = nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.loop(x)[0][:, -1])

    return torch_step(Last(), torch.randn(rows, 50, 64), torch.randint(0, 10, (rows,)))


def torch_step(net: Callable[..., object], x: object, y: object) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    adam = torch.optim.Adam(net.parameters(), 1e-3)  # type: ignore[attr-defined]

    def step() -> None:
        adam.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[arg-type]
        adam.step()

    return step


def microseconds(run: Callable[[], object], seconds: float) -> float:
    """The best of the means of short runs."""
    run()
    once = max(min(timeit.repeat(run, number=1, repeat=5)), 1e-7)
    number = max(1, int(seconds / 20 / once))
    return min(timeit.repeat(run, number=number, repeat=20)) / number * 1e6


CASES = {
    "playground": Case(lambda: mlp((2, 8, 8, 2), Tanh()), 30, 2, torch_mlp((2, 8, 8, 2), "Tanh")),
    "mlp": Case(lambda: mlp((784, 512, 256, 10), Relu()), 128, 10, torch_mlp((784, 512, 256, 10), "ReLU")),
    "cnn": Case(cnn, 64, 10, torch_cnn),
    "gpt": Case(gpt, 8, 256, torch_gpt),
    "lstm": Case(lstm, 32, 10, torch_lstm),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--no-torch", action="store_true")
    options = parser.parse_args()
    for name in options.cases:
        case = CASES[name]
        made = case.machine()
        ours = microseconds(made.step, options.seconds)
        line = f"{name:12s} {ours:10.1f} µs  {len(made.binding().steps):5d} calls  arena {made.plan.arena:11,d} bytes"
        if not options.no_torch:
            theirs = microseconds(case.peer(case.rows), options.seconds)
            line += f"   torch {theirs:10.1f} µs  ratio {ours / theirs:.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
