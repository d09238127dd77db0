"""Backends by name; where C cannot be compiled NumPy runs, and a note says why."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from axonc import backends
from axonc.backends import Backend
from axonc.compiler.schedule.target import Target
from axonc.machines import BackendNote
from axonc.program import Program
from axonc.runtime.native.errors import NotNative
from axonc.runtime.native.machine import NativeMachine
from axonc.runtime.native.objects import Objects, user_objects
from axonc.runtime.native.store import Store, user_store
from axonc.specification import check

from .compiler.native.compiled import COMPILER, needs_compiler

SPEC = """axonc 1
model line
input x: f32[N, 3]
input y: f32[N, 1]
guess = x |> dense(1)
loss mse(guess, y)
train { optimizer sgd(0.1); epochs 2 }
"""
ROOT = Path(__file__).parents[1]


def batch() -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    return {"x": x, "y": x.sum(axis=1, keepdims=True)}


def losses(chosen: Backend) -> list[float]:
    program = Program(check(SPEC), seed=3, backend=chosen)
    return [program.train_step(batch())["loss"] for _ in range(5)]


def test_unknown_names_and_threads_of_numpy_are_refused() -> None:
    with pytest.raises(ValueError, match="no backend 'cuda'; there are 'numpy', 'native'"):
        backends.backend("cuda")
    with pytest.raises(ValueError, match="threads are for the native backend"):
        backends.backend("numpy", threads=2)
    assert backends.backend("numpy", threads=1) is backends.NUMPY


@needs_compiler
def test_a_spec_is_read_while_the_compiler_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, compiler = tmp_path / "gate", tmp_path / "compiler"
    compiler.write_text(f'#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.01; done\nexec {shlex.join(COMPILER)} "$@"\n')
    compiler.chmod(0o700)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    user_store.cache_clear()
    try:
        chosen = backends.chosen("native")  # returns before the compiler says anything
        gate.touch()
        assert chosen().name == "native"
        assert user_objects().toolchain.command == (str(compiler),)
    finally:
        user_store.cache_clear()


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2])
def test_native_steps_learn_as_those_of_numpy(threads: int) -> None:
    np.testing.assert_allclose(losses(backends.backend("native", threads=threads)), losses(backends.NUMPY), rtol=1e-5)


@needs_compiler
def test_a_compiler_that_fails_leaves_the_work_to_numpy_with_its_reason(tmp_path: Path) -> None:
    failing = user_objects().toolchain._replace(command=("/bin/false",))
    objects = Objects(failing, Store(tmp_path / "kept"))
    chosen = Backend("native", Target("native"), lambda plan, memory: NativeMachine(plan, memory, objects=objects))
    program = Program(check(SPEC), seed=3, backend=chosen)
    with pytest.warns(BackendNote, match="NumPy runs instead"):
        found = [program.train_step(batch())["loss"]]
    assert program.backend.name == "numpy"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found += [program.train_step(batch())["loss"] for _ in range(4)]
    assert found == losses(backends.NUMPY)


def test_a_note_has_one_line() -> None:
    assert backends.instead(NotNative("it failed:\nline 1\nline 2")).note == "it failed; NumPy runs instead"


def test_a_machine_without_compilers_trains_on_numpy_and_says_so(tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path), "HOME": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    environment = {n: v for n, v in os.environ.items() if n not in ("CC", "XDG_CACHE_HOME")} | nothing
    command = [sys.executable, "-m", "axonc", "train", str(ROOT / "examples/iris/iris.yaml"), "--backend", "native"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "note: no C compiler was found; NumPy runs instead" in done.stderr
    assert '"backend": "numpy"' in next(tmp_path.glob("runs/*/run.json")).read_text()


def test_threads_without_native_code_are_a_mistake_of_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "axonc", "train", str(ROOT / "examples/iris/iris.yaml"), "--threads", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "give --backend native too" in done.stderr
