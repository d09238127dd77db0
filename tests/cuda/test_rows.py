"""Arithmetic and reductions along rows are one kernel that a warp or a block shares, and give what definitions give."""

from __future__ import annotations

from functools import cache
from unittest.mock import patch

import numpy as np
import pytest
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Node
from axonc.compiler.ir.types import F32, I64, Tensor
from axonc.compiler.memory import NotAffine
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import Mul
from axonc.compiler.ops.index import Pick
from axonc.compiler.ops.normal import CrossEntropy, Softmax
from axonc.compiler.pipeline import CUPY, compile_graph, compile_stages
from axonc.compiler.schedule import cluster
from axonc.compiler.schedule.kernel import Nest
from axonc.runtime.cupy.machine import DeviceMachine
from axonc.runtime.cupy.memory import DeviceMemory
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from ..compiler.graphs import MOST, NOWHERE, arrays, graphs_of_rows
from ..compiler.graphs import TOLERANCE as GRAPH_TOLERANCE
from ..compiler.native import test_rows as c
from ..compiler.native.test_rows import N, Sample, awkward, more, side_by_side, simple
from ..compiler.test_operations import DTYPES, TOLERANCE
from .standin import Standin, needs_compiler, sanitized

pytestmark = needs_compiler
COUNTS = (6, 1)


def of_product(columns: int) -> c.Formula:
    """A loss of what another kernel made, whose place its gradient may take."""

    def formula(b: Builder, x: Node) -> Node:
        scores = b.add(Matmul(), x, more(b, "w", (20, columns)))
        return b.add(CrossEntropy(), scores, more(b, "target", x.shape[:-1], I64))

    return formula


SAMPLES = c.SAMPLES | {
    "softmax of a long row": Sample(simple(Softmax(-1)), (N, 1500)),
    "cross-entropy of a long row": Sample(c.cross_entropy, (N, 2, 1100)),
    "cross-entropy in place": Sample(of_product(40), gradient=True),
    "cross-entropy of a long row in place": Sample(of_product(1100), gradient=True),
}


@cache
def graph() -> Graph:
    return side_by_side([sample.graph() for sample in SAMPLES.values()])


@cache
def inputs(count: int) -> dict[str, np.ndarray]:
    random, sizes = np.random.default_rng(0), {"N": count}
    types = {n.op.name: n.tensor.substitute(sizes) for n in graph().inputs}  # type: ignore[attr-defined]
    return {name: awkward(random, t.shape, t.dtype) for name, t in types.items()}  # type: ignore[arg-type]


@cache
def results(count: int, *, backwards: bool) -> dict[str, np.ndarray]:
    """What all samples give, watched by AddressSanitizer."""
    plan = compile_graph(graph(), rows=max(COUNTS), target=CUPY)
    return sanitized(plan, inputs(count), count, backwards=backwards)


@cache
def definitions(count: int) -> dict[str, np.ndarray]:
    with np.errstate(all="ignore"):
        return evaluate(graph(), inputs(count))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_kernel_of_rows_gives_what_its_definition_gives(name: str, count: int) -> None:
    found, number = results(count, backwards=False), list(SAMPLES).index(name)
    some = {key: value for key, value in definitions(count).items() if key.startswith(f"{number}.")}
    assert some
    for key, value in some.items():
        tolerance = TOLERANCE.get(DTYPES[np.asarray(value).dtype], 0) * 4
        np.testing.assert_allclose(found[key], value, rtol=tolerance, atol=tolerance, err_msg=key)


def test_the_order_of_blocks_and_threads_changes_nothing() -> None:
    np.testing.assert_equal(results(6, backwards=True), results(6, backwards=False))


@pytest.mark.parametrize("name", SAMPLES)
def test_rows_are_one_kernel(name: str) -> None:
    schedule = compile_stages(SAMPLES[name].graph(), rows=6, target=CUPY).schedule
    nests = [call for call in schedule.calls() if call.phase == 2 and isinstance(call.kernel.form, Nest)]
    assert len(nests) == 1
    assert nests[0].kernel.form.row


@pytest.mark.parametrize("backwards", [False, True])
def test_an_element_is_picked_before_a_result_takes_its_place(backwards: bool) -> None:
    b = Builder(NOWHERE)
    x, w = (b.input(name, DATA, Tensor(F32, (20, 20))) for name in "xw")
    index = b.input("i", DATA, Tensor(I64, (20,)))
    made = b.add(Matmul(), x, w)
    doubled = b.add(Mul(), made, b.literal(2.0, F32))
    plan = compile_graph(b.graph({"y": doubled, "picked": b.add(Pick(), made, index)}), target=CUPY)
    _, rows = plan.steps
    assert rows.writes[0].buffer == rows.reads[0].buffer
    numbers = np.arange(400, dtype=np.float32).reshape(20, 20)
    found = sanitized(plan, {"x": np.eye(20, dtype=np.float32), "w": numbers, "i": np.arange(20)}, backwards=backwards)
    np.testing.assert_array_equal(found["picked"], np.diag(numbers))


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.lists(graphs_of_rows(), min_size=6, max_size=6))
def test_plans_of_graphs_of_rows_give_what_the_definitions_give(found: list[Graph]) -> None:
    whole = side_by_side(found)
    with patch.object(cluster, "SHORTEST", 1):
        try:
            plan = compile_graph(whole, rows=c.ROWS, target=CUPY)
        except NotAffine:
            reject()
    machine = DeviceMachine(plan, DeviceMemory(Standin()))
    for count in (c.ROWS, 1):
        given = arrays(whole, seed=count, sizes={"N": count})
        with np.errstate(all="ignore"):
            wanted = evaluate(whole, given)
        made = machine.run(given, count)
        for name, node in whole.results:
            tolerance = GRAPH_TOLERANCE[node.dtype]
            np.testing.assert_allclose(made[name], wanted[name], rtol=tolerance, atol=tolerance * MOST, err_msg=name)
