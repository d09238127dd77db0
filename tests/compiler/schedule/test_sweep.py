"""A schedule that goes over the batch by stretches gives what the definition gives, in less memory."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph
from axonc.compiler.ir.types import F64, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.convolution import Conv
from axonc.compiler.ops.elementwise import Add, Mul, Relu
from axonc.compiler.ops.layout import Reshape
from axonc.compiler.ops.pool import AveragePool, MaxPool
from axonc.compiler.ops.reduce import Mean, Sum
from axonc.compiler.ops.unary import Square, Tanh
from axonc.compiler.pipeline import Target, compile_graph
from axonc.compiler.schedule.group import group
from axonc.compiler.schedule.kernel import Repeat
from axonc.compiler.schedule.sweep import Sweep
from axonc.runtime.machine import Machine
from axonc.runtime.plan import Loop

from ..graphs import NOWHERE

N = dims.name("N")
ROWS = 7
SMALL = Target(sweep=45_000, block=64, large=1)
WEIGHTS = {"w1": (3, 3, 2, 4), "b1": (4,), "w2": (3, 3, 4, 3), "b2": (3,), "w3": (12, 2)}


def network() -> Graph:
    """Two convolutions with pools between, one dense layer, the mean of squares."""
    b = Builder(NOWHERE)
    x = b.input("x", DATA, Tensor(F64, (N, 8, 8, 2)))
    w = {name: b.input(name, DATA, Tensor(F64, shape)) for name, shape in WEIGHTS.items()}
    around = ((1, 1), (1, 1))
    h = b.add(Relu(), b.add(Add(), b.add(Conv((1, 1), around, (1, 1), 1), x, w["w1"]), w["b1"]))
    h = b.add(MaxPool((2, 2), (2, 2), ((0, 0), (0, 0))), h)
    h = b.add(Tanh(), b.add(Add(), b.add(Conv((1, 1), around, (1, 1), 1), h, w["w2"]), w["b2"]))
    h = b.add(AveragePool((2, 2), (2, 2), ((0, 0), (0, 0)), True), h)
    y = b.add(Matmul(), b.add(Reshape((N, 12)), h), w["w3"])
    scale = b.add(Mean((0,), True), y)  # every sample depends on all: no sweep may cross it
    loss = b.add(Sum((0, 1)), b.add(Square(), b.add(Mul(), y, scale)))
    return b.graph({"loss": loss, "y": y})


def inputs(count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(count)
    arrays = {name: random.standard_normal(shape) for name, shape in WEIGHTS.items()}
    return {"x": random.standard_normal((count, 8, 8, 2))} | arrays


@pytest.mark.parametrize(
    "graph", [network(), gradient_graph(network(), "loss", ["x", *WEIGHTS])], ids=["y", "gradient"]
)
def test_a_swept_network_gives_what_the_definition_gives(graph: Graph) -> None:
    plan = compile_graph(graph, rows=ROWS, target=SMALL)
    assert any(isinstance(step, Loop) and 1 < step.chunk < ROWS for step in plan.steps)
    machine = Machine(plan)
    for count in (ROWS, 1, ROWS - 1, ROWS):
        wanted, found = evaluate(graph, inputs(count)), machine.run(inputs(count), count)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-10, err_msg=name)


def test_what_only_a_sweep_needs_is_as_small_as_its_stretch() -> None:
    graph = gradient_graph(network(), "loss", ["x", *WEIGHTS])
    whole, swept = (compile_graph(graph, rows=64, target=t).arena for t in (Target(sweep=1 << 40), SMALL))
    assert swept < whole / 2


def test_no_sweep_crosses_what_needs_the_whole_batch() -> None:
    from axonc.compiler.passes.expand import expand_composites

    schedule = Sweep(SMALL.sweep, ROWS)(group(expand_composites(network())))
    inside = [c for item in schedule.items if isinstance(item, Repeat) for c in item.body]
    assert inside
    assert not any("mean" in str(c.kernel.meaning.nodes[-1].op) for c in inside)
