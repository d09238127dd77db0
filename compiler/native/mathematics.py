"""The scalar functions that kernels call, as C: `ax_`, a word of the scalar vocabulary, and a type."""

from __future__ import annotations

from functools import cache
from pathlib import Path

HEADERS = tuple(Path(__file__).with_name(name) for name in ("arithmetic.h", "mathematics.h"))


@cache
def header() -> str:
    """The C of all functions; it includes the standard headers that it needs."""
    return "".join(path.read_text(encoding="utf-8") for path in HEADERS)
