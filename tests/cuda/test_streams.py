"""Two streams, whatever each does first: batches, results, and a step that is kept as one graph of launches."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from axonc.backends import NUMPY, Backend, on_device
from axonc.program import Program
from axonc.runtime.cupy.device import Device
from axonc.runtime.cupy.machine import DeviceMachine
from axonc.runtime.cupy.nvidia import Nvidia
from axonc.runtime.plan import Gemm
from axonc.specification import check

from .conftest import ON_GPU, gpu
from .host import SENDING, WORK, HostCupy
from .standin import needs_compiler
from .test_machine import SPEC, batches

ORDERS = {"late": (), "works-first": (WORK,), "sends-first": (SENDING,), "eager": (WORK, SENDING)}


def hosted(monkeypatch: pytest.MonkeyPatch, order: str) -> Nvidia:
    """Our device of CuPy on a processor, with streams in an order."""
    host = HostCupy(frozenset(ORDERS[order]))
    monkeypatch.setitem(sys.modules, "cupyx", host)
    return Nvidia(host, host.cublas)


HERE = [pytest.param(order, marks=needs_compiler) for order in ORDERS]


@pytest.fixture(params=[*HERE, ON_GPU])
def streams(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device with streams: on a processor in each order, and a GPU."""
    return gpu() if request.param == "gpu" else hosted(monkeypatch, request.param)


def steps_of(streams: Device, few: int, many: int) -> int:
    """How many steps a test takes: a processor is slow."""
    return few if isinstance(getattr(streams, "cupy", None), HostCupy) else many


def losses(backend: Backend, steps: int, spec: str = SPEC) -> list[float]:
    """What so many steps of training lose, batches of two sizes in turn."""
    program, some = Program(check(spec), seed=3, backend=backend), batches()
    return [program.train_step(some[i % len(some)])["loss"] for i in range(steps)]


def test_batches_and_results_keep_their_order(streams: Device) -> None:
    """A batch that comes too early or too late would change the losses."""
    steps = steps_of(streams, 14, 140)
    np.testing.assert_allclose(losses(on_device(streams), steps), losses(NUMPY, steps), rtol=1e-3)


def test_products_of_cublas_keep_their_order_and_take_no_memory(streams: Device) -> None:
    wide = SPEC.replace("dense(16", "dense(600")
    some, program = batches(), Program(check(wide), seed=3, backend=on_device(streams))
    found = [program.train_step(batch)["loss"] for batch in some]
    before = streams.free()
    found += [program.train_step(batch)["loss"] for batch in some]
    assert streams.free() == before
    np.testing.assert_allclose(found, losses(NUMPY, len(found), wide), rtol=1e-3)
    (ready,) = program._machines._ready.values()
    assert sum(isinstance(step.launch, Gemm) for step in ready.machine.plan.steps) == 5


@needs_compiler
@pytest.mark.parametrize(("word", "order"), [("sent", "works-first"), ("taken", "sends-first"), ("wait", "late")])
def test_a_copy_that_overtakes_its_reader_is_seen(word: str, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = losses(on_device(hosted(monkeypatch, order)), 7)
    device = hosted(monkeypatch, order)
    monkeypatch.setattr(device, word, lambda: None)
    assert losses(on_device(device), 7) != wanted


def test_a_graph_of_launches_gives_what_single_launches_give(streams: Device) -> None:
    by_graph, by_launch = (Program(check(SPEC), seed=3, backend=on_device(streams)) for _ in range(2))
    for batch in batches():
        first = by_graph.train_step(batch)
        for ready in by_launch._machines._ready.values():
            assert isinstance(ready.machine, DeviceMachine)
            ready.machine._graphs.clear()
        assert by_launch.train_step(batch) == first
    np.testing.assert_equal(by_launch.snapshot(), by_graph.snapshot())


def test_many_steps_take_no_memory(streams: Device) -> None:
    program, some = Program(check(SPEC), seed=3, backend=on_device(streams)), batches()
    for batch in some * 2:
        program.train_step(batch)
    before = streams.free()
    for i in range(steps_of(streams, 70, 10_000)):
        program.train_step(some[i % len(some)])
    assert streams.free() == before


@needs_compiler
def test_a_step_is_captured_once_for_each_count(monkeypatch: pytest.MonkeyPatch) -> None:
    device = hosted(monkeypatch, "eager")
    losses(on_device(device), 21)
    assert device.cupy.graphs == len({len(batch["x"]) for batch in batches()})
