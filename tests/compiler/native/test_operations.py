"""Every operation, compiled to C, gives what its definition gives."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from axonc.backends import backend
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Item, Node
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import Tensor
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.places import OutOfRange

from ..graphs import NOWHERE
from ..ops.samples import SAMPLES, Sample
from ..test_operations import DTYPES, TOLERANCE
from ..test_operations import graph_of as one_of
from .compiled import needs_compiler

pytestmark = needs_compiler

TOGETHER = 8  # operations in one plan: a compiler started for each would take most of the time
WORDS = sorted(word for word, samples in SAMPLES.items() if samples)
GROUPS = [tuple(WORDS[i : i + TOGETHER]) for i in range(0, len(WORDS), TOGETHER)]


def graph_of(samples: dict[str, Sample]) -> Graph:
    """All samples side by side; inputs and results by the name of the sample."""
    b = Builder(NOWHERE)
    results: dict[str, Node] = {}
    for name, sample in samples.items():
        arrays = enumerate(sample.arrays)
        inputs = [b.input(f"{name}.{i}", DATA, Tensor(DTYPES[a.dtype], a.shape)) for i, a in arrays]
        node = b.add(sample.op, *inputs)
        ends = (node,) if len(node.types) == 1 else tuple(b.add(Item(i), node) for i in range(len(node.types)))
        results |= {f"{name}.{i}": n for i, n in enumerate(ends)}
    return b.graph(results)


@cache
def results(group: tuple[str, ...], threads: int) -> dict[str, np.ndarray]:
    """What the C of some operations gives for all their samples."""
    samples = {f"{word}.{i}": s for word in group for i, s in enumerate(SAMPLES[word])}
    native = backend("native", threads=threads)
    assert native.name == "native", native.note
    machine = native.machine(compile_graph(graph_of(samples), target=native.target), {})
    return machine.run({f"{name}.{i}": a for name, s in samples.items() for i, a in enumerate(s.arrays)})


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("word", WORDS)
def test_an_operation_in_c_gives_what_its_definition_gives(word: str, threads: int) -> None:
    found = results(next(group for group in GROUPS if word in group), threads)
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


def test_whole_numbers_that_overflow_wrap_as_those_of_numpy() -> None:
    b = Builder(NOWHERE)
    arrays = {"i32": np.array([2**31 - 1, -(2**31)], np.int32), "i64": np.array([2**63 - 1, -(2**63)], np.int64)}
    words = {"add": np.add, "mul": np.multiply, "neg": np.negative, "square": np.square}
    results, wanted = {}, {}
    for name, array in arrays.items():
        x = b.input(name, DATA, Tensor(DTYPES[array.dtype], array.shape))
        for word, function in words.items():
            operands = 2 if function.nin == 2 else 1
            results[f"{name}.{word}"] = b.add(Op.words[word](), *[x] * operands)
            wanted[f"{name}.{word}"] = function(*[array] * operands)
    native = backend("native", threads=1)
    found = native.machine(compile_graph(b.graph(results), target=native.target), {}).run(arrays)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("word", ["gather", "scatter_add", "pick", "take_along", "add_along", "window"])
def test_an_index_outside_is_refused_with_the_place_it_stands_at(word: str) -> None:
    sample = SAMPLES[word][0]
    native = backend("native", threads=1)
    machine = native.machine(compile_graph(graph_of({"s": sample}), target=native.target), {})
    arrays = {f"s.{i}": a for i, a in enumerate(sample.arrays)}
    index = next(name for name, a in arrays.items() if a.dtype.kind == "i" and a.size)
    with pytest.raises(OutOfRange, match="test:1:1: index 99 is outside 0"):
        machine.run({**arrays, index: np.full_like(arrays[index], 99)})
