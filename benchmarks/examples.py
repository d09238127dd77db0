"""What the examples reach on their test parts: the mean over several seeds, and each.

    python benchmarks/examples.py                          # all examples, five seeds
    python benchmarks/examples.py examples/iris/iris.yaml --seeds 10
    python benchmarks/examples.py examples/dates/gru.axon --set updates=2620

A seed decides the first weights, the order of the samples and the dropout; the split is the spec's own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import axonc
import numpy as np

EXAMPLES = Path(__file__).parent.parent / "examples"
WITH_DATA = [folder for folder in EXAMPLES.iterdir() if folder.is_dir() and folder.name != "zoo"]
SPECS = sorted(path for folder in WITH_DATA for path in folder.iterdir() if path.suffix in (".axon", ".yaml"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=SPECS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="of a constant of the specs")
    options = parser.parse_args()
    constants = {name: json.loads(value) for name, value in (one.split("=", 1) for one in options.set)}
    for spec in options.specs:
        start = time.perf_counter()
        measured = [test_metrics(spec, seed, constants) for seed in range(options.seeds)]
        seconds = (time.perf_counter() - start) / options.seeds
        for name in sorted(set(measured[0]) - {"loss"}):
            values = [metrics[name] for metrics in measured]
            each = " ".join(f"{value:.3f}" for value in values)
            print(f"{spec.name}: test {name} {np.mean(values):.4f} of {each}; {seconds:.1f} s each", flush=True)


def test_metrics(spec: Path, seed: int, constants: Mapping[str, float]) -> dict[str, float]:
    """The losses and metrics of the test part after training as the spec says, but for these constants."""
    program = axonc.Program(axonc.compile(spec, overrides=constants).specification, seed=seed)
    return dict(program.fit().test)


if __name__ == "__main__":
    main()
