"""A folder with one folder for each class to images and the names of their folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ..errors import DataError, FileError, quoted
from .pillow import shape
from .values import DataFile, Field, Images, Source

IMAGE, FOLDER = "image", "folder"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


def look(path: Path) -> DataFile:
    """The images of a folder and of the folders in it, sorted by folder and name; names that begin with `.` are hidden.

    Their columns are `image`, u8[height, width, 3], and `folder`, the name of the folder inside `path`. FileError for
    what is no image, or lies elsewhere.
    """
    found = files(path)
    if not found:
        advice = f"put {', '.join(SUFFIXES)} files into it, in one folder for each class"
        raise FileError("no-images", "holds no images", advice, path=path)
    fields = {IMAGE: Field("u8", shape(found[0])), FOLDER: Field("text")}
    return DataFile(str(path), fields, partial(_load, path, found), slow=True)


def files(path: Path) -> tuple[Path, ...]:
    """The images of a folder, in order."""
    try:
        return tuple(_files(path, Path(os.path.realpath(path))))
    except OSError as error:
        raise FileError("cannot-read", f"cannot be read: {error.strerror or error}", path=path) from None


def _files(path: Path, home: Path) -> Iterator[Path]:
    entries = _entries(path, home)
    yield from (entry for entry in entries if _is_image(entry))
    for folder in (entry for entry in entries if entry.is_dir()):
        for entry in _entries(folder, home):
            if not _is_image(entry):
                advice = "put its images into the folder that it is in, or name a folder nearer to them in `data`"
                raise FileError("too-deep", "is a folder inside that of a class", advice, path=entry)
            yield entry


def _entries(folder: Path, home: Path) -> list[Path]:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    for entry in entries:
        if not Path(os.path.realpath(entry)).is_relative_to(home):
            raise FileError("outside-data", "leads out of the folder of the data", "copy it there", path=entry)
    return entries


def _is_image(entry: Path) -> bool:
    """Whether a file is one; a folder is none."""
    if entry.is_dir():
        return False
    if entry.suffix.lower() not in SUFFIXES:
        problem = f"has the suffix {quoted(entry.suffix)}, expected one of {', '.join(SUFFIXES)}"
        raise FileError("unknown-format", problem, "convert it, or move it elsewhere", path=entry)
    return True


def _load(path: Path, found: Sequence[Path], numbers: Sequence[str], texts: Sequence[str]) -> Source:
    if FOLDER in numbers:
        advice = "write `folder |> classes`"
        raise DataError(
            "not-a-number", "found names of folders, expected numbers", advice, file=str(path), column=FOLDER
        )
    if IMAGE in texts:
        raise DataError(
            "not-a-text", "found images, expected text", "for classes use `folder`", file=str(path), column=IMAGE
        )
    names = ["" if file.parent == path else file.parent.name for file in found]
    if FOLDER in texts and "" in names:
        advice = "put it into the folder of its class"
        raise FileError("no-class", "lies in no folder of a class", advice, path=found[names.index("")])
    columns = {FOLDER: names} if FOLDER in texts else {}
    return Source(str(path), len(found), {}, columns, images=Images(tuple(found)) if IMAGE in numbers else None)
