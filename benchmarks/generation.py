"""How long a token takes at the beginning of a text and at its end, with what the compiler keeps and without.

OMP_NUM_THREADS=1 python benchmarks/generation.py
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from axonc.generation import growth_of, step_plans
from axonc.program import Program
from axonc.runtime.generation.stepper import Stepper
from axonc.runtime.machine import Machine
from axonc.specification import check

ZOO = Path(__file__).parents[1] / "examples" / "zoo"
MODELS = {
    "gpt2": {"vocabulary": 5000, "context": 1024, "d": 256, "heads": 8, "depth": 4},
    "characters": {"entries": 96, "width": 64, "units": 256},
}
LIMIT = 1024
AROUND = 12  # positions of which the median is taken


def main() -> None:
    for name, constants in MODELS.items():
        text = re.sub(r"^assert parameters.*\n", "", (ZOO / f"{name}.axon").read_text(encoding="utf-8"), flags=re.M)
        program = Program(check(text, overrides=constants))
        for kept in (True, False):
            times = token_times(program, kept=kept)
            shown = ", ".join(f"{seconds * 1e3:.2f} ms at {position}" for position, seconds in times.items())
            print(f"{name}, {'kept' if kept else 'computed again'}: {shown}")


def token_times(program: Program, *, kept: bool) -> dict[int, float]:
    """Seconds for a token around some positions."""
    growth = growth_of(program.specification)
    if not kept:
        growth = replace(growth, length=None, graph=growth.graph)
    facts, memory = step_plans(growth, {"T": LIMIT}, 1, LIMIT), program.memory()
    begin, step = (Machine(facts.pop(name), memory) for name in ("begin", "step"))
    stepper = Stepper(begin, step, memory, **facts)
    stepper.begin({}, 1)
    token, found = np.ones(1, np.int64), {}
    stepper.advance(token, 0)
    for position in (1, LIMIT // 2, LIMIT - AROUND):
        times = []
        for i in range(AROUND):
            start = perf_counter()
            stepper.advance(token, position + i)
            times.append(perf_counter() - start)
        found[position] = median(times)
    return found


if __name__ == "__main__":
    main()
