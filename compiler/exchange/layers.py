"""Loops that are layers of the library: a loop is one if its body is what the layer traces to for the same sizes."""

from __future__ import annotations

from functools import cache

from ...spec.load import read
from ...spec.source import Source
from ..ir.graph import Graph
from ..ir.rewrite import bind
from ..ops.scan import Scan
from ..passes.unused import drop_unused
from ..trace.model import trace

OPERANDS = 6  # state, cell, steps, weight, recurrent weight, bias


def is_lstm(op: Scan) -> bool:
    """Whether a loop is the `lstm` of the library, without lengths."""
    if (op.carries, op.slices, len(op.body.inputs)) != (2, 1, OPERANDS):
        return False
    state, _, step, *_ = (n.shape for n in op.body.inputs)
    features, units = step[-1], state[-1]
    if not isinstance(features, int) or not isinstance(units, int):
        return False
    return op.body == drop_unused(bind(_lstm(features, units), {"N": state[0]}))


@cache
def _lstm(features: int, units: int) -> Graph:
    spec = f"axonc 1\ninput x: f32[N, 1, {features}]\ny = x |> lstm({units})\n"
    (body,) = (n.op.body for n in trace(read(Source("lstm", spec)), "predict").b.nodes if isinstance(n.op, Scan))
    return body
