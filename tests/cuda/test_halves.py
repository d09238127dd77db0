"""f16 and bf16 on a GPU: products take them as they are, and give those of the exact numbers rounded once."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from axonc.backends import NUMPY, on_device
from axonc.compiler.cuda import gemm
from axonc.compiler.ir.graph import DATA, Builder
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import BF16, F16, DType, Tensor
from axonc.compiler.ir.types import F32 as SINGLE
from axonc.compiler.ops.convolution import Conv, ConvInput, ConvWeight
from axonc.compiler.pipeline import CUPY, compile_graph
from axonc.program import Program
from axonc.runtime.cupy.device import Device
from axonc.runtime.plan import Gemm
from axonc.specification import check

from ..compiler.graphs import NOWHERE
from ..compiler.ops.samples import Sample, real
from ..compiler.test_halves import HALVES, WORDS, graph_of, in_two_bytes, with_floats
from .blas import F32, TF32
from .standin import Standin
from .test_blas import N, Run, launches, run
from .test_machine import SPEC, batches

__all__ = ["run"]
LONG = Sample(Op.words["matmul"](), (real(2, 6000), real(6000, 2)))  # added up in parts
PRODUCTS = tuple(word for word in WORDS if word in Op.words and Op.words[word].precision == "half")


@pytest.mark.parametrize(
    ("half", "least", "words"),
    [(BF16, gemm.LEAST, PRODUCTS), (F16, 1, ("matmul",)), (BF16, 1, ("matmul",))],
    ids=["bf16-kernels", "f16-cublas", "bf16-cublas"],
)
def test_products_are_those_of_the_exact_numbers_rounded_once(
    run: Run, half: DType, least: int, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemm, "LEAST", least)
    samples = with_floats(words) | {"long": LONG}
    graph, arrays = graph_of(samples, half)
    plan = compile_graph(graph, target=CUPY)
    products = [step.launch for step in plan.steps if isinstance(step.launch, Gemm)]
    assert (len(products) > 10) == (least == 1)
    assert all(plan.buffers[m.view.buffer].dtype == half.value for p in products for m in (p.a, p.b, p.c))
    found = run(plan, arrays)
    for name, sample in samples.items():
        exact = [a.astype(np.float64) if d is half else a for d, a in in_two_bytes(sample, half)]
        wanted = np.asarray(sample.op.eval(np, *exact), np.float64)
        step = float(ml_dtypes.finfo(HALVES[half]).eps) / 2 * 1.01
        np.testing.assert_allclose(found[name].astype(np.float64), wanted, rtol=step, err_msg=str(sample))


@pytest.mark.parametrize(
    ("half", "tf32", "instructions", "error"),
    [(F16, False, 3, 1e-4), (SINGLE, False, 0, 1e-4), (SINGLE, True, 3, 1e-3)],
    ids=["f16", "f32", "tf32"],
)
def test_convolutions_on_tensor_cores_go_by_columns_and_give_what_their_definitions_give(
    run: Run, half: DType, tf32: bool, instructions: int, error: float
) -> None:
    b = Builder(NOWHERE)
    slide = ((2, 1), ((1, 0), (1, 2)), (1, 2), 1)
    shapes = {"x": (N, 7, 9, 24), "w": (3, 2, 24, 20), "y": (N, 3, 10, 20)}
    x, w, y = (b.input(name, DATA, Tensor(half, shape)) for name, shape in shapes.items())
    results = {"conv": b.add(Conv(*slide), x, w), "input": b.add(ConvInput(*slide, (7, 9)), y, w)}
    results["weight"] = b.add(ConvWeight(*slide, (3, 2)), x, y)
    plan = compile_graph(b.graph(results), rows=4, target=CUPY._replace(tf32=tf32))
    assert [step.instruction for step in plan.steps].count("columns") == instructions
    assert launches(plan).count(Gemm) == instructions
    r = np.random.default_rng(0)
    arrays = {n: r.standard_normal([4 if s is N else s for s in shape]) for n, shape in shapes.items()}
    given = {n: a.astype(np.float16 if half is F16 else np.float32) for n, a in arrays.items()}
    found = run(plan, given)
    exact = {n: a.astype(np.float64) for n, a in given.items()}
    wanted = {
        "conv": Conv(*slide).eval(np, exact["x"], exact["w"]),
        "input": ConvInput(*slide, (7, 9)).eval(np, exact["y"], exact["w"]),
        "weight": ConvWeight(*slide, (3, 2)).eval(np, exact["x"], exact["y"]),
    }
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-3, atol=error * np.abs(array).max(), err_msg=name)


@pytest.mark.parametrize("precision", ["f16", "bf16"])
def test_training_in_two_bytes_goes_as_on_numpy(precision: str, device: Device) -> None:
    spec = SPEC.replace("dense(16", "dense(600").replace("epochs 1", f"epochs 1; precision {precision}")
    here, there = (Program(check(spec), seed=3, backend=b) for b in (NUMPY, on_device(device)))
    for batch in batches():
        assert there.train_step(batch)["loss"] == pytest.approx(here.train_step(batch)["loss"], rel=0.02)
    (ready,) = there._machines._ready.values()
    plan = ready.machine.plan
    products = [plan.buffers[s.launch.c.view.buffer].dtype for s in plan.steps if isinstance(s.launch, Gemm)]
    assert products.count(precision) >= 4


def test_tf32_is_for_products_of_training_alone(device: Device) -> None:
    spec = SPEC.replace("dense(16", "dense(600").replace("epochs 1", "epochs 1; precision tf32")
    here, there = (Program(check(spec), seed=3, backend=b) for b in (NUMPY, on_device(device)))
    for batch in batches():
        assert there.train_step(batch)["loss"] == pytest.approx(here.train_step(batch)["loss"], rel=0.01)
        there.evaluate_batch(batch)
    found = {key[0]: ready.machine.plan for key, ready in there._machines._ready.items()}
    asked = {name: {s.launch.tf32 for s in p.steps if isinstance(s.launch, Gemm)} for name, p in found.items()}
    assert asked == {"train": {True}, "evaluate": {False}}
    if isinstance(device, Standin):
        assert {arguments[-2] for arguments in device.blas.products} == {F32, TF32}
