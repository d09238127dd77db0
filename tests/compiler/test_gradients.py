"""Gradients of random graphs, first and second, and forward mode: each agrees with differences along a direction."""

from __future__ import annotations

import numpy as np
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.forward import tangent_graph
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import Graph
from axonc.compiler.ir.types import F64
from axonc.compiler.ir.verify import verify
from axonc.compiler.ops.scan import Scan
from axonc.compiler.passes.duplicates import merge_duplicates
from axonc.compiler.passes.expand import expand_composites
from axonc.compiler.passes.fold import fold
from axonc.compiler.passes.sequence import run
from axonc.compiler.passes.simplify import simplify
from axonc.compiler.passes.split_scan import split_scan
from hypothesis import given, settings

from .graphs import arrays, assert_same_meaning, graphs, loops
from .ops.graphs import assert_gradient, weighted

PASSES = (simplify, expand_composites, merge_duplicates, simplify, fold, simplify)


def names(graph: Graph) -> list[str]:
    return [n.name for n in graph.inputs]


def smooth_values(graph: Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {name: a + 0.01 * rng.standard_normal(a.shape) for name, a in arrays(graph).items()}


@settings(deadline=None, max_examples=60)
@given(graphs(dtypes=(F64,), smooth=True, most=8))
def test_first_and_second_gradients_agree_with_differences(graph: Graph) -> None:
    values = smooth_values(graph)
    gradients = assert_gradient(graph, values, names(graph), "first")
    verify(gradients)
    rng = np.random.default_rng(8)
    twice = weighted(gradients, [f"gradient.{n}" for n in names(graph)], "s")
    verify(twice)
    values |= {f"s{i}": rng.standard_normal(values[n].shape) for i, n in enumerate(names(graph))}
    assert_gradient(twice, values, names(graph), "second")


@settings(deadline=None, max_examples=60)
@given(graphs(dtypes=(F64,), smooth=True, most=8))
def test_passes_before_and_after_differentiation_keep_the_gradient(graph: Graph) -> None:
    plain = gradient_graph(graph, "loss", names(graph))
    assert_same_meaning(plain, run(plain, PASSES))
    early = gradient_graph(run(graph, PASSES), "loss", names(graph))
    assert_same_meaning(plain, early)


@settings(deadline=None, max_examples=60)
@given(graphs(dtypes=(F64,), smooth=True, most=8))
def test_the_gradient_transposed_is_the_rate_of_change_along_a_direction(graph: Graph) -> None:
    values = smooth_values(graph)
    tangents = tangent_graph(graph, names(graph))
    verify(tangents)
    rng = np.random.default_rng(9)
    rates = {n: rng.standard_normal(values[n].shape) for n in names(graph)}
    found = evaluate(tangents, values | {f"tangent.{n}": rate for n, rate in rates.items()})

    def loss(step: float) -> float:
        return float(evaluate(graph, {n: values[n] + step * rates[n] for n in rates})["loss"])

    h = 1e-5
    difference = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    assert found["loss"] == loss(0)
    assert abs(found["tangent.loss"] - difference) <= 1e-7 * max(1.0, abs(difference))


@settings(deadline=None, max_examples=40)
@given(loops())
def test_gradients_of_loops_agree_with_differences(graph: Graph) -> None:
    values, rng = smooth_values(graph), np.random.default_rng(10)
    if any(isinstance(n.op, Scan) and n.op.truncate for n in graph.nodes):
        return
    ends = [name for name, _ in graph.results]
    loss = weighted(graph, ends, "r")
    values |= {f"r{i}": rng.standard_normal(graph.result(name).shape) for i, name in enumerate(ends)}
    gradients = assert_gradient(loss, values, names(graph), "first")
    verify(gradients)
    twice = weighted(gradients, [f"gradient.{n}" for n in names(graph)], "s")
    values |= {f"s{i}": rng.standard_normal(values[n].shape) for i, n in enumerate(names(graph))}
    assert_gradient(twice, values, names(graph), "second")


@settings(deadline=None, max_examples=60)
@given(loops())
def test_splitting_loops_keeps_their_meaning_and_that_of_their_gradients(graph: Graph) -> None:
    loss = weighted(graph, [name for name, _ in graph.results], "r")
    for before in (graph, gradient_graph(loss, "loss", names(graph))):
        plain = run(before, PASSES)
        for g in (before, plain):
            after = split_scan(g)
            verify(after)
            assert_same_meaning(before, after)
            assert split_scan(after) is after
