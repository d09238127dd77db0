"""C texts to a library in this process; what was compiled once is found again by every later process."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from . import jobs, processor
from .errors import CompilationFailed, NoCompiler
from .jobs import Job
from .store import Store, user_store
from .toolchain import Toolchain, find

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
AT_ONCE = 8  # compilations at most, each of some 80 MB
PLAIN = ("-O0",)  # for what takes longer to compile than it ever runs: a driver only calls


class Unit(NamedTuple):
    """A C text and the options that it is compiled with besides those of all."""

    text: str
    options: tuple[str, ...] = ()


class Objects:
    """What `toolchain` makes of texts, kept in `store`."""

    def __init__(self, toolchain: Toolchain, store: Store, *, seconds: float = jobs.SECONDS) -> None:
        self.toolchain = toolchain
        self.store = store
        self.seconds = seconds
        self._loaded: dict[str, ctypes.CDLL] = {}
        self._lock = Lock()

    def library(self, texts: Sequence[str], driver: str = "", light: str = "") -> ctypes.CDLL:
        """The library of some texts, compiled in their order, and of those that are not optimised: one that calls the
        others, compiled first, and a `light` one, compiled last. Loaded once in a process.

        Raises CompilationFailed.
        """
        units = [u for u in (Unit(driver, PLAIN), *map(Unit, texts), Unit(light, PLAIN)) if u.text]
        names = [self._name("unit", *u.options, u.text) + ".o" for u in units]
        name = self._name("library", *names) + ".so"
        with self._lock:
            if name not in self._loaded:
                try:
                    self._loaded[name] = self._load(name, dict(zip(names, units, strict=True)))
                except OSError as refusal:
                    problem = f"compiled code cannot be kept in {self.store.folder} or loaded from there"
                    raise CompilationFailed(problem, str(refusal)) from None
            return self._loaded[name]

    def _name(self, kind: str, *texts: str) -> str:
        """A digest of all that the result depends on, which comments with lines of a spec are not."""
        t = self.toolchain
        digest = sha256(repr((kind, t.identity, t.flags, t.links)).encode())
        for text in texts:
            bare = COMMENT.sub("", text).encode()
            digest.update(b"%d " % len(bare) + bare)
        return digest.hexdigest()

    def _load(self, name: str, units: dict[str, Unit]) -> ctypes.CDLL:
        if self.store.read(name) is None:
            self._link(name, units)
        return ctypes.CDLL(str(self.store.path(name)))

    def _link(self, name: str, units: dict[str, Unit]) -> None:
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

    def _compiled(self, units: dict[str, Unit]) -> list[bytes]:
        """The objects of units, in their order; those that are not kept are compiled."""
        kept = {name: self.store.read(name) for name in units}
        missing = [name for name, content in kept.items() if content is None]
        with self.store.workplace() as work:
            wanted = [self._job(units[name], work / name) for name in missing]
            jobs.run(wanted, work, seconds=self.seconds, at_once=min(AT_ONCE, processor.cores()))
            made = {name: (work / name).read_bytes() for name in missing}
        for name, object_code in made.items():
            self.store.keep(name, object_code)
        return [made[name] if content is None else content for name, content in kept.items()]

    def _job(self, unit: Unit, result: Path) -> Job:
        command = (*self.toolchain.command, *self.toolchain.flags, *unit.options, "-c", "-x", "c", "-", "-o")
        return Job((*command, str(result)), unit.text)


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
