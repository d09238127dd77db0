"""The device that stands in for a GPU finds what a GPU would not forgive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from axonc.compiler.cuda.plan import prelude
from axonc.compiler.ir.graph import DATA, Builder
from axonc.compiler.ir.types import F32, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.unary import Neg
from axonc.compiler.pipeline import CUPY, compile_graph
from axonc.runtime.cupy.machine import DeviceMachine
from axonc.runtime.cupy.memory import DeviceMemory
from axonc.runtime.plan import THREADS, Unit

from ..compiler.graphs import NOWHERE
from .standin import Standin, StandinFault, needs_compiler, sanitized

pytestmark = needs_compiler

HEAD = f'extern "C" __global__ void __launch_bounds__({THREADS}) '
REVERSED = """k(float *p0, int n0) {{
  AX_SHARED(float, tile, {size});
  tile[threadIdx.x] = p0[threadIdx.x];
  {barrier}
  p0[threadIdx.x] = tile[n0 - 1 - threadIdx.x];
}}
"""
TOTAL = """k(float *p0, int n0) {
  float total = p0[threadIdx.x];
  for (int s = 16; s > 0; s /= 2) total += __shfl_down_sync(0xffffffffu, total, s, 32);
  if (threadIdx.x % 32 == 0) p0[threadIdx.x / 32] = total;
}
"""
SOME = """k(float *p0, int n0) {
  if (threadIdx.x < 7) __syncthreads();
}
"""
UNWRITTEN = """k(float *p0, int n0) {
  AX_SHARED(float, tile, 256);
  if (threadIdx.x) tile[threadIdx.x] = 1;
  __syncthreads();
  p0[threadIdx.x] = tile[threadIdx.x];
}
"""


def run(body: str) -> np.ndarray:
    """What one block of a kernel makes of 0, 1, 2 …"""
    device = Standin()
    kernel = device.kernels([Unit(f"{prelude()}{HEAD}{body}", ("k",))])["k"]
    numbers, memory = np.arange(THREADS, dtype=np.float32), device.memory(4 * THREADS)
    device.send(memory.address, numbers)
    kernel(1, [(memory.address, True), (THREADS, False)])
    device.fetch(numbers, memory.address)
    return numbers


def test_threads_see_what_others_wrote_before_a_barrier() -> None:
    found = run(REVERSED.format(size=THREADS, barrier="__syncthreads();"))
    np.testing.assert_array_equal(found, np.arange(THREADS)[::-1])


def test_warps_exchange_registers() -> None:
    np.testing.assert_array_equal(run(TOTAL)[:8], np.arange(256).reshape(8, 32).sum(axis=1))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (REVERSED.format(size=THREADS, barrier="if (n0 < 0) __syncthreads();"), "nobody wrote|a race"),
        (REVERSED.format(size=THREADS // 2, barrier="__syncthreads();"), "outside of shared memory"),
        (SOME, "wait for each other"),
        (UNWRITTEN, "nobody wrote"),
    ],
    ids=["race", "outside", "barrier", "unwritten"],
)
def test_a_kernel_that_is_wrong_is_found(body: str, problem: str) -> None:
    with pytest.raises(StandinFault, match=problem):
        run(body)


@pytest.mark.parametrize("which", [0, 1])
def test_a_product_that_lacks_one_of_its_barriers_is_found(which: int) -> None:
    b = Builder(NOWHERE)
    x, y = (b.input(name, DATA, Tensor(F32, (40, 40))) for name in "xy")
    plan = compile_graph(b.graph({"z": b.add(Matmul(), x, y)}), target=CUPY)
    (unit,) = plan.units
    parts = unit.text.split("__syncthreads();")
    assert len(parts) == 3
    text = "__syncthreads();".join((parts[0] + parts[1], parts[2]) if which == 0 else (parts[0], parts[1] + parts[2]))
    machine = DeviceMachine(replace(plan, units=(unit._replace(text=text),)), DeviceMemory(Standin()))
    numbers = {name: np.ones((40, 40), np.float32) for name in "xy"}
    with pytest.raises(StandinFault, match=r"a race|nobody wrote"):
        machine.run(numbers)


def test_a_kernel_that_reads_past_its_window_is_found_and_others_run_after_it() -> None:
    b = Builder(NOWHERE)
    x = b.input("x", DATA, Tensor(F32, (40,)))
    plan = compile_graph(b.graph({"y": b.add(Neg(), x)}), target=CUPY)
    (unit,) = plan.units
    wrong = unit._replace(text=unit.text.replace(" p1[", " p1[1 + "))
    assert wrong != unit
    numbers = np.arange(40, dtype=np.float32)
    with pytest.raises(AssertionError, match="use-after-poison"):
        sanitized(replace(plan, units=(wrong,)), {"x": numbers})
    np.testing.assert_array_equal(sanitized(plan, {"x": numbers})["y"], -numbers)


@pytest.mark.parametrize(("kernel", "fault"), [("AX_WORD(tile, 1)", "shared memory"), ("ax_word(p0 + 1)", "memory")])
def test_a_word_that_begins_in_the_middle_of_one_is_found(kernel: str, fault: str) -> None:
    body = """k(uint16_t *p0, int n0) {{
  AX_SHARED(uint16_t, tile, 256);
  tile[threadIdx.x] = 0;
  __syncthreads();
  if (threadIdx.x == 0) p0[0] = {load};
}}
"""
    assert run(body.format(load=kernel.replace("1", "2"))).any()
    with pytest.raises(StandinFault, match=f"a word of {fault} begins"):
        run(body.format(load=kernel))
