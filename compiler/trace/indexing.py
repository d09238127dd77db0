"""`value[…]`: of lists and shapes when compiling, of tensors as slices."""

from __future__ import annotations

from typing import Any

from ...spec import tree
from ..ir.dims import Dim, Size
from ..ir.graph import Node
from ..ops import layout
from . import errors
from .scope import Scope
from .tracer import Tracer, is_unknown
from .values import MISSING, describe, is_size


def index(t: Tracer, scope: Scope, e: tree.Index) -> Any:
    from .expression import evaluate

    value = evaluate(t, scope, e.value)
    if is_unknown(value):
        return MISSING
    if isinstance(value, tuple):
        return _item(t, scope, e, value)
    if isinstance(value, Node):
        with t.at(e.span):
            return _slice_tensor(t, scope, e, value)
    return t.wrong(
        errors.WrongKind, e.value.span, subject="what is indexed", expected="a tensor or a list", found=describe(value)
    )


def _item(t: Tracer, scope: Scope, e: tree.Index, items: tuple[Any, ...]) -> Any:
    (only, *more) = e.indices
    if more or isinstance(only, tree.Rest):
        return t.wrong(errors.BadIndex, e.span, problem="a list has one index", found=f"{len(e.indices)} indices")
    if isinstance(only, tree.Slice):
        bounds = [_whole(t, scope, part) if part else None for part in (only.start, only.stop, only.step)]
        if any(b is MISSING or isinstance(b, Dim) for b in bounds):
            return MISSING
        return items[slice(*bounds)]
    number = _whole(t, scope, only)
    if number is MISSING:
        return MISSING
    if not isinstance(number, int) or not -len(items) <= number < len(items):
        return t.wrong(errors.BadIndex, only.span, problem=f"a list of {len(items)} has no item {number}")
    return items[number]


def _whole(t: Tracer, scope: Scope, e: tree.Expression) -> Any:
    from .expression import evaluate

    value = evaluate(t, scope, e)
    if is_unknown(value) or is_size(value):
        return MISSING if is_unknown(value) else value
    return t.wrong(errors.WrongKind, e.span, subject="an index", expected="a whole number", found=describe(value))


def _slice_tensor(t: Tracer, scope: Scope, e: tree.Index, x: Node) -> Any:
    """Numbers take one place of an axis and drop it, slices keep it, `...` stands for the axes between."""
    indices = list(e.indices)
    rests = [i for i, part in enumerate(indices) if isinstance(part, tree.Rest)]
    given = len(indices) - len(rests)
    if len(rests) > 1 or given > x.tensor.rank:
        found = f"{x.type} has {x.tensor.rank}"
        return t.wrong(errors.BadIndex, e.span, problem=f"{given} indices for a tensor of fewer axes", found=found)
    at = rests[0] if rests else len(indices)
    whole: list[Any] = [None] * (x.tensor.rank - given)
    parts = [*indices[:at], *whole, *indices[at + 1 :]]
    bounds = [_bounds(t, scope, part, size) for part, size in zip(parts, x.shape, strict=True)]
    if any(b is None for b in bounds):
        return MISSING
    known = [b for b in bounds if b is not None]
    starts, stops = (tuple(b[k] for b in known) for k in range(2))
    sliced = t.b.add(layout.Slice(starts, stops, tuple(b[2] for b in known)), x)
    dropped = [i for i, part in enumerate(parts) if part is not None and not isinstance(part, tree.Slice)]
    if not dropped or is_unknown(sliced):
        return sliced
    kept = tuple(s for i, s in enumerate(sliced.shape) if i not in dropped)
    return t.b.add(layout.Reshape(kept), sliced)


def _bounds(t: Tracer, scope: Scope, part: Any, size: Size) -> tuple[Size, Size, int] | None:
    if part is None:
        return 0, size, 1
    if not isinstance(part, tree.Slice):
        return _single(t, scope, part, size)
    numbers = [_whole(t, scope, p) if p else None for p in (part.start, part.stop, part.step)]
    if any(n is MISSING for n in numbers):
        return None
    step = 1 if numbers[2] is None else numbers[2]
    if not isinstance(step, int) or step == 0:
        t.wrong(errors.BadIndex, part.span, problem="the step of a slice is a whole number, not 0", found=f"{step}")
        return None
    if isinstance(size, int) and all(n is None or isinstance(n, int) for n in numbers):
        return slice(*numbers).indices(size)
    if step < 0:
        t.wrong(errors.BadIndex, part.span, problem="a slice backwards needs a known size", found=f"size {size}")
        return None
    start, stop = (_from_end(n, size) if n is not None else other for n, other in zip(numbers, (0, size), strict=False))
    return start, stop, step


def _single(t: Tracer, scope: Scope, part: tree.Expression, size: Size) -> tuple[Size, Size, int] | None:
    number = _whole(t, scope, part)
    if number is MISSING:
        return None
    if isinstance(number, int) and isinstance(size, int) and not -size <= number < size:
        t.wrong(errors.BadIndex, part.span, problem=f"an axis of {size} has no place {number}")
        return None
    start = _from_end(number, size)
    return start, start + 1, 1


def _from_end(number: Size, size: Size) -> Size:
    return number + size if isinstance(number, int) and number < 0 else number
