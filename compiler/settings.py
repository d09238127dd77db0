"""Reading the fixed sections: each setting as a plain value, each mistake at its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, TypeAlias, TypeVar

from ..spec import tree
from ..spec.record import Record, fields
from ..spec.source import Span
from ..spec.suggest import nearest
from .trace import errors
from .trace.expression import evaluate
from .trace.scope import Scope
from .trace.tracer import Tracer, is_unknown
from .trace.values import describe

T = TypeVar("T", bound=Record)

# What a field of an optimizer or a schedule takes; the names of these types are the keys of the table.
Positive: TypeAlias = float
NotNegative: TypeAlias = float
Share: TypeAlias = float
Counts: TypeAlias = tuple[int, ...]
FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "Positive": ("more than 0", lambda v: isinstance(v, int | float) and 0 < v < math.inf),
    "NotNegative": ("at least 0", lambda v: isinstance(v, int | float) and 0 <= v < math.inf),
    "Share": ("at least 0 and less than 1", lambda v: isinstance(v, int | float) and 0 <= v < 1),
    "int": ("a whole number of at least 1", lambda v: isinstance(v, int) and v > 0),
    "Counts": (
        "a list of whole numbers of at least 1",
        lambda v: isinstance(v, tuple) and bool(v) and all(type(n) is int and n > 0 for n in v),
    ),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
}


class Reader(Record):
    """The settings of one section, evaluated with the constants of the spec."""

    t: Tracer
    scope: Scope
    settings: tree.Settings

    def expression(self, name: str) -> tree.Expression | None:
        found = self.settings.get(name)
        return found.value if found and not isinstance(found.value, tree.Settings) else None

    def inner(self, name: str) -> Reader | None:
        found = self.settings.get(name)
        inside = found.value if found else None
        return Reader(self.t, self.scope, inside) if isinstance(inside, tree.Settings) else None

    def number(self, name: str, default: float, *, least: float = -math.inf, most: float = math.inf) -> float:
        value = self._value(name, int | float, "a number", default)
        return self._within(name, value, default, least, most)

    def whole(self, name: str, default: int, *, least: int = 0) -> int:
        value = self._value(name, int, "a whole number", default)
        return int(self._within(name, value, default, least, math.inf))

    def flag(self, name: str, default: bool) -> bool:
        value: bool = self._value(name, bool, "true or false", default)
        return value

    def word(self, name: str, default: str) -> str:
        """A bare name, or a text."""
        e = self.expression(name)
        if e is None:
            return default
        if isinstance(e, tree.Name):
            return e.text
        if isinstance(e, tree.Text):
            return e.value
        self._wrong(e.span, name, "a name", e.span.text)
        return default

    def choice(self, name: str, table: Mapping[str, type[T]], extra: Mapping[str, Any] | None = None) -> T | None:
        """`name word(arguments)`: the class of that word, made of the arguments; None where not given or wrong."""
        e = self.expression(name)
        if e is None:
            return None
        word, arguments = (e.function, e.arguments) if isinstance(e, tree.Call) else (e, ())
        if not isinstance(word, tree.Name) or word.text not in table:
            text = word.span.text
            self.t.wrong(
                errors.UnknownChoice,
                word.span,
                what=name,
                name=text,
                known=", ".join(table),
                suggestion=nearest(text, table),
            )
            return None
        return self._made(table[word.text], word, arguments, extra or {})

    def _made(
        self, kind: type[T], word: tree.Name, arguments: tuple[tree.Argument, ...], extra: Mapping[str, Any]
    ) -> T | None:
        known = fields(kind)
        signature = f"({', '.join(known)})"
        given: dict[str, Any] = dict(extra)
        for position, a in enumerate(arguments):
            name = a.name.text if a.name else next(iter(list(known)[position : position + 1]), None)
            value = evaluate(self.t, self.scope, a.value)
            if name is None:
                self.t.wrong(
                    errors.TooManyArguments, a.value.span, word=word.text, found=describe(value), signature=signature
                )
                return None
            if name not in known:
                suggestion = nearest(name, known)
                self.t.wrong(
                    errors.UnknownArgument,
                    a.span,
                    word=word.text,
                    name=name,
                    signature=signature,
                    suggestion=suggestion,
                )
                return None
            if is_unknown(value) or not self._fits(a.value.span, word.text, name, str(known[name].type), value):
                return None
            given[name] = value
        missing = next((n for n, f in known.items() if n not in given and f.default is MISSING), None)
        if missing is not None:
            self.t.wrong(errors.MissingArgument, word.span, word=word.text, name=missing, signature=signature)
            return None
        return kind(**given)

    def _fits(self, span: Span, word: str, name: str, kind: str, value: Any) -> bool:
        expected, fits = FIELDS[kind]
        well = fits(value) if kind == "bool" else not isinstance(value, bool) and fits(value)
        if not well:
            self._wrong(span, f"{name}` of `{word}", expected, describe(value))
        return well

    def _value(self, name: str, kind: Any, expected: str, default: Any) -> Any:
        e = self.expression(name)
        if e is None:
            return default
        value = evaluate(self.t, self.scope, e)
        if is_unknown(value):
            return default
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            self._wrong(e.span, name, expected, describe(value))
            return default
        return value

    def _within(self, name: str, value: float, default: float, least: float, most: float) -> float:
        e = self.expression(name)
        if e is not None and not least <= value <= most:
            bound = f"at least {least:g}" + ("" if math.isinf(most) else f" and at most {most:g}")
            self._wrong(e.span, name, bound, f"{value:g}")
            return default
        return value

    def _wrong(self, span: Span, name: str, expected: str, found: str) -> None:
        self.t.wrong(errors.WrongKind, span, subject=f"`{name}`", expected=expected, found=found)
