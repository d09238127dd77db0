"""Splitting a loop keeps its meaning, and leaves in it only what needs the step before."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import Graph, Node
from axonc.compiler.ir.rewrite import bind
from axonc.compiler.ir.verify import verify
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.scan import Scan
from axonc.compiler.passes.duplicates import merge_duplicates
from axonc.compiler.passes.sequence import run
from axonc.compiler.passes.simplify import simplify
from axonc.compiler.passes.split_scan import split_scan

from ..ops.graphs import weighted
from ..ops.test_scan import GATES, HIDDEN, ROWS, STEPS, recurrent, recurrent_values

PASSES = (simplify, merge_duplicates, split_scan, simplify, merge_duplicates)


def verified(name: str, graph: Graph, seconds: float) -> None:
    verify(graph)


def training(kind: str) -> tuple[Graph, dict[str, np.ndarray]]:
    rng, values = np.random.default_rng(3), recurrent_values(kind)
    wrt = list(values)
    values |= {"r0": rng.standard_normal((ROWS, HIDDEN)), "r1": rng.standard_normal((ROWS, STEPS, HIDDEN))}
    return gradient_graph(weighted(recurrent(kind), ["last", "all"], "r"), "loss", wrt), values


def loops(graph: Graph) -> list[Scan]:
    return [n.op for n in graph.nodes if isinstance(n.op, Scan)]


def products(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes if isinstance(n.op, Matmul)]


def assert_same(before: Graph, after: Graph, values: dict[str, np.ndarray]) -> None:
    wanted, found = evaluate(before, values), evaluate(after, values)
    assert wanted.keys() == found.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", GATES)
def test_the_product_with_the_input_leaves_the_loop_forward(kind: str) -> None:
    graph = recurrent(kind)
    after = run(graph, PASSES, verified)
    assert_same(graph, after, recurrent_values(kind))
    (loop,) = loops(after)
    assert len(products(loop.body)) == 1
    assert [n.shape for n in products(bind(after, {"N": 3, "T": 5}))] == [(15, GATES[kind] * HIDDEN)]


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("named", [True, False])
def test_each_loop_of_a_training_step_keeps_one_product_and_no_sum(kind: str, named: bool) -> None:
    graph, values = training(kind)
    graph = graph if named else bind(graph, {"N": ROWS, "T": STEPS})
    after = run(graph, PASSES, verified)
    assert_same(graph, after, values)
    forward, backward = loops(after)
    assert len(products(forward.body)) == len(products(backward.body)) == 1
    carried = 2 if kind == "lstm" else 1
    assert (forward.carries, backward.carries) == (carried, carried)
    assert len(products(after)) == 4  # x @ w forward; for x, w and u backward


@pytest.mark.parametrize("kind", GATES)
def test_a_loop_that_is_split_stays_as_it_is(kind: str) -> None:
    graph, _ = training(kind)
    once = run(graph, PASSES)
    assert split_scan(once) is once


@pytest.mark.parametrize("kind", GATES)
def test_second_gradients_keep_their_meaning(kind: str) -> None:
    graph, values = training(kind)
    names = [name for name, _ in graph.results if name != "loss"]
    rng = np.random.default_rng(5)
    values |= {f"s{i}": rng.standard_normal(values[n.split(".")[1]].shape) for i, n in enumerate(names)}
    twice = gradient_graph(weighted(graph, names, "s"), "loss", ["x", "w", "u"])
    assert_same(twice, run(twice, PASSES, verified), values)


def test_truncation_and_lengths_are_kept() -> None:
    graph, values = recurrent("gru", lengths=True), recurrent_values("gru")
    values |= {"time": np.arange(STEPS), "length": np.array([5, 2, 0])}
    rng = np.random.default_rng(3)
    values |= {"r0": rng.standard_normal((ROWS, HIDDEN)), "r1": rng.standard_normal((ROWS, STEPS, HIDDEN))}
    graph = gradient_graph(weighted(graph, ["last", "all"], "r"), "loss", ["h", "x", "w", "u", "b", "e"])
    after = run(graph, PASSES, verified)
    assert_same(graph, after, values)
    assert all(len(products(loop.body)) == 1 for loop in loops(after))
