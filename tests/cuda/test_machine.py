"""Training on a device: weights stay there, memory is taken once, and a device that is too small says what fits."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.backends import NUMPY, on_device
from axonc.compiler.cuda import plan as printing
from axonc.compiler.pipeline import CUPY, compile_graph
from axonc.program import Program
from axonc.runtime.cupy.device import Device
from axonc.runtime.cupy.errors import LittleMemory
from axonc.runtime.cupy.machine import DeviceMachine, needed_bytes
from axonc.runtime.cupy.memory import DeviceMemory
from axonc.specification import check

from .standin import Standin, needs_compiler

SPEC = """axonc 1
model net
input x: f32[N, 12]
input label: i64[N]
logits = x |> dense(16, activation = relu) |> batch_norm |> dropout(0.2) |> dense(5)
output class = argmax(logits)
loss cross_entropy(logits, label)
metric accuracy(logits, label)
train { optimizer adam(0.01); epochs 1 }
"""
WRITER = """axonc 1
model writer
input tokens: i32[N, T]
logits = embedding(9, 8)(tokens) |> self_attention(2, causal = true) |> gru(8) |> dense(9)
generate tokens from logits { start 1; stop 2; limit 6; beam 3 }
"""
ROWS = (32, 32, 32, 7, 32, 7, 32)  # as batches come, the last one short


def batches() -> list[dict[str, np.ndarray]]:
    r = np.random.default_rng(5)
    return [{"x": r.standard_normal((n, 12)).astype(np.float32), "label": r.integers(0, 5, n)} for n in ROWS]


def program_on(device: Device | None) -> Program:
    return Program(check(SPEC), seed=3, backend=on_device(device) if device else NUMPY)


def machines(program: Program) -> list[DeviceMachine]:
    found = [ready.machine for ready in program._machines._ready.values()]
    assert all(isinstance(m, DeviceMachine) for m in found)
    return found  # type: ignore[return-value]


def test_training_goes_as_on_numpy_and_so_do_all_other_phases(device: Device) -> None:
    here, there = program_on(None), program_on(device)
    for batch in batches():
        assert there.train_step(batch)["loss"] == pytest.approx(here.train_step(batch)["loss"], rel=2e-5)
    last = batches()[0]
    for name, weight in here.parameters.items():
        np.testing.assert_allclose(there.parameters[name], weight, rtol=2e-3, atol=2e-5, err_msg=name)
    for name, state in here.states.items():
        np.testing.assert_allclose(there.states[name], state, rtol=2e-4, atol=1e-5, err_msg=name)
    assert there.evaluate_batch(last)["accuracy"] == here.evaluate_batch(last)["accuracy"]
    np.testing.assert_array_equal(there.predict({"x": last["x"]})["class"], here.predict({"x": last["x"]})["class"])
    kept = there.snapshot()
    there.train_step(last)
    there.restore(kept)
    np.testing.assert_equal(there.snapshot(), kept)
    assert there.train_step(last)["loss"] == pytest.approx(here.train_step(last)["loss"], rel=1e-4)


def test_what_is_written_to_weights_counts_from_the_next_step_on(device: Device) -> None:
    here, there = program_on(None), program_on(device)
    batch = batches()[0]
    for program in (here, there):
        program.train_step(batch)
        program.parameters["dense.bias"][...] = 0.5
    assert there.train_step(batch)["loss"] == pytest.approx(here.train_step(batch)["loss"], rel=2e-5)


@needs_compiler
def test_steps_take_no_memory_and_send_no_weights() -> None:
    device = Standin()
    program = program_on(device)
    (batch, *_) = batches()
    program.train_step(batch)
    program.train_step(batch)
    before = device.used, device.sent_bytes, device.pinned_bytes
    for _ in range(20):
        program.train_step(batch)
    used, sent, pinned = device.used, device.sent_bytes, device.pinned_bytes
    (machine,) = machines(program)
    inputs = sum(array.nbytes for array in machine.binding(32).inputs.values())
    assert (used, sent, pinned) == (before[0], before[1] + 20 * inputs, before[2])


@needs_compiler
def test_what_is_taken_is_what_the_plan_says() -> None:
    device = Standin()
    program = program_on(device)
    program.train_step(batches()[0])
    (machine,) = machines(program)
    named = sum(memory.size for memory in program._memory._there.values())  # type: ignore[attr-defined]
    assert device.used - named <= needed_bytes(machine.plan)
    assert device.used - named > machine.plan.arena


@needs_compiler
def test_a_step_is_kept_after_its_first_run() -> None:
    device = Standin()
    program = program_on(device)
    (batch, *_) = batches()
    program.train_step(batch)
    assert device.graphs == 0
    first = device.launches
    program.train_step(batch)
    program.train_step(batch)
    assert device.graphs == 1
    assert device.launches - first < 2 * first  # sizes and what weights decide are not computed again


@needs_compiler
def test_a_device_that_is_too_small_says_how_many_samples_fit() -> None:
    r = np.random.default_rng(0)
    large = {"x": r.standard_normal((4096, 12)).astype(np.float32), "label": r.integers(0, 5, 4096)}
    device = Standin(size=600_000)
    with pytest.raises(LittleMemory, match=r"4096 samples at once need .* samples fit: set `batch`") as caught:
        program_on(device).train_step(large)
    assert caught.value.exit_code == 5
    most = int(caught.value.help.split()[0])
    assert 32 < most < 4096
    program_on(Standin(size=600_000)).train_step({name: array[:most] for name, array in large.items()})
    with pytest.raises(LittleMemory):
        program_on(Standin(size=600_000)).train_step({name: array[: most + 1] for name, array in large.items()})


@needs_compiler
def test_a_device_that_is_too_small_for_one_sample_says_so() -> None:
    with pytest.raises(LittleMemory, match="not even one sample fits: make the model smaller"):
        program_on(Standin(size=3000)).train_step(batches()[0])


@needs_compiler
def test_places_beyond_32_bits_are_said_in_64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "FAR", 0)
    here, there = program_on(None), program_on(Standin())
    for batch in batches()[2:4]:
        assert there.train_step(batch)["loss"] == pytest.approx(here.train_step(batch)["loss"], rel=2e-5)
    (machine,) = machines(there)
    assert all(step.launch and step.launch.wide for step in machine.plan.walk())


def test_a_beam_finds_its_caches_on_the_device(device: Device) -> None:
    here, there = (Program(check(WRITER), seed=3, backend=b) for b in (NUMPY, on_device(device)))
    found, wanted = ([w.tokens.tolist() for w in program.generate(count=2)] for program in (there, here))
    assert found == wanted
    assert any(len(tokens) > 2 for tokens in wanted)


def test_a_plan_that_is_too_large_is_refused_before_anything_is_taken(device: Device) -> None:
    plan = compile_graph(check(SPEC).phases.train, rows=10**10, target=CUPY)
    before = device.free()
    with pytest.raises(LittleMemory, match="10000000000 samples at once need"):
        DeviceMachine(plan, DeviceMemory(device))
    assert device.free() == before
