"""Weights that outlast many products are copied to panels once: when they change, or before a loop."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.backends import NUMPY, backend
from axonc.compiler.pipeline import compile_graph
from axonc.program import Program
from axonc.runtime.plan import Loop, Step, each_step
from axonc.specification import check

from .compiled import needs_compiler

pytestmark = needs_compiler
DENSE = """
input x: f32[N, 64]
y = x |> dense(512) |> relu |> dense(70)
"""
# 512 columns lie 2048 bytes apart in every row: few places of a cache
LOOP = """
input x: f32[N, T, 4]
weight W: f32[128, 512]
weight V: f32[512, 128]
y = scan u in x with h = zeros(shape(x)[0], 128) { h = tanh(h @ W @ V) + sum(u) }
"""
BACKWARD = LOOP + "input label: f32[N]\nloss mse(sum(y[:, -1, :], 1), label)\n"


def is_copy(step: Step | Loop) -> bool:
    """Whether a step writes panels of 16 columns."""
    return isinstance(step, Step) and len(step.writes[0].shape) == 3 and step.writes[0].shape[2] == 16


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_what_a_model_predicts_from_panels_is_what_it_predicts_on_numpy(rows: int, threads: int) -> None:
    x = np.random.default_rng(0).standard_normal((rows, 64)).astype(np.float32)
    native, wanted = (
        Program(check(DENSE), seed=1, backend=b).predict({"x": x})["y"]
        for b in (backend("native", threads=threads), NUMPY)
    )
    np.testing.assert_allclose(native, wanted, atol=1e-5)


def test_weights_are_copied_when_they_change_where_a_model_predicts() -> None:
    target = backend("native").target
    if target.machinery.lanes != 8:
        pytest.skip("widths of panels are those of this processor")
    plan = compile_graph(check(DENSE).phases.predict, rows=64, target=target)
    assert sum(map(is_copy, plan.prepare)) == 1  # rows of 70 columns are read well as they lie
    assert not any(map(is_copy, each_step(plan.steps)))


def test_weights_written_from_outside_are_copied_again() -> None:
    program = Program(check(DENSE), seed=1, backend=backend("native"))
    x = np.ones((3, 64), np.float32)
    program.predict({"x": x})
    program.parameters["dense.weight"][:] = 0.0
    program.parameters["dense_2.bias"][:] = 3.0
    np.testing.assert_array_equal(program.predict({"x": x})["y"], np.full((3, 70), 3.0, np.float32))


def test_weights_that_somebody_holds_are_copied_each_time_and_others_once() -> None:
    program = Program(check(DENSE), seed=1, backend=backend("native"))
    x = np.ones((3, 64), np.float32)
    held = program.parameters["dense_2.bias"][:]
    first = program.predict({"x": x})["y"]
    held[:] = 5.0
    np.testing.assert_allclose(program.predict({"x": x})["y"], first + 5, rtol=1e-5)
    del held
    np.testing.assert_allclose(program.predict({"x": x})["y"], first + 5, rtol=1e-5)
    (ready,) = program._machines._ready.values()
    program.predict({"x": x})
    assert ready.machine._prepared


def test_weights_that_a_step_has_changed_are_copied_again() -> None:
    text = DENSE + "input label: i64[N]\nloss cross_entropy(y, label)\ntrain { optimizer sgd(0.1) }\n"
    x, label = np.ones((3, 64), np.float32), np.arange(3)
    found = []
    for chosen in (backend("native"), NUMPY):
        program = Program(check(text), seed=1, backend=chosen)
        program.predict({"x": x})
        program.train_step({"x": x, "label": label})
        found.append(program.predict({"x": x})["y"])
    np.testing.assert_allclose(*found, atol=1e-5)


def test_weights_in_a_loop_are_copied_before_it() -> None:
    target = backend("native").target
    if target.machinery.lanes != 8:
        pytest.skip("widths of panels are those of this processor")
    plan = compile_graph(check(BACKWARD).phases.train, rows=8, sizes={"T": 5}, target=target)
    inside = [s for item in plan.steps if isinstance(item, Loop) for s in each_step(item.body)]
    assert sum(map(is_copy, plan.steps)) >= 2
    assert not any(map(is_copy, inside))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_loop_with_panels_has_the_gradients_that_it_has_on_numpy(threads: int) -> None:
    random = np.random.default_rng(0)
    batch = {"x": random.standard_normal((8, 5, 4)).astype(np.float32), "label": np.ones(8, np.float32)}
    (loss, found), (wanted_loss, wanted) = (
        Program(check(BACKWARD), seed=1, backend=b).loss_and_gradients(batch)
        for b in (backend("native", threads=threads), NUMPY)
    )
    assert loss == pytest.approx(wanted_loss, rel=1e-4)
    for name, gradient in wanted.items():
        np.testing.assert_allclose(found[name], gradient, atol=1e-4 * np.abs(gradient).max())
