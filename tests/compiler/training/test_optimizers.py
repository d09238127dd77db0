"""Each optimizer takes the steps of its paper, and those of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from . import papers
from .steps import STEPS, Weights, fed, followed, gradients

PAPERS: dict[str, papers.Rule] = {
    "sgd(0.1)": lambda x, gs: papers.sgd(x, gs, 0.1),
    "sgd(0.1, momentum = 0.9)": lambda x, gs: papers.sgd(x, gs, 0.1, 0.9),
    "sgd(0.1, momentum = 0.9, nesterov = true)": lambda x, gs: papers.sgd(x, gs, 0.1, 0.9, nesterov=True),
    "adam(0.01)": lambda x, gs: papers.adam(x, gs, 0.01),
    "adamw(0.01, weight_decay = 0.1)": lambda x, gs: papers.adam(x, gs, 0.01, decay=0.1),
    "adagrad(0.1)": lambda x, gs: papers.adagrad(x, gs, 0.1),
    "rmsprop(0.01)": lambda x, gs: papers.rmsprop(x, gs, 0.01),
    "rmsprop(0.01, momentum = 0.9)": lambda x, gs: papers.rmsprop(x, gs, 0.01, 0.9),
    "adadelta()": papers.adadelta,
    "adadelta(0.5, decay = 0.9)": lambda x, gs: papers.adadelta(x, gs, 0.5, 0.9),
    "nadam(0.01)": lambda x, gs: papers.nadam(x, gs, 0.01),
    "adamax(0.01)": lambda x, gs: papers.adamax(x, gs, 0.01),
    "radam(0.01)": lambda x, gs: papers.radam(x, gs, 0.01),
    "radam(0.01, beta2 = 0.8)": lambda x, gs: papers.radam(x, gs, 0.01, 0.8),
    "lion(0.01)": lambda x, gs: papers.lion(x, gs, 0.01),
    "lion(0.01, weight_decay = 0.1)": lambda x, gs: papers.lion(x, gs, 0.01, 0.1),
    "lamb(0.01, weight_decay = 0.1)": lambda x, gs: papers.lamb(x, gs, 0.01, 0.1),
}
TORCH: dict[str, Callable[[Any, Any], Any]] = {
    "sgd(0.1, momentum = 0.9, nesterov = true)": lambda o, p: o.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "adam(0.01)": lambda o, p: o.Adam(p, 0.01),
    "adamw(0.01)": lambda o, p: o.AdamW(p, 0.01),
    "adagrad(0.1)": lambda o, p: o.Adagrad(p, 0.1),
    "rmsprop(0.01, decay = 0.99)": lambda o, p: o.RMSprop(p, 0.01),
    "rmsprop(0.01, decay = 0.99, momentum = 0.9)": lambda o, p: o.RMSprop(p, 0.01, momentum=0.9),
    "adadelta(1.0, decay = 0.9)": lambda o, p: o.Adadelta(p, 1.0),
    "nadam()": lambda o, p: o.NAdam(p),
    "adamax()": lambda o, p: o.Adamax(p),
    "radam(threshold = 5)": lambda o, p: o.RAdam(p),
}


def agree(path: list[Weights], expected: dict[str, list[np.ndarray]]) -> None:
    for step, weights in enumerate(path):
        for name, array in weights.items():
            np.testing.assert_allclose(array, expected[name][step], rtol=3e-5, atol=3e-6, err_msg=f"{name} at {step}")


@pytest.mark.parametrize("optimizer", PAPERS)
def test_an_optimizer_takes_the_steps_of_its_paper(optimizer: str) -> None:
    gs = gradients()
    first, path = followed(fed(f"optimizer {optimizer}"), gs)
    rule = PAPERS[optimizer]
    agree(path, {n: rule(x, [g[n].astype(np.float64) for g in gs]) for n, x in first.items()})


@pytest.mark.parametrize("optimizer", TORCH)
def test_an_optimizer_takes_the_steps_of_pytorch(optimizer: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    gs = gradients()
    first, path = followed(fed(f"optimizer {optimizer}"), gs)
    tensors = {n: torch.tensor(x, requires_grad=True) for n, x in first.items()}
    theirs = TORCH[optimizer](torch.optim, list(tensors.values()))
    expected: dict[str, list[np.ndarray]] = {n: [] for n in first}
    for g in gs:
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(g[name], dtype=torch.float64)
        theirs.step()
        for name, tensor in tensors.items():
            expected[name].append(tensor.detach().numpy().copy())
    agree(path, expected)


def test_a_layer_whose_weights_are_zero_begins_to_move_under_lamb() -> None:
    program = fed("optimizer lamb(0.01)", 'group "row" { initial zeros }')
    _, path = followed(program, gradients(1))
    step = np.abs(path[0]["row"])
    np.testing.assert_allclose(step, 0.01, rtol=1e-4)


def test_states_of_an_optimizer_are_part_of_a_snapshot() -> None:
    gs = gradients()
    for optimizer in PAPERS:
        whole, halved = fed(f"optimizer {optimizer}"), fed(f"optimizer {optimizer}")
        followed(whole, gs)
        followed(halved, gs[: STEPS // 2])
        resumed = fed(f"optimizer {optimizer}")
        resumed.restore(halved.snapshot())
        followed(resumed, gs[STEPS // 2 :])
        for name, array in whole.parameters.items():
            np.testing.assert_array_equal(array, resumed.parameters[name], err_msg=optimizer)


def test_a_snapshot_before_the_first_step_takes_training_back_to_its_beginning() -> None:
    program, gs = fed("optimizer adam(0.01)"), gradients()
    beginning = program.snapshot()
    _, path = followed(program, gs)
    program.restore(beginning)
    _, again = followed(program, gs)
    np.testing.assert_array_equal(again[-1]["row"], path[-1]["row"])
