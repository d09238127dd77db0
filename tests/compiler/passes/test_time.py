"""Passes take calls in proportion to the number of nodes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.graph import DATA, PARAMETER, Builder, Graph
from axonc.compiler.ir.rewrite import bind
from axonc.compiler.ir.text import read, write
from axonc.compiler.ir.types import F32, Tensor
from axonc.compiler.ir.verify import verify
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import Add, Mul, Relu
from axonc.compiler.ops.normal import Softmax
from axonc.compiler.ops.reduce import Sum
from axonc.compiler.passes.duplicates import merge_duplicates
from axonc.compiler.passes.expand import expand_composites
from axonc.compiler.passes.fold import fold
from axonc.compiler.passes.simplify import simplify
from axonc.compiler.passes.split_scan import split_scan
from axonc.compiler.passes.stages import stages
from axonc.compiler.passes.unused import drop_unused

from ...timing import calls
from ..graphs import NOWHERE

STEPS: tuple[Callable[[Graph], object], ...] = (
    drop_unused, merge_duplicates, expand_composites, fold, simplify, split_scan, stages, verify, write,
)  # fmt: skip


def bound(graph: Graph) -> Graph:
    return bind(graph, {"N": 8})


def written_and_read(graph: Graph) -> Graph:
    return read(write(graph))


def training(layers: int) -> Graph:
    """A network of so many dense layers and its gradients: 15 nodes a layer, with something to do for each pass."""
    b = Builder(NOWHERE)
    h = b.input("x", DATA, Tensor(F32, (dims.name("N"), 16)))
    for i in range(layers):
        w, bias = (b.input(f"{n}{i}", PARAMETER, Tensor(F32, s)) for n, s in (("w", (16, 16)), ("b", (16,))))
        z = b.add(Add(), b.add(Matmul(), h, w), bias)
        h = b.add(Relu(), b.add(Mul(), z, b.add(Add(), b.literal(0.5, F32), b.literal(0.5, F32))))
    loss = b.add(Sum((0, 1)), b.add(Softmax(1), h))
    return gradient_graph(b.graph({"loss": loss}), "loss", [f"w{i}" for i in range(layers)])


@pytest.mark.parametrize("step", [*STEPS, bound, written_and_read], ids=lambda f: f.__name__)
def test_twice_the_nodes_take_twice_the_calls(step: Callable[[Graph], object]) -> None:
    small, large = training(60), training(120)
    assert len(large.nodes) > 1.9 * len(small.nodes)
    once, twice = (calls(lambda graph=graph: step(graph)) for graph in (small, large))
    assert twice <= 2.1 * once, (once, twice)
