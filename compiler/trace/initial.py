"""How weights begin: the initialisers of the language and the numbers that they draw."""

from __future__ import annotations

import math
from typing import Any

from ...spec import tree
from ...spec.suggest import nearest
from ..ir.types import Tensor
from . import errors
from .scope import Scope
from .tracer import Initial, Tracer, is_unknown
from .values import describe

# The numbers that each initialiser takes, with their defaults; None where one must be given.
WORDS: dict[str, tuple[tuple[str, float | None], ...]] = {
    "zeros": (),
    "ones": (),
    "constant": (("value", None),),
    "normal": (("deviation", None),),
    "uniform": (("low", None), ("high", None)),
    "glorot_uniform": (),
    "glorot_normal": (),
    "he_normal": (),
    "he_uniform": (),
    "orthogonal": (("gain", 1.0),),
}
ZEROS, ONES = Initial("zeros"), Initial("ones")
GLOROT_UNIFORM, HE_NORMAL = Initial("glorot_uniform"), Initial("he_normal")


def default(type: Tensor, *, is_state: bool) -> Initial:
    """How a declared weight or state begins where the spec does not say."""
    return ZEROS if is_state or type.rank < 2 else GLOROT_UNIFORM


def initial(t: Tracer, scope: Scope, e: tree.Expression) -> Initial | None:
    """The initialiser that an expression names; None where a mistake was reported."""
    name, arguments = _parts(e)
    if name is None or name.text not in WORDS:
        found = name.text if name else e.span.text
        span = name.span if name else e.span
        t.wrong(errors.UnknownName, span, name=found, suggestion=nearest(found, WORDS), reason=_known())
        return None
    numbers = _numbers(t, scope, name, arguments)
    return None if numbers is None else Initial(name.text, numbers)


def _parts(e: tree.Expression) -> tuple[tree.Name | None, tuple[tree.Argument, ...]]:
    match e:
        case tree.Name():
            return e, ()
        case tree.Call(function=tree.Name() as name, arguments=arguments):
            return name, arguments
        case _:
            return None, ()


def _known() -> str:
    return "initialisers are " + ", ".join(WORDS)


def _numbers(
    t: Tracer, scope: Scope, name: tree.Name, arguments: tuple[tree.Argument, ...]
) -> tuple[float, ...] | None:
    from .expression import evaluate

    slots = WORDS[name.text]
    signature = f"({', '.join(n for n, _ in slots)})"
    given: dict[str, float] = {}
    for position, a in enumerate(arguments):
        value: Any = evaluate(t, scope, a.value)
        slot = a.name.text if a.name else slots[position][0] if position < len(slots) else None
        if slot is None:
            t.wrong(errors.TooManyArguments, a.value.span, word=name.text, found=describe(value), signature=signature)
            return None
        if slot not in dict(slots):
            t.wrong(errors.UnknownArgument, a.span, word=name.text, name=slot, signature=signature)
            return None
        if is_unknown(value):
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            t.wrong(errors.WrongKind, a.value.span, subject=f"`{slot}`", expected="a number", found=describe(value))
            return None
        given[slot] = float(value)
    for slot, default in slots:
        if slot not in given and default is None:
            t.wrong(errors.MissingArgument, name.span, word=name.text, name=slot, signature=signature)
            return None
    return tuple(given.get(slot, default or 0.0) for slot, default in slots)
