"""The NumPy backend's training step against PyTorch eager, through the public call of each, one thread.

    OMP_NUM_THREADS=1 python benchmarks/against_torch.py [--seconds 2] [--json FILE]

Each workload is a spec and the same network in PyTorch with Adam, by default and fused. They run in turn in one
process (ours, default, fused, ours, ...); the table gives medians in microseconds, and the median of the ratios of
each round with its quartiles.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy and PyTorch read it

import argparse
import json
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import axonc
import numpy as np
import torch

TINY = """axonc 1
model playground
input x: f32[N, 2]
input y: i64[N]
logits = x |> dense(8, activation = tanh) |> dense(8, activation = tanh) |> dense(2)
loss cross_entropy(logits, y)
train { optimizer adam(1e-3) }
"""
MLP = """axonc 1
model mlp
input x: f32[N, 784]
input y: i64[N]
logits = x |> dense(512, activation = relu) |> dense(256, activation = relu) |> dense(10)
loss cross_entropy(logits, y)
train { optimizer adam(1e-3) }
"""
WORKLOADS = {
    "playground MLP 2-8-8-2, batch 30": (TINY, (2, 8, 8, 2), torch.nn.Tanh, 30),
    "MLP 784-512-256-10, batch 128": (MLP, (784, 512, 256, 10), torch.nn.ReLU, 128),
}
LIMITS = {"playground MLP 2-8-8-2, batch 30": (8.0, 6.0), "MLP 784-512-256-10, batch 128": (1.0, 0.9)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to measure each of the three")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    print(f"{'workload':36} {'axonc':>9} {'torch':>9} {'fused':>9}   torch / axonc      fused / axonc      limits")
    for name, workload in WORKLOADS.items():
        found[name] = row = measure(*workload, seconds=arguments.seconds)
        us = [f"{row[k]:9.1f}" for k in ("axonc", "torch", "fused")]
        ratios = [f"{row[k][1]:5.2f} ({row[k][0]:.2f} to {row[k][2]:.2f})" for k in ("ratio", "fused_ratio")]
        print(f"{name:36} {' '.join(us)}   {'  '.join(ratios)}  {LIMITS[name]}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2))


def measure(spec: str, widths: tuple[int, ...], activation: Any, batch: int, *, seconds: float) -> dict[str, Any]:
    """Medians in microseconds, and the quartiles of the ratios."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(batch, widths[0])).astype(np.float32)
    y = draw.integers(0, widths[-1], batch)
    steps = [
        ours(spec, x, y),
        theirs(widths, activation, x, y, fused=False),
        theirs(widths, activation, x, y, fused=True),
    ]
    for step in steps:
        for _ in range(20):
            step()
    rounds = [[timed(step, seconds / 20) for step in steps] for _ in range(20)]
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    quartiles = [statistics.quantiles([r[i] / r[0] for r in rounds], n=4) for i in (1, 2)]
    return dict(zip(("axonc", "torch", "fused"), medians, strict=True)) | dict(
        zip(("ratio", "fused_ratio"), quartiles, strict=True)
    )


def timed(step: Callable[[], object], seconds: float) -> float:
    """Microseconds for each call, over about `seconds`."""
    start, count = time.perf_counter(), 0
    while (now := time.perf_counter()) - start < seconds:
        for _ in range(5):
            step()
        count += 5
    return (now - start) / max(count, 1) * 1e6


def ours(spec: str, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    program, batch = axonc.compile(spec), {"x": x, "y": y}
    return lambda: program.train_step(batch)


def theirs(
    widths: tuple[int, ...], activation: Any, x: np.ndarray, y: np.ndarray, *, fused: bool
) -> Callable[[], object]:
    layers: list[Any] = []
    for a, b in pairwise(widths):
        layers += [torch.nn.Linear(a, b), activation()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def step() -> object:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


if __name__ == "__main__":
    main()
