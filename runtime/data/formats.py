"""The table of data files by suffix: how each is looked into."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ..errors import FileError, quoted, suggestion
from . import arrays, folder, table, text
from .values import DataFile

FORMATS: Mapping[str, Callable[[Path], DataFile]] = {
    ".csv": partial(table.look, separator=","),
    ".tsv": partial(table.look, separator="\t"),
    ".tab": partial(table.look, separator="\t"),
    ".npz": arrays.look,
    ".txt": text.look,
}


def look(path: Path) -> DataFile:
    """The columns of `path`: a folder of images, or a file that is read as its suffix says.

    FileError for a suffix that nobody knows; DataError for bad names.
    """
    if path.is_dir():
        return folder.look(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        problem = f"has the suffix {quoted(suffix)}, expected one of {', '.join(FORMATS)}"
        raise FileError("unknown-format", problem, path=path)
    return FORMATS[suffix](path)


def locate(name: str, home: Path, allowed: Sequence[Path] = ()) -> Path:
    """The file `name` of `home`: it must exist and, links followed, lie below `home` or one of `allowed`."""
    path = home / name
    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(os.path.realpath(each)) for each in (home, *allowed)):
        problem = "lies outside the folder of the spec"
        raise FileError(
            "outside-folder", problem, "move it there, or allow its folder with `--allow FOLDER`", path=path
        )
    if not real.exists():
        neighbours = sorted(p.name for p in path.parent.glob("*") if p.suffix.lower() in FORMATS or p.is_dir())
        raise FileError("no-such-file", "does not exist", suggestion(path.name, neighbours), path=path)
    return path
