"""The folder of one training run: its spec, what it ran on, its metrics line by line, its best and last weights."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from . import archive, files
from .errors import FileError, quoted
from .identity import identity

LOCK, SPEC, FACTS, METRICS = "lock", "spec.axon", "run.json", "metrics.jsonl"


class RunFolder:
    """A folder that this process alone trains into, until it is closed.

    `metadata` are texts that every weights file gets besides its own, so that one file is a whole model.
    """

    def __init__(self, path: Path, lock: int, metadata: Mapping[str, str]) -> None:
        self.path = path
        self.metadata = dict(metadata)
        self._lock = lock

    @classmethod
    def new(cls, path: Path, metadata: Mapping[str, str] | None = None) -> RunFolder:
        """Take `path`, which is made if it is missing. FileError if it holds anything or somebody trains into it."""
        if path.is_dir() and not (path / LOCK).exists():
            _check_empty(path)  # before a lock file is put into a folder that is none of ours
        lock = _take(path)
        try:
            _check_empty(path)
        except FileError:
            os.close(lock)
            raise
        return cls(path, lock, metadata or {})

    @classmethod
    def numbered(cls, parent: Path, name: str, metadata: Mapping[str, str] | None = None) -> RunFolder:
        """Take `name-1` in `parent`, or `name` with the first number that is free."""
        number = 1
        while True:
            path = parent / f"{name}-{number}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                number += 1
            except OSError as error:
                raise _cannot_make(path, error) from None
            else:
                return cls.new(path, metadata)

    @classmethod
    def reopen(cls, path: Path, metadata: Mapping[str, str] | None = None) -> RunFolder:
        """Take the folder of an earlier run, to go on with it. FileError if it is none or somebody trains into it."""
        if not (path / FACTS).exists():
            raise FileError("no-run", f"is no folder of a run: it has no {FACTS}", path=path)
        return cls(path, _take(path), metadata or {})

    def describe(
        self,
        spec: str,
        *,
        version: str,
        seed: int,
        data: Path | None = None,
        allowed: Sequence[Path] = (),
        backend: str = "numpy",
        threads: int = 1,
    ) -> None:
        """Write down what runs: the text of the spec, and with its hash what the results depend on."""
        facts = {
            "version": version,
            "seed": seed,
            "backend": backend,
            "threads": threads,
            "spec": {"sha256": hashlib.sha256(spec.encode()).hexdigest()},
            "data": None if data is None else {"file": str(data), "sha256": digest(data)},
            "allowed": [str(folder.resolve()) for folder in allowed],
            **identity(),
        }
        files.replace(self.path / SPEC, [spec.encode()])
        files.replace(self.path / FACTS, [json.dumps(facts, indent=2).encode() + b"\n"])

    def log(self, record: Mapping[str, Any]) -> None:
        """Append `record` to the metrics as one line; numbers that are not finite become null.

        On failure, a FileError, the lines before stay whole.
        """
        line = json.dumps(_plain(record), allow_nan=False).encode() + b"\n"
        path = self.path / METRICS
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                size = os.fstat(descriptor).st_size
                if os.write(descriptor, line) < len(line):
                    os.ftruncate(descriptor, size)
                    raise OSError("no room for the whole line")
            finally:
                os.close(descriptor)
        except OSError as error:
            problem = f"cannot be written: {error.strerror or error}"
            raise FileError("cannot-write", problem, "what was there before is untouched", path=path) from None

    def rewind(self, step: int) -> list[dict[str, Any]]:
        """Forget the records of the metrics beyond `step`; the others."""
        kept = [record for record in read_metrics(self.path) if record["step"] <= step]
        lines = [json.dumps(record).encode() + b"\n" for record in kept]
        files.replace(self.path / METRICS, lines)
        return kept

    def save(self, name: str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
        """Replace the weights file `name` (`best`, `last`), whole or not at all."""
        archive.write(self.weights(name), arrays, {**self.metadata, **metadata})

    def load(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """The arrays and texts of the weights file `name`."""
        return archive.read(self.weights(name))

    def weights(self, name: str) -> Path:
        """Where the weights file `name` lies."""
        return self.path / f"{name}.safetensors"

    def close(self) -> None:
        """Let others take the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The records in a run's folder `path`; a last line that a killed writer left unfinished is passed over."""
    if not (path / METRICS).exists():
        return
    text = (path / METRICS).read_text()
    for line in text[: text.rfind("\n") + 1].splitlines():
        yield json.loads(line)


def _take(path: Path) -> int:
    """An open file that holds the folder's lock; it is let go when the process ends, however it ends."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _cannot_make(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        problem = f"is in use by another training (process {owner})"
        raise FileError("folder-in-use", problem, "wait for it, or choose another folder", path=path) from None
    try:
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(descriptor)
        raise _cannot_make(path, error) from None
    return descriptor


def _check_empty(path: Path) -> None:
    if others := sorted(set(os.listdir(path)) - {LOCK}):
        problem = f"holds files already ({quoted(others[0])}), a run never overwrites another"
        raise FileError("folder-in-use", problem, "choose an empty or a new folder", path=path)


def _cannot_make(path: Path, error: OSError) -> FileError:
    return FileError("cannot-write", f"cannot be made: {error.strerror or error}", path=path)


def digest(path: Path) -> str:
    """The SHA-256 of a file, or of the names and digests of the images in a folder, by which it is known again."""
    if path.is_dir():
        from .data.folder import files as images

        names = (f"{digest(image)} {image.relative_to(path)}\n" for image in images(path))
        return hashlib.sha256(os.fsencode("".join(names))).hexdigest()
    with files.open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
