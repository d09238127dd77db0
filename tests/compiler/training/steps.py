"""A model whose gradients are what one feeds it, so that steps of an optimizer can be watched on fixed numbers."""

from __future__ import annotations

import numpy as np
from axonc.program import Program
from axonc.specification import check

STEPS = 12
SPEC = """
model fed
input a: f32[N, 3, 4]
input b: f32[N, 5]
weight matrix: f32[3, 4] = normal(1.0)
weight row: f32[5] = normal(1.0)
loss sum(matrix * a, axis = [1, 2]) + sum(row * b, axis = -1)
train {{ {train} }}
{groups}
"""
Weights = dict[str, np.ndarray]


def fed(train: str, groups: str = "") -> Program:
    """The model with these settings."""
    return Program(check(SPEC.format(train=train, groups=groups)))


def gradients(steps: int = STEPS) -> list[Weights]:
    """Fixed gradients; one entry is always zero, and one weight's first gradient is large."""
    random = np.random.default_rng(7)
    made = [{"matrix": random.normal(size=(3, 4)), "row": random.normal(size=5)} for _ in range(steps)]
    made[0]["row"][1] = 40.0
    for g in made:
        g["matrix"][0, 0] = 0.0
    return [{n: a.astype(np.float32) for n, a in g.items()} for g in made]


def followed(program: Program, fed_with: list[Weights]) -> tuple[Weights, list[Weights]]:
    """The first weights, and those after each step."""
    first = {n: a.astype(np.float64) for n, a in program.parameters.items()}
    path = []
    for g in fed_with:
        program.train_step({"a": g["matrix"][None], "b": g["row"][None]})
        path.append({n: a.astype(np.float64) for n, a in program.parameters.items()})
    return first, path
