"""Kernels that differ in sizes alone are one function, which computes what each of them does."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import axonc
import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.scalar import Expressions
from axonc.compiler.ir.types import F32, F64, DType
from axonc.compiler.native.convolution import Conv
from axonc.compiler.native.convolution_weight import ConvWeight
from axonc.compiler.native.function import Function
from axonc.compiler.native.nest import Map
from axonc.compiler.native.pool import MaxPool
from axonc.compiler.native.sharing import Shared, shared
from axonc.compiler.native.winograd import Winograd
from axonc.compiler.native.winograd_weight import WinogradWeight
from axonc.compiler.pipeline import compile_graph
from axonc.compiler.schedule.kernel import Window
from axonc.compiler.schedule.target import Machinery, native
from axonc.specification import check

from .compiled import needs_compiler, window

WORKLOADS = Path(__file__).parents[3] / "benchmarks" / "workloads"
MACHINERY = Machinery(8, 16, 32 << 10, 1 << 20)
KERNELS = {  # characters of C that train a workload, in thousands: what the compiler takes time for
    "playground": 95,
    "mlp": 60,
    "cnn": 115,
    "lstm": 62,
    "gpt": 72,
    "vit": 80,
    "resnet20": 140,
    "unet": 140,
}
CONVOLUTIONS = """axonc 1
model convolutions
input image: f32[N, 16, 16, 8]
input label: i64[N]
x = image |> conv2d(16, 3) |> relu
x = x |> max_pool2d(2) |> conv2d(32, 3) |> relu |> conv2d(32, 3) |> relu
logits = x |> flatten |> dense(16, activation = relu) |> dense(48, activation = relu) |> dense(10)
loss cross_entropy(logits, label)
train { optimizer sgd(0.01) }
"""


def squares(rows: int, columns: int, stride: int, dtype: DType = F32) -> Function:
    """The squares of a matrix whose rows lie `stride` elements apart."""
    f, e = Function(), Expressions()
    x = window((rows, columns), (stride, 1), dtype=dtype)
    value = e.load(0, dtype)
    Map((rows, columns), (e.apply("mul", value, value),)).print(f, (x,), (x,))
    return f


def of(*functions: Function) -> list[Shared]:
    return shared({f.name: f.draft for f in functions})


def filled(text: str, sizes: tuple[int, ...]) -> str:
    """The text of a function whose sizes are written where it names them."""
    text = re.sub(r"long size\d+, ", "", text)
    text = re.sub(r"\((\d+) \* size(\d+)\)", lambda m: str(int(m[1]) * sizes[int(m[2])]), text)
    return re.sub(r"size(\d+)", lambda m: str(sizes[int(m[1])]), text)


def test_a_shared_function_with_its_sizes_is_each_kernel() -> None:
    kernels = [squares(40, 20, 25), squares(60, 40, 50), squares(80, 60, 100)]
    (found,) = of(*kernels)
    assert {name: filled(found.text, sizes) for name, sizes in found.given.items()} == {f.name: f.text for f in kernels}


def test_what_is_a_multiple_of_an_argument_is_none_itself() -> None:
    (found,) = of(squares(40, 20, 60), squares(40, 30, 90))
    assert set(found.given.values()) == {(20,), (30,)}
    assert "(3 * size0)" in found.text


def test_kernels_that_differ_in_more_than_sizes_are_apart() -> None:
    assert len(of(squares(40, 20, 25), squares(40, 20, 25, F64))) == 2
    assert len(of(squares(40, 20, 25), squares(40, 8, 25))) == 2  # of eight turns the compiler makes one vector


def strided(pixels: int, channels: int) -> tuple[tuple[Window], ...]:
    """Results, data and weights of a convolution of one tap in steps of two that doubles the channels."""
    half = pixels // 2
    shapes = (1, half, half, 2 * channels), (1, pixels, pixels, channels), (1, 1, channels, 2 * channels)
    return tuple((window(s),) for s in shapes)


def test_convolutions_and_pools_of_several_sizes_are_one_function_each() -> None:
    kernels: defaultdict[type, list[Function]] = defaultdict(list)
    for y, x, w in (strided(32, 16), strided(16, 32)):
        for form, writes, reads in (
            (Conv((2, 2), (1, 1), 1, MACHINERY), y, x + w),
            (ConvWeight((2, 2), (1, 1), 1, MACHINERY), w, x + y),
            (MaxPool((2, 2), (2, 2), ((0, 0), (0, 0)), MACHINERY), y, x),
        ):
            f = Function()
            form.print(f, writes, reads)
            kernels[type(form)].append(f)
    assert [len(of(*functions)) for functions in kernels.values()] == [1, 1, 1]
    assert all(len({f.name for f in functions}) == 2 for functions in kernels.values())


def winograds(count: Size, *, accumulate: bool) -> tuple[Function, Function]:
    """A convolution of so many images by Winograd's products, and its gradient by the weights."""
    y, x = (window((count, n, n, 16)) for n in (16, 18))
    w, transformed = window((3, 3, 16, 16)), window((1, 36, 17, 16))
    forward, backward = Function(), Function()
    Winograd(MACHINERY).print(forward, (y,), (x, transformed))
    WinogradWeight(MACHINERY, accumulate).print(backward, (w,), (x, y))
    return forward, backward


def test_winograds_products_of_one_image_and_of_a_batch_are_one_function() -> None:
    pairs = zip(winograds(1, accumulate=True), winograds(dims.name("N"), accumulate=False), strict=True)
    assert [len(of(*pair)) for pair in pairs] == [1, 1]


def test_a_kernel_alone_is_its_text() -> None:
    f = squares(40, 20, 25)
    assert of(f) == [Shared(f.text, {f.name: ()})]


@needs_compiler
def test_layers_of_several_sizes_compute_on_native_code_what_they_do_on_numpy() -> None:
    draw = np.random.default_rng(0)
    batch = {"image": draw.normal(size=(4, 16, 16, 8)).astype("f"), "label": draw.integers(0, 10, 4)}
    programs = [axonc.compile(CONVOLUTIONS, backend=backend) for backend in ("numpy", "native")]
    losses = [[program.train_step(batch)["loss"] for _ in range(4)] for program in programs]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    assert losses[0][3] < losses[0][0] - 0.05, "weights did not change"


@pytest.mark.parametrize("name", KERNELS)
def test_a_workload_is_little_c(name: str) -> None:
    specification = check(WORKLOADS / f"{name}.axon")
    plan = compile_graph(specification.phases.train, rows=8, target=native(MACHINERY))
    assert plan.code is not None
    kernels = sum(len(unit.split("/* Kernels */")[1]) for unit in (*plan.code.units, plan.code.light) if unit)
    assert 0.6 * KERNELS[name] < kernels / 1000 < KERNELS[name]
