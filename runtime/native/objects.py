"""C texts to a library in this process; what was compiled once is found again by every later process."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock

from . import jobs
from .errors import CompilationFailed, NoCompiler
from .jobs import Job
from .store import Store, user_store
from .toolchain import Toolchain, find

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
AT_ONCE = 2  # compilations


class Objects:
    """What `toolchain` makes of texts, kept in `store`."""

    def __init__(self, toolchain: Toolchain, store: Store, *, seconds: float = jobs.SECONDS) -> None:
        self.toolchain = toolchain
        self.store = store
        self.seconds = seconds
        self._loaded: dict[str, ctypes.CDLL] = {}
        self._lock = Lock()

    def library(self, texts: Sequence[str]) -> ctypes.CDLL:
        """The library of some texts, loaded once in a process. Raises CompilationFailed."""
        names = [self._name("unit", text) + ".o" for text in texts]
        name = self._name("library", *names) + ".so"
        with self._lock:
            if name not in self._loaded:
                try:
                    self._loaded[name] = self._load(name, dict(zip(names, texts, strict=True)))
                except OSError as refusal:
                    problem = f"compiled code cannot be kept in {self.store.folder} or loaded from there"
                    raise CompilationFailed(problem, str(refusal)) from None
            return self._loaded[name]

    def _name(self, kind: str, *texts: str) -> str:
        """A digest of all that the result depends on, which comments with lines of a spec are not."""
        t = self.toolchain
        bare = [COMMENT.sub("", text) for text in texts]
        return sha256(repr((kind, t.identity, t.flags, t.links, bare)).encode()).hexdigest()

    def _load(self, name: str, units: dict[str, str]) -> ctypes.CDLL:
        if self.store.read(name) is None:
            self._link(name, units)
        return ctypes.CDLL(str(self.store.path(name)))

    def _link(self, name: str, units: dict[str, str]) -> None:
        """Links copies of the objects, which another process may remove from the store meanwhile."""
        t = self.toolchain
        with self.store.workplace() as work:
            objects, library = [], work / "library.so"
            for i, content in enumerate(self._compiled(units)):
                objects.append(work / f"{i}.o")
                objects[-1].write_bytes(content)
            command = (*t.command, *t.flags, "-o", str(library), *map(str, objects), *t.links)
            jobs.run([Job(command)], work, seconds=self.seconds)
            self.store.keep(name, library.read_bytes())

    def _compiled(self, units: dict[str, str]) -> list[bytes]:
        """The objects of units, in their order; those that are not kept are compiled."""
        kept = {name: self.store.read(name) for name in units}
        missing = [name for name, content in kept.items() if content is None]
        with self.store.workplace() as work:
            command = (*self.toolchain.command, *self.toolchain.flags, "-c", "-x", "c", "-", "-o")
            wanted = [Job((*command, str(work / name)), units[name]) for name in missing]
            jobs.run(wanted, work, seconds=self.seconds, at_once=min(AT_ONCE, os.cpu_count() or 1))
            made = {name: (work / name).read_bytes() for name in missing}
        for name, object_code in made.items():
            self.store.keep(name, object_code)
        return [made[name] if content is None else content for name, content in kept.items()]


def user_objects(command: str | None = None) -> Objects:
    """The objects of the user, made by the compiler of `command` or the first that works. Raises NotNative.

    Compilers are looked for once in a process, whatever comes of it.
    """
    found = _sought(user_store(), command)
    if isinstance(found, NoCompiler):
        raise found.with_traceback(None)
    return found


@cache
def _sought(store: Store, command: str | None) -> Objects | NoCompiler:
    try:
        return Objects(find(store, command), store)
    except NoCompiler as refusal:
        return refusal


def header() -> str:
    """What stands before the text of a driver."""
    return Path(__file__).with_name("run.h").read_text(encoding="utf-8")
