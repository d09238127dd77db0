"""Times whole training steps of the NumPy backend, and PyTorch's eager steps beside them.

Run with OMP_NUM_THREADS=1: `python -m axonc.benchmarks.numpy_steps`, or as a file.
"""

from __future__ import annotations

import argparse
import timeit
from collections.abc import Callable, Sequence

import numpy as np

from axonc.compiler.differentiate import with_gradients
from axonc.compiler.ir import dims
from axonc.compiler.ir.graph import CONTROL, DATA, PARAMETER, STATE, TARGET, Builder, Graph, Node
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import F32, I64, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import Add, Relu
from axonc.compiler.ops.layout import Concat, Reshape
from axonc.compiler.ops.normal import CrossEntropy
from axonc.compiler.ops.reduce import Mean
from axonc.compiler.ops.state import Part
from axonc.compiler.ops.unary import Tanh
from axonc.compiler.pipeline import compile_graph
from axonc.compiler.training.arithmetic import Formula
from axonc.compiler.training.optimizers import Adam
from axonc.runtime.machine import Machine
from axonc.spec.source import Place, Source, Span

NOWHERE = Place(Span(Source("benchmark", ""), 0, 0))


def mlp(widths: Sequence[int], activation: Op) -> Graph:
    """One training step of a multi-layer perceptron with cross-entropy and Adam, for N rows."""
    b, rows = Builder(NOWHERE), dims.name("N")
    shapes = [s for i, o in zip(widths, widths[1:], strict=False) for s in ((i, o), (o,))]
    total = sum(int(np.prod(s)) for s in shapes)
    x = b.input("x", DATA, Tensor(F32, (rows, widths[0])))
    y = b.input("y", TARGET, Tensor(I64, (rows,)))
    theta = b.input("theta", PARAMETER, Tensor(F32, (total,)))
    parts, offset = [], 0
    for shape in shapes:
        parts.append(b.add(Part(offset, shape), theta))
        offset += int(np.prod(shape))
    h = x
    for i in range(0, len(parts), 2):
        h = b.add(Add(), b.add(Matmul(), h, parts[i]), parts[i + 1])
        if i < len(parts) - 2:
            h = b.add(activation, h)
    loss = b.add(Mean((0,), False), b.add(CrossEntropy(), h, y))
    return _step(b.graph({"loss": loss}), parts, total)


def _step(forward: Graph, parts: list[Node], total: int) -> Graph:
    """The graph with its gradients and Adam's update."""
    b = Builder(NOWHERE)
    new, gradients = with_gradients(b, forward, {"loss": None}, parts)
    flat = b.add(Concat(0), *(b.add(Reshape((g.tensor.size,)), g) for g in gradients))
    states = [b.input(f"adam.{name}", STATE, Tensor(F32, (total,))) for name in Adam().remembered]
    rate, step = (b.input(name, CONTROL, Tensor(F32, ())) for name in ("rate", "step"))
    theta = new[forward.input("theta")]
    f = Formula(b)
    after, remembered = Adam().update(
        f, f.value(theta), f.value(flat), f.values(*states), f.value(rate), f.value(step)
    )
    updates = {"theta": f.node(after)} | {
        f"adam.{n}": f.node(v) for n, v in zip(Adam().remembered, remembered, strict=True)
    }
    return b.graph({"loss": new[forward.result("loss")]}, updates)


def machine(graph: Graph, rows: int, seed: int = 0) -> Machine:
    """A machine with random weights and one random batch in its inputs."""
    random = np.random.default_rng(seed)
    made = Machine(compile_graph(graph, rows=rows))
    theta = made.memory["theta"]
    theta[:] = random.standard_normal(theta.size) * 0.05
    binding = made.binding()
    binding.inputs["x"][...] = random.standard_normal(binding.inputs["x"].shape)
    binding.inputs["y"][...] = random.integers(0, 2, binding.inputs["y"].shape)
    binding.inputs["rate"][...], binding.inputs["step"][...] = 1e-3, 1
    return made


def torch_step(widths: Sequence[int], activation: str, rows: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    layers: list[torch.nn.Module] = []
    for i, (a, z) in enumerate(zip(widths, widths[1:], strict=False)):
        layers += [torch.nn.Linear(a, z)] + ([getattr(torch.nn, activation)()] if i < len(widths) - 2 else [])
    net = torch.nn.Sequential(*layers)
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    x, y = torch.randn(rows, widths[0]), torch.randint(0, 2, (rows,))

    def step() -> None:
        adam.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(x), y).backward()
        adam.step()

    return step


def microseconds(run: Callable[[], object], seconds: float) -> float:
    """The best of the means of short runs."""
    run()
    once = max(min(timeit.repeat(run, number=1, repeat=5)), 1e-7)
    number = max(1, int(seconds / 20 / once))
    return min(timeit.repeat(run, number=number, repeat=20)) / number * 1e6


CASES = {
    "playground": ((2, 8, 8, 2), Tanh(), "Tanh", 30),
    "mlp": ((784, 512, 256, 10), Relu(), "ReLU", 128),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--no-torch", action="store_true")
    options = parser.parse_args()
    for name, (widths, activation, word, rows) in CASES.items():
        made = machine(mlp(widths, activation), rows)
        ours = microseconds(made.step, options.seconds)
        calls = len(made.binding().steps)
        line = f"{name:12s} {ours:9.1f} µs  {calls} calls  arena {made.plan.arena} bytes"
        if not options.no_torch:
            theirs = microseconds(torch_step(widths, word, rows), options.seconds)
            line += f"   torch {theirs:9.1f} µs  ratio {ours / theirs:.2f}"
        print(line)


if __name__ == "__main__":
    main()
