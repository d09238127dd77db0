"""Words as models of one line: what a body over given inputs computes by definition, and compiled for NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import Input
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import Machine

from ..trace.specs import filled, traced

NAMES = {"float32": "f32", "int64": "i64", "int32": "i32", "bool": "bool"}


def head_of(inputs: Mapping[str, np.ndarray]) -> str:
    """Declarations of inputs, all but the batch with their sizes."""
    lines = [f"input {n}: {NAMES[str(a.dtype)]}[{', '.join(['N', *map(str, a.shape[1:])])}]" for n, a in inputs.items()]
    return "\n".join(["axonc 1", *lines, ""])


def outputs(body: str, values: Mapping[str, Any] | None = None, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of a body in predict, the same by definition and compiled; weights by name, or drawn.

    The plan is made for one sample more than there are.
    """
    model = traced(body, head=head_of(inputs))
    graph = model.b.graph(dict(model.outputs))
    used = {n.op.name for n in graph.inputs if isinstance(n.op, Input)}
    given = filled(graph, {n: a for n, a in {**inputs, **(values or {})}.items() if n in used})
    wanted = evaluate(graph, given)
    count = next(iter(inputs.values())).shape[0]
    found = Machine(compile_graph(graph, rows=count + 1)).run(given, count)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, atol=2e-5, err_msg=name)
    return {name: np.asarray(value) for name, value in wanted.items()}


def output(body: str, values: Mapping[str, Any] | None = None, **inputs: np.ndarray) -> np.ndarray:
    """The one output of `y = ...`."""
    return outputs(f"y = {body}\noutput y", values, **inputs)["y"]


def real(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
