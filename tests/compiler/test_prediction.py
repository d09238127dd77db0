"""Predictions for devices: bounds worked out by hand, and what cannot be otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from axonc.compiler import prediction
from axonc.compiler.devices import DEVICES, Device
from axonc.compiler.ir.graph import DATA, PARAMETER, STATE, Builder, Graph
from axonc.compiler.ir.types import BF16, F16, F32, F64, DType, Tensor
from axonc.compiler.occupancy import Architecture, resident
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.convolution import Conv
from axonc.compiler.ops.elementwise import Add, Cast
from axonc.compiler.ops.layout import Transpose
from axonc.compiler.pipeline import compile_graph
from axonc.compiler.prediction import ARITHMETIC, BANDWIDTH, BLOCK, RESERVE, START, predict
from axonc.compiler.schedule.target import CUPY
from axonc.compiler.training.adam import Adam
from axonc.compiler.training.arithmetic import Formula
from axonc.runtime.cupy.machine import FIXED, needed_bytes
from axonc.runtime.machine import dtype_name
from axonc.runtime.plan import Unit
from axonc.specification import check

from .graphs import NOWHERE

PEAK, TENSOR, SPEED = 1e12, 8e12, 1e11
SCALAR = {F32: PEAK, F64: PEAK / 2}
HELD = Architecture("80", 64, 32, 164 << 10)
BOARD = Device(
    "board", 64, {**SCALAR, F16: TENSOR, BF16: TENSOR}, TENSOR / 2, SCALAR, SPEED, 10**10, 1 << 20, HELD, "nobody"
)
EXAMPLES = Path(__file__).parents[2] / "examples"
SPEC = """
model small
input x: f32[N, 64]
input label: i64[N]
logits = x |> dense(128) |> relu |> dense(10)
loss cross_entropy(logits, label)
train { optimizer adam(1e-3) }
"""


def product(n: int, dtype: DType = F32) -> Graph:
    b = Builder(NOWHERE)
    x, y = (b.input(name, DATA, Tensor(dtype, (n, n))) for name in "xy")
    return b.graph({"z": b.add(Matmul(), x, y)})


def test_a_large_product_takes_its_operations_at_the_share_of_the_peak() -> None:
    n = 4096
    (kernel,) = predict(product(n), BOARD, 1).kernels
    assert (kernel.flops, kernel.bytes) == (2 * n**3, 3 * 4 * n**2)
    assert kernel.least == pytest.approx(2 * n**3 / PEAK)  # 0.137 s, and 2 ms to move it
    assert kernel.seconds == pytest.approx(START + 2 * n**3 / (PEAK * ARITHMETIC))
    assert kernel.bound == "arithmetic"
    assert kernel.blocks == 4096  # 32 · 32 tiles, each in four stretches of 1024 terms


def test_a_product_of_few_blocks_leaves_processors_idle() -> None:
    n = 256
    (kernel,) = predict(product(n), BOARD, 1).kernels
    assert kernel.blocks == 4
    assert kernel.seconds == pytest.approx(START + 2 * n**3 / (PEAK * ARITHMETIC) * 64 / 4)


@pytest.mark.parametrize("half", [F16, BF16], ids=str)
def test_a_product_of_halves_goes_by_the_peak_of_tensor_cores(half: DType) -> None:
    b = Builder(NOWHERE)
    x, y = (b.add(Cast(half), b.input(name, DATA, Tensor(F32, (4096, 4096)))) for name in "xy")
    found = predict(b.graph({"z": b.add(Cast(F32), b.add(Matmul(), x, y))}), BOARD, 1)
    kernel = next(k for k in found.kernels if k.flops >= 2 * 4096**3)
    assert kernel.bytes == 3 * 2 * 4096**2
    assert kernel.least == pytest.approx(kernel.flops / TENSOR)


def test_products_of_f32_go_to_tensor_cores_where_that_is_asked_for_and_convolutions_by_columns() -> None:
    n = 4096
    (kernel,) = predict(product(n), BOARD, 1, tf32=True).kernels
    assert kernel.least == pytest.approx(2 * n**3 / BOARD.tf32)
    for taps, dtype, peak in ((1, F16, TENSOR), (3, F16, TENSOR), (3, F32, BOARD.tf32)):
        b = Builder(NOWHERE)
        shapes = (64, 64, 64, 1024), (taps, 1, 1024, 1024)
        x, w = (b.input(i, DATA, Tensor(dtype, s)) for i, s in zip("xw", shapes, strict=True))
        slid = b.add(Conv((1, 1), ((0, 0), (0, 0)), (1, 1), 1), x, w)
        kernel = max(predict(b.graph({"z": slid}), BOARD, 1, tf32=dtype is F32).kernels, key=lambda k: k.flops)
        pixels, rest = 64 * (65 - taps) * 64, taps * 1024 * 1024
        columns = 2 * pixels * taps * 1024 if taps > 1 else 0
        assert kernel.flops == 2 * pixels * rest
        assert kernel.bytes == dtype.bytes * (64 * 64 * 64 * 1024 + rest + pixels * 1024 + columns)
        assert kernel.least == pytest.approx(kernel.flops / peak)


def test_an_update_of_adam_moves_seven_numbers_for_each_weight() -> None:
    n = 10_000_000
    b = Builder(NOWHERE)
    theta, g = b.input("theta", PARAMETER, Tensor(F32, (n,))), b.input("g", DATA, Tensor(F32, (n,)))
    states = [b.input(name, STATE, Tensor(F32, (n,))) for name in ("first", "second")]
    f = Formula(b)
    one = f.value(b.literal(1.0, F32))
    new, after = Adam().update(f, f.value(theta), f.value(g), f.values(*states), one * 1e-3, one)
    names = ("theta", "first", "second")
    graph = b.graph({}, dict(zip(names, map(f.node, (new, *after)), strict=True)))
    kernel = max(predict(graph, BOARD, 1).kernels, key=lambda k: k.seconds)
    assert kernel.bytes == 7 * 4 * n
    assert kernel.bound == "bandwidth"
    assert kernel.least == pytest.approx(28 * n / SPEED)  # 2.8 ms
    assert kernel.seconds == pytest.approx(START + 28 * n / (SPEED * BANDWIDTH))


@pytest.mark.parametrize("device", DEVICES)
def test_nothing_is_faster_than_the_published_peaks(device: str) -> None:
    chosen = DEVICES[device]
    found = predict(check(EXAMPLES / "digits/cnn.axon").phases.train, chosen, 32)
    for k in found.kernels:
        assert k.seconds > k.least >= k.bytes / chosen.bandwidth
        assert k.least >= k.flops / max(chosen.products.values())
    assert found.seconds >= found.least > 0


def test_a_stronger_device_is_never_slower() -> None:
    graph = check(SPEC).phases.train
    before = predict(graph, BOARD, 4096)
    stronger = [
        BOARD._replace(bandwidth=2 * SPEED),
        BOARD._replace(products={d: 2 * p for d, p in BOARD.products.items()}),
        BOARD._replace(scalar={d: 2 * p for d, p in BOARD.scalar.items()}),
    ]
    for device in stronger:
        after = predict(graph, device, 4096)
        assert after.seconds <= before.seconds
        assert after.least <= before.least
    assert predict(graph, stronger[0], 4096).seconds < before.seconds
    assert predict(graph, stronger[1], 4096).seconds < before.seconds


def test_devices_stand_in_the_order_of_their_peaks() -> None:
    def least(dtype: DType, n: int) -> dict[str, float]:
        return {name: predict(product(n, dtype), d, 1).least for name, d in DEVICES.items()}

    large = least(F32, 4096)
    assert sorted(large, key=large.__getitem__) == ["rtx4090", "h200", "h100", "l4", "a100", "t4"]
    for device in DEVICES.values():
        assert device.products[F16] >= device.products[F32] > device.products[F64]
        assert device.source


def test_a_scan_starts_its_kernels_at_every_step() -> None:
    def launches(steps: int) -> int:
        specification = check(EXAMPLES / "zoo/lstm_classifier.axon", sizes={"T": steps})
        return sum(k.turns for k in predict(specification.phases.train, BOARD, 8).kernels)

    assert launches(30) - launches(20) == launches(20) - launches(10) > 0


def test_memory_is_that_of_the_plan_and_the_most_samples_are_the_most_that_fit() -> None:
    graph = check(SPEC).phases.train
    weights = 64 * 128 + 128 + 128 * 10 + 10
    plan = compile_graph(graph, rows=8, target=CUPY)
    named = sum(b.size * np.dtype(dtype_name(b.dtype)).itemsize for b in plan.buffers if b.home == "named")
    assert named >= 3 * 4 * weights  # Adam's
    assert predict(graph, BOARD, 8).memory == pytest.approx(RESERVE + named + needed_bytes(plan), abs=2 * FIXED)
    tight = BOARD._replace(memory=RESERVE + 2_000_000)
    found = predict(graph, tight, 8)
    assert found.is_most
    assert predict(graph, tight, found.fits).memory <= tight.memory < predict(graph, tight, found.fits + 1).memory
    assert predict(graph, BOARD._replace(memory=RESERVE), 8).fits == 0
    assert not predict(graph, BOARD._replace(memory=10**15), 8).is_most


def test_what_is_assumed_is_said() -> None:
    text = " ".join(prediction.ASSUMPTIONS)
    numbers = (f"{ARITHMETIC:.0%}", f"{BANDWIDTH:.0%}", f"{START * 1e6:g} us", str(BLOCK), f"{RESERVE // 10**6} MB")
    assert all(number in text for number in numbers)


def test_products_of_heads_start_once_for_each_head() -> None:
    b = Builder(NOWHERE)
    x, y = (b.input(name, DATA, Tensor(F32, (4, 512, 3, 512))) for name in "xy")
    turned = [b.add(Transpose((0, 2, 1, 3)), n) for n in (x, y)]
    (kernel,) = predict(b.graph({"z": b.add(Matmul(), *turned)}), BOARD, 1).kernels
    assert (kernel.flops, kernel.blocks) == (2 * 12 * 512**3, 192)  # three rounds of all processors
    assert kernel.seconds == pytest.approx(3 * START + kernel.flops / (PEAK * ARITHMETIC))


@pytest.mark.parametrize(
    ("capability", "registers", "shared", "warps"),
    [
        ("a100", 32, 0, 64),  # 65536 registers / (32 · 32) = 64 warps
        ("a100", 64, 0, 32),
        ("a100", 72, 0, 24),  # 28 warps, which are three blocks of eight
        ("a100", 65, 0, 24),  # as 72, since a warp is given 256 at once
        ("a100", 255, 0, 8),
        ("a100", 32, 41 << 10, 24),  # 164 KB / (41 + 1)
        ("h100", 32, 41 << 10, 40),
        ("t4", 32, 0, 32),
        ("t4", 32, 48 << 10, 8),
        ("l4", 32, 0, 48),
        ("l4", 40, 30 << 10, 24),
    ],
)
def test_a_processor_holds_the_warps_that_its_registers_and_memory_allow(
    capability: str, registers: int, shared: int, warps: int
) -> None:
    assert resident(registers, shared, DEVICES[capability].architecture) == warps


class Use(NamedTuple):
    registers: int
    shared: int


@pytest.mark.parametrize(("registers", "share"), [(32, 1), (64, 1), (128, 0.5), (255, 0.25)])
def test_memory_is_slower_where_a_processor_holds_few_warps(registers: int, share: float) -> None:
    asked: list[str] = []

    def compiler(units: Sequence[Unit], capability: str) -> dict[str, Use]:
        asked.append(capability)
        return {name: Use(registers, 0) for unit in units for name in unit.kernels}

    (before,) = predict(added(), BOARD, 1).kernels
    found = predict(added(), BOARD, 1, compiler=compiler)
    (kernel,) = found.kernels
    assert asked == ["80"]
    assert kernel.seconds - START == pytest.approx((before.seconds - START) / share)
    assert kernel.least == before.least
    assert found.assumptions != predict(added(), BOARD, 1).assumptions


def added() -> Graph:
    """Arithmetic that memory decides."""
    b = Builder(NOWHERE)
    x, y = (b.input(name, DATA, Tensor(F32, (4096, 4096))) for name in "xy")
    return b.graph({"z": b.add(Add(), x, y)})
