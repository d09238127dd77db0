"""Assertions of the spec, checked when everything that they speak of is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..spec import tree
from .ir.dims import Dim
from .trace import errors
from .trace.expression import evaluate
from .trace.model import Traced
from .trace.tracer import is_unknown

BUDGETS = ("parameters", "memory", "flops")


def check_asserts(traced: Traced, known: Mapping[str, Callable[[], Any]]) -> None:
    """Reports every relation that does not hold; `known` gives the value of each budget that is asked for."""
    t = traced.tracer
    for statement, scope in traced.asserts:
        for relation in statement.relations:
            asked = [n for n in BUDGETS if n not in scope.names and _mentions(relation, n)]
            values = {n: known[n]() if n in known else None for n in asked}
            if any(isinstance(v, Dim) or v is None for v in values.values()):
                continue
            scope.names.update(values)
            _check(t, scope, relation)
            for n in asked:
                del scope.names[n]


def _mentions(e: tree.Binary, name: str) -> bool:
    from .trace.naming import parts

    return any(isinstance(p, tree.Name) and p.text == name for p in parts(e))


def _check(t: Any, scope: Any, relation: tree.Binary) -> None:
    holds = evaluate(t, scope, relation)
    if holds is not False or is_unknown(holds):
        return
    left, right = evaluate(t, scope, relation.left), evaluate(t, scope, relation.right)
    t.wrong(
        errors.BrokenBudget,
        relation.span,
        relation=relation.span.text,
        left=_shown(left),
        operator=relation.operator,
        right=_shown(right),
    )


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{value}"
