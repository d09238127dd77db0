"""Bytes into a file that is replaced whole or not at all, whatever fails on the way."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from .errors import FileError

Chunk = bytes | bytearray | memoryview


def replace(path: Path, chunks: Iterable[Chunk]) -> None:
    """Make `path` hold `chunks`, durably; on any failure the old file stays as it was and a FileError is raised.

    The new file has the permissions that the process's umask gives. What a killed process left half-written for the
    same `path` is removed first.
    """
    target = Path(os.path.realpath(path))
    try:
        sweep(target)
        _replace(target, chunks)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        raise FileError("cannot-write", problem, _advice(error), path=path) from None


def open_regular(path: Path) -> BufferedReader:
    """`path` for reading, without waiting: OSError unless it is a regular file (a pipe or a device never ends)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return open(descriptor, "rb")


def sweep(target: Path) -> None:
    """Remove half-written files for `target` whose writers are dead: a living one holds a lock on its file."""
    for orphan in target.parent.glob(f".{_escape(target.name)}.*.partial"):
        with suppress(OSError):
            descriptor = os.open(orphan, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                orphan.unlink()
            finally:
                os.close(descriptor)


def _replace(target: Path, chunks: Iterable[Chunk]) -> None:
    partial, descriptor = _open_partial(target)
    try:
        try:
            for chunk in chunks:
                _write(descriptor, memoryview(chunk).cast("B"))
            os.fsync(descriptor)
            os.replace(partial, target)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
    finally:
        os.close(descriptor)
    _sync_folder(target.parent)


def _open_partial(target: Path) -> tuple[Path, int]:
    while True:
        partial = target.with_name(f".{target.name}.{os.urandom(6).hex()}.partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return partial, descriptor
        os.close(descriptor)  # another writer swept the file between the two calls


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _advice(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "make its folder first"
    return "what was there before is untouched"


def _escape(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
