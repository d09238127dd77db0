"""Test accuracy of examples trained in f32, bf16 and f16, over seeds, and the memory of a step.

python benchmarks/precision.py                                  # digits by convolutions, towns by attention
python benchmarks/precision.py examples/digits/mlp.yaml --seeds 3 --backend native
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from axonc.backends import backend
from axonc.compiler.ir.types import BF16, F16, F32, DType
from axonc.compiler.pipeline import compile_graph
from axonc.compiler.training.scale import SCALE, TAKEN
from axonc.program import Program
from axonc.spec.record import replace
from axonc.specification import Specification, check

EXAMPLES = Path(__file__).parent.parent / "examples"
DEFAULT = ("digits/cnn.axon", "attention/towns.axon")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[EXAMPLES / name for name in DEFAULT])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--backend", default="native")
    options = parser.parse_args()
    for spec in options.specs:
        for precision in (F32, BF16, F16):
            specification = in_precision(check(spec), precision)
            measured = [trained(specification, seed, options.backend) for seed in range(options.seeds)]
            print(f"{spec.name} {precision}: {report(measured)}; arena {arena(specification):,} bytes", flush=True)


def report(measured: list[tuple[float, float, str]]) -> str:
    """Mean and deviation of accuracies, the usual time, and what became of loss scales."""
    accuracies, seconds, notes = zip(*measured, strict=True)
    each = " ".join(f"{accuracy:.4f}" for accuracy in accuracies)
    found = f"mean {np.mean(accuracies):.4f}, deviation {np.std(accuracies, ddof=1):.4f}, of {each}"
    return f"{found}; {np.median(seconds):.1f} s each {' '.join(notes)}".rstrip()


def in_precision(specification: Specification, precision: DType) -> Specification:
    """The same training with another precision."""
    phases = specification.phases
    training = replace(phases.training, precision=precision)
    return replace(specification, phases=replace(phases, training=training))


def trained(specification: Specification, seed: int, name: str) -> tuple[float, float, str]:
    """Test accuracy, seconds, and with a loss scale how many steps were skipped and where it ended."""
    start = time.perf_counter()
    program = Program(specification, seed=seed, backend=backend(name))
    accuracy = program.fit().test["accuracy"]
    seconds, memory = time.perf_counter() - start, program.memory()
    if SCALE not in memory:
        return accuracy, seconds, ""
    skipped = int(program.snapshot()["optimizer/steps"].item() - memory[TAKEN].item())
    return accuracy, seconds, f"(skipped {skipped}, scale {memory[SCALE].item():g})"


def arena(specification: Specification) -> int:
    """Bytes of what lies between the steps of one update."""
    assert specification.recipe is not None
    return compile_graph(specification.phases.train, rows=specification.recipe.batch).arena


if __name__ == "__main__":
    main()
