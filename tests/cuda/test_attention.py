"""Two products and the softmax between them are one kernel, and so is their gradient: they give what NumPy gives."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
from axonc.compiler import prediction
from axonc.compiler.cuda import fragments, scores
from axonc.compiler.devices import DEVICES
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Node, numpy_name
from axonc.compiler.ir.types import BF16, BOOL, F16, F32, F64, DType, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import Le, Mul, Where
from axonc.compiler.ops.index import Iota
from axonc.compiler.ops.layout import Reshape, Slice
from axonc.compiler.ops.normal import Softmax
from axonc.compiler.ops.reduce import Sum
from axonc.compiler.ops.unary import Square
from axonc.compiler.passes.sequence import run
from axonc.compiler.pipeline import CUPY, compile_graph, compile_stages, graph_passes
from axonc.compiler.prediction import predict
from axonc.compiler.schedule import cost, kernel
from axonc.compiler.schedule.group import group
from axonc.compiler.schedule.kernel import Call
from axonc.runtime.machine import Machine
from axonc.runtime.plan import THREADS

from ..compiler.graphs import NOWHERE
from ..compiler.native.test_rows import N, side_by_side
from .nvrtc import LIMITS, REGISTERS, compiled, needs_nvrtc
from .standin import needs_compiler, sanitized

TOLERANCE = {F32: 1e-5, F16: 4e-3, BF16: 3e-2}
COUNT = 2


class Sample(NamedTuple):
    """Queries [N, heads, t, d], keys [N, heads, s, d] and values [N, heads, s, e], and who sees whom."""

    t: int
    s: int
    d: int = 8
    e: int = 8
    heads: int = 2
    dtype: DType = F32
    mask: str = ""
    gradient: bool = False
    turned: bool = False  # keys are [N, heads, d, s]
    odd: bool = False  # queries begin in the middle of a word

    def graph(self, lead: Size = N) -> Graph:
        b = Builder(NOWHERE)
        keys = (self.d, self.s) if self.turned else (self.s, self.d)
        shapes = {"q": (self.t, self.d), "k": keys, "v": (self.s, self.e)}
        q, k, v = (b.input(n, DATA, Tensor(self.dtype, (lead, self.heads, *shape))) for n, shape in shapes.items())
        if self.odd:
            wide = b.input("wide", DATA, Tensor(self.dtype, (lead, self.heads, self.t, self.d + 1)))
            q = b.add(Slice((0, 0, 0, 1), wide.shape, (1, 1, 1, 1)), wide)
        scores = b.add(Mul(), b.add(Matmul(False, not self.turned), q, k), b.literal(self.d**-0.5, self.dtype))
        if self.mask:
            unseen = b.literal(-1e9 if self.dtype is F32 else -1e4, self.dtype)
            scores = b.add(Where(), self._seen(b, lead), scores, unseen)
        weights = b.add(Softmax(-1), scores)
        if self.mask == "dropout":
            kept = b.input("kept", DATA, Tensor(BOOL, (lead, self.heads, self.t, self.s)))
            weights = b.add(Where(), kept, weights, b.literal(0.0, self.dtype))
        out = b.add(Matmul(), weights, v)
        if not self.gradient:
            return b.graph({"out": out})
        weighed = b.add(Mul(), b.add(Square(), out), b.input("seed", DATA, out.tensor))
        return gradient_graph(b.graph({"loss": b.add(Sum((0, 1, 2, 3)), weighed)}), "loss", ["q", "k", "v"])

    def _seen(self, b: Builder, lead: Size) -> Node:
        if self.mask == "padding":
            return b.input("seen", DATA, Tensor(BOOL, (lead, 1, 1, self.s)))
        return b.add(Le(), b.add(Iota(self.s, F32)), b.add(Reshape((self.t, 1)), b.add(Iota(self.t, F32))))


SAMPLES = {
    "plain": Sample(5, 9),
    "causal": Sample(13, 13, mask="causal"),
    "padding": Sample(7, 19, mask="padding"),
    "dropout": Sample(6, 17, mask="dropout"),
    "one query": Sample(1, 33),
    "odd heads": Sample(9, 11, 13, 5),
    "large heads": Sample(17, 21, 128, 96, heads=1, mask="causal"),
    "more rows than a block has": Sample(37, 24, mask="causal"),
    "a triangle": Sample(70, 40, mask="causal"),
    "a wide triangle": Sample(33, 150, mask="causal"),
    "rows of which 16 fit": Sample(17, 310, heads=1),
    "rows of which 8 fit": Sample(9, 650, heads=1),
    "rows of which 4 fit": Sample(5, 2048, heads=1, mask="padding"),
    "gradient": Sample(5, 9, gradient=True),
    "causal gradient": Sample(35, 35, heads=1, mask="causal", gradient=True),
    "padding gradient": Sample(7, 19, 24, 40, mask="padding", gradient=True),
    "dropout gradient": Sample(6, 17, mask="dropout", gradient=True),
    "gradient of long rows": Sample(5, 700, heads=1, mask="causal", gradient=True),
    "f16": Sample(9, 17, 64, 64, dtype=F16, mask="causal"),
    "f16 gradient": Sample(9, 17, 32, 32, dtype=F16, mask="causal", gradient=True),
    "bf16 gradient": Sample(9, 17, 32, 32, dtype=BF16, mask="causal", gradient=True),
    "f16 in whole fragments": Sample(32, 48, 16, 24, dtype=F16),
    "bf16, two fragments of rows": Sample(40, 50, 128, 96, heads=1, dtype=BF16, mask="causal"),
    "bf16 of few values, gradient": Sample(20, 19, 48, 16, dtype=BF16, mask="padding", gradient=True),
    "bf16 of turned keys, gradient": Sample(20, 48, 32, 32, dtype=BF16, turned=True, gradient=True),
    "f16 of turned keys, gradient": Sample(3, 9, 32, 32, dtype=F16, turned=True, gradient=True),
    "f16 of odd queries": Sample(18, 9, 16, 8, dtype=F16, odd=True),
    "long rows of f16": Sample(3, 1501, 16, 16, heads=1, dtype=F16, mask="dropout"),
    "longer rows of bf16": Sample(9, 1530, 16, 16, heads=1, dtype=BF16, mask="padding"),
}


@cache
def graph() -> Graph:
    return side_by_side([sample.graph() for sample in SAMPLES.values()])


@cache
def inputs() -> dict[str, np.ndarray]:
    random, found = np.random.default_rng(0), {}
    for node in graph().inputs:
        tensor = node.tensor.substitute({"N": COUNT})
        numbers = random.standard_normal(tensor.shape)  # type: ignore[arg-type]
        dtype = F32 if tensor.dtype is BF16 else tensor.dtype
        found[node.name] = numbers > -1 if dtype is BOOL else numbers.astype(numpy_name(dtype))
    return found


@cache
def results(*, backwards: bool) -> dict[str, np.ndarray]:
    """What all samples give, watched by AddressSanitizer. Few blocks have many rows here, as many blocks have."""
    with patch.object(scores, "BUSY", 1):
        plan = compile_graph(graph(), rows=COUNT, target=CUPY)
    return sanitized(plan, inputs(), COUNT, backwards=backwards)


@cache
def by_numpy() -> dict[str, np.ndarray]:
    return Machine(compile_graph(graph(), rows=COUNT)).run(inputs(), COUNT)


@needs_compiler
@pytest.mark.parametrize("name", SAMPLES)
def test_attention_gives_what_numpy_gives(name: str) -> None:
    number, found = list(SAMPLES).index(name), results(backwards=False)
    some = {key: value for key, value in by_numpy().items() if key.startswith(f"{number}.")}
    assert len(some) == (4 if SAMPLES[name].gradient else 1)
    for key, value in some.items():
        largest = float(np.abs(value).max())
        tolerance = TOLERANCE[SAMPLES[name].dtype]
        np.testing.assert_allclose(found[key], value, rtol=0, atol=tolerance * max(largest, 1.0), err_msg=key)


@needs_compiler
def test_the_order_of_blocks_and_threads_changes_nothing() -> None:
    np.testing.assert_equal(results(backwards=True), results(backwards=False))


def attentions(graph: Graph) -> list[Call]:
    """The calls of the schedule that are attention."""
    schedule = compile_stages(graph, rows=COUNT, target=CUPY).schedule
    return [call for call in schedule.calls() if isinstance(call.kernel.form, kernel.Attention)]


@pytest.mark.parametrize("name", SAMPLES)
def test_scores_never_lie_in_memory_nor_do_weights_that_nothing_reads_again(name: str) -> None:
    sample = SAMPLES[name]
    found = attentions(sample.graph())
    square = (N, sample.heads, sample.t, sample.s)
    stored = [sum(w.shape == square for w in call.writes) for call in found]
    assert stored == ([1 + (sample.mask == "dropout"), 1] if sample.gradient else [0])


def test_the_kernel_means_what_its_three_calls_mean() -> None:
    graph = SAMPLES["odd heads"].graph()
    (call,) = attentions(graph)
    random = np.random.default_rng(0)
    given = [random.standard_normal((COUNT, *r.shape[1:])).astype(np.float32) for r in call.reads]  # type: ignore[union-attr]
    meaning = call.kernel.meaning
    found = evaluate(meaning, {f"x{i}": x for i, x in enumerate(given)})
    wanted = evaluate(graph, dict(zip("qkv", given, strict=True)))
    np.testing.assert_allclose(found["y0"], wanted["out"], rtol=1e-5, atol=1e-6)
    apart = group(run(graph, graph_passes(CUPY)), CUPY.row)
    assert cost.flops(call) == sum((cost.flops(c) for c in apart.calls()), 0)
    assert cost.at(cost.moved(call), {"N": 1}) < sum(cost.at(cost.moved(c), {"N": 1}) for c in apart.calls())


def test_what_nobody_sees_is_not_computed() -> None:
    forward, backward = (call.kernel.form for call in attentions(SAMPLES["causal gradient"].graph()))
    for form in (forward, backward):
        assert isinstance(form, kernel.Attention)
        assert (form.first.triangle, form.second.triangle, form.second.upper) == ("result", "left", False)


def shared_keys() -> Graph:
    """Scores of what all samples share, as weights of a layer are."""
    b = Builder(NOWHERE)
    q, k = b.input("q", DATA, Tensor(F32, (N, 9, 8))), b.input("k", DATA, Tensor(F32, (8, 12)))
    v = b.input("v", DATA, Tensor(F32, (N, 12, 8)))
    return b.graph({"out": b.add(Matmul(), b.add(Softmax(-1), b.add(Matmul(), q, k)), v)})


def scores_are_read() -> Graph:
    b = Builder(NOWHERE)
    q, k, v = (b.input(n, DATA, Tensor(F32, (N, 9, 9))) for n in "qkv")
    scores = b.add(Matmul(), q, k)
    return b.graph({"out": b.add(Matmul(), b.add(Softmax(-1), scores), v), "scores": scores})


def turned_weights() -> Graph:
    b = Builder(NOWHERE)
    q, k, v = (b.input(n, DATA, Tensor(F32, (N, 9, 9))) for n in "qkv")
    return b.graph({"out": b.add(Matmul(True), b.add(Softmax(-1), b.add(Matmul(), q, k)), v)})


@pytest.mark.parametrize(
    "graph",
    [
        *(Sample(3, 2049).graph(), shared_keys(), scores_are_read(), turned_weights(), Sample(3, 9, dtype=F64).graph()),
        *(Sample(9, 11, 24, 16, dtype=F16).graph(), Sample(9, 11, 16, 12, dtype=BF16).graph()),
        Sample(9, 11, 144, 16, dtype=F16).graph(),
    ],
    ids=["long", "shared", "read", "turned", "f64", "f16 of 24", "bf16 of 12", "f16 of 144"],
)
def test_other_products_are_left_as_they_are(graph: Graph) -> None:
    assert not attentions(graph)


@pytest.mark.parametrize("name", SAMPLES)
def test_halves_are_multiplied_in_fragments(name: str) -> None:
    units = compile_graph(SAMPLES[name].graph(), rows=COUNT, target=CUPY).units
    assert any("ax_multiply" in unit.text for unit in units) == SAMPLES[name].dtype.is_half


def test_rows_of_all_lengths_fit_into_shared_memory() -> None:
    heights = [scores.ByTiles.heights(size)[0] for size in range(1, scores.LONGEST + 1)]
    assert sorted(set(heights)) == [4, 8, 16, 32]
    assert heights == sorted(heights, reverse=True)
    assert fragments.ByFragments.heights(scores.LONGEST)
    assert CUPY.scores == scores.LONGEST


def test_blocks_have_fewer_rows_where_blocks_or_rows_are_few() -> None:
    heights = (32, 16, 8)
    assert scores.height_of(heights, scores.BUSY, 33) == 32
    assert scores.height_of(heights, scores.BUSY, 16) == 16
    assert scores.height_of(heights, scores.BUSY // 3, 64) == 16
    assert scores.height_of(heights, 1, 64) == 8


@pytest.mark.parametrize("length", [128, 512, 1024, 2048])
@pytest.mark.parametrize("dtype", [F32, F16, BF16], ids=str)
def test_one_kernel_is_not_predicted_slower_than_three(
    dtype: DType, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By more than a hundredth, on devices that multiply such numbers."""
    graph = Sample(length, length, 64, 64, heads=12, dtype=dtype, mask="causal", gradient=True).graph()
    devices = [d for d in DEVICES.values() if not dtype.is_half or d.products[dtype] > d.scalar[F32]]
    together = [predict(graph, device, 8).seconds for device in devices]
    monkeypatch.setattr(prediction, "CUPY", CUPY._replace(scores=0))
    apart = [predict(graph, device, 8).seconds for device in devices]
    assert all(one < 1.01 * three for one, three in zip(together, apart, strict=True))
    assert sum(together) < 0.9 * sum(apart)


@needs_nvrtc
@pytest.mark.parametrize("architecture", LIMITS)
@pytest.mark.parametrize(
    ("length", "dtype", "d"), [(1024, F32, 64), (1024, BF16, 64), (128, F32, 64), (1024, F16, 128), (512, F16, 128)]
)
def test_attention_of_gpt2_compiles_without_spilling(architecture: str, length: int, dtype: DType, d: int) -> None:
    graph = Sample(length, length, d, d, heads=12, dtype=dtype, mask="causal", gradient=True).graph()
    registers, shared = LIMITS[architecture]
    for unit in compile_graph(graph, rows=8, target=CUPY).units:
        for name, use in compiled(unit.text, architecture).items():
            assert use.registers <= min(registers, REGISTERS // THREADS), name
            assert use.shared <= shared, name
            assert not use.spilled, name
