"""A private folder of files with their digests: what is compiled once is found by every later process of the user.

Names are digests of everything that the content depends on. A file whose content does not match the digest kept
beside it is as good as missing.
"""

from __future__ import annotations

import atexit
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

from .errors import UnsafeFolder

LIMIT = 512 << 20  # bytes
STALE = 24 * 3600  # seconds after which a folder that a process works in is one that it left behind
DIGEST = ".sha256"


class Store:
    """Files in `folder`, which is made if missing. Raises UnsafeFolder if anybody else may write or read there.

    Several processes may use one folder at once. What was used longest ago goes when all is more than `limit` bytes.
    """

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        self.folder = folder
        self.limit = limit
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder)

    def path(self, name: str) -> Path:
        return self.folder / name

    def read(self, name: str) -> bytes | None:
        """What was kept under a name, or None where there is nothing or something else."""
        path = self.path(name)
        try:
            content = path.read_bytes()
            if _digest_beside(path).read_text() != sha256(content).hexdigest():
                return None
            os.utime(path)
        except (OSError, UnicodeDecodeError):
            return None
        return content

    def keep(self, name: str, content: bytes) -> None:
        """Puts a file in its place at once and whole, whoever reads or writes it meanwhile."""
        path = self.path(name)
        with self.workplace() as work:
            (work / "content").write_bytes(content)
            (work / "digest").write_text(sha256(content).hexdigest())
            os.replace(work / "content", path)
            os.replace(work / "digest", _digest_beside(path))
        self._trim()

    def try_writing(self) -> None:
        """Raises OSError where nothing can be written. Every process that runs native code asks at its start."""
        trial = self.path(f"work-{os.getpid()}-{time.time_ns()}")
        trial.mkdir(mode=0o700)
        trial.rmdir()

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """A new folder for one task, removed after it."""
        import tempfile  # loaded where something is written: what is kept is only read

        path = Path(tempfile.mkdtemp(prefix="work-", dir=self.folder))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def _trim(self) -> None:
        """Removes what was used longest ago, and what processes left behind that were killed."""
        sizes: Counter[str] = Counter()
        used: dict[str, float] = {}
        now = time.time()
        for entry in os.scandir(self.folder):
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # another process was faster
                continue
            if entry.is_file(follow_symlinks=False):
                name = entry.path.removesuffix(DIGEST)
                sizes[name] += found.st_size
                used[name] = max(used.get(name, 0), found.st_mtime)
            elif entry.name.startswith("work-") and now - found.st_mtime > STALE:
                shutil.rmtree(entry.path, ignore_errors=True)
        excess = sizes.total() - self.limit
        for name in sorted(sizes, key=used.__getitem__):
            if excess <= 0:
                break
            for path in (Path(name), Path(name + DIGEST)):
                path.unlink(missing_ok=True)
            excess -= sizes[name]


def _digest_beside(path: Path) -> Path:
    return path.with_name(path.name + DIGEST)


def _check_private(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise UnsafeFolder(f"{folder} holds compiled code and belongs to somebody else; remove it")
    if found.st_mode & 0o077:
        raise UnsafeFolder(f"{folder} holds compiled code and is open to others; remove it, or `chmod 700` it")


@cache
def user_store() -> Store:
    """The user's own: `axonc` in $XDG_CACHE_HOME or ~/.cache, or a temporary folder where nothing can be written."""
    place = os.environ.get("XDG_CACHE_HOME", "")
    try:
        store = Store((Path(place) if os.path.isabs(place) else Path.home() / ".cache") / "axonc")
        store.try_writing()
        return store
    except (OSError, RuntimeError):  # no home, or a disk that is full or only read
        return Store(_temporary())


def _temporary() -> Path:
    """A folder that this process removes at its end."""
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="axonc-"))
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a fork is not at its end when its child is
            shutil.rmtree(path, ignore_errors=True)

    atexit.register(remove)
    return path
