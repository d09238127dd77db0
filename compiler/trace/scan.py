"""`scan`: the body traced once, as a closed graph that the operation Scan repeats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...spec import tree
from ..ir.graph import Node
from ..ir.types import BOOL, I64, Tensor
from ..ops import layout
from ..ops.elementwise import Cast, Lt, Where
from ..ops.index import Iota
from . import errors
from .body import CARRY, SLICE, BodyBuilder
from .scope import Scope
from .tracer import Tracer, is_unknown
from .values import MISSING, describe

TIME = "time"


def scan(t: Tracer, scope: Scope, s: tree.Scan) -> Any:
    """The stacked results; the carried names hold their last values afterwards."""
    settings = _settings(t, scope, s)
    sequences = [_tensor(t, scope, over, "a sequence", least_rank=1) for over in s.over]
    carries = [_tensor(t, scope, over, "a carried value", least_rank=0) for over in s.carried]
    if settings is None or any(is_unknown(v) for v in (*sequences, *carries)):
        return _lost(scope, s)
    with t.at(s.span):
        value = _trace(t, scope, s, settings, sequences, carries)
    return _lost(scope, s) if value is MISSING else value


def _lost(scope: Scope, s: tree.Scan) -> Any:
    for over in s.carried:
        scope.names[over.name.text] = MISSING
    return MISSING


def _settings(t: Tracer, scope: Scope, s: tree.Scan) -> dict[str, Any] | None:
    from .expression import evaluate

    found: dict[str, Any] = {"length": None, "reverse": False, "truncate": 0}
    expected = {"length": "a tensor of lengths", "reverse": "true or false", "truncate": "a whole number"}
    well = True
    for a in s.settings:
        name = a.name.text if a.name else ""
        value = evaluate(t, scope, a.value)
        if name not in found:
            span = a.name.span if a.name else a.value.span
            t.wrong(
                errors.UnknownArgument,
                span,
                word="scan",
                name=name,
                signature="(length, reverse, truncate)",
                suggestion="",
            )
            well = False
        elif is_unknown(value):
            well = False
        elif not _fits(name, value):
            t.wrong(errors.WrongKind, a.value.span, subject=f"`{name}`", expected=expected[name], found=describe(value))
            well = False
        found[name] = value
    return found if well else None


def _fits(name: str, value: Any) -> bool:
    match name:
        case "length":
            return value is None or (isinstance(value, Node) and value.dtype.is_integer)
        case "reverse":
            return isinstance(value, bool)
        case _:
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _tensor(t: Tracer, scope: Scope, over: tree.Over, what: str, least_rank: int) -> Any:
    from .expression import evaluate

    value = evaluate(t, scope, over.value)
    if is_unknown(value):
        return MISSING
    if not isinstance(value, Node) or value.tensor.rank < least_rank:
        return t.wrong(
            errors.WrongKind, over.value.span, subject=f"`{over.name.text}`", expected=what, found=describe(value)
        )
    return value


def _trace(
    t: Tracer, scope: Scope, s: tree.Scan, settings: dict[str, Any], sequences: list[Any], carries: list[Any]
) -> Any:
    if settings["length"] is not None:
        first = sequences[0]
        sequences = [*sequences, t.b.add(Iota(first.shape[min(1, first.tensor.rank - 1)], I64))]
    body = BodyBuilder(t.b)
    inner = replace(scope, names=dict(scope.names))
    before = [body.variable(o.name.text, CARRY, c.tensor) for o, c in zip(s.carried, carries, strict=True)]
    names = [*(o.name.text for o in s.over), TIME]
    slices = [body.variable(n, SLICE, _step(q.tensor)) for n, q in zip(names, sequences, strict=False)]
    inner.names.update({o.name.text: n for o, n in zip((*s.carried, *s.over), (*before, *slices), strict=False)})
    with t.inner(body):
        stacked = _run(t, inner, s)
        after = [inner.names[o.name.text] for o in s.carried]
        if stacked is None or not _agree(t, s, before, after):
            return MISSING
        if settings["length"] is not None:
            after, stacked = _masked(t, settings["length"], slices[-1], before, after, stacked)
    results = {f"carry.{i}": n for i, n in enumerate(map(body.inside, after))}
    results |= {f"stack.{i}": n for i, n in enumerate(map(body.inside, stacked))}
    if body.reports:
        return MISSING
    for guard in body.guards.values():
        t.b.guard(guard.left, guard.right, guard.place)
    from ..ops.scan import Scan

    op = Scan(body.graph(results), len(carries), len(sequences), settings["reverse"], settings["truncate"])
    values = t.b.many(op, *carries, *sequences, *body.captured)
    if not values:
        return MISSING
    for over, value in zip(s.carried, values, strict=False):
        scope.names[over.name.text] = value
    stacks = values[len(carries) :]
    return stacks[0] if len(stacks) == 1 else tuple(stacks)


def _step(sequence: Tensor) -> Tensor:
    """The type of one step: without the time axis, which is the second, or the only one."""
    shape = sequence.shape
    return sequence.with_shape(shape[1:] if len(shape) == 1 else (shape[0], *shape[2:]))


def _run(t: Tracer, inner: Scope, s: tree.Scan) -> list[Node] | None:
    """The values of the body's last line, or else the carried ones; None where a mistake was reported."""
    from .statements import run

    value = run(t, inner, s.body)
    if value is None:
        value = tuple(inner.names[o.name.text] for o in s.carried)
    values = list(value) if isinstance(value, tuple) else [value]
    for v in values:
        if not is_unknown(v) and not isinstance(v, Node):
            t.wrong(errors.WrongKind, s.span, subject="the value of a scan", expected="a tensor", found=describe(v))
            return None
    return None if any(map(is_unknown, values)) else values


def _agree(t: Tracer, s: tree.Scan, before: list[Node], after: list[Any]) -> bool:
    well = True
    for over, old, new in zip(s.carried, before, after, strict=True):
        if is_unknown(new):
            well = False
        elif not isinstance(new, Node) or new.type != old.type:
            found = str(new.type) if isinstance(new, Node) else describe(new)
            t.wrong(errors.CarriedType, over.name.span, name=over.name.text, found=found, before=str(old.type))
            well = False
    return well


def _masked(
    t: Tracer, length: Node, time: Node, before: list[Node], after: list[Any], stacked: list[Node]
) -> tuple[list[Node], list[Node]]:
    """Beyond a row's length carried values stay and results are 0."""
    lengths = length if length.dtype is I64 else t.b.add(Cast(I64), length)
    valid = t.b.add(Lt(), time, lengths)
    assert valid.dtype is BOOL

    def choose(new: Node, old: Node) -> Node:
        shape = (*valid.shape, *((1,) * (new.tensor.rank - 1)))
        return t.b.add(Where(), t.b.add(layout.Reshape(shape), valid), new, old)

    kept = [choose(new, old) for new, old in zip(after, before, strict=True)]
    return kept, [choose(new, t.b.literal(0, new.dtype)) for new in stacked]
