"""A body that is run once for several phases gives each what it would have made for itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from axonc.compiler.ir.graph import Graph
from axonc.compiler.trace.model import Traced, merge_reports, trace, trace_phases
from axonc.spec.load import load, read
from axonc.spec.source import Source
from axonc.spec.tree import Model

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").rglob("*.axon"))
HEAD = "axonc 1\nmodel m\ninput x: f32[N, 4]\ninput label: i64[N]\n"
LOSS = "loss cross_entropy(logits, label)\n"
TAIL = LOSS + "metric accuracy(logits, label)\noutput logits\n"

# What a body says, and how often it is run for three phases.
BODIES = {
    "nothing of phases": ("logits = x |> dense(4) |> relu |> dense(3)\n", 1),
    "dropout of nothing": ("logits = x |> dropout(0.0) |> dense(3)\n", 1),
    "dropout": ("logits = x |> dropout(0.5) |> dense(3)\n", 2),
    "training": ("y = x * 2 if training else x\nlogits = y |> dense(3)\n", 2),
    "evaluating": ("y = x * 2 if evaluating else x\nlogits = y |> dense(3)\n", 2),
    "predicting": ("y = x * 2 if predicting else x\nlogits = y |> dense(3)\n", 2),
    "all words": ("y = x if training or evaluating else -x\nlogits = y |> dense(3)\n", 3),
    "a state": ("state seen: f32[]\nseen = seen + 1.0\nlogits = x |> dense(3)\n", 2),
    "running statistics": ("logits = x |> batch_norm |> dense(3)\n", 2),
    "a loss in the body": ("repeat 1 {\n  logits = x |> dense(3)\n  loss mean(logits)\n}\n", 2),
    "a layer with a name": ("head = dense(3)\nlogits = head(x)\n", 1),
    "a mistake": ("logits = x |> dense(3) |> conv2d(3)\n", 1),
}


@pytest.mark.parametrize("name", BODIES)
def test_phases_are_what_each_gives_by_itself(name: str) -> None:
    body, runs = BODIES[name]
    model = read(Source("m.axon", HEAD + body + TAIL))
    together = compared(model)
    assert len({id(phase.b.nodes[0]) for phase in together.values()}) == runs


def test_a_layer_that_was_not_used_yet_is_not_shared() -> None:
    """The loss makes its weights for training and evaluation; the output asks for weights that predict never makes."""
    body = "head = dense(4)\nlogits = x |> dense(3)\n"
    compared(
        read(Source("m.axon", HEAD + body + LOSS + "loss mean(head(x))\noutput logits\noutput weight = head.weight\n"))
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_phases_of_an_example_are_what_each_gives_by_itself(path: Path) -> None:
    compared(load(path))


def compared(model: Model) -> dict[str, Traced]:
    together = trace_phases(model, overrides={}, sizes={})
    alone = {phase: trace(model, phase) for phase in together}
    assert merge_reports(*(t.reports for t in together.values())) == merge_reports(*(t.reports for t in alone.values()))
    for phase, one in alone.items():
        assert graph_of(together[phase]) == graph_of(one)
        assert list(together[phase].parameters) == list(one.parameters)
        assert together[phase].b.guards == one.b.guards
        assert [n.place for n in together[phase].b.nodes] == [n.place for n in one.b.nodes]
    return together


def graph_of(traced: Traced) -> Graph:
    """All nodes, with what the phase gives as results."""
    ends = {**traced.outputs, **{f"loss {t.name}": t.node for t in traced.losses}}
    ends |= {f"metric {m.name} {i}": node for m in traced.metrics for i, node in enumerate(m.nodes)}
    return Graph(
        tuple(traced.b.inputs), tuple(traced.b.nodes), tuple(ends.items()), tuple(traced.state_updates.items())
    )
