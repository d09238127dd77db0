"""f16 and bf16: every operation computed in two bytes is the operation on those numbers in f32, rounded once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import ml_dtypes
import numpy as np
import pytest
from axonc.backends import backend
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Input
from axonc.compiler.ir.types import BF16, F16, F32, DType, Tensor
from axonc.compiler.ir.verify import verify
from axonc.compiler.ops.elementwise import Cast
from axonc.compiler.passes.halves import compute_in_single
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import Machine

from ..halves import EDGES
from .graphs import NOWHERE
from .native.compiled import needs_compiler
from .ops.graphs import DTYPES
from .ops.samples import SAMPLES, Sample

HALVES = {F16: np.dtype(np.float16), BF16: np.dtype(ml_dtypes.bfloat16)}
Run = Callable[[Graph, dict[str, np.ndarray]], dict[str, np.ndarray]]


def on_numpy(graph: Graph, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return Machine(compile_graph(graph)).run(arrays)


def in_c(graph: Graph, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    native = backend("native")
    assert native.name == "native", native.note
    return native.machine(compile_graph(graph, target=native.target), {}).run(arrays)


RUNS = [
    pytest.param(evaluate, id="definition"),
    pytest.param(on_numpy, id="numpy"),
    pytest.param(in_c, id="c", marks=needs_compiler),
]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("half", HALVES)
def test_casts_round_to_the_nearest_and_of_two_to_the_even_one(run: Run, half: DType) -> None:
    b = Builder(NOWHERE)
    x = b.input("x", DATA, Tensor(F32, EDGES.shape))
    graph = b.graph({"y": b.add(Cast(F32), b.add(Cast(half), x))})
    with np.errstate(all="ignore"):
        wanted = EDGES.astype(HALVES[half]).astype(np.float32)
        np.testing.assert_array_equal(run(graph, {"x": EDGES})["y"], wanted)


def in_two_bytes(sample: Sample, half: DType) -> list[tuple[DType, np.ndarray]]:
    """The operands with halves for floats, as plans take them: bf16 comes in as f32."""
    found = []
    for a in sample.arrays:
        if a.dtype.kind == "f":
            rounded = a.astype(HALVES[half])
            found.append((half, rounded.astype(np.float32) if half is BF16 else rounded))
        else:
            found.append((DTYPES[str(a.dtype)], a))
    return found


def graph_of(samples: dict[str, Sample], half: DType) -> tuple[Graph, dict[str, np.ndarray]]:
    """All samples side by side, and their operands."""
    b, results, arrays = Builder(NOWHERE), {}, {}
    for name, sample in samples.items():
        inputs = []
        for i, (dtype, array) in enumerate(in_two_bytes(sample, half)):
            arrays[f"{name}.{i}"] = array
            inputs.append(b.input(f"{name}.{i}", DATA, Tensor(dtype, array.shape)))
        results[name] = b.add(sample.op, *inputs)
    return b.graph(results), arrays


def with_floats(words: tuple[str, ...]) -> dict[str, Sample]:
    pairs = ((f"{word}.{i}", s) for word in words for i, s in enumerate(SAMPLES[word]))
    return {name: s for name, s in pairs if any(a.dtype.kind == "f" for a in s.arrays)}


TOGETHER = 8  # operations in one plan: a compiler started for each would take most of the time
WORDS = [word for word in sorted(SAMPLES) if with_floats((word,))]
GROUPS = [tuple(WORDS[i : i + TOGETHER]) for i in range(0, len(WORDS), TOGETHER)]


@cache
def results(run: Run, half: DType, group: tuple[str, ...]) -> dict[str, np.ndarray]:
    return run(*graph_of(with_floats(group), half))


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("word", WORDS)
def test_an_operation_is_that_of_the_exact_numbers_rounded_once(word: str, half: DType, run: Run) -> None:
    """Composites are rounded at each of their steps."""
    found = results(run, half, next(group for group in GROUPS if word in group))
    for name, sample in with_floats((word,)).items():
        exact = [a.astype(np.float64) if d is half else a for d, a in in_two_bytes(sample, half)]
        with np.errstate(all="ignore"):
            wanted = np.asarray(sample.op.eval(np, *exact), np.float64)
        steps = 16 if sample.op.rule() == "expand" else 1
        step = steps * float(ml_dtypes.finfo(HALVES[half]).eps) / 2 * 1.01
        np.testing.assert_allclose(
            found[name].astype(np.float64), wanted, rtol=step, atol=step * (steps > 1), err_msg=str(sample)
        )


@pytest.mark.parametrize("half", HALVES)
def test_nothing_but_what_moves_or_goes_by_elements_computes_in_two_bytes(half: DType) -> None:
    graph = compute_in_single(graph_of(with_floats(tuple(WORDS)), half)[0])
    verify(graph)
    for node in graph.nodes:
        if node.op.rule() == "kernel" and not node.op.moves and not isinstance(node.op, Input):
            assert not any(t.dtype.is_half for n in (*node.inputs, node) for t in n.types), node


def test_bf16_comes_in_and_goes_out_as_f32() -> None:
    graph, _ = graph_of(with_floats(("relu", "concat")), BF16)
    made = compute_in_single(graph)
    assert {n.dtype for n in made.inputs} == {F32}
    assert {n.dtype for _, n in made.results} == {F32}
