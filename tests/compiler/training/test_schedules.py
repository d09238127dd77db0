"""The rate of each step is the schedule's, by hand and by PyTorch's schedulers."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from axonc.spec.source import CompileError

from .steps import fed, followed

LENGTH = 24
BY_HAND: dict[str, Callable[[int], float]] = {  # the factor of step t, counted from 0
    "constant": lambda t: 1.0,
    "step(5, gamma = 0.5)": lambda t: 0.5 ** (t // 5),
    "multistep([3, 4, 10], gamma = 0.5)": lambda t: 0.5 ** ((t >= 3) + (t >= 4) + (t >= 10)),
    "exponential(0.9)": lambda t: 0.9**t,
    "polynomial(16)": lambda t: max(1 - t / 16, 0),
    "polynomial(16, power = 2, low = 0.1)": lambda t: 0.9 * max(1 - t / 16, 0) ** 2 + 0.1,
    "cosine(16, low = 0.1)": lambda t: 0.1 + 0.45 * (1 + math.cos(math.pi * min(t / 16, 1))),
    "cosine_restarts(6)": lambda t: (1 + math.cos(math.pi * (t % 6) / 6)) / 2,
    "inverse_square_root(2.0)": lambda t: 2 / math.sqrt(t + 1),
    "one_cycle(20, rise = 0.5, first = 0.1, last = 0.01)": lambda t: (
        0.1 + 0.45 * (1 - math.cos(math.pi * t / 9))
        if t < 9
        else 0.01 + 0.495 * (1 + math.cos(math.pi * min((t - 9) / 10, 1)))
    ),
    "plateau": lambda t: 1.0,
}
TORCH: dict[str, Callable[[Any, Any], Any]] = {
    "step(5, gamma = 0.5)": lambda s, o: s.StepLR(o, 5, 0.5),
    "multistep([3, 4, 10], gamma = 0.5)": lambda s, o: s.MultiStepLR(o, [3, 4, 10], 0.5),
    "exponential(0.9)": lambda s, o: s.ExponentialLR(o, 0.9),
    "polynomial(16, power = 2)": lambda s, o: s.PolynomialLR(o, 16, 2),
    "cosine_restarts(3, growth = 2, low = 0.1)": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.1),
    "cosine_restarts(2, growth = 3)": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 3),
    "one_cycle(24)": lambda s, o: s.OneCycleLR(o, 1.0, 24),
    "one_cycle(24, rise = 0.1)": lambda s, o: s.OneCycleLR(o, 1.0, 24, pct_start=0.1),
}


def factors(train: str) -> list[float]:
    """The rates of the first steps: with gradients of 1, how far gradient descent of rate 1 goes."""
    ones = {"matrix": np.ones((3, 4), np.float32), "row": np.ones(5, np.float32)}
    program = fed(f"optimizer sgd(1.0); {train}", 'group "*" { initial zeros }')
    first, path = followed(program, [ones] * LENGTH)
    where = [w["row"][0] for w in [first, *path]]
    return [a - b for a, b in pairwise(where)]


@pytest.mark.parametrize("schedule", BY_HAND)
def test_a_schedule_gives_the_rates_that_are_worked_out_by_hand(schedule: str) -> None:
    expected = [BY_HAND[schedule](t) for t in range(LENGTH)]
    np.testing.assert_allclose(factors(f"schedule {schedule}"), expected, atol=2e-6)


@pytest.mark.parametrize("schedule", TORCH)
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
def test_a_schedule_gives_the_rates_of_pytorch(schedule: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    scheduler = TORCH[schedule](torch.optim.lr_scheduler, optimizer)
    expected = []
    for _ in range(LENGTH):
        expected.append(optimizer.param_groups[0]["lr"])
        if len(expected) < LENGTH:
            optimizer.step()
            scheduler.step()
    np.testing.assert_allclose(factors(f"schedule {schedule}"), expected, atol=2e-6)


@pytest.mark.parametrize("schedule", BY_HAND)
def test_a_warmup_grows_to_any_schedule_in_a_straight_line(schedule: str) -> None:
    found = factors(f"schedule {schedule}; warmup 4")
    level = 4 if schedule.startswith("inverse") else 0  # the paper's schedule waits for the warm-up
    expected = [BY_HAND[schedule](max(t, level - 1)) * min((t + 1) / 4, 1) for t in range(LENGTH)]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_restarts_that_grow_begin_at_the_right_steps_far_into_training() -> None:
    program = fed("optimizer sgd(1.0); schedule cosine_restarts(10, growth = 2)", 'group "*" { initial zeros }')
    ones = {"a": np.ones((1, 3, 4), np.float32), "b": np.ones((1, 5), np.float32)}
    for turn in range(12):
        program._steps = 10 * (2**turn - 1)
        program.parameters["row"][...] = 0
        program.train_step(ones)
        np.testing.assert_allclose(program.parameters["row"], -1.0, atol=1e-4, err_msg=f"turn {turn}")


@pytest.mark.parametrize("schedule", ["multistep([])", "multistep(3)", "multistep([2, 0.5])", "multistep([0])"])
def test_the_steps_of_multistep_are_a_list_of_counts(schedule: str) -> None:
    with pytest.raises(CompileError, match="list of whole numbers"):
        fed(f"optimizer sgd(1.0); schedule {schedule}")


def test_a_plateau_multiplies_the_rate_by_what_the_training_loop_says() -> None:
    program = fed("optimizer sgd(1.0); schedule plateau(0.5)", 'group "*" { initial zeros }')
    ones = {"a": np.ones((1, 3, 4), np.float32), "b": np.ones((1, 5), np.float32)}
    program.train_step(ones)
    program.scale_rate(0.25)
    program.train_step(ones)
    np.testing.assert_allclose(program.parameters["row"], -1.25)
