"""The workloads beside the fastest that others make of them: one file of figures for each, and number of threads.

    python benchmarks/limits.py [workload ...] [--threads 1,2] [--against torch,jax] [--without torch-compile]
                                [--clock processor]

The peers were written by hand (`benchmarks/workloads/`); ONNX Runtime has what `axonc export` writes. The files in
`benchmarks/results/` are what `docs/performance.md` is made of; leave the machine alone meanwhile. `--against` takes
some peers only, and then nothing is written; `--without` leaves some out, such as one that compiles for minutes. On a
machine that others use, `--threads 1 --clock processor` says more than the wall's clock, which counts their turns too.
"""

from __future__ import annotations

import argparse
import compileall
import json
import sys
from pathlib import Path
from typing import NamedTuple

import axonc
from axonc.bench.case import case
from axonc.bench.machine import facts
from axonc.bench.measure import Effort, measure
from axonc.bench.report import as_json, screen
from axonc.specification import check

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PEERS = {"torch": str(HERE / "workloads" / "torch_networks.py"), "jax": str(HERE / "workloads" / "jax_networks.py")}
PLAIN = ("native", "numpy", "torch", "torch-compile", "jax", "onnxruntime")
IMAGES = ("native", "numpy", "torch", "torch-channels-last", "torch-compile", "jax", "onnxruntime")


class Workload(NamedTuple):
    """A spec in `workloads/`, the samples of its steps, and who runs it."""

    title: str
    rows: int
    contenders: tuple[str, ...]


WORKLOADS = {
    "playground": Workload("playground MLP 2-8-8-2, batch 30", 30, PLAIN),
    "mlp": Workload("MLP 784-512-256-10, batch 128", 128, PLAIN),
    "cnn": Workload("LeNet-like CNN 1-32-64, 28×28, batch 64", 64, IMAGES),
    "resnet20": Workload("ResNet-20 on 32×32×3, batch 32", 32, IMAGES),
    "gpt": Workload("GPT, d 128, 4 layers, 4 heads, T 128, batch 8", 8, PLAIN),
    "lstm": Workload("LSTM, 128 in, 128 hidden, T 64, batch 32", 32, PLAIN),
    "unet": Workload("U-Net (reduced) 64×64, batch 8", 8, IMAGES),
    "vit": Workload("ViT (reduced), batch 16", 16, PLAIN),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workloads", nargs="*", choices=[[], *WORKLOADS])
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--against", default="")
    parser.add_argument("--without", default="")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--clock", default="wall", choices=("wall", "processor"))
    options = parser.parse_args()
    for package in ("", "bench", "compiler", "runtime", "spec"):  # bytecode, as installed modules have it
        compileall.compile_dir(Path(axonc.__file__).parent / package, maxlevels=10 if package else 0, quiet=1)
    for name in options.workloads or WORKLOADS:
        for threads in map(int, options.threads.split(",")):
            run(name, threads, options)
    return 0


def run(name: str, threads: int, options: argparse.Namespace) -> None:
    """Measures one workload, and writes its file."""
    workload = WORKLOADS[name]
    path = HERE / "workloads" / f"{name}.axon"
    found = case(check(path), str(path), {}, {}, workload.rows)
    left = [name for name in workload.contenders if name not in options.without.split(",")]
    contenders = ("native", *options.against.split(",")) if options.against else left
    findings = measure(found, contenders, threads, Effort(options.rounds, options.seconds), PEERS, options.clock)
    machine = facts()
    print("\n".join(screen(found, machine, threads, findings)), end="\n\n", flush=True)
    if not options.against:
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps(as_json(found, machine, [(threads, findings)], options.clock), indent=1)
        (RESULTS / f"{name}-{threads}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
