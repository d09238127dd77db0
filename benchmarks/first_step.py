"""How soon a process that trains has taken its first step: with nothing kept, and from what an earlier one kept.

    python benchmarks/first_step.py [workload ...] [--backend native] [--threads 1] [--runs 3]

Each start is a process of its own over a folder of its own; the least of the runs is printed. Seconds of the wall and
of the processor, the C compiler's included; `whole process` is one that takes one step, from its start to its end, the
interpreter and NumPy included; `step` is one more step; memory is the most that the process held, without its
compilers. Modules have their bytecode, as those of an installed package have: a start before the runs wrote it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPECS = Path(__file__).with_name("workloads")
# The samples of a step, and for each input the shape of one sample and how many classes it has; 0 for numbers.
SHAPES = {
    "playground": (30, {"x": ((2,), 0), "label": ((), 2)}),
    "mlp": (128, {"x": ((784,), 0), "label": ((), 10)}),
    "cnn": (64, {"image": ((28, 28, 1), 0), "label": ((), 10)}),
    "resnet20": (32, {"image": ((32, 32, 3), 0), "label": ((), 10)}),
    "gpt": (8, {"tokens": ((128,), 256), "next": ((128,), 256)}),
    "lstm": (32, {"x": ((64, 128), 0), "label": ((), 10)}),
    "unet": (8, {"image": ((64, 64, 3), 0), "mask": ((64, 64), 2)}),
    "vit": (16, {"image": ((32, 32, 3), 0), "label": ((), 10)}),
}
CHILD = """
import json, resource, sys, time
import numpy as np
import axonc.program, axonc.runtime.native.machine
spec, backend, threads, rows, inputs = json.loads(sys.argv[1])
draw = np.random.default_rng(0)
batch = {
    name: draw.integers(0, classes, (rows, *shape)) if classes else draw.normal(size=(rows, *shape)).astype("f")
    for name, (shape, classes) in inputs.items()
}
def spent():
    whos = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return time.perf_counter(), sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, whos))
marks = [spent()]
program = axonc.compile(spec, backend=backend, threads=threads)
program.batch = rows
assert program.backend.name == backend, program.backend.note
for _ in range(2):
    program.train_step(batch)
    marks.append(spent())
first, step = ([b - a for a, b in zip(*pair)] for pair in zip(marks, marks[1:]))
print(json.dumps([*first, *step, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("workloads", nargs="*", default=list(SHAPES))
    parser.add_argument("--backend", default="native")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    print(f"{'':10} {'':8} first step  (processor)  whole process  step (processor)   memory")
    with tempfile.TemporaryDirectory() as bytecode:
        for name in given.workloads:
            rows, inputs = SHAPES[name]
            asked = json.dumps([str(SPECS / f"{name}.axon"), given.backend, given.threads, rows, inputs])
            measure(name, asked, given.runs, bytecode)


def measure(name: str, asked: str, runs: int, bytecode: str) -> None:
    """Prints two lines of one workload."""
    measured: dict[str, list[list[float]]] = {"cold": [], "kept": []}
    for run in range(-1, runs):
        with tempfile.TemporaryDirectory() as caches:
            for times in measured.values():
                seconds = start(asked, caches, bytecode)
                times += [seconds] if run >= 0 else []
    for kind, times in measured.items():
        whole, first, first_used, step, step_used, memory = map(min, zip(*times, strict=True))
        line = f"{name:10} {kind:8} {first:8.3f} s  {first_used:8.3f} s  {whole:10.3f} s"
        print(f"{line}  {1e3 * step:6.1f} ms {1e3 * step_used:6.1f} ms  {memory:6.1f} MB", flush=True)


def start(asked: str, caches: str, bytecode: str) -> list[float]:
    """The seconds of a whole process but for its second step, and what it says."""
    environment = os.environ | {"XDG_CACHE_HOME": caches, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode}
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, asked], env=environment, check=True, capture_output=True, text=True
    )
    whole = time.perf_counter() - begin
    said = json.loads(done.stdout)
    return [whole - said[2], *said]


if __name__ == "__main__":
    main()
