"""Every operation, compiled for NumPy, gives what its definition gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Item
from axonc.compiler.ir.types import WORDS, DType, Tensor
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import Machine, dtype_name
from axonc.runtime.verifier import verified

from .graphs import NOWHERE
from .ops.samples import SAMPLES, Sample

DTYPES = {np.dtype(dtype_name(word)): dtype for word, dtype in WORDS.items() if word != "bf16"}
TOLERANCE = {DType.F16: 4e-3, DType.F32: 3e-6, DType.F64: 1e-12}


def graph_of(sample: Sample) -> Graph:
    b = Builder(NOWHERE)
    inputs = [b.input(f"x{i}", DATA, Tensor(DTYPES[a.dtype], a.shape)) for i, a in enumerate(sample.arrays)]
    node = b.add(sample.op, *inputs)
    ends = (node,) if len(node.types) == 1 else tuple(b.add(Item(i), node) for i in range(len(node.types)))
    return b.graph({f"y{i}": n for i, n in enumerate(ends)})


@pytest.mark.parametrize("sample", [s for samples in SAMPLES.values() for s in samples], ids=str)
def test_a_compiled_operation_gives_what_its_definition_gives(sample: Sample) -> None:
    graph = graph_of(sample)
    plan = compile_graph(graph)
    verified(replace(plan, rows=1))
    machine = Machine(plan)
    found = machine.run({f"x{i}": a for i, a in enumerate(sample.arrays)})
    with np.errstate(all="ignore"):
        wanted = evaluate(graph, {f"x{i}": a for i, a in enumerate(sample.arrays)})
    for name, node in graph.results:
        value = np.asarray(wanted[name])
        tolerance = TOLERANCE.get(node.dtype, 0)
        assert found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance, err_msg=name)
