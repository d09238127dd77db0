"""The checks of a whole model that both notations share: nothing is defined twice, and every block has a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .errors import DuplicateName, MissingResult
from .source import Diagnostic, Place
from .tree import Group, Model, Name, Result


def check_definitions(model: Model, mistakes: list[Diagnostic]) -> None:
    """Add to the mistakes that were found in reading the model those of its names and results."""
    starts = [mistake.place.span.start for mistake in mistakes]
    report = mistakes.append
    check_distinct(report, "input", (node.name for node in model.inputs))
    check_distinct(report, "name", (node.name for nodes in (model.constants, model.blocks) for node in nodes))
    check_distinct(report, "output", (node.name for node in model.outputs))
    patterns: dict[str, Group] = {}
    for group in model.groups:
        first = patterns.setdefault(group.pattern.value, group)
        if first is not group:
            related = (("first here", first.pattern.span),)
            report(DuplicateName(Place(group.pattern.span), "group", group.pattern.value, related=related))
    for block in model.blocks:
        check_distinct(report, "slot", (slot.name for slot in block.inputs + block.settings))
        unread = any(block.span.start <= start < block.span.end for start in starts)
        if not unread and not (block.body and isinstance(block.body[-1], Result)):
            report(MissingResult(Place(block.name.span), block.name.text))


def check_distinct(report: Callable[[Diagnostic], None], what: str, names: Iterable[Name]) -> None:
    """Report each name that is given again."""
    first: dict[str, Name] = {}
    for label in names:
        known = first.setdefault(label.text, label)
        if known is not label:
            related = (("first defined here", known.span),)
            report(DuplicateName(Place(label.span), what, label.text, related=related))
