"""Whatever a text says, checking it ends in a specification or in mistakes with places."""

from __future__ import annotations

from pathlib import Path

import pytest
from axonc import specification
from axonc.spec.load import read
from axonc.spec.render import render
from axonc.spec.source import CompileError, Diagnostic, Source

from .mutants import mutants

SLOW = frozenset({"05", "06", "07", "17"})  # many layers, or an include
MANY = 300


@pytest.mark.parametrize("start", range(0, MANY, 50))
def test_mutants_of_models_are_checked_without_an_exception(start: int) -> None:
    for name, text in mutants(range(start, start + 50), slow=SLOW):
        found = mistakes_of(Source(name, text))
        assert len({(d.code, d.place.span.source.name, d.place.span.start) for d in found}) == len(found)
        assert all(map(render, found))


def mistakes_of(source: Source) -> tuple[Diagnostic, ...]:
    try:
        specification.check_model(read(source), Path("/nonexistent"))
    except CompileError as error:
        return error.diagnostics
    return ()
