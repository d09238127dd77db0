"""The standard library: blocks in `.axon` files, read when a spec first uses one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ...spec.load import read
from ...spec.source import Source
from .tracer import block_words
from .values import BlockWord

FOLDER = Path(__file__).parent.parent / "layers"


@cache
def _files() -> dict[str, str]:
    """The file in which each block of the library stands."""
    found = {}
    for path in sorted(FOLDER.glob("*.axon")):
        for name in re.findall(r"^block (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert name not in found, name
            found[name] = path.name
    return found


def library_names() -> tuple[str, ...]:
    return tuple(_files())


def library_block(name: str) -> BlockWord | None:
    file = _files().get(name)
    return _read(file)[name] if file else None


@cache
def _read(file: str) -> dict[str, BlockWord]:
    source = Source(f"standard library, {file}", (FOLDER / file).read_text(encoding="utf-8"))
    return block_words(read(source, library=True).blocks, library=True)
