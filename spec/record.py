"""Frozen data at a tenth of the cost of dataclasses, which generate and compile code for every class.

A command that checks a spec defines a hundred such classes before it does anything; type checkers and `match` see
them as dataclasses.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, field
from typing import Any, ClassVar, TypeVar, dataclass_transform

R = TypeVar("R", bound="Record")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """Fields are the annotations of the class and of those it derives from, in that order."""

    _fields: ClassVar[dict[str, Field[Any]]] = {}
    _positional: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[tuple[str, ...]] = ()
    _shown: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        known = dict(cls._fields)
        for name, annotation in cls.__dict__.get("__annotations__", {}).items():
            if "ClassVar" not in annotation:
                given = cls.__dict__.get(name, MISSING)
                known[name] = given if isinstance(given, Field) else field(default=given)
                known[name].name, known[name].type = name, annotation
        cls._fields = known
        cls._positional = tuple(n for n, f in known.items() if f.kw_only is not True)
        cls._compared = tuple(n for n, f in known.items() if f.compare)
        cls._shown = tuple(n for n, f in known.items() if f.repr)
        cls._defaults = {n: f.default for n, f in known.items() if f.default is not MISSING}
        cls.__match_args__ = cls._positional  # type: ignore[misc]

    def __init__(self, *args: Any, **named: Any) -> None:
        values = self.__dict__
        if len(args) < len(self._fields):
            values.update(self._defaults)
        values.update(zip(self._positional, args, strict=False))
        values.update(named)
        if len(values) != len(self._fields) or len(args) > len(self._positional):
            raise TypeError(f"{type(self).__name__} takes {tuple(self._fields)}, not {args} and {named}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if self.__class__ is not other.__class__:
            return NotImplemented
        mine, theirs = self.__dict__, other.__dict__
        return [mine[name] for name in self._compared] == [theirs[name] for name in self._compared]

    def __hash__(self) -> int:
        return hash(tuple([self.__dict__[name] for name in self._compared]))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={self.__dict__[n]!r}' for n in self._shown)})"


def replace(record: R, **changes: Any) -> R:
    """A copy with other values for some fields."""
    return type(record)(**({name: record.__dict__[name] for name in record._fields} | changes))


def fields(kind: type[Record]) -> dict[str, Field[Any]]:
    """The fields of a class by name; a class may give those that it derives from another default."""
    return kind._fields
