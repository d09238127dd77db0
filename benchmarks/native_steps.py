"""Whole training steps as generated C against PyTorch eager and NumPy, in turn in one process.

    OMP_NUM_THREADS=1 python benchmarks/native_steps.py [case ...] [--threads 1] [--seconds 2] [--compiled]

Each round measures ours and each peer once; the table gives medians in milliseconds, and the median of the ratios of
each round with its quartiles. The first step's time, compilation included, is that of this process: clear
~/.cache/axonc for a first compilation.
"""

from __future__ import annotations

import argparse
import os
import sys

THREADS = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv else "1"
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = THREADS  # before NumPy and PyTorch read it

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from axonc.backends import NUMPY, Backend, backend
from axonc.compiler.pipeline import compile_graph
from numpy_steps import CASES, Case

ROUND = 0.2  # seconds of one measurement


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to measure each case")
    parser.add_argument("--compiled", action="store_true", help="torch.compile as a peer too, which takes minutes")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    native = backend("native", threads=arguments.threads)
    assert native.name == "native", native.note
    print(f"{'case':12} {'threads':>7} {'first':>8}  medians in ms, and peer / axonc with quartiles")
    for name in arguments.cases or list(CASES):
        measure(name, CASES[name], native, arguments)


def measure(name: str, case: Case, native: Backend, arguments: argparse.Namespace) -> None:
    start = time.perf_counter()
    step = ours(case, native)
    step()
    first = time.perf_counter() - start
    eager = case.peer(case.rows)
    peers: dict[str, Callable[[], object]] = {"torch": eager, "numpy": ours(case, NUMPY)}
    if arguments.compiled:
        peers["torch.compile"] = torch.compile(eager)
    times: dict[str, list[float]] = {"axonc": [], **{peer: [] for peer in peers}}
    end = time.perf_counter() + arguments.seconds
    while time.perf_counter() < end or len(times["axonc"]) < 5:
        for peer, run in {"axonc": step, **peers}.items():
            times[peer].append(once(run))
    texts = [f"axonc {1e3 * statistics.median(times['axonc']):.4g}"]
    for peer in peers:
        ratios = sorted(t / own for t, own in zip(times[peer], times["axonc"], strict=True))
        low, middle, high = (ratios[int(q * (len(ratios) - 1))] for q in (0.25, 0.5, 0.75))
        texts.append(f"{peer} {1e3 * statistics.median(times[peer]):.4g} ({middle:.2f}: {low:.2f} to {high:.2f})")
    print(f"{name:12} {arguments.threads:7} {first:7.2f}s  {'; '.join(texts)}", flush=True)


def once(run: Callable[[], object]) -> float:
    """The mean seconds of a run, over a short while."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() < start + ROUND:
        run()
        count += 1
    return (time.perf_counter() - start) / count


def ours(case: Case, chosen: Backend) -> Callable[[], object]:
    """A step on random data, small weights."""
    plan = compile_graph(case.graph(), rows=case.rows, target=chosen.target)
    machine = chosen.machine(plan, {})
    binding = machine.binding(case.rows)
    draw = np.random.default_rng(0)
    for port, array in binding.inputs.items():
        if array.dtype == np.int64:
            array[...] = draw.integers(0, case.classes, array.shape)
        elif array.ndim == 0:
            array[...] = 1e-3 if port == "rate" else 1
        elif not port.startswith("adam"):
            array[...] = draw.standard_normal(array.shape) * (0.02 if port == "theta" else 1)
    machine.forget()
    return lambda: machine.execute(binding)


if __name__ == "__main__":
    main()
