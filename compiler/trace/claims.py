"""`assert`: relations checked where they stand, and budgets kept until what they speak of is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...spec import tree
from ..ir.dims import Dim
from . import errors
from .expression import evaluate
from .naming import parts
from .scope import Scope
from .tracer import Claim, Lost, Tracer, is_unknown
from .values import is_tensor

BUDGETS = ("parameters", "memory", "flops")


def claim(t: Tracer, scope: Scope, statement: tree.Assert) -> None:
    """Checks the relations of a statement; those that speak of a budget wait in `t.claims`."""
    for relation in statement.relations:
        if budgets_of(scope, relation):
            t.claims.append(Claim(relation, replace(scope, names=dict(scope.names)), t.chain))
        else:
            check_relation(t, scope, relation)


def budgets_of(scope: Scope, relation: tree.Binary) -> tuple[str, ...]:
    """The budgets that a relation names; an own name hides one."""
    named = {p.text for p in parts(relation) if isinstance(p, tree.Name)}
    return tuple(b for b in BUDGETS if b in named and b not in scope.names)


def check_budget(t: Tracer, claim: Claim, budgets: Mapping[str, Any]) -> None:
    """Checks a claim that waited, now that its budgets have numbers."""
    before, t.chain = t.chain, claim.chain
    check_relation(t, replace(claim.scope, names=claim.scope.names | dict(budgets)), claim.relation)
    t.chain = before


def check_relation(t: Tracer, scope: Scope, relation: tree.Binary) -> None:
    """Reports a relation that is false; two sizes that must be equal are compared once they have numbers.

    In the standard library a false relation ends the block: what follows would only fail as a consequence.
    """
    left, right = evaluate(t, scope, relation.left), evaluate(t, scope, relation.right)
    if is_unknown(left) or is_unknown(right):
        return
    if relation.operator == "==" and _is_open(left, right):
        t.root.guard(left, right, t.place(relation.span))
    elif evaluate(t, scope, relation) is False:
        text, names = relation.span.text, _names(scope, t.constants, relation)
        if t.library_use:
            t.wrong(errors.BrokenDemand, relation.span, word=t.library_use.span.text, relation=text, values=names)
            raise Lost
        t.wrong(
            errors.BrokenBudget,
            relation.span,
            relation=text,
            left=_shown(left),
            operator=relation.operator,
            right=_shown(right),
            values="" if _is_plain(relation) else names,
        )


def _names(scope: Scope, constants: Mapping[str, Any], relation: tree.Binary) -> str:
    """What the names in a relation stand for: `x is f32[N, 30], heads = 4`."""
    known = dict(constants) | scope.names
    used = dict.fromkeys(p.text for p in parts(relation) if isinstance(p, tree.Name) and p.text in known)
    return ", ".join(f"{n} is {v.type}" if is_tensor(v := known[n]) else f"{n} = {_shown(v)}" for n in used)


def _is_plain(relation: tree.Binary) -> bool:
    """Whether the two sides say what their names stand for."""
    return all(isinstance(side, tree.Name | tree.Number) for side in (relation.left, relation.right))


def _is_open(left: Any, right: Any) -> bool:
    sizes = all(isinstance(v, int | Dim) and not isinstance(v, bool) for v in (left, right))
    return sizes and isinstance(left - right, Dim)


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{value}"
