"""The public API: compile, train, predict, save, load."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import operator
import pickle
import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import axonc
import axonc.machines
import numpy as np
import pytest
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.errors import Mistake
from axonc.runtime.native.store import Store

SPEC = """axonc 1
model small(hidden = 8)
input image: f32[N, 4, 4]
input label: i64[N]
logits = image |> flatten |> dense(hidden, activation = tanh) |> dense(3)
loss cross_entropy(logits, label)
metric accuracy(logits, label)
train { optimizer adam(1e-2); seed 7 }
"""


def batch(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {"image": draw.normal(size=(count, 4, 4)).astype(np.float32), "label": draw.integers(0, 3, count)}


def loss_by_hand(program: axonc.Program, data: dict[str, np.ndarray]) -> float:
    """The same network in plain NumPy, f64."""
    weights = {n: a.astype(np.float64) for n, a in program.parameters.items()}
    x = data["image"].reshape(len(data["image"]), -1).astype(np.float64)
    h = np.tanh(x @ weights["dense.weight"] + weights["dense.bias"])
    logits = h @ weights["dense_2.weight"] + weights["dense_2.bias"]
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_share = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_share[np.arange(len(x)), data["label"]].mean())


def test_the_loss_is_that_of_the_same_network_by_hand() -> None:
    program, data = axonc.compile(SPEC), batch(5)
    loss, _ = program.loss_and_gradients(data)
    assert loss == pytest.approx(loss_by_hand(program, data), rel=1e-5)


def test_gradients_are_those_of_finite_differences() -> None:
    program, data = axonc.compile(SPEC), batch(6)
    _, gradients = program.loss_and_gradients(data)
    assert gradients.keys() == program.parameters.keys()
    draw = np.random.default_rng(1)
    for name, weight in program.parameters.items():
        direction = draw.normal(size=weight.shape).astype(np.float32)
        before, step = weight.copy(), 1e-3
        weight += step * direction
        above = loss_by_hand(program, data)
        weight[...] = before - step * direction
        below = loss_by_hand(program, data)
        weight[...] = before
        assert (gradients[name] * direction).sum() == pytest.approx((above - below) / (2 * step), rel=2e-3, abs=1e-5)


def test_one_step_of_adam_is_that_of_its_paper() -> None:
    program, data = axonc.compile(SPEC), batch(6)
    before = {n: a.astype(np.float64) for n, a in program.parameters.items()}
    _, gradients = program.loss_and_gradients(data)
    program.train_step(data)
    for name, weight in program.parameters.items():
        g = gradients[name].astype(np.float64)
        first, second = 0.1 * g / (1 - 0.9), 0.001 * g**2 / (1 - 0.999)
        expected = before[name] - 1e-2 * first / (np.sqrt(second) + 1e-8)
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)


def test_training_lowers_the_loss_and_a_seed_repeats_it_bit_for_bit() -> None:
    runs = []
    for _ in range(2):
        program, data = axonc.compile(SPEC), batch(30)
        losses = [program.train_step(data)["loss"] for _ in range(100)]
        assert losses[-1] < 0.5 * losses[0]
        runs.append({n: a.tobytes() for n, a in program.parameters.items()})
    assert runs[0] == runs[1]


def test_a_short_batch_gives_what_those_samples_alone_give() -> None:
    program, data = axonc.compile(SPEC), batch(8)
    whole = program.predict({"image": data["image"]})["logits"]
    for count in (1, 3, 7):
        part = program.predict({"image": data["image"][:count]})["logits"]
        np.testing.assert_allclose(part, whole[:count], rtol=1e-5, atol=1e-6)
    program.train_step(data)
    short = {n: a[:3] for n, a in data.items()}
    assert program.train_step(short)["loss"] > 0


def test_more_rows_than_a_plan_holds_are_predicted_in_pieces() -> None:
    program, data = axonc.compile(SPEC), batch(1000)
    many = program.predict({"image": data["image"]})["logits"]
    assert many.shape == (1000, 3)
    np.testing.assert_allclose(
        many[700:703], program.predict({"image": data["image"][700:703]})["logits"], rtol=1e-5, atol=1e-6
    )


def test_rows_in_pieces_draw_numbers_of_their_own_and_a_saved_model_the_same(tmp_path: Path) -> None:
    text = """axonc 1
input x: f32[N, 3]
noise = random_normal(N, 3)
y = (x |> dense(3)) + noise
output y
output noise
output pure = random_uniform(shape(noise))
"""
    program = axonc.compile(text)
    data = {"x": np.random.default_rng(0).normal(size=(150, 3)).astype(np.float32)}
    found = program.predict(data)
    assert len(np.unique(found["noise"])) == 450
    assert len(np.unique(found["pure"])) > 448  # of 2^24 numbers
    weight, bias = (program.parameters[f"dense.{n}"] for n in ("weight", "bias"))
    np.testing.assert_allclose(found["y"], data["x"] @ weight + bias + found["noise"], rtol=1e-5, atol=1e-5)
    program.save(tmp_path / "model.safetensors")
    for again in (program, axonc.load(tmp_path / "model.safetensors")):
        for name, array in again.predict(data).items():
            np.testing.assert_array_equal(array, found[name])
    other = axonc.Program(program.specification, seed=5).predict(data)
    assert not np.isin(other["noise"], found["noise"]).any()


def test_batches_of_a_part_draw_numbers_of_their_own_when_evaluated() -> None:
    spec = SPEC.replace("flatten |>", "flatten |> noisy |>").replace(
        "input image", "block noisy(x) { x + random_normal(shape(x)) }\ninput image"
    )
    p, data = axonc.compile(spec), batch(4)
    losses = [p.evaluate_batch(data, number)["loss"] for number in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_threads_that_share_a_program_wait_for_each_other(backend: str) -> None:
    p, data = axonc.compile(SPEC, backend=backend), {"image": batch(40)["image"]}
    expected = p.predict(data)["logits"]

    def right(turn: int) -> bool:
        rows = 1 + turn % 40
        return np.allclose(p.predict({"image": data["image"][:rows]})["logits"], expected[:rows], atol=1e-6)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(400)))


def test_lists_are_arrays_and_what_is_none_is_refused() -> None:
    p, data = axonc.compile(SPEC), batch(4)
    first = p.train_step({name: array.tolist() for name, array in data.items()})
    assert first == axonc.compile(SPEC).train_step(data)
    for inputs, code in (({"image": [[1.0], [1.0, 2.0]]}, "no-array"), (data["image"], "no-mapping")):
        with pytest.raises(axonc.InputError) as refusal:
            p.predict(inputs)
        assert refusal.value.code == code


def test_a_draw_that_samples_share_is_predicted_all_at_once() -> None:
    program = axonc.compile("axonc 1\ninput x: f32[N, 3]\ny = x + random_normal(3)\n")
    found = program.predict({"x": np.zeros((150, 3), np.float32)})["y"]
    assert len(np.unique(found)) == 3


def test_a_size_that_no_input_has_is_refused() -> None:
    free = SPEC.replace("f32[N, 4, 4]", "f32[N, H, 4]")
    assert "dense.weight" in axonc.compile(free, sizes={"H": 3}).parameters
    with pytest.raises(axonc.InputError, match="no input of the spec has a size `W`; its inputs have the sizes N, H"):
        axonc.compile(free, sizes={"H": 3, "W": 4})


def test_overrides_replace_constants() -> None:
    assert axonc.compile(SPEC, overrides={"hidden": 5}).parameters["dense.weight"].shape == (16, 5)


def test_a_mistake_raises_with_its_place() -> None:
    with pytest.raises(axonc.SpecError) as caught:
        axonc.compile(SPEC.replace("dense(3)", "dense(3, uints = 4)"))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.place.span.line) == ("unknown-argument", 5)


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({}, "missing-input"),
        ({"image": np.zeros((2, 4, 5), np.float32)}, "wrong-shape"),
        ({"image": np.zeros(4, np.float32)}, "wrong-shape"),
        ({"image": np.array([["a"]])}, "wrong-shape"),
        ({"image": np.full((2, 4, 4), "a")}, "wrong-dtype"),
        ({"image": np.zeros((0, 4, 4), np.float32)}, "no-samples"),
        ({"image": np.zeros((2, 4, 4), np.float32), "imgae": np.zeros(2)}, "unknown-input"),
    ],
)
def test_wrong_arrays_are_refused_with_a_code(inputs: dict[str, np.ndarray], code: str) -> None:
    with pytest.raises(axonc.InputError) as caught:
        axonc.compile(SPEC).predict(inputs)
    assert caught.value.code == code


def test_a_saved_model_predicts_the_same(tmp_path: Path) -> None:
    program, data = axonc.compile(SPEC), batch(40)
    program.train_step(data)
    program.save(tmp_path / "model.safetensors")
    model = axonc.load(tmp_path / "model.safetensors")
    expected = program.predict({"image": data["image"]})["logits"]
    np.testing.assert_allclose(model({"image": data["image"]})["logits"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.parameters["dense.bias"], program.parameters["dense.bias"])
    np.testing.assert_allclose(
        model.clone()({"image": data["image"][:2]})["logits"], expected[:2], rtol=1e-5, atol=1e-6
    )


def test_a_saved_model_is_copied_and_pickled_and_a_program_is_not(tmp_path: Path) -> None:
    p, data = axonc.compile(SPEC), {"image": batch(5)["image"]}
    p.save(tmp_path / "m.safetensors")
    model = axonc.load(tmp_path / "m.safetensors")
    expected = p.predict(data)["logits"]
    other = copy.deepcopy(model)
    model.parameters["dense_2.bias"][:] += 1
    for twin, shift in ((other, 0), (copy.copy(model), 1), (pickle.loads(pickle.dumps(model)), 1)):
        np.testing.assert_allclose(twin.predict(data)["logits"], expected + shift, atol=1e-6)
    for way in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError, match="save it and load the model"):
            way(p)


def leaves(data: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to every item of JSON."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from leaves(item, (*path, key))


@pytest.mark.parametrize("text", ["plan", "model"])
def test_a_model_whose_texts_were_changed_is_refused_or_runs(tmp_path: Path, text: str) -> None:
    path, draw = tmp_path / "m.safetensors", random.Random(0)
    axonc.compile(SPEC).save(path)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"].pop("axonc.sha256")  # or every change would be found by it
    whole = json.loads(header["__metadata__"][text])
    for place in draw.choices(list(leaves(whole)), k=200):
        changed = copy.deepcopy(whole)
        *way, last = place
        functools.reduce(operator.getitem, way, changed)[last] = draw.choice(
            [0, -1, 2**70, None, "", "f64", [], {}, True]
        )
        written = json.dumps(header | {"__metadata__": header["__metadata__"] | {text: json.dumps(changed)}}).encode()
        path.write_bytes(len(written).to_bytes(8, "little") + written + content[8 + size :])
        with contextlib.suppress(Mistake), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            axonc.load(path).predict({"image": batch(2)["image"]})


def test_what_is_public_is_listed() -> None:
    assert {"compile", "load", "Program", "Model", "SpecError", "InputError"} <= set(dir(axonc))


def test_a_saved_model_needs_numpy_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    axonc.compile(SPEC).save(path)
    script = f"""
import sys, axonc.runtime
from axonc.runtime.model import load
import numpy
load({str(path)!r})({{"image": numpy.zeros((1, 4, 4), numpy.float32)}})
ours = [n for n in sys.modules if n.startswith("axonc.") and not n.startswith("axonc.runtime")]
others = [n for n in ("yaml", "click", "rich", "lark") if n in sys.modules]
assert not ours and not others, (ours, others)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_snapshot_restores_weights_and_optimizer() -> None:
    program, data = axonc.compile(SPEC), batch(10)
    program.train_step(data)
    kept = program.snapshot()
    expected = [program.train_step(data)["loss"] for _ in range(3)]
    program.restore(kept)
    assert [program.train_step(data)["loss"] for _ in range(3)] == expected


def test_samples_that_meet_each_other_train_with_any_count() -> None:
    spec = """axonc 1
model pairs
input x: f32[N, 4]
u = x |> dense(3)
loss mean((u @ transpose(u)) ** 2)
train { optimizer sgd(0.01) }
"""
    program, draw = axonc.compile(spec), np.random.default_rng(0)
    for count in (5, 8, 3, 5):
        x = draw.normal(size=(count, 4)).astype(np.float32)
        u = x @ program.parameters["dense.weight"] + program.parameters["dense.bias"]
        assert program.train_step({"x": x})["loss"] == pytest.approx(((u @ u.T) ** 2).mean(), rel=1e-4)


def test_numbers_that_do_not_fit_are_refused() -> None:
    program, data = axonc.compile(SPEC), batch(4)
    with pytest.raises(axonc.InputError, match="image"):
        program.predict({"image": data["image"].astype(np.float64) * 1e300})
    with pytest.raises(axonc.InputError, match="index 5 is outside"):
        program.train_step({"image": data["image"], "label": data["label"] * 0 + 5})


def test_too_little_memory_is_said_with_what_is_needed() -> None:
    with pytest.raises(Mistake) as caught:
        axonc.compile(SPEC, overrides={"hidden": 10**12})
    assert (caught.value.code, caught.value.exit_code) == ("out-of-memory", 3)


def test_weights_of_a_free_size_ask_for_its_number() -> None:
    spec = SPEC.replace("f32[N, 4, 4]", "f32[N, F]").replace("flatten |> ", "")
    with pytest.raises(axonc.InputError, match="F"):
        axonc.compile(spec)
    assert axonc.compile(spec, sizes={"F": 6}).parameters["dense.weight"].shape == (6, 8)


def test_any_number_of_rows_needs_no_second_compilation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("axonc.plans.user_store", lambda: Store(tmp_path / "store"))
    program, data = axonc.compile(SPEC), batch(300)
    compiled: list[int] = []
    real = compile_graph

    def counting(graph: object, **given: object) -> object:
        compiled.append(1)
        return real(graph, **given)

    monkeypatch.setattr("axonc.compiler.pipeline.compile_graph", counting)
    for count in (7, 300, 1, 33):
        program.predict({"image": data["image"][:count]})
    assert len(compiled) == 1
    for count in (32, 5, 31):
        program.train_step({n: a[:count] for n, a in data.items()})
    assert len(compiled) == 2


def test_samples_that_mix_are_predicted_all_at_once() -> None:
    spec = "axonc 1\nmodel mixed\ninput x: f32[N, 3]\ny = x - mean(x, axis = 0)\n"
    x = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    y = axonc.compile(spec).predict({"x": x})["y"]
    np.testing.assert_allclose(y, x - x.mean(axis=0), atol=1e-6)
