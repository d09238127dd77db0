"""Every operation, as the kernels that a GPU runs, gives what its definition gives: on a processor, and on a GPU."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.pipeline import CUPY, compile_graph
from axonc.runtime.cupy.device import Device
from axonc.runtime.cupy.machine import DeviceMachine
from axonc.runtime.cupy.memory import DeviceMemory
from axonc.runtime.places import OutOfRange

from ..compiler.native.test_operations import GROUPS, WORDS, graph_of
from ..compiler.ops.samples import SAMPLES
from ..compiler.test_operations import DTYPES, TOLERANCE
from ..compiler.test_operations import graph_of as one_of
from . import standin
from .conftest import ON_GPU, gpu
from .standin import needs_compiler

WATCHED = pytest.param("watched", marks=needs_compiler)


@cache
def results(group: tuple[str, ...], where: str) -> dict[str, np.ndarray]:
    """What the kernels of some operations give for all their samples: watched by AddressSanitizer, forwards or
    backwards, or on a GPU. Run again, and then as a kept sequence of launches, they give the same."""
    samples = {f"{word}.{k}": s for word in group for k, s in enumerate(SAMPLES[word])}
    arrays = {f"{name}.{i}": a for name, s in samples.items() for i, a in enumerate(s.arrays)}
    plan = compile_graph(graph_of(samples), target=CUPY)
    if where == "gpu":
        return standin.repeated(DeviceMachine(plan, DeviceMemory(gpu())), arrays)
    return standin.sanitized(plan, arrays, backwards=where == "backwards")


@pytest.mark.parametrize("where", [WATCHED, ON_GPU])
@pytest.mark.parametrize("word", WORDS)
def test_an_operation_in_cuda_gives_what_its_definition_gives(word: str, where: str) -> None:
    found = results(next(group for group in GROUPS if word in group), where)
    for k, sample in enumerate(SAMPLES[word]):
        graph = one_of(sample)
        with np.errstate(all="ignore"):
            wanted = evaluate(graph, {f"x{i}": a for i, a in enumerate(sample.arrays)})
        for i, (name, _) in enumerate(graph.results):
            value = np.asarray(wanted[name])
            array = found[f"{word}.{k}.{i}"]
            tolerance = TOLERANCE.get(DTYPES[array.dtype], 0)
            assert array.dtype == value.dtype
            np.testing.assert_allclose(array, value, rtol=tolerance, atol=tolerance, err_msg=str(sample))


@needs_compiler
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0])
def test_the_order_of_blocks_and_threads_changes_nothing(group: tuple[str, ...]) -> None:
    forwards, backwards = results(group, "watched"), results(group, "backwards")
    for name, array in forwards.items():
        np.testing.assert_array_equal(array, backwards[name], err_msg=name, strict=True)


@pytest.mark.parametrize("word", ["gather", "scatter_add", "pick", "take_along", "add_along", "window"])
def test_an_index_outside_is_refused_and_the_next_run_is_well(word: str, device: Device) -> None:
    sample = SAMPLES[word][0]
    machine = DeviceMachine(compile_graph(graph_of({"s": sample}), target=CUPY), DeviceMemory(device))
    arrays = {f"s.{i}": a for i, a in enumerate(sample.arrays)}
    index = next(name for name, a in arrays.items() if a.dtype.kind == "i" and a.size)
    for _ in range(3):
        with pytest.raises(OutOfRange, match="test:1:1: index 99 is outside 0"):
            machine.run({**arrays, index: np.full_like(arrays[index], 99)})
        np.testing.assert_array_equal(machine.run(arrays)["s.0"], sample.op.eval(np, *sample.arrays))
