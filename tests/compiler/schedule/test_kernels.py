"""Every kernel computes its meaning, and every operation that needs a rule has one."""

from __future__ import annotations

import numpy as np
from axonc.compiler.emit.library import RULES
from axonc.compiler.emit.numpy import emit
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import Graph, Input, Item, numpy_name
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.rewrite import bind
from axonc.compiler.ir.types import BOOL
from axonc.compiler.memory import NotAffine, lay_out
from axonc.compiler.ops.scan import Scan
from axonc.compiler.passes.expand import expand_composites
from axonc.compiler.passes.sequence import run
from axonc.compiler.pipeline import GRAPH_PASSES
from axonc.compiler.schedule.destination import place_values
from axonc.compiler.schedule.group import group
from axonc.compiler.schedule.kernel import Buffer, Call, Schedule, Window, contiguous, fresh
from axonc.runtime.machine import Machine
from hypothesis import HealthCheck, given, settings

from ..graphs import MOST, TOLERANCE, graphs

COUNT = 3


def test_every_operation_that_no_rule_of_its_own_computes_has_one_for_numpy() -> None:
    structural = {Input, Item, Scan}
    kernels = {kind for kind in Op.words.values() if kind.rule() == "kernel"} - structural
    assert {k.word for k in kernels} <= {k.word for k in RULES}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(most=20))
def test_every_kernel_of_a_graph_computes_its_meaning(graph: Graph) -> None:
    for call in group(run(graph, GRAPH_PASSES)).calls():
        assert_computes_its_meaning(call)


def assert_computes_its_meaning(call: Call) -> None:
    """Runs the call alone, on arguments in row-major order."""
    reads, inputs, ports = [], {}, []
    random = np.random.default_rng(0)
    for read in call.reads:
        if not isinstance(read, Window):
            reads.append(read)
            continue
        name = f"x{len(ports)}"
        size = dims.product(read.shape)
        window = contiguous(Buffer(name, read.dtype, size, "input"), read.shape)
        shape = [dims.substitute(n, {"N": COUNT}) for n in read.shape]
        whole = random.integers(0, 2, shape) if read.dtype is BOOL else np.zeros(shape)  # an index must lie inside
        inputs[name] = (random.random(shape) if read.dtype.is_float else whole).astype(numpy_name(read.dtype))
        reads.append(window)
        ports.append((name, window))
    writes = tuple(fresh("y", w.type) for w in call.writes)
    alone = Call(call.kernel, writes, tuple(reads), call.place)
    results = tuple((f"y{i}", w) for i, w in enumerate(writes))
    try:
        plan = lay_out(place_values(emit(Schedule(tuple(ports), results, (), (alone,)), RULES), COUNT), COUNT)
    except NotAffine:
        return
    meaning = expand_composites(call.kernel.meaning)
    with np.errstate(all="ignore"):
        wanted = evaluate(meaning, inputs) if ports else evaluate(bind(meaning, {"N": COUNT}), {})
    found = Machine(plan).run(inputs)
    for name, value in wanted.items():
        tolerance = TOLERANCE.get(meaning.result(name).dtype, 0)
        np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance * MOST)
