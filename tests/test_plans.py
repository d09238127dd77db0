"""What was compiled of a spec is found by every later process, which is told as much as the first and computes the
same; whatever is wrong with what was kept, it is as if nothing had been."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from axonc import plans
from axonc.plans import Origin
from axonc.program import Program
from axonc.runtime.errors import InputError
from axonc.runtime.native.store import DIGEST, Store
from axonc.start import start

SPEC = """axonc 1
model m(width = 5)
include "block.axon"
input x: f32[N, 3]
input y: f32[N, 2]
p = x |> middle(width) |> batch_norm |> dropout(0.3) |> dense(2)
loss mse(p, y)
train { optimizer adam(1e-2); average 0.9 }
"""
BLOCK = "block middle(x; width) { x |> dense(width, activation = tanh) }\n"
TRAIN = """
import sys
import numpy as np
import axonc
program = axonc.compile("spec.axon", backend=sys.argv[1], overrides={"width": 4})
draw = np.random.default_rng(0)
for rows in (32, 32, 7):
    batch = {"x": draw.standard_normal((rows, 3)).astype("f"), "y": draw.standard_normal((rows, 2)).astype("f")}
    print(repr(program.train_step(batch)["loss"]))
print(*(array.tobytes().hex() for array in program.model_arrays().values()))
print(program.backend.note)
print(*(m for m in sys.modules if m.startswith(("axonc.spec", "axonc.compiler"))), file=sys.stderr)
"""
RUNNING = {"axonc.compiler", "axonc.compiler.schedule", "axonc.compiler.schedule.target"}  # a target is two records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spec.axon").write_text(SPEC)
    (tmp_path / "block.axon").write_text(BLOCK)
    return tmp_path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of this process."""
    made = Store(tmp_path / "cache" / "axonc")
    monkeypatch.setattr(plans, "user_store", lambda: made)
    return made


def begin(folder: Path, backend: str = "numpy") -> subprocess.Popen[str]:
    """A process that compiles and trains."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-c", TRAIN, backend]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)  # type: ignore[call-overload,no-any-return]


def trained(folder: Path, backend: str = "numpy") -> tuple[str, set[str]]:
    """What a process computes, and what it loads of the compiler."""
    process = begin(folder, backend)
    out, error = process.communicate()
    assert process.returncode == 0, error
    return out, set(error.split())


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_a_later_process_computes_the_same_without_the_compiler(folder: Path, backend: str) -> None:
    first, compiler = trained(folder, backend)
    again, loaded = trained(folder, backend)
    assert again == first
    assert "axonc.compiler.pipeline" in compiler
    assert loaded <= RUNNING


@pytest.mark.parametrize("name", ["spec.axon", "block.axon"])
def test_a_spec_or_an_include_that_changed_is_compiled_anew(folder: Path, name: str) -> None:
    first, _ = trained(folder)
    path = folder / name
    path.write_text(path.read_text().replace("tanh", "relu").replace("0.3", "0.1"))
    changed, compiler = trained(folder)
    assert changed != first
    assert "axonc.compiler.pipeline" in compiler


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"[1]\n{}\nnull", b"not JSON\n\n", b'["", [], [1]]'])
def test_what_was_kept_and_is_no_plan_is_made_again(folder: Path, content: bytes) -> None:
    first, _ = trained(folder)
    kept = [p for p in (folder / "cache" / "axonc").iterdir() if re.fullmatch("[0-9a-f]{64}", p.name)]
    assert len(kept) == 2  # the outline and the plan
    for path in kept:
        path.write_bytes(content)
        path.with_name(path.name + DIGEST).write_text(sha256(content).hexdigest())
    again, compiler = trained(folder)
    assert again == first
    assert "axonc.compiler.pipeline" in compiler
    assert trained(folder)[1] <= RUNNING


def test_several_processes_at_once_compute_the_same(folder: Path) -> None:
    processes = [begin(folder, "native") for _ in range(3)]
    found = {process.communicate()[0] for process in processes}
    assert len(found) == 1
    assert found == {trained(folder, "native")[0]}


def test_a_cache_that_cannot_be_written_hinders_nobody(folder: Path) -> None:
    (folder / "cache").write_text("")  # no folder can be made here
    first, _ = trained(folder)
    assert trained(folder)[0] == first


def test_a_cache_open_to_others_is_left_alone(folder: Path) -> None:
    (folder / "cache" / "axonc").mkdir(parents=True)
    (folder / "cache" / "axonc").chmod(0o755)
    trained(folder)
    assert list((folder / "cache" / "axonc").iterdir()) == []


def program(folder: Path, **sizes: int) -> Program:
    return Program(start(Origin(folder / "spec.axon", {}, sizes)))


def batch(rows: int = 4) -> dict[str, np.ndarray]:
    return {"x": np.ones((rows, 3), np.float32), "y": np.ones((rows, 2), np.float32)}


def test_a_full_disk_hinders_nobody(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "keep", full)
    assert program(folder).train_step(batch())["loss"] > 0
    assert list(store.folder.iterdir()) == []


WRONG: dict[str, Callable[[dict[str, np.ndarray]], object]] = {
    "missing-input": lambda b: b.pop("y"),
    "unknown-input": lambda b: b.update(z=b["y"]),
    "uneven-inputs": lambda b: b.update(y=b["y"][1:]),
    "wrong-shape": lambda b: b.update(x=b["x"][:, 1:]),
    "wrong-dtype": lambda b: b.update(x=b["x"].astype(complex)),
    "no-samples": lambda b: b.update(x=b["x"][:0], y=b["y"][:0]),
}


@pytest.mark.parametrize("code", WRONG)
@pytest.mark.parametrize("steps", [0, 1])
def test_wrong_arrays_are_told_as_ever(folder: Path, store: Store, code: str, steps: int) -> None:
    program(folder).train_step(batch())
    again, wrong = program(folder), batch()
    for _ in range(steps):
        again.train_step(batch())
    WRONG[code](wrong)
    with pytest.raises(InputError) as told:
        again.train_step(wrong)
    assert told.value.code == code


def test_numbers_of_another_kind_are_converted_as_ever(folder: Path, store: Store) -> None:
    first = program(folder).train_step(batch())
    again = program(folder).train_step({n: a.astype(np.float64) for n, a in batch().items()})
    assert again == first


def test_the_specification_is_there_when_it_is_asked_for(folder: Path, store: Store) -> None:
    program(folder).train_step(batch())
    again = program(folder)
    again.train_step(batch())
    assert again.specification.name == "m"
    assert set(again.predict({"x": batch()["x"]})) == {"p"}


def test_a_spec_that_changed_meanwhile_is_told(folder: Path, store: Store) -> None:
    program(folder)
    again = program(folder)
    (folder / "block.axon").write_text(BLOCK.replace("tanh", "relu"))
    with pytest.raises(InputError, match="the spec was changed after it was compiled") as told:
        again.predict({"x": batch()["x"]})
    assert told.value.code == "spec-changed"
