"""What every view of a plan says above and below its steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..compiler.explain import Explanation, Kind

if TYPE_CHECKING:
    from ..specification import Specification

KINDS: dict[Kind, str] = {
    "forward": "forward",
    "backward": "backward",
    "update": "update",
    "once": "once, before the first",
}


def heading(specification: Specification, phase: str, found: Explanation) -> tuple[str, ...]:
    """What is shown: the model, and the size of one step."""
    what = {
        "train": "one step of training",
        "evaluate": "one batch of evaluation",
        "predict": "one prediction",
        "step": "one more token of a text",
    }[phase]
    count = specification.parameter_count
    shown = f"{count:,}" if isinstance(count, int) else str(count)
    steps = len(found.steps)
    return (
        f"{specification.name}: {what} with {found.rows} samples",
        f"{specification.source.name}, {shown} parameters, {steps:,} steps, {found.instructions:,} instructions",
    )


def totals(found: Explanation) -> Iterator[tuple[Kind, int, int, int]]:
    """For each part that there is: its steps, floating-point operations, and bytes read and written."""
    for kind in KINDS:
        if steps := found.of(kind):
            yield kind, len(steps), sum(s.flops for s in steps), sum(s.bytes for s in steps)
