"""Statements: what a body binds, declares and returns."""

from __future__ import annotations

from collections import Counter
from itertools import chain, count
from typing import Any, assert_never

from ...spec import tree
from ...spec.source import Span
from ...spec.suggest import nearest
from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import Node
from ..ir.types import F32, WORDS, Tensor
from . import errors
from .branches import check_names
from .claims import claim
from .expression import evaluate, known_truth
from .initial import default, initial
from .naming import join, numbered
from .scan import scan
from .scope import Scope
from .tracer import PREDICT, TRAIN, Initial, LossTerm, Tracer, is_unknown
from .use import weight
from .values import MISSING, Chain, Instance, describe, is_size


def run_body(t: Tracer, scope: Scope, body: tuple[tree.Body, ...]) -> Any:
    """The body's result: the values of its last line, or what a last `if` leaves in `x`; states are written back."""
    value = run(t, scope, body)
    _keep_states(t, scope)
    return value


def run(t: Tracer, scope: Scope, body: tuple[tree.Body, ...]) -> Any:
    value: Any = None
    for statement in body:
        t.count(statement.span)
        value = _statement(t, scope, statement)
    return value


def _statement(t: Tracer, scope: Scope, s: tree.Body) -> Any:
    match s:
        case tree.Assign():
            _assign(t, scope, s)
        case tree.Result():
            return _values(t, scope, s.values)
        case tree.Declare():
            _declare(t, scope, s)
        case tree.Repeat():
            _repeat(t, scope, s)
        case tree.If():
            return _if(t, scope, s)
        case tree.Loss():
            add_loss(t, scope, s)
        case tree.Assert():
            claim(t, scope, s)
        case _:
            assert_never(s)
    return None


def _values(t: Tracer, scope: Scope, values: tuple[tree.Expression, ...] | tree.Scan) -> Any:
    if isinstance(values, tree.Scan):
        return scan(t, scope, values)
    found = tuple(evaluate(t, scope, v) for v in values)
    return found[0] if len(found) == 1 else found


def _assign(t: Tracer, scope: Scope, s: tree.Assign) -> None:
    value = _values(t, scope, s.values)
    if len(s.targets) == 1:
        scope.names[s.targets[0].text] = value
    else:
        take_apart(t, scope, s.targets, value, s.span if isinstance(s.values, tree.Scan) else s.values[0].span)
    if isinstance(s.values, tuple):
        for target in s.targets:
            _call_it(scope.names[target.text], scope.named_path(target.text), s.values[0].span.to(s.values[-1].span))


def _call_it(value: Any, path: str, made: Span) -> None:
    """Gives an instance that was made in this text the name that it is bound to."""
    match value:
        case Instance(span=span) if span.source is made.source and made.start <= span.start < made.end:
            value.path = path
        case Chain(steps=steps):
            count = Counter[str]()
            for step in steps:
                _call_it(step, join(path, numbered(count, step.callee.name)), made)


def take_apart(t: Tracer, scope: Scope, targets: tuple[tree.Name, ...], value: Any, span: Span) -> None:
    if not is_unknown(value) and (not isinstance(value, tuple) or len(value) != len(targets)):
        found = len(value) if isinstance(value, tuple) else 1
        value = t.wrong(errors.WrongCount, span, expected=len(targets), found=found)
    values = (MISSING,) * len(targets) if is_unknown(value) else value
    for target, item in zip(targets, values, strict=True):
        scope.names[target.text] = item


def _declare(t: Tracer, scope: Scope, s: tree.Declare) -> None:
    type_ = tensor_type(t, scope, s.type)
    if type_ is None:
        for name in s.names:
            scope.names[name.text] = MISSING
        return
    is_state = s.kind == "state"
    begin = default(type_, is_state=is_state) if s.initial is None else initial(t, scope, s.initial)
    for name in s.names:
        scope.names[name.text] = MISSING if begin is None else _variable(t, scope, s, name, type_, begin)


def _variable(t: Tracer, scope: Scope, s: tree.Declare, name: tree.Name, type_: Tensor, begin: Initial) -> Node:
    path = scope.named_path(name.text)
    if s.kind == "state":
        if t.b is not t.root:
            t.wrong(errors.NotInScan, name.span, what="a state")
            return t.b.unknown()
        if type_.dtype.is_half:
            expected = "of f32, f64 or whole numbers"
            t.wrong(errors.WrongKind, s.type.span, subject="a state", expected=expected, found=str(type_))
            return t.b.unknown()
        scope.states[name.text] = path, name.span
        return t.state(path, type_, begin, name.span)
    if type_.dtype is not F32:
        trained = "`train { precision bf16 }` computes in two bytes and keeps weights in f32"
        advice = trained if type_.dtype.is_half else "what is not trained is a `state`"
        t.wrong(errors.WrongKind, s.type.span, subject="a weight", expected="of f32", found=str(type_), advice=advice)
        return t.b.unknown()
    if scope.layer is None or scope.turns:
        return t.parameter(path, type_, begin, name.span)
    return weight(t, scope.layer, dict(scope.given), name.text, type_, begin)


def _keep_states(t: Tracer, scope: Scope) -> None:
    """In training, what a state's name holds at the end of the body is its value in the next step."""
    if scope.states and t.is_in(TRAIN):
        for name, (path, span) in scope.states.items():
            value = scope.names[name]
            if isinstance(value, Node) and path in t.states:
                _keep_state(t, path, value, span)


def _keep_state(t: Tracer, path: str, value: Node, span: Span) -> None:
    known = t.states[path]
    if not is_unknown(value) and value.type != known.type:
        t.wrong(errors.CarriedType, span, name=path, found=str(value.type), before=str(known.type))
    t.state_now[path] = value


def tensor_type(t: Tracer, scope: Scope, e: tree.Type) -> Tensor | None:
    """`f32[a, b]` with its sizes evaluated; None where a mistake was reported."""
    dtype = WORDS.get(e.dtype.text)
    if dtype is None:
        known = ", ".join(WORDS)
        suggestion = nearest(e.dtype.text, WORDS)
        t.wrong(errors.UnknownDType, e.dtype.span, name=e.dtype.text, known=known, suggestion=suggestion)
    sizes = [_size(t, scope, size) for size in e.sizes]
    if dtype is None or any(s is None for s in sizes):
        return None
    return Tensor(dtype, tuple(s for s in sizes if s is not None))


def _size(t: Tracer, scope: Scope, e: tree.Expression) -> Size | None:
    value = evaluate(t, scope, e)
    if is_unknown(value):
        return None
    if not is_size(value) or (isinstance(value, int) and value < 0):
        t.wrong(
            errors.WrongKind, e.span, subject="a size", expected="a whole number of at least 0", found=describe(value)
        )
        return None
    size: Size = value
    return size


def _repeat(t: Tracer, scope: Scope, s: tree.Repeat) -> None:
    over = evaluate(t, scope, s.over)
    if is_unknown(over):
        check_names(t, scope, s)
        for name in _assigned(s.body):
            scope.names[name] = MISSING
        return
    if isinstance(over, bool) or not isinstance(over, int | tuple):
        advice = "" if not is_size(over) else "a free dimension can not be counted; use `scan` over a sequence"
        t.wrong(
            errors.WrongKind,
            s.over.span,
            subject="what is repeated",
            expected="a whole number or a list",
            found=describe(over),
            advice=advice,
        )
        return
    if isinstance(over, int) and over < 0:
        subject, expected = "the count of a `repeat`", "at least 0"
        t.wrong(errors.WrongKind, s.over.span, subject=subject, expected=expected, found=describe(over))
        return
    rows = range(over) if isinstance(over, int) else over
    before = {n.text: scope.names.get(n.text, MISSING) for n in s.names}
    hidden = {n.text for n in s.names if n.text not in scope.names}
    for turn, row in enumerate(rows):
        t.count(s.over.span)
        named = f" {s.names[0].text} = {row}" if s.names and isinstance(row, int) else ""
        with t.frame(f"repeat{named} {'of' if named else f'{turn + 1} of'} {len(rows)}", s.span):
            _bind_row(t, scope, s, row)
            inside = scope.turn(turn)
            run(t, inside, s.body)
            _keep_states(t, inside)
    scope.names.update((n, v) for n, v in before.items() if n not in hidden)
    for name in hidden:
        scope.names.pop(name, None)


def _bind_row(t: Tracer, scope: Scope, s: tree.Repeat, row: Any) -> None:
    if len(s.names) == 1:
        scope.names[s.names[0].text] = row
    elif s.names:
        take_apart(t, scope, s.names, row, s.over.span)


def _if(t: Tracer, scope: Scope, s: tree.If) -> Any:
    condition = known_truth(t, scope, s.condition)
    if condition is None:
        check_names(t, scope, (*s.then, *s.otherwise))
        for name in (*_assigned(s.then), *_assigned(s.otherwise)):
            scope.names[name] = MISSING
        return MISSING
    check_names(t, scope, s.otherwise if condition else s.then)
    return run(t, scope, s.then if condition else s.otherwise)


def _assigned(body: tuple[tree.Body, ...]) -> list[str]:
    return [n.text for s in body if isinstance(s, tree.Assign) for n in s.targets]


def add_loss(t: Tracer, scope: Scope, s: tree.Loss) -> None:
    """A term of what is minimised; predict knows none."""
    if t.is_in(PREDICT):
        check_names(t, scope, s.value)
        return
    value = evaluate(t, scope, s.value)
    if is_unknown(value):
        return
    if not isinstance(value, Node) or not isinstance(value.type, Tensor) or not value.dtype.is_float:
        t.wrong(errors.WrongKind, s.value.span, subject="a loss", expected="a tensor of floats", found=describe(value))
        return
    if t.b is not t.root:
        t.wrong(errors.NotInScan, s.value.span, what="a loss")
        return
    if is_crossed(t, value):
        t.wrong(errors.CrossedSamples, s.value.span, what="loss", type=str(value.type))
        return
    name = s.name.text if s.name else _loss_name(t, s.value)
    t.losses.append(LossTerm(name, value, t.place(s.value.span)))


def is_crossed(t: Tracer, node: Node) -> bool:
    """Whether more than one axis of a value runs along the samples."""
    batch = frozenset().union(*(dims.names(n.shape[0]) for n in t.root.inputs if n.shape))
    return sum(bool(dims.names(size) & batch) for size in node.shape) > 1


def _loss_name(t: Tracer, e: tree.Expression) -> str:
    """The word of the loss, numbered where it is used again."""
    word = e.function.text if isinstance(e, tree.Call) and isinstance(e.function, tree.Name) else "loss"
    return free_name(word, {term.name for term in t.losses})


def free_name(word: str, taken: set[str]) -> str:
    """The word, or with the first number that makes it a name of its own."""
    return next(n for n in chain([word], (f"{word}_{k}" for k in count(2))) if n not in taken)
