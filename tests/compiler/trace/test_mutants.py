"""Whatever a text says, checking it ends in a specification or in mistakes with places."""

from __future__ import annotations

from pathlib import Path

import pytest
from axonc import specification
from axonc.spec.load import read
from axonc.spec.render import render
from axonc.spec.source import CompileError, Source

from .mutants import mutants

SLOW = frozenset({"05", "06", "07", "17"})  # many layers, or an include
MANY = 300


@pytest.mark.parametrize("start", range(0, MANY, 50))
def test_mutants_of_models_are_checked_without_an_exception(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in mutants(range(start, start + 50), slow=SLOW):
        try:
            specification.check_model(read(Source(name, text)), Path("/nonexistent"))
        except CompileError as error:
            places = {(d.code, d.place.span.source.name, d.place.span.start) for d in error.diagnostics}
            assert len(places) == len(error.diagnostics) > 0
            assert all(render(d) for d in error.diagnostics)
