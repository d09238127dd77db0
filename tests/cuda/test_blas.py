"""Products by cuBLAS: the arguments that it gets give what the definition gives, and touch what is theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from axonc.compiler.cuda import gemm
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Node
from axonc.compiler.ir.types import F32, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.convolution import Conv, ConvInput, ConvWeight
from axonc.compiler.ops.layout import Concat, Slice, Transpose
from axonc.compiler.pipeline import CUPY, compile_graph
from axonc.runtime.cupy.cublas import Cublas
from axonc.runtime.cupy.device import Operand, Product
from axonc.runtime.cupy.machine import DeviceMachine
from axonc.runtime.cupy.memory import DeviceMemory
from axonc.runtime.plan import Gemm, Launch, Loop, Plan

from ..compiler.graphs import NOWHERE
from ..compiler.native.test_operations import graph_of
from ..compiler.ops.samples import SAMPLES
from ..compiler.test_operations import DTYPES, TOLERANCE
from . import standin
from .blas import StandinCublas
from .conftest import ON_GPU, gpu
from .standin import Standin, StandinFault, needs_compiler

N = dims.name("N")


Run = Callable[[Plan, dict[str, np.ndarray]], dict[str, np.ndarray]]


def launches(plan: Plan) -> list[type]:
    return [type(step.launch) for step in plan.steps]


def product(*shapes: tuple[dims.Size, ...], turned: tuple[bool, bool] = (False, False)) -> Graph:
    b = Builder(NOWHERE)
    x, y = (b.input(name, DATA, Tensor(F32, shape)) for name, shape in zip("xy", shapes, strict=True))
    return b.graph({"z": b.add(Matmul(*turned), x, y)})


@pytest.fixture(params=[pytest.param("watched", marks=needs_compiler), ON_GPU])
def run(request: pytest.FixtureRequest) -> Run:
    """What runs a plan: AddressSanitizer watches it, or a GPU does it."""
    if request.param == "watched":
        return standin.sanitized
    return lambda plan, arrays: standin.repeated(DeviceMachine(plan, DeviceMemory(gpu())), arrays)


def compare(run: Run, graph: Graph, rows: int = 0) -> Plan:
    """Runs a graph and compares it with its definition; gives its plan."""
    plan = compile_graph(graph, rows=rows, target=CUPY)
    r = np.random.default_rng(0)
    shapes = {n: [dims.substitute(s, {"N": rows}) for s in node.shape] for n, node in graph.named_inputs(DATA).items()}
    arrays = {name: r.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    found, wanted = run(plan, arrays), evaluate(graph, arrays)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-4)
    return plan


@pytest.mark.parametrize("turned", [(a, b) for a in (False, True) for b in (False, True)])
def test_a_product_of_matrices_stored_in_any_way(run: Run, turned: tuple[bool, bool]) -> None:
    m, k, n = 33, 65, 40
    plan = compare(run, product((k, m) if turned[0] else (m, k), (n, k) if turned[1] else (k, n), turned=turned))
    assert launches(plan) == [Gemm]


@pytest.mark.parametrize(
    "shapes",
    [
        ((N, 65), (65, 40)),
        ((5, N, 65), (65, 40)),
        ((N, 33, 65), (N, 65, 40)),
        ((33, 65), (N, 65, 40)),
        ((N, 2000), (2000,)),
    ],
    ids=str,
)
def test_the_number_of_samples_is_a_size_or_a_number_of_products(
    run: Run, shapes: tuple[tuple[dims.Size, ...], ...]
) -> None:
    assert launches(compare(run, product(*shapes), rows=34)) == [Gemm]


def test_operands_and_results_that_are_parts_of_others_are_taken_where_they_lie(run: Run) -> None:
    b = Builder(NOWHERE)
    x, y = (b.input(name, DATA, Tensor(F32, shape)) for name, shape in (("x", (33, 130)), ("y", (65, 80))))
    left, right = (b.add(Slice((0, start), (33, start + 65), (1, 1)), x) for start in (0, 65))
    some = b.add(Slice((0, 3), (65, 43), (1, 1)), y)
    joined = b.add(Concat(1), b.add(Matmul(), left, some), b.add(Matmul(), right, some))
    assert launches(compare(run, b.graph({"z": joined}))) == [Gemm] * 2


def test_a_result_whose_place_cublas_cannot_express_is_computed_by_a_kernel(run: Run) -> None:
    b = Builder(NOWHERE)
    shapes = {"x": (2, 3, 33, 65), "y": (2, 3, 65, 40), "w": (2, 3, 65, 40)}
    x, y, w = (b.input(name, DATA, Tensor(F32, shape)) for name, shape in shapes.items())
    one, other = b.add(Matmul(), x, y), b.add(Matmul(), x, w)
    assert launches(compare(run, b.graph({"one": one, "other": other}))) == [Gemm] * 2
    assert launches(compare(run, b.graph({"z": b.add(Concat(1), one, other)}))) == [Launch] * 2


def test_a_result_that_is_wanted_transposed_is_computed_so(run: Run) -> None:
    b = Builder(NOWHERE)
    x, y = (b.input(name, DATA, Tensor(F32, shape)) for name, shape in (("x", (33, 65)), ("y", (65, 80))))
    assert launches(compare(run, b.graph({"z": b.add(Transpose((1, 0)), b.add(Matmul(), x, y))}))) == [Gemm]


def transposed(x: Node, b: Builder) -> Node:
    return b.add(Transpose((0, 2, 1, 3)), x)


def heads(move: Callable[[Node, Builder], Node]) -> Graph:
    """A product for each of two leading axes."""
    b = Builder(NOWHERE)
    x, y = (b.input(name, DATA, Tensor(F32, shape)) for name, shape in (("x", (2, 3, 33, 65)), ("y", (2, 65, 3, 40))))
    return b.graph({"z": b.add(Matmul(), x, move(y, b))})


def test_two_axes_of_products_that_do_not_lie_as_one_are_a_kernel_or_go_turn_by_turn(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert launches(compare(run, heads(transposed))) == [Launch]
    monkeypatch.setattr(gemm, "LONG", gemm.LEAST)
    (loop,) = compare(run, heads(transposed)).steps
    assert isinstance(loop, Loop)
    assert (loop.extent, [type(step.launch) for step in loop.body]) == (2, [Gemm])


def test_few_multiplications_are_a_kernel(run: Run) -> None:
    assert launches(compare(run, product((32, 64), (64, 31)))) == [Launch]
    assert launches(compare(run, product((32, 64), (64, 32)))) == [Gemm]


def test_every_product_that_cublas_can_express_gives_what_its_definition_gives(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemm, "LEAST", 1)
    samples = {f"matmul.{k}": s for k, s in enumerate(SAMPLES["matmul"])}
    arrays = {f"{name}.{i}": a for name, s in samples.items() for i, a in enumerate(s.arrays)}
    graph = graph_of(samples)
    plan = compile_graph(graph, target=CUPY)
    assert launches(plan).count(Gemm) > len(samples) // 2
    found = run(plan, arrays)
    for name, value in evaluate(graph, arrays).items():
        tolerance = TOLERANCE.get(DTYPES[np.asarray(value).dtype], 0)
        np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance, err_msg=name)


def test_a_workspace_begins_at_a_multiple_of_256_and_ends_with_its_memory() -> None:
    device = Standin()
    memory, others = device.memory(1 << 16), device.memory(3 * 4096)
    at = [Operand(others.address + i * 4096, "f32", 32, 0, False) for i in range(3)]
    touched: list[tuple[int, int]] = []
    blas = StandinCublas(lambda start, size: touched.append((start, size)))
    Cublas(blas.functions, 7).multiply(Product(32, 32, 32, *at, 1, memory.address + 64, (1 << 16) - 64))
    assert blas.stream == 7
    assert touched[0] == (memory.address + 256, (1 << 16) - 256)


def test_tf32_rounds_what_is_multiplied() -> None:
    device = Standin()
    memory, others = device.memory(1 << 16), device.memory(3 * 4096)
    numbers = np.random.default_rng(0).standard_normal((2, 32, 32)).astype(np.float32)
    device.send(others.address, numbers)
    a, b, c = (Operand(others.address + i * 4096, "f32", 32, 0, False) for i in range(3))
    found = {}
    for tf32 in (False, True):
        device.products()(Product(32, 32, 32, a, b, c, 1, memory.address, 1 << 16, tf32))
        found[tf32] = np.empty((32, 32), np.float32)
        device.fetch(found[tf32], c.address)
    np.testing.assert_allclose(found[False], numbers[1] @ numbers[0], rtol=1e-5, atol=1e-5)
    assert 1e-4 < np.abs(found[True] - found[False]).max() < 1e-1


@pytest.mark.parametrize("wrong", [{"m": -1}, {"m": 40}, {"bytes": 300}])
def test_what_cublas_refuses_is_told(wrong: dict[str, int]) -> None:
    device = Standin()
    memory, others = device.memory(1 << 16), device.memory(3 * 4096)
    a, b, c = (Operand(others.address + i * 4096, "f32", 32, 0, False) for i in range(3))
    product = Product(32, 32, 32, a, b, c, 1, memory.address, 1 << 16)
    multiply = device.products()
    multiply(product)
    with pytest.raises(StandinFault, match=r"cublasGemmEx gives \d"):
        multiply(product._replace(**wrong))
    with pytest.raises(StandinFault, match="gives 7"):
        multiply(product._replace(c=c._replace(address=memory.address + (1 << 16))))


def test_convolutions_of_one_tap_are_products_of_all_pixels(run: Run) -> None:
    b = Builder(NOWHERE)
    shapes = {"x": (N, 5, 6, 40), "w": (1, 1, 40, 48), "y": (N, 5, 6, 48)}
    x, w, y = (b.input(name, DATA, Tensor(F32, shape)) for name, shape in shapes.items())
    slide = ((1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    results = {
        "conv": b.add(Conv(*slide), x, w),
        "input": b.add(ConvInput(*slide, (5, 6)), y, w),
        "weight": b.add(ConvWeight(*slide, (1, 1)), x, y),
    }
    assert launches(compare(run, b.graph(results), rows=3)) == [Gemm] * 3


@pytest.mark.parametrize("settings", [{"stride": (2, 2)}, {"padding": ((1, 1), (0, 0))}, {"groups": 2}], ids=str)
def test_convolutions_that_leave_out_pixels_or_channels_are_kernels(run: Run, settings: dict[str, Any]) -> None:
    b = Builder(NOWHERE)
    slide = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1} | settings
    channels = 40 // slide["groups"]
    x, w = (b.input(n, DATA, Tensor(F32, shape)) for n, shape in (("x", (9, 5, 6, 40)), ("w", (1, 1, channels, 48))))
    assert launches(compare(run, b.graph({"z": b.add(Conv(**slide), x, w)}))) == [Launch]
