"""Small specs as texts: what they compute, what they hold, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent
from typing import Any

import numpy as np
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import CONTROL, DATA, TARGET, Graph, Input, numpy_name
from axonc.compiler.trace.model import Traced
from axonc.spec.source import CompileError, Diagnostic
from axonc.specification import Specification, check

HEAD = "axonc 1\ninput x: f32[N, 4]\n"


def spec(body: str, head: str = HEAD) -> str:
    return head + dedent(body).lstrip("\n")


def checked(body: str, head: str = HEAD, **settings: Any) -> Specification:
    """The specification of a body below an input `x: f32[N, 4]`, or below another head."""
    return check(spec(body, head), **settings)


def traced(body: str, phase: str = "predict", head: str = HEAD) -> Traced:
    return checked(body, head).phases.traced[phase]


def types(body: str, head: str = HEAD) -> dict[str, str]:
    """The type of each output in predict."""
    return {name: str(node.type) for name, node in traced(body, head=head).outputs.items()}


def weights(body: str, head: str = HEAD) -> dict[str, str]:
    """The type of each weight."""
    return {name: str(p.type) for name, p in checked(body, head).parameters.items()}


def mistakes(text: str, head: str = HEAD) -> list[tuple[str, int, int]]:
    """The code, line and column of every mistake, lines counted below the head."""
    skipped = head.count("\n")
    found = diagnostics(text, head)
    return [(d.code, d.place.span.line - skipped, d.place.span.column) for d in found]


def diagnostics(body: str, head: str = HEAD) -> tuple[Diagnostic, ...]:
    try:
        checked(body, head)
    except CompileError as error:
        return error.diagnostics
    return ()


def computed(body: str, values: Mapping[str, Any], phase: str = "predict", head: str = HEAD) -> dict[str, Any]:
    """Outputs in predict; losses and next states in training. Weights and states not among the values are drawn."""
    if phase == "predict":
        found = traced(body, phase, head)
        graph = found.b.graph(dict(found.outputs))
    else:
        graph = checked(body, head).phases.forward
    return evaluate(graph, filled(graph, values))


def filled(graph: Graph, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, and for each other weight and state of the graph the first draws of a generator."""
    found: dict[str, Any] = {}
    draw = np.random.default_rng(0)
    for node in graph.inputs:
        assert isinstance(node.op, Input)
        name = node.op.name
        if name in values:
            found[name] = np.asarray(values[name], numpy_name(node.dtype))
        elif node.op.role == CONTROL:
            found[name] = np.zeros(node.shape, numpy_name(node.dtype))
        elif node.op.role not in (DATA, TARGET):
            found[name] = draw.normal(size=node.shape).astype(numpy_name(node.dtype))
    return found
