"""Averages of weights: what they are after each step, and that everything but training uses them."""

from __future__ import annotations

from pathlib import Path

import axonc
import numpy as np
import pytest
from axonc.program import Program
from axonc.specification import check

SPEC = """
model averaged
input x: f32[N, 4]
input y: f32[N, 2]
p = x |> dense(3, activation = tanh) |> batch_norm |> dense(2)
output p
loss mse(p, y)
group "dense.bias" {{ frozen true }}
train {{ optimizer sgd(0.3); average {average} }}
"""
RANDOM = np.random.default_rng(3)
BATCH = {"x": RANDOM.normal(size=(8, 4)).astype(np.float32), "y": RANDOM.normal(size=(8, 2)).astype(np.float32)}


def program(average: str) -> Program:
    return Program(check(SPEC.format(average=average)))


@pytest.mark.parametrize(("average", "kept"), [("0.8", 0.8), ("mean", 1.0)])
def test_an_average_is_a_mean_at_first_and_then_forgets(average: str, kept: float) -> None:
    p = program(average)
    expected = {n: np.zeros_like(a, np.float64) for n, a in p.parameters.items()}
    for step in range(1, 13):
        p.train_step(BATCH)
        share = max(1 - kept, 1 / step)
        for name, weight in p.parameters.items():
            expected[name] += share * (weight - expected[name])
    assert set(p.averages) == set(p.parameters) - {"dense.bias"}
    for name, average_ in p.averages.items():
        np.testing.assert_allclose(average_, expected[name], atol=1e-5, err_msg=name)


def test_the_mean_of_all_steps_is_that_of_the_weights_after_each() -> None:
    p = program("mean")
    seen = []
    for _ in range(7):
        p.train_step(BATCH)
        seen.append(p.parameters["dense.weight"].copy())
    np.testing.assert_allclose(p.averages["dense.weight"], np.mean(seen, 0), atol=1e-6)


def test_evaluate_and_predict_use_the_average_and_gradients_do_not() -> None:
    p = program("0.9")
    for _ in range(6):
        p.train_step(BATCH)
    plain = Program(check(SPEC.replace("average {average}", "").format()))
    arrays = p.snapshot()
    plain.restore(arrays | p.averages)
    predicted = p.predict({"x": BATCH["x"]})["p"]
    np.testing.assert_allclose(predicted, plain.predict({"x": BATCH["x"]})["p"], atol=1e-6)
    found, expected = (m.evaluate_batch(BATCH)["loss"] for m in (p, plain))
    assert found.total == pytest.approx(expected.total, rel=1e-5)
    plain.restore(arrays)
    assert p.loss_and_gradients(BATCH)[0] == pytest.approx(plain.loss_and_gradients(BATCH)[0])
    assert np.abs(predicted - plain.predict({"x": BATCH["x"]})["p"]).max() > 1e-3


def test_before_the_first_step_the_average_is_the_weights_even_if_they_are_written() -> None:
    p = program("0.9")
    before = p.predict({"x": BATCH["x"]})["p"]
    p.parameters["dense_2.weight"][...] *= 2
    p.parameters["dense_2.bias"][...] = 0
    np.testing.assert_allclose(p.predict({"x": BATCH["x"]})["p"], 2 * before, atol=1e-6)


def test_a_saved_model_predicts_with_the_average_under_the_names_of_the_weights(tmp_path: Path) -> None:
    p = program("0.9")
    for _ in range(6):
        p.train_step(BATCH)
    p.save(tmp_path / "m.safetensors")
    model = axonc.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(model({"x": BATCH["x"]})["p"], p.predict({"x": BATCH["x"]})["p"])
    assert set(model.parameters) == set(p.parameters)
    np.testing.assert_array_equal(model.parameters["dense.weight"], p.averages["dense.weight"])


def test_a_training_that_goes_on_from_a_snapshot_keeps_its_average() -> None:
    whole, half = program("0.9"), program("0.9")
    for _ in range(8):
        whole.train_step(BATCH)
    for _ in range(4):
        half.train_step(BATCH)
    again = program("0.9")
    again.restore(half.snapshot())
    for _ in range(4):
        again.train_step(BATCH)
    for name, array in whole.model_arrays().items():
        np.testing.assert_array_equal(array, again.model_arrays()[name], err_msg=name)


@pytest.mark.parametrize("average", ["", "average 0.9"])
def test_what_is_prepared_from_weights_is_prepared_again_after_they_change(average: str) -> None:
    text = SPEC.replace("average {average}", average).format()
    used, fresh = Program(check(text)), Program(check(text))
    used.predict({"x": BATCH["x"]})
    used.evaluate_batch(BATCH)
    for _ in range(5):
        used.train_step(BATCH)
    fresh.restore(used.snapshot())
    np.testing.assert_array_equal(used.predict({"x": BATCH["x"]})["p"], fresh.predict({"x": BATCH["x"]})["p"])
    assert used.evaluate_batch(BATCH) == fresh.evaluate_batch(BATCH)
    used.parameters["dense_2.weight"][...] = 0
    used.parameters["dense_2.bias"][...] = 0
    if not average:
        np.testing.assert_array_equal(used.predict({"x": BATCH["x"]})["p"], 0)
