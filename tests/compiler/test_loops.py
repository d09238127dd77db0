"""Loops over time, compiled: carries, stacks and gradients are those of the definition."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph
from axonc.compiler.ir.types import F64, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import Add, Mul, Sub
from axonc.compiler.ops.layout import split
from axonc.compiler.ops.reduce import Sum
from axonc.compiler.ops.scan import Scan
from axonc.compiler.ops.unary import Sigmoid, Square, Tanh
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import Machine

from .graphs import NOWHERE

N, STEPS, WIDTH = dims.name("N"), 5, 3
MOST = 4


def minimal_gated(*, reverse: bool = False, truncate: int = 0) -> Graph:
    """A gated recurrent net over x [N, T, 3] whose loss is the sum of squares of its states."""
    inner = Builder(NOWHERE)
    h = inner.input("h", DATA, Tensor(F64, (N, WIDTH)))
    x = inner.input("x", DATA, Tensor(F64, (N, WIDTH)))
    u = inner.input("u", DATA, Tensor(F64, (WIDTH, 2 * WIDTH)))
    gate, candidate = split(inner, inner.add(Matmul(), h, u), 1, (WIDTH, WIDTH))
    z = inner.add(Sigmoid(), inner.add(Add(), gate, x))
    c = inner.add(Tanh(), candidate)
    after = inner.add(Add(), h, inner.add(Mul(), z, inner.add(Sub(), c, h)))
    body = inner.graph({"h": after, "out": after})
    b = Builder(NOWHERE)
    start = b.input("h", DATA, Tensor(F64, (N, WIDTH)))
    xs = b.input("x", DATA, Tensor(F64, (N, STEPS, WIDTH)))
    weights = b.input("u", DATA, Tensor(F64, (WIDTH, 2 * WIDTH)))
    last, stack = b.many(Scan(body, 1, 1, reverse, truncate), start, xs, weights)
    loss = b.add(Sum((0, 1, 2)), b.add(Square(), stack))
    return b.graph({"loss": loss, "last": last, "stack": stack})


def exchange() -> Graph:
    """Two carries that change places at each step, one of them grown by the slice."""
    inner = Builder(NOWHERE)
    a, z, x = (inner.input(name, DATA, Tensor(F64, (2,))) for name in ("a", "z", "x"))
    body = inner.graph({"a": z, "z": inner.add(Add(), a, x), "seen": a})
    b = Builder(NOWHERE)
    starts = [b.input(name, DATA, Tensor(F64, (2,))) for name in ("a", "z")]
    xs = b.input("x", DATA, Tensor(F64, (2, STEPS)))
    return b.graph(dict(zip(("a", "z", "seen"), b.many(Scan(body, 2, 1), *starts, xs), strict=True)))


def assert_agrees(graph: Graph, rows: int) -> None:
    machine = Machine(compile_graph(graph, rows=rows))
    for count in (rows, 1, rows):
        random = np.random.default_rng(count)
        inputs = {}
        for node in graph.inputs:
            shape = tuple(dims.substitute(n, {"N": count}) for n in node.shape)
            inputs[node.name] = random.standard_normal(shape)
        wanted, found = evaluate(graph, inputs), machine.run(inputs, count)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("truncate", [0, 2])
def test_a_compiled_loop_and_its_gradient_give_what_the_definition_gives(reverse: bool, truncate: int) -> None:
    graph = minimal_gated(reverse=reverse, truncate=truncate)
    assert_agrees(graph, MOST)
    assert_agrees(gradient_graph(graph, "loss", ["h", "x", "u"]), MOST)


def test_carries_may_change_places() -> None:
    assert_agrees(exchange(), 1)
