"""A C compiler that tells of its calls, and folders of their own for what it makes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from axonc.runtime.native.objects import Objects
from axonc.runtime.native.store import Store
from axonc.runtime.native.toolchain import find

REAL = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


class Compiler(NamedTuple):
    """A script in front of the compiler."""

    path: Path
    log: Path

    def calls(self) -> list[str]:
        """The arguments of each call so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture(scope="session")
def real() -> str:
    """The compiler of this machine."""
    if REAL is None:
        pytest.skip("no C compiler on the path")
    return REAL


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes a program out of shell text."""

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\nPATH={os.environ['PATH']}\n{text}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def compiler(real: str, script: Callable[[str, str], Path], tmp_path: Path) -> Compiler:
    """The compiler of this machine; what it is called with is written down."""
    log = tmp_path / "log"
    return Compiler(script("cc", f'echo "$@" >> {log}\nexec {real} "$@"'), log)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def objects(real: str, tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """What all tests compile with that do not ask how it is compiled."""
    store = Store(tmp_path_factory.mktemp("objects") / "store")
    return Objects(find(store, real), store)
