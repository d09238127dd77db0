"""What groups and clipping ask for, alone and together, against the arithmetic written out."""

from __future__ import annotations

import numpy as np

from . import papers
from .steps import Weights, fed, followed, gradients

GS = [{n: a.astype(np.float64) for n, a in g.items()} for g in gradients()]


def one_step(train: str, groups: str = "") -> tuple[Weights, Weights]:
    """Weights before and after the first step, whose gradients are `GS[0]`."""
    first, path = followed(fed(train, groups), gradients(1))
    return first, path[0]


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)


def test_a_rate_multiplier_concerns_its_group_alone() -> None:
    first, after = one_step("optimizer sgd(0.1)", 'group "row" { rate_multiplier 3 }')
    close(after["matrix"], first["matrix"] - 0.1 * GS[0]["matrix"])
    close(after["row"], first["row"] - 0.3 * GS[0]["row"])


def test_decay_of_a_group_shrinks_by_its_own_rate_and_replaces_that_of_the_optimizer() -> None:
    groups = 'group "row" { weight_decay 0.5; rate_multiplier 2 }'
    first, path = followed(fed("optimizer adamw(0.01, weight_decay = 0.1)", groups), gradients())
    close(path[-1]["row"], papers.adam(first["row"], [g["row"] for g in GS], 0.02, decay=0.5)[-1])
    close(path[-1]["matrix"], papers.adam(first["matrix"], [g["matrix"] for g in GS], 0.01, decay=0.1)[-1])


def test_decay_of_a_group_is_within_the_scaled_step_of_lamb() -> None:
    groups = 'group "row" { weight_decay 0.5 }'
    first, path = followed(fed("optimizer lamb(0.01)", groups), gradients())
    close(path[-1]["row"], papers.lamb(first["row"], [g["row"] for g in GS], 0.01, 0.5)[-1])
    close(path[-1]["matrix"], papers.lamb(first["matrix"], [g["matrix"] for g in GS], 0.01, 0.01)[-1])


def test_l1_and_l2_are_part_of_the_loss_and_decay_is_not() -> None:
    groups = 'group "row" { l1 0.1; l2 0.2; weight_decay 0.3 }'
    program = fed("optimizer sgd(0.1)", groups)
    row, matrix = (program.parameters[n].astype(np.float64) for n in ("row", "matrix"))
    losses = program.train_step({n: g[None].astype(np.float32) for n, g in zip("ab", GS[0].values(), strict=True)})
    penalty = 0.1 * np.abs(row).sum() + 0.2 * (row**2).sum()
    close(np.array(losses["loss"]), (matrix * GS[0]["matrix"]).sum() + row @ GS[0]["row"] + penalty)
    slope = GS[0]["row"] + 0.1 * np.sign(row) + 0.4 * row
    close(program.parameters["row"], row - 0.1 * slope - 0.1 * 0.3 * row)


def test_clipping_sees_penalties_bounds_values_first_and_then_the_norm_of_all_groups_together() -> None:
    train = "optimizer sgd(1.0); clip { value 1; norm 2 }"
    first, after = one_step(train, 'group "row" { l2 0.5; rate_multiplier 0.1 }')
    row = np.clip(GS[0]["row"] + first["row"], -1, 1)
    matrix = np.clip(GS[0]["matrix"], -1, 1)
    norm = np.sqrt((row**2).sum() + (matrix**2).sum())
    assert norm > 2
    close(after["row"], first["row"] - 0.1 * row * 2 / norm)
    close(after["matrix"], first["matrix"] - matrix * 2 / norm)


def test_a_small_gradient_is_not_clipped() -> None:
    first, after = one_step("optimizer sgd(1.0); clip { norm 1000 }")
    close(after["row"], first["row"] - GS[0]["row"])


def test_no_column_is_longer_than_max_norm_after_step_and_decay() -> None:
    first, after = one_step("optimizer sgd(1.0)", 'group "*" { max_norm 0.7; weight_decay 0.1 }')
    free = first["matrix"] - GS[0]["matrix"] - 0.1 * first["matrix"]
    norms = np.linalg.norm(free, axis=0)
    assert (norms > 0.7).any()
    close(after["matrix"], free * np.minimum(1, 0.7 / norms))
    close(after["row"], first["row"] - GS[0]["row"] - 0.1 * first["row"])


def test_what_is_frozen_until_an_epoch_stays_with_its_states_and_then_begins_as_if_new() -> None:
    program = fed("optimizer adagrad(0.1)", 'group "row" { frozen_until 2; weight_decay 0.1; l2 0.1; max_norm 0.1 }')
    program.begin_epoch(2)
    first, path = followed(program, gradients(2))
    np.testing.assert_array_equal(path[-1]["row"], first["row"])
    assert (path[-1]["matrix"] != first["matrix"]).any()
    program.begin_epoch(3)
    _, path = followed(program, gradients(1))
    slope = GS[0]["row"] + 0.2 * first["row"]
    close(path[0]["row"], first["row"] - 0.1 * np.sign(slope) - 0.01 * first["row"])


def test_frozen_weights_have_no_states_and_never_change() -> None:
    program = fed("optimizer adam()", 'group "row" { frozen true; l2 1 }')
    first, path = followed(program, gradients(3))
    np.testing.assert_array_equal(path[-1]["row"], first["row"])
    assert sum(name.startswith("optimizer/first") for name in program.snapshot()) == 1
