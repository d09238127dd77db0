"""An explained plan -> one JSON value with everything that the other views show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..compiler.explain import Explanation, Step
from ..spec.source import Place
from . import plan_device
from .plan_facts import totals

if TYPE_CHECKING:
    from ..compiler.prediction import Prediction
    from ..specification import Specification


def render(specification: Specification, phase: str, found: Explanation, prediction: Prediction | None = None) -> str:
    data = as_data(specification, phase, found)
    if prediction is not None:
        data["prediction"] = plan_device.as_data(prediction)
    return json.dumps(data, indent=1, ensure_ascii=False)


def as_data(specification: Specification, phase: str, found: Explanation) -> dict[str, Any]:
    """Plain data: steps are numbered from 1 in the order of execution, and named by these numbers elsewhere."""
    count = specification.parameter_count
    return {
        "name": specification.name,
        "phase": phase,
        "rows": found.rows,
        "parameters": count if isinstance(count, int) else str(count),
        "instructions": found.instructions,
        "memory": {"arena": found.arena, "named": found.named, "peak": found.arena + found.named},
        "totals": {kind: {"steps": n, "flops": f, "bytes": b} for kind, n, f, b in totals(found)},
        "groups": [
            {
                **_place(g.place),
                "text": g.place.span.source.line(g.place.span.line).strip(),
                "forward": [s.number for s in g.forward],
                "backward": [s.number for s in g.backward],
            }
            for g in found.groups
        ],
        "steps": [_step(s) for s in found.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "number": step.number,
        "kind": step.kind,
        "formulas": list(step.formulas),
        "results": [
            {"name": v.name, "type": v.type, "bytes": v.bytes, "home": v.home, "offset": v.offset} for v in step.results
        ],
        "reads": list(step.reads),
        "kept_for": list(step.kept_for),
        "flops": step.flops,
        "bytes": step.bytes,
        "loop": list(step.loop),
        "turns": step.turns,
        **_place(step.place),
    }


def _place(place: Place) -> dict[str, Any]:
    span = place.span
    chain = [{"what": f.what, "file": f.span.source.name, "line": f.span.line} for f in place.frames]
    return {"file": span.source.name, "line": span.line, "column": span.column, "chain": chain}
