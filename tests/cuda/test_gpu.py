"""Everything once more where there is a GPU: `pytest -m gpu`. Elsewhere these tests are skipped, in one line."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.backends import NUMPY, Backend, on_device
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.pipeline import Target, compile_graph
from axonc.program import Program
from axonc.runtime.arrays import OutOfRange
from axonc.runtime.cupy.device import Device
from axonc.runtime.cupy.errors import LittleMemory, NoDevice
from axonc.runtime.cupy.machine import DeviceMachine
from axonc.runtime.cupy.memory import DeviceMemory
from axonc.runtime.cupy.nvidia import nvidia
from axonc.specification import check

from ..compiler.native.test_operations import GROUPS, graph_of
from ..compiler.ops.samples import SAMPLES
from ..compiler.test_operations import DTYPES, TOLERANCE
from ..examples.test_zoo import SMALL, made, small
from ..examples.test_zoo_native import gradients
from .test_machine import SPEC, batches


def found_device() -> Device:
    try:
        return nvidia()
    except NoDevice as reason:
        pytest.skip(f"there is no GPU here: {reason.code}", allow_module_level=True)


DEVICE = found_device()
pytestmark = pytest.mark.gpu


def program_on(backend: Backend) -> Program:
    return Program(check(SPEC), seed=3, backend=backend)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0])
def test_operations_give_what_their_definitions_give_and_the_same_every_time(group: tuple[str, ...]) -> None:
    samples = {f"{word}.{k}": s for word in group for k, s in enumerate(SAMPLES[word])}
    arrays = {f"{name}.{i}": a for name, s in samples.items() for i, a in enumerate(s.arrays)}
    machine = DeviceMachine(compile_graph(graph_of(samples), target=Target("cupy")), DeviceMemory(DEVICE))
    found = machine.run(arrays)
    for _ in range(3):  # by kernels, then as a graph
        np.testing.assert_equal(machine.run(arrays), found)
    with np.errstate(all="ignore"):
        wanted = evaluate(graph_of(samples), arrays)
    for name, value in wanted.items():
        tolerance = TOLERANCE.get(DTYPES[np.asarray(value).dtype], 0)
        np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("name", SMALL)
def test_a_model_of_the_zoo_agrees_with_numpy(name: str) -> None:
    batch = made(check(small(name), overrides=SMALL[name]).phases.train, SMALL[name])
    (loss, found), (wanted_loss, wanted) = (gradients(name, b, batch) for b in (on_device(DEVICE), NUMPY))
    assert loss == pytest.approx(wanted_loss, rel=1e-4)
    largest = max(float(np.abs(gradient).max()) for gradient in wanted.values())
    for weight, gradient in wanted.items():
        tolerance = 2e-3 * float(np.abs(gradient).max()) + 1e-4 * largest
        assert np.abs(found[weight] - gradient).max() <= tolerance, weight


def test_batches_and_results_keep_their_order_over_many_steps() -> None:
    """Sending has a stream of its own: a batch that comes too early or too late would change the losses."""
    here, there = program_on(NUMPY), program_on(on_device(DEVICE))
    for _ in range(20):
        for batch in batches():
            assert there.train_step(batch)["loss"] == pytest.approx(here.train_step(batch)["loss"], rel=1e-3)


def test_a_graph_of_launches_gives_what_single_launches_give() -> None:
    by_graph, by_launch = (program_on(on_device(DEVICE)) for _ in range(2))
    for batch in batches():
        first = by_graph.train_step(batch)
        for ready in by_launch._machines._ready.values():
            assert isinstance(ready.machine, DeviceMachine)
            ready.machine._graphs.clear()
        assert by_launch.train_step(batch) == first
    np.testing.assert_equal(by_launch.snapshot(), by_graph.snapshot())


def test_ten_thousand_steps_take_no_memory() -> None:
    program = program_on(on_device(DEVICE))
    some = batches()
    for batch in some * 2:
        program.train_step(batch)
    before = DEVICE.free()
    for i in range(10_000):
        program.train_step(some[i % len(some)])
    assert DEVICE.free() == before


def test_an_index_outside_is_refused_and_the_next_run_is_well() -> None:
    sample = SAMPLES["gather"][0]
    machine = DeviceMachine(compile_graph(graph_of({"s": sample}), target=Target("cupy")), DeviceMemory(DEVICE))
    arrays = {f"s.{i}": a for i, a in enumerate(sample.arrays)}
    index = next(name for name, a in arrays.items() if a.dtype.kind == "i")
    for _ in range(3):
        with pytest.raises(OutOfRange, match="test:1:1: index 99 is outside 0"):
            machine.run({**arrays, index: np.full_like(arrays[index], 99)})
        np.testing.assert_array_equal(machine.run(arrays)["s.0"], sample.op.eval(np, *sample.arrays))


def test_a_plan_that_is_too_large_is_refused_before_anything_is_taken() -> None:
    plan = compile_graph(check(SPEC).phases.train, rows=10**10, target=Target("cupy"))
    before = DEVICE.free()
    with pytest.raises(LittleMemory, match="10000000000 samples at once need"):
        DeviceMachine(plan, DeviceMemory(DEVICE))
    assert DEVICE.free() == before
