"""A stretch of a text -> the expression, declaration or relation that stands there: what YAML strings hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from .cursor import Cursor, Mistake
from .expression import COMPARISONS, pipe, type_
from .recovery import report_mistake
from .source import Diagnostic, Source, Span
from .tree import Expression, Type

T = TypeVar("T")


class Fragment(Generic[T]):
    """What was read with `read` from `source.text[start:end]`: a value, or None after a mistake, which is the last."""

    def __init__(
        self,
        source: Source,
        start: int,
        end: int,
        read: Callable[[Cursor], T],
        *,
        words_are_free: bool = False,
        depth: int = 0,
    ) -> None:
        c = Cursor(source, start, end, library=words_are_free)
        c.depth = depth
        self.mistakes: list[Diagnostic] = c.mistakes
        self.value: T | None = None
        try:
            c.take("line")
            value = read(c)
            c.take("line")
            if c.token.kind != "end":
                raise c.unexpected("the end of the expression")
            self.value = value
        except Mistake as mistake:
            report_mistake(c, mistake.diagnostic, 0)
        self.height = c.height


def declaration(c: Cursor) -> tuple[Type, Expression | None]:
    """`f32[a, b] = normal(0.02)`: a weight or a state."""
    declared = type_(c)
    return declared, pipe(c) if c.take("=") else None


def relation(c: Cursor) -> tuple[str, Span, Expression]:
    """`<= 1M`: the operator, its place, and what stands right of it."""
    operator = c.token
    if operator.kind not in COMPARISONS:
        raise c.unexpected("a comparison such as `<= 1M`")
    c.advance()
    place = c.span(operator.start)
    return operator.kind, place, pipe(c)
