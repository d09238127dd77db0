"""Budgets of a spec to numbers: parameters, floating-point operations, bytes of memory; each only where it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..spec.source import Diagnostic, Place
from .ir import dims
from .ir.dims import Size
from .ir.rewrite import bind
from .parameters import Range
from .phases import COUNT, Phases
from .trace.claims import budgets_of, check_budget

BYTES = {"bool": 1, "u8": 1, "i8": 1, "f16": 2, "bf16": 2, "i32": 4, "u32": 4, "f32": 4, "i64": 8, "f64": 8}


class OpenBudget(Diagnostic):
    """A claim that was not checked, because sizes that it depends on have no numbers."""

    code = "open-budget"
    severity = "warning"
    title = "`{relation}` was not checked: it depends on the size {free}"
    label = "not known"
    help = "give it a number, in the type of the input or with `--size {example}=128`"
    relation: str
    free: str
    example: str


def check_claims(phases: Phases, sizes: Mapping[str, int], rows: int) -> tuple[Diagnostic, ...]:
    """Reports every claim about a budget that does not hold, to the tracer of its phase; warnings about those that
    wait for the number of a free size.

    `rows` is the batch of a step of training.
    """
    measures: dict[str, Callable[[], Size | None]] = {
        "parameters": lambda: parameter_count(phases.ranges),
        "flops": lambda: forward_flops(phases, sizes),
        "memory": lambda: training_memory(phases, sizes, rows),
    }
    known: dict[str, Size | None] = {}
    open_claims: dict[Place, Diagnostic] = {}
    for traced in phases.traced.values():
        for claim in traced.tracer.claims:
            asked = budgets_of(claim.scope, claim.relation)
            known |= {name: measures[name]() for name in asked if name not in known}
            if all(isinstance(known[name], int) for name in asked):
                check_budget(traced.tracer, claim, {name: known[name] for name in asked})
            else:
                place, free = Place(claim.relation.span, claim.chain), _free_sizes(phases, sizes)
                open_claims[place] = OpenBudget(place, place.span.text, ", ".join(free), free[0])
    return tuple(open_claims.values())


def _free_sizes(phases: Phases, sizes: Mapping[str, int]) -> list[str]:
    """The names of sizes of inputs that have no numbers, but for the batch."""
    named = {d for t in phases.traced.values() for n in t.b.inputs for s in n.shape for d in dims.names(s)}
    return sorted(named - set(sizes) - {COUNT})


def parameter_count(ranges: tuple[Range, ...]) -> Size:
    """How many numbers are trained or frozen; a size where a dimension is free."""
    total: Size = 0
    for r in ranges:
        total = total + r.total
    return total


def forward_flops(phases: Phases, sizes: Mapping[str, int]) -> Size:
    """Floating-point operations of one prediction for one sample; a multiplication and an addition are two."""
    graph = bind(phases.predict, dict(sizes) | {COUNT: 1})
    total: Size = 0
    for node in graph.nodes:
        total = total + node.op.flops(*(t for n in node.inputs for t in n.types))
    return total


def training_memory(phases: Phases, sizes: Mapping[str, int], rows: int) -> int | None:
    """Bytes of a step of training with `rows` samples: what lives within the step, and what is kept between steps.

    Without a loss it is those of a prediction. None where a dimension is free.
    """
    from .pipeline import compile_graph  # the backend, which checking a spec needs only here

    graph = phases.train if phases.traced["train"].losses else phases.predict
    free = {d for n in graph.nodes for t in n.types for s in t.shape for d in dims.names(s)}
    if free - set(sizes) - {COUNT}:
        return None
    plan = compile_graph(graph, rows=rows, sizes=sizes)
    return plan.arena + sum(b.size * BYTES[b.dtype] for b in plan.buffers if b.home == "named")
