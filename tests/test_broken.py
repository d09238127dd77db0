"""Specs with mistakes: each faulty line says in a comment which codes must be reported there, and no others may be.

`# error: code` expects a mistake on its line, `# error: code@12` at column 12 too, `# error: one, two` two of them,
`# error -1: code` one on the line before (where a comment cannot share the line).
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from axonc.spec.source import CompileError, Diagnostic
from axonc.specification import check

FOLDER = Path(__file__).parent / "broken"
FILES = sorted(p for f in (FOLDER, FOLDER / "meaning") for p in f.iterdir() if p.suffix in (".axon", ".yaml"))
EXPECTATION = re.compile(r"# error(?: ([+-]\d+))?: ([\w@, -]+)")


def expected(text: str) -> list[tuple[int, str, int | None]]:
    """Line, code and, where it is given, column of every mistake that a text announces."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        for offset, codes in EXPECTATION.findall(line):
            for code in codes.split(","):
                name, _, column = code.strip().partition("@")
                found.append((number + int(offset or 0), name, int(column) if column else None))
    return sorted(found, key=str)


def mistakes_of(path: Path) -> tuple[Diagnostic, ...]:
    try:
        check(path)
    except CompileError as error:
        return error.diagnostics
    return ()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_exactly_the_announced_mistakes_are_reported(path: Path) -> None:
    announced = expected(path.read_text(encoding="utf-8", errors="replace"))
    found = [(d.place.span.line, d.code, d.place.span.column) for d in mistakes_of(path)]
    assert Counter((line, code) for line, code, _ in found) == Counter((line, code) for line, code, _ in announced)
    for line, code, column in announced:
        assert column is None or (line, code, column) in found, found


def test_the_corpus_is_not_small() -> None:
    assert len(FILES) >= 80
