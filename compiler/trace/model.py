"""A model of the spec to what one phase computes: values, weights, losses, metrics, outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ...spec import tree
from ...spec.record import Record
from ...spec.source import Diagnostic, Place, Span
from ...spec.suggest import nearest
from ..ir.dims import Dim, name
from ..ir.graph import DATA, TARGET, Builder, Input, Node
from . import errors
from .branches import check_names
from .claims import claim
from .expression import evaluate, lookup
from .naming import labels
from .scope import Scope
from .statements import add_loss, free_name, is_crossed, run_body, tensor_type
from .tracer import (
    EVALUATE,
    LIMIT,
    PHASES,
    PREDICT,
    LossTerm,
    Metric,
    TooMany,
    Tracer,
    Variable,
    block_words,
    is_unknown,
)
from .values import MISSING, Chain, Collected, Instance, describe


class Traced(Record):
    """What one phase of a model computes, in the Builder's nodes."""

    phase: str
    b: Builder
    constants: Mapping[str, Any]
    parameters: Mapping[str, Variable]
    states: Mapping[str, Variable]
    state_updates: Mapping[str, Node]
    outputs: Mapping[str, Node]
    losses: tuple[LossTerm, ...]
    metrics: tuple[Metric, ...]
    tracer: Tracer
    scope: Scope
    complete: bool = True

    @property
    def reports(self) -> tuple[Diagnostic, ...]:
        """The mistakes that were found. Only a model without any has graphs."""
        return tuple(self.b.reports)


def trace(
    model: tree.Model,
    phase: str,
    *,
    overrides: Mapping[str, tree.Expression] | None = None,
    sizes: Mapping[str, int] | None = None,
    limit: int = LIMIT,
) -> Traced:
    """Runs the model for one phase; its mistakes are the result's `reports`.

    `sizes` are the dimensions that data binds, `limit` is the number of expressions after which a spec is too large.
    """
    return _end(model, _begin(model, phase, overrides or {}, sizes or {}, limit))


def trace_phases(
    model: tree.Model, *, overrides: Mapping[str, tree.Expression], sizes: Mapping[str, int], limit: int = LIMIT
) -> dict[str, Traced]:
    """All phases, or those up to one that is too large. A body that is the same in some of them is run once."""
    begun: list[_Begun] = []
    for phase in PHASES:
        alike = next((b for other in begun if (b := other.fork(phase))), None)
        begun.append(alike or _begin(model, phase, overrides, sizes, limit))
        if not begun[-1].complete:
            break
    traced: dict[str, Traced] = {}
    for one in begun:
        made = traced[one.t.phase] = _end(model, one)
        if not made.complete:
            break
    return traced


class _Begun(NamedTuple):
    """A phase whose body was run, if that kept within the limit."""

    t: Tracer
    scope: Scope
    complete: bool

    def fork(self, phase: str) -> _Begun | None:
        """Another phase whose body makes the same; not where a layer is at hand that will remember its first use."""
        t = self.t.fork(phase)
        if t is None or any(map(_has_unused_layer, (*self.scope.names.values(), *t.constants.values()))):
            return None
        return _Begun(t, replace(self.scope, names=dict(self.scope.names), states=dict(self.scope.states)), True)


def _has_unused_layer(value: Any) -> bool:
    """Whether a value is, or holds, a layer whose weights were not made yet."""
    match value:
        case Instance():
            return not value.weights
        case Chain(steps=inner) | tuple(inner):
            return any(map(_has_unused_layer, inner))
    return False


def _begin(
    model: tree.Model, phase: str, overrides: Mapping[str, tree.Expression], sizes: Mapping[str, int], limit: int
) -> _Begun:
    t, scope, complete = declare(model, overrides, sizes, phase, limit)
    return _Begun(t, scope, complete and _is_within_limits(t, model, lambda: run_body(t, scope, model.body)))


def _is_within_limits(t: Tracer, model: tree.Model, run: Callable[[], object]) -> bool:
    """Runs what may be too large, or nested deeper than Python goes; says whether it was neither."""
    try:
        run()
    except TooMany:
        return False
    except RecursionError:
        t.wrong(errors.TooLarge, t.last or model.span, limit=t.limit)
        return False
    return True


def _end(model: tree.Model, begun: _Begun) -> Traced:
    """What follows the body: losses, outputs, metrics and claims."""
    t, scope, complete = begun
    outputs: dict[str, Node] = {}
    metrics: list[Metric] = []

    def run() -> None:
        for loss in model.losses:
            add_loss(t, scope, loss)
        outputs.update(_outputs(t, scope, model))
        metrics.extend(_metrics(t, scope, model))
        for statement in model.asserts:
            claim(t, scope, statement)
        _targets_stay_out(t, model, outputs)

    complete = complete and _is_within_limits(t, model, run)
    updates = {n: v for n, v in t.state_now.items() if v is not t.states[n].node}
    return Traced(
        t.phase,
        t.b,
        t.constants,
        t.parameters,
        t.states,
        updates,
        outputs,
        tuple(t.losses),
        tuple(metrics),
        t,
        scope,
        complete,
    )


def declare(
    model: tree.Model,
    overrides: Mapping[str, tree.Expression] | None = None,
    sizes: Mapping[str, int] | None = None,
    phase: str = PREDICT,
    limit: int = LIMIT,
) -> tuple[Tracer, Scope, bool]:
    """Only the constants and inputs of a model, and whether they kept within the limit; mistakes stay in the tracer."""
    span = model.name.span if model.name else model.span
    t = Tracer(phase, Builder(Place(span)), {}, block_words(model.blocks), limit)
    sections = (model.body, model.outputs, model.losses, model.metrics)
    scope = Scope("", labels(*sections), body=(*model.constants, *model.inputs, *model.body))
    try:
        _constants(t, scope, model, overrides or {})
        _inputs(t, scope, model, sizes or {})
    except TooMany:
        return t, scope, False
    return t, scope, True


def merge_reports(*reports: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The mistakes of several phases, each once, in the order of the text."""
    found: dict[tuple[str, str, int], Diagnostic] = {}
    for some in reports:
        for d in some:
            found.setdefault((d.code, d.place.span.source.name, d.place.span.start), d)
    return tuple(sorted(found.values(), key=lambda d: (d.place.span.source.name, d.place.span.start)))


def _constants(t: Tracer, scope: Scope, model: tree.Model, overrides: Mapping[str, tree.Expression]) -> None:
    known = [c.name.text for c in model.constants]
    for text, value in overrides.items():
        if text not in known:
            t.wrong(
                errors.UnknownName, value.span, name=text, suggestion=nearest(text, known), reason="no such constant"
            )
    for constant in model.constants:
        t.constants[constant.name.text] = evaluate(t, scope, overrides.get(constant.name.text, constant.value))


def _inputs(t: Tracer, scope: Scope, model: tree.Model, sizes: Mapping[str, int]) -> None:
    targets = {b.name.text for b in model.data.bindings if b.target} if model.data else set()
    for declared in model.inputs:
        for size in declared.type.sizes:
            _introduce(t, scope, size, sizes)
    for declared in model.inputs:
        text = declared.name.text
        if text in scope.names and not isinstance(scope.names[text], int | Dim):
            t.wrong(errors.DuplicateInput, declared.name.span, name=text)
            continue
        type_ = tensor_type(t, scope, declared.type)
        with t.at(declared.name.span):
            node = MISSING if type_ is None else t.b.input(text, TARGET if text in targets else DATA, type_)
        scope.names[text] = node
    _check_batch(t, scope, model)


def _check_batch(t: Tracer, scope: Scope, model: tree.Model) -> None:
    """The first dimension of every input is the batch: one free name for all."""
    batch: str | None = None
    for declared in model.inputs:
        node = scope.names[declared.name.text]
        if not isinstance(node, Node) or is_unknown(node):
            continue
        first = node.shape[0] if node.shape else None
        if isinstance(first, Dim) and str(first) == (batch or str(first)) and first.names == {str(first)}:
            batch = str(first)
        else:
            span = declared.type.sizes[0].span if declared.type.sizes else declared.type.span
            t.wrong(errors.NoBatch, span, name=declared.name.text, found=str(node.type), batch=batch or "N")


def _introduce(t: Tracer, scope: Scope, size: tree.Expression, sizes: Mapping[str, int]) -> None:
    """A capitalised name that is no constant is a dimension; so is one in a product."""
    match size:
        case tree.Name(text=text) if text[:1].isupper() and text not in t.constants:
            scope.names.setdefault(text, sizes.get(text, name(text)))
        case tree.Name(text=text) if text[:1].islower() and lookup(t, scope, text) is None:
            reason = "the name of a dimension begins with a capital letter"
            t.wrong(errors.UnknownName, size.span, name=text, suggestion=text.capitalize(), reason=reason)
        case tree.Binary(operator="*", left=left, right=right):
            _introduce(t, scope, left, sizes)
            _introduce(t, scope, right, sizes)


def _outputs(t: Tracer, scope: Scope, model: tree.Model) -> dict[str, Node]:
    if not model.outputs:
        return _last_value(scope, model)
    found: dict[str, Node] = {}
    for output in model.outputs:
        expression = output.value if output.value is not None else output.name
        value = evaluate(t, scope, expression)
        if output.name.text in found:
            t.wrong(errors.DuplicateInput, output.name.span, name=output.name.text)
        elif isinstance(value, Node):
            found[output.name.text] = value
        elif not is_unknown(value):
            t.wrong(errors.WrongKind, expression.span, subject="an output", expected="a tensor", found=describe(value))
    return {n: v for n, v in found.items() if not is_unknown(v)}


def _last_value(scope: Scope, model: tree.Model) -> dict[str, Node]:
    """Without `output`, the last value of the body, under its name."""
    for names in _bound_last(model.body):
        found = {n: scope.names.get(n) for n in names}
        values = {n: v for n, v in found.items() if isinstance(v, Node) and not is_unknown(v)}
        if values:
            return values
    return {}


def _bound_last(body: tuple[tree.Body, ...]) -> Iterator[list[str]]:
    """The names that each statement binds, from the last one backwards."""
    for s in reversed(body):
        match s:
            case tree.Assign(targets=targets):
                yield [n.text for n in targets]
            case tree.Repeat(body=inner):
                yield from _bound_last(inner)
            case tree.If(then=then, otherwise=otherwise):
                yield from _bound_last(otherwise)
                yield from _bound_last(then)


def _metrics(t: Tracer, scope: Scope, model: tree.Model) -> list[Metric]:
    found: list[Metric] = []
    taken = {"loss", *(term.name for term in t.losses)}
    for m in model.metrics:
        if t.phase != EVALUATE:
            check_names(t, scope, m.value)
            continue
        value = evaluate(t, scope, m.value)
        text = m.name.text if m.name else free_name(_word(m.value), taken)
        if text in taken and m.name:
            t.wrong(errors.DuplicateInput, m.name.span, name=text)
        taken.add(text)
        if isinstance(value, Collected):
            found.append(Metric(text, value.kind, value.nodes, t.place(m.value.span)))
        elif isinstance(value, Node) and not is_unknown(value) and is_crossed(t, value):
            t.wrong(errors.CrossedSamples, m.value.span, what="metric", type=str(value.type))
        elif isinstance(value, Node) and not is_unknown(value):
            found.append(Metric(text, "mean", (value,), t.place(m.value.span)))
        elif not is_unknown(value):
            t.wrong(errors.WrongKind, m.value.span, subject="a metric", expected="a tensor", found=describe(value))
    return found


def _word(e: tree.Expression) -> str:
    return e.function.text if isinstance(e, tree.Call) and isinstance(e.function, tree.Name) else "metric"


def _targets_stay_out(t: Tracer, model: tree.Model, outputs: Mapping[str, Node]) -> None:
    """An output that depends on a target is an error: prediction will not have it."""
    if t.phase != PREDICT:
        return
    spans: dict[str, Span] = {o.name.text: o.name.span for o in model.outputs}
    for text, node in outputs.items():
        target = _reaches_target(node)
        if target:
            t.wrong(errors.TargetInOutput, spans.get(text, node.place.span), output=text, target=target)


def _reaches_target(node: Node) -> str:
    stack, seen = [node], set()
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        if isinstance(n.op, Input) and n.op.role == TARGET:
            return n.op.name
        stack.extend(n.inputs)
    return ""
