"""A machine: its memory is what the plan says, work is done when it must be, mistakes in data name their place."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.graph import DATA, PARAMETER, STATE, Builder, Graph
from axonc.compiler.ir.types import F32, I64, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import Add, Mul
from axonc.compiler.ops.index import Gather
from axonc.compiler.ops.layout import Transpose
from axonc.compiler.ops.reduce import Mean
from axonc.compiler.ops.unary import Exp, Log, Tanh
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import BadPlan, Machine
from axonc.runtime.memory import ALIGNMENT, PAGE, aligned
from axonc.runtime.places import OutOfRange
from axonc.spec.source import Place, Source, Span

SOURCE = Source("model.axon", "x = table[index]")
PLACE = Place(Span(SOURCE, 4, 16))
N = dims.name("N")


def layer() -> Graph:
    """y = tanh(x @ exp(w)ᵀ), where exp(w) depends on a parameter only; its mean over the samples."""
    b = Builder(PLACE)
    x, w = b.input("x", DATA, Tensor(F32, (N, 64))), b.input("w", PARAMETER, Tensor(F32, (32, 64)))
    y = b.add(Tanh(), b.add(Matmul(), x, b.add(Transpose((1, 0)), b.add(Exp(), w))))
    return b.graph({"y": y, "mean": b.add(Mean((0, 1)), y)})


def running(b: Builder) -> Graph:
    """A state that doubles and grows by x, and the value it had before."""
    x, s = b.input("x", DATA, Tensor(F32, (3,))), b.input("s", STATE, Tensor(F32, (3,)))
    after = b.add(Add(), b.add(Mul(), s, b.literal(2.0, F32)), x)
    return b.graph({"before": b.add(Log(), b.add(Exp(), s))}, {"s": after})


def test_the_arena_is_exactly_as_large_as_the_plan_says_and_a_run_allocates_no_more() -> None:
    machine = Machine(compile_graph(layer(), rows=512))
    x = np.ones((512, 64), np.float32)
    results = sum(r.nbytes for r in machine.run({"x": x}).values())
    tracemalloc.start()
    machine.run({"x": x})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - results < (16 << 10)


def test_buffers_begin_at_multiples_of_64_bytes() -> None:
    machine = Machine(compile_graph(layer(), rows=5))
    assert all(b.offset % ALIGNMENT == 0 for b in machine.plan.buffers)
    assert machine.binding().inputs["x"].ctypes.data % ALIGNMENT == 0


def test_what_depends_on_parameters_only_is_made_when_they_change() -> None:
    plan = compile_graph(layer(), rows=4)
    assert [s.instruction for s in plan.walk()].count("exp") == 1
    assert "exp" not in [getattr(s, "instruction", "") for s in plan.steps]
    machine = Machine(plan)
    x = np.full((4, 64), 0.01, np.float32)
    assert machine.run({"x": x})["mean"] == pytest.approx(np.tanh(0.64), rel=1e-5)
    machine.memory["w"][:] = np.log(2)
    assert machine.run({"x": x})["mean"] == pytest.approx(np.tanh(0.64), rel=1e-5)
    machine.forget()
    assert machine.run({"x": x})["mean"] == pytest.approx(np.tanh(1.28), rel=1e-5)


def test_means_are_over_the_samples_of_this_run_when_counts_change_back_and_forth() -> None:
    machine = Machine(compile_graph(layer(), rows=4), bindings=2)
    for count in (4, 1, 3, 4, 2, 1):
        x = np.arange(count * 64, dtype=np.float32).reshape(count, 64) / 1e4
        np.testing.assert_allclose(machine.run({"x": x}, count)["mean"], np.tanh(x.sum(1)).mean(), rtol=1e-5)


@pytest.mark.parametrize("count", [0, 5, -1])
def test_a_count_that_the_plan_is_not_for_is_refused(count: int) -> None:
    machine = Machine(compile_graph(layer(), rows=4))
    with pytest.raises(ValueError, match=f"at most 4 samples, not {count}"):
        machine.binding(count)


def test_a_state_is_updated_in_its_own_memory_after_its_last_use() -> None:
    machine = Machine(compile_graph(running(Builder(PLACE))))
    memory = machine.memory["s"]
    for step in range(4):
        found = machine.run({"x": np.ones(3)})
        np.testing.assert_allclose(found["before"], 2.0**step - 1, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(memory, 2.0 ** (step + 1) - 1)


def test_plans_share_memory_by_name() -> None:
    first = Machine(compile_graph(running(Builder(PLACE))))
    second = Machine(first.plan, first.memory)
    first.run({"x": np.ones(3)})
    np.testing.assert_allclose(second.run({"x": np.ones(3)})["before"], 1, rtol=1e-6)


def test_memory_of_another_size_or_type_is_refused() -> None:
    plan = compile_graph(running(Builder(PLACE)))
    for array in (np.zeros(4, np.float32), np.zeros(3), np.zeros(6, np.float32)[::2]):
        with pytest.raises(BadPlan):
            Machine(plan, {"s": array})


@pytest.mark.parametrize("wrong", [-1, 3, 1 << 40])
def test_an_index_outside_its_table_is_refused_at_the_line_that_uses_it(wrong: int) -> None:
    b = Builder(PLACE)
    table, index = b.input("table", PARAMETER, Tensor(F32, (3, 2))), b.input("index", DATA, Tensor(I64, (N,)))
    machine = Machine(compile_graph(b.graph({"rows": b.add(Gather(), table, index)}), rows=4))
    machine.run({"index": np.array([0, 1, 2, 0])})
    with pytest.raises(OutOfRange, match=rf"model\.axon:1:5.*{wrong}.*0 … 2"):
        machine.run({"index": np.array([0, 1, wrong, 0])})


def test_overflow_is_infinity_and_no_warning_and_numpy_keeps_its_settings() -> None:
    before = np.geterr(), np.getbufsize()
    b = Builder(PLACE)
    x = b.input("x", DATA, Tensor(F32, (2,)))
    machine = Machine(compile_graph(b.graph({"y": b.add(Exp(), x)})))
    assert np.isinf(machine.run({"x": np.full(2, 1e4)})["y"]).all()
    assert (np.geterr(), np.getbufsize()) == before


@pytest.mark.parametrize("size", [20 * PAGE, 21 * PAGE + 5])
def test_many_bytes_begin_with_a_large_page_and_take_a_twentieth_more_at_most(size: int) -> None:
    found = aligned(size)
    assert found.ctypes.data % PAGE == 0
    assert found.shape == (size,)
    assert found.base is not None
    assert found.base.nbytes <= 1.05 * size
    assert not found.any()
