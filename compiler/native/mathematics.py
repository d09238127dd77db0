"""The scalar functions that kernels call, as C: `ax_`, a word of the scalar vocabulary, and a type."""

from __future__ import annotations

from functools import cache
from pathlib import Path

HEADER = Path(__file__).with_suffix(".h")


@cache
def header() -> str:
    """The C of all functions; it includes the standard headers that it needs."""
    return HEADER.read_text(encoding="utf-8")
