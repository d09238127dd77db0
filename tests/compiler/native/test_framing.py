"""What convolutions make of weights is made when weights change, not at each image and not at each step."""

from __future__ import annotations

from typing import Literal

import numpy as np
from axonc.backends import NUMPY, Backend, backend
from axonc.compiler.ir.dims import name
from axonc.compiler.ir.graph import DATA, PARAMETER, Builder, Graph
from axonc.compiler.ir.types import F32, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.convolution import Conv, ConvInput
from axonc.compiler.ops.elementwise import Add
from axonc.compiler.ops.layout import Reshape
from axonc.compiler.ops.state import Part
from axonc.compiler.pipeline import compile_graph
from axonc.compiler.schedule.target import Target
from axonc.runtime.machine import Machine
from axonc.runtime.plan import Plan, each_step

from ..graphs import NOWHERE
from .compiled import needs_compiler

SIDE, CHANNELS, IMAGES = 8, 16, 3
SETTINGS = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
MADE = {"winograd_weights", "flipped"}


def there_and_back(*, learns: bool) -> Graph:
    """A convolution and what sends back, over one parameter that may get a next value."""
    b = Builder(NOWHERE)
    n = name("N")
    x = b.input("x", DATA, Tensor(F32, (n, SIDE, SIDE, CHANNELS)))
    flat = b.input("w", PARAMETER, Tensor(F32, (9 * CHANNELS * CHANNELS,)))
    w = b.add(Part(0, (3, 3, CHANNELS, CHANNELS)), flat)
    y = b.add(ConvInput(*SETTINGS, (SIDE, SIDE)), b.add(Conv(*SETTINGS), x, w), w)
    rows = b.add(Reshape((n * SIDE * SIDE, CHANNELS)), y)
    return b.graph(
        {"y": b.add(Matmul(transpose_a=True), rows, rows)}, {"w": b.add(Add(), flat, flat)} if learns else {}
    )


def made(plan: Plan, phase: Literal["prepare", "steps"]) -> list[str]:
    return sorted(s.instruction for s in each_step(getattr(plan, phase)) if s.instruction in MADE)


def test_weights_that_stay_are_turned_when_they_change() -> None:
    plan = compile_graph(there_and_back(learns=False), rows=IMAGES, target=Target("native", sweep=1 << 16))
    assert made(plan, "prepare") == ["flipped", "winograd_weights", "winograd_weights"]
    assert made(plan, "steps") == []


def test_weights_that_learn_are_turned_once_for_all_images() -> None:
    plan = compile_graph(there_and_back(learns=True), rows=IMAGES, target=Target("native", sweep=1 << 16))
    assert made(plan, "prepare") == []
    assert sorted(s.instruction for s in plan.steps if getattr(s, "instruction", "") in MADE) == made(plan, "steps")
    assert made(plan, "steps") == ["flipped", "winograd_weights", "winograd_weights"]


@needs_compiler
def test_other_weights_give_other_results() -> None:
    graph = there_and_back(learns=False)
    draw = np.random.default_rng(5)
    x = draw.standard_normal((IMAGES, SIDE, SIDE, CHANNELS)).astype(np.float32)
    machines = [machine_of(graph, chosen) for chosen in (backend("native"), NUMPY)]
    for _ in range(2):
        w = draw.standard_normal(9 * CHANNELS * CHANNELS).astype(np.float32)
        results = []
        for machine in machines:
            machine.memory["w"][:] = w
            machine.forget()
            results.append(machine.run({"x": x})["y"])
        scale = np.abs(results[1]).max()
        assert np.abs(results[0] - results[1]).max() <= 1e-5 * scale


def machine_of(graph: Graph, chosen: Backend) -> Machine:
    return chosen.machine(compile_graph(graph, rows=IMAGES, target=chosen.target), {})
