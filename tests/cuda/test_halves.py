"""f16 and bf16 on a GPU: products take them as they are, and give those of the exact numbers rounded once."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from axonc.backends import NUMPY, on_device
from axonc.compiler.cuda import gemm
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import DType
from axonc.compiler.pipeline import CUPY, compile_graph
from axonc.program import Program
from axonc.runtime.cupy.device import Device
from axonc.runtime.plan import Gemm
from axonc.specification import check

from ..compiler.ops.samples import Sample, real
from ..compiler.test_halves import HALVES, WORDS, graph_of, in_two_bytes, with_floats
from .blas import F32, TF32
from .standin import Standin
from .test_blas import Run, run
from .test_machine import SPEC, batches

__all__ = ["run"]
LONG = Sample(Op.words["matmul"](), (real(2, 6000), real(6000, 2)))  # added up in parts
PRODUCTS = tuple(word for word in WORDS if word in Op.words and Op.words[word].precision == "half")


@pytest.mark.parametrize(("least", "words"), [(gemm.LEAST, PRODUCTS), (1, ("matmul",))], ids=["kernels", "cublas"])
@pytest.mark.parametrize("half", HALVES)
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
