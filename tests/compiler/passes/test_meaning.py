"""Every pass keeps the meaning of every graph, leaves it well made, and has nothing to do the second time."""

from __future__ import annotations

import pytest
from axonc.compiler.ir.graph import Graph
from axonc.compiler.ir.text import read, write
from axonc.compiler.ir.verify import verify
from axonc.compiler.passes.duplicates import merge_duplicates
from axonc.compiler.passes.expand import expand_composites
from axonc.compiler.passes.factors import factor_sums
from axonc.compiler.passes.fold import fold
from axonc.compiler.passes.joins import join_at_once
from axonc.compiler.passes.products import absorb_into_products
from axonc.compiler.passes.sequence import Pass, run
from axonc.compiler.passes.simplify import simplify
from axonc.compiler.passes.slices import slice_operands
from axonc.compiler.passes.unused import drop_unused
from hypothesis import given, settings

from ..graphs import assert_same_meaning, graphs

PASSES = (
    drop_unused, merge_duplicates, expand_composites, fold, simplify, absorb_into_products, join_at_once, factor_sums,
    slice_operands,
)  # fmt: skip


def verified(name: str, graph: Graph, seconds: float) -> None:
    verify(graph)


@pytest.mark.parametrize("step", PASSES, ids=lambda p: p.__name__)
@settings(deadline=None)
@given(graph=graphs())
def test_a_pass_keeps_the_meaning_and_the_inputs(step: Pass, graph: Graph) -> None:
    after = run(graph, [step], verified)
    assert_same_meaning(graph, after)
    assert after.inputs == graph.inputs


@settings(deadline=None)
@given(graph=graphs(most=20))
def test_all_passes_together_keep_the_meaning(graph: Graph) -> None:
    after = run(graph, [simplify, *PASSES, *PASSES], verified)
    assert_same_meaning(graph, after)


@pytest.mark.parametrize("step", PASSES, ids=lambda p: p.__name__)
@settings(deadline=None)
@given(graph=graphs())
def test_a_pass_that_has_nothing_left_to_do_gives_back_the_graph(step: Pass, graph: Graph) -> None:
    for _ in graph.nodes:
        before, graph = graph, step(graph)
        if graph is before:
            return
    raise AssertionError("the pass goes on for ever")


@settings(deadline=None)
@given(graph=graphs())
def test_the_text_of_a_graph_is_read_back(graph: Graph) -> None:
    back = read(write(graph))
    assert back == graph
    assert write(back) == write(graph)
