"""Passes one after another: the one place where a pass is called, watched and timed."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from ..ir.graph import Builder, Graph, Node
from ..ir.rewrite import rewrite

T = TypeVar("T")
Pass: TypeAlias = Callable[[Graph], Graph]


def run(value: T, passes: Sequence[Callable[[T], T]], watch: Callable[[str, T, float], None] | None = None) -> T:
    """The value after all passes; `watch` is told the name of each pass, what it made, and the seconds it took."""
    for step in passes:
        start = time.perf_counter()
        value = step(value)
        if watch is not None:
            watch(getattr(step, "__name__", type(step).__name__), value, time.perf_counter() - start)
    return value


def everywhere(step: Pass) -> Pass:
    """The pass on every body graph, innermost first, and then on the graph itself."""

    @functools.wraps(step)
    def inside_first(graph: Graph) -> Graph:
        return step(within(graph, inside_first))

    return inside_first


def within(graph: Graph, step: Pass) -> Graph:
    """The graph with `step` applied to the body graphs of its operations."""
    changed = {n: op for n in graph.nodes if n.op.bodies and (op := n.op.map(graphs=step)) is not n.op}

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        return b.add(changed[node], *inputs, name=node.name) if node in changed else None

    return rewrite(graph, rule) if changed else graph
