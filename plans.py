"""What was compiled of a spec, kept for later processes: its outline, and the plans of its phases.

Names are digests of everything that the content depends on: the texts of the spec and of what it includes, overrides,
sizes, the files of this package; for a plan also its phase, the arrays, the most samples and the target.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import __version__
from .runtime.codec import NotAPlan, from_json, to_json
from .runtime.native.errors import NotNative
from .runtime.native.store import Store, user_store
from .runtime.outline import Outline, from_data
from .runtime.plan import Code, Plan

if TYPE_CHECKING:
    from .specification import Specification

Arrays = Mapping[str, np.ndarray]
FOLDERS = ("spec", "compiler", "runtime")  # the code that decides what is compiled, with the modules beside them
SUFFIXES = (".py", ".axon", ".h", ".c")


class Origin(NamedTuple):
    """Where a spec comes from: a path or the text itself, with what was given besides."""

    spec: str | Path
    overrides: Mapping[str, Any]
    sizes: Mapping[str, int]
    allowed: tuple[str, ...] = ()

    def name(self) -> str | None:
        """Under which its outline is kept; None where the spec cannot be read."""
        is_text = isinstance(self.spec, str) and "\n" in self.spec
        try:
            text = self.spec if is_text else Path(self.spec).read_bytes()
        except (OSError, ValueError):
            return None
        settings = sorted((n, repr(v)) for n, v in self.overrides.items()), sorted(self.sizes.items()), self.allowed
        return _digest("outline", "" if is_text else str(self.spec), text, settings)


class Kept(NamedTuple):
    """A plan, the numbers of sizes that its arrays gave, and the names of the inputs and controls that it is fed."""

    plan: Plan
    sizes: Mapping[str, int]
    data: tuple[str, ...]
    controls: tuple[str, ...]


class Plans:
    """The plans of one spec; `identity` is a digest of all that they depend on together."""

    def __init__(self, store: Store, identity: str) -> None:
        self.store = store
        self.identity = identity

    def read(self, phase: str, arrays: Arrays, rows: int, target: object) -> Kept | None:
        """The plan of a phase for arrays like these and at most `rows` samples, if it was kept."""
        content = self.store.read(self._name(phase, arrays, rows, target))
        if content is None:
            return None
        try:
            head, plan, code = content.decode().split("\n")
            sizes, data, controls = json.loads(head)
            found = replace(from_json(plan), code=_code(json.loads(code)))
        except (ValueError, TypeError, NotAPlan):
            return None
        return Kept(found, sizes, tuple(data), tuple(controls))

    def keep(self, phase: str, arrays: Arrays, rows: int, target: object, kept: Kept) -> None:
        """Keeps a plan, as far as running it needs."""
        plan = kept.plan
        if plan.code is not None:  # the code does all steps
            plan = replace(plan, sizes=(), prepare=(), steps=())
        parts = (json.dumps(kept[1:]), to_json(plan), json.dumps(plan.code))
        _keep(self.store, self._name(phase, arrays, rows, target), "\n".join(parts))

    def _name(self, phase: str, arrays: Arrays, rows: int, target: object) -> str:
        shapes = sorted((n, a.shape[1:]) for n, a in arrays.items())
        return _digest("plan", self.identity, phase, shapes, rows, target)


def read_outline(origin: Origin) -> tuple[Outline, Plans] | None:
    """The outline of a spec, and its plans, if some process checked it before and no file of it changed since."""
    store, name = _store(), origin.name()
    content = store.read(name) if store and name else None
    if store is None or content is None:
        return None
    try:
        identity, files, outline = json.loads(content)
        if any(_digest(Path(path).read_text("utf-8-sig")) != digest for path, digest in files):
            return None
        return from_data(outline), Plans(store, str(identity))
    except (OSError, ValueError, TypeError):
        return None


def keep_outline(origin: Origin, specification: Specification, outline: Outline) -> None:
    """Keeps the outline of a spec whose text alone says what it is: neither data nor weights from files."""
    store, name = _store(), origin.name()
    if not (store and name and specification.sources) or specification.recipe or specification.origins:
        return
    files = [(s.name, _digest(s.text)) for s in specification.sources[1:]]
    _keep(store, name, json.dumps((identity_of(specification), files, outline)))


def plans_of(specification: Specification) -> Plans | None:
    """The plans of a spec that was checked; None where it is not known what was read, or nothing can be kept."""
    store = _store()
    return Plans(store, identity_of(specification)) if store and specification.sources else None


def identity_of(specification: Specification) -> str:
    """A digest of what a spec says, and of the sizes that are known."""
    texts = [(s.name, s.text) for s in specification.sources]
    overrides = sorted((n, e.span.source.text) for n, e in specification.overrides.items())
    return _digest("spec", texts, overrides, sorted(specification.sizes.items()))


def _code(data: Any) -> Code | None:
    if data is None:
        return None
    units, driver, threads, lanes, light = data
    return Code(tuple(units), driver, threads, lanes, light)


def _digest(*parts: object) -> str:
    return sha256(repr((code(), *parts)).encode("utf-8", "surrogatepass")).hexdigest()


@cache
def code() -> str:
    """A digest of what this package is: another compiler makes other plans.

    In a checkout names, sizes and dates of all files count; what is installed changes as a whole.
    """
    root = Path(__file__).parent
    first = root / "__init__.py"
    found = sorted(_files(root)) if (root / "pyproject.toml").exists() else [(str(first), first.stat().st_mtime_ns)]
    return sha256(repr((__version__, found)).encode()).hexdigest()


def _files(root: Path) -> Iterator[tuple[str, int, int]]:
    folders = [root, *(root / folder for folder in FOLDERS)]
    while folders:
        folder = folders.pop()
        for entry in os.scandir(folder):
            if entry.name.endswith(SUFFIXES):
                found = entry.stat()
                yield entry.path, found.st_size, found.st_mtime_ns
            elif folder != root and entry.is_dir() and entry.name != "__pycache__":
                folders.append(Path(entry.path))


def _store() -> Store | None:
    """The user's store; None where its folder is open to others."""
    try:
        return user_store()
    except (NotNative, OSError):
        return None


def _keep(store: Store, name: str, text: str) -> None:
    """A disk that is full, or a folder that went, is no reason to stop."""
    try:
        store.keep(name, text.encode("utf-8", "surrogatepass"))
    except OSError:
        return
