"""What a process does besides computing, counted: where all is kept it starts nothing, writes nothing, reads little.

Seconds depend on who else is at work; these numbers do not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .compiler.native.compiled import needs_compiler

SPEC = """axonc 1
model m
input x: f32[N, 3]
input y: f32[N, 2]
p = x |> dense(8, activation = tanh) |> dropout(0.3) |> dense(2)
loss mse(p, y)
train { optimizer adam(1e-2) }
"""
COUNT = """
import json, os, sys
import numpy as np
import axonc.program, axonc.runtime.native.machine

counts = {"processes": 0, "files written": 0, "kept files read": 0, "libraries": 0}
STARTS = "subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec", "os.system"

def count(event, given):
    counts["processes"] += event in STARTS
    counts["libraries"] += event == "ctypes.dlopen" and given[0] is not None
    if event == "open" and str(given[0]).startswith(os.environ["XDG_CACHE_HOME"]):
        counts["kept files read"] += given[1] == "r" or given[1] == "rb"
        counts["files written"] += bool(given[2] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR))

sys.addaudithook(count)
threads = int(sys.argv[1])
program = axonc.compile("spec.axon", backend="native", threads=threads)
program.train_step({"x": np.ones((32, 3), "f"), "y": np.ones((32, 2), "f")})
counts["modules of the compiler"] = sum(m.startswith(("axonc.spec", "axonc.compiler")) for m in sys.modules)
print(json.dumps(counts))
"""


def counts(folder: Path, threads: int) -> dict[str, int]:
    """What a process does from the spec to its first step."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", COUNT, str(threads)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_that_finds_all_kept_starts_nothing_and_reads_few_files(tmp_path: Path, threads: int) -> None:
    (tmp_path / "spec.axon").write_text(SPEC)
    first, second = counts(tmp_path, threads), counts(tmp_path, threads)
    assert first["processes"] >= 3
    assert first["files written"] >= 10
    assert first["modules of the compiler"] > 100
    assert second == {
        "processes": 0,
        "files written": 0,
        "kept files read": 2 * (3 + threads),  # compiler, outline, plan, library, and the pool, with their digests
        "libraries": threads,
        "modules of the compiler": 3,
    }
