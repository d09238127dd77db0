"""A compiled graph gives what its definition gives, for every count of samples."""

from __future__ import annotations

import numpy as np
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Input
from axonc.compiler.ir.types import BOOL, F32, F64, Tensor
from axonc.compiler.memory import NotAffine
from axonc.compiler.ops.elementwise import Cast
from axonc.compiler.ops.unary import Neg
from axonc.compiler.pipeline import Target, compile_graph
from axonc.runtime.machine import Machine
from hypothesis import HealthCheck, assume, given, settings

from .graphs import MOST, NOWHERE, TOLERANCE, arrays, graphs

ROWS = 4
NUMPY = Target()


MANY = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(graphs())
def test_a_plan_gives_what_the_definition_gives_for_every_count(graph: Graph) -> None:
    assert_compiled_right(graph)


@MANY
@given(graphs(most=40))
def test_a_plan_of_a_larger_graph_gives_what_the_definition_gives(graph: Graph) -> None:
    assert_compiled_right(graph)


@MANY
@given(graphs(smooth=True, dtypes=(F64,)))
def test_a_plan_of_a_gradient_gives_what_the_definition_gives(graph: Graph) -> None:
    names = [n.op.name for n in graph.inputs if isinstance(n.op, Input)]
    assert_compiled_right(gradient_graph(graph, "loss", names))


@MANY
@given(graphs(most=30))
def test_a_plan_that_goes_by_blocks_gives_what_the_definition_gives(graph: Graph) -> None:
    assert_compiled_right(graph, Target(sweep=64, block=16, large=1))


def test_a_number_made_a_truth_and_a_number_again_is_0_or_1() -> None:
    b = Builder(NOWHERE)
    x = b.input("x", DATA, Tensor(F32, ()))
    plan = compile_graph(b.graph({"y": b.add(Neg(), b.add(Cast(F32), b.add(Cast(BOOL), x)))}))
    assert Machine(plan).run({"x": -0.875})["y"] == -1


def assert_compiled_right(graph: Graph, target: Target = NUMPY) -> None:
    """A machine and the definition agree, for the most samples, one, one less than the most, and the most again."""
    try:
        plan = compile_graph(graph, rows=ROWS, target=target)
    except NotAffine:
        assume(False)
    machine = Machine(plan)
    for count in (ROWS, 1, ROWS - 1, ROWS):
        inputs = arrays(graph, seed=count, sizes={"N": count})
        with np.errstate(all="ignore"):
            wanted = evaluate(graph, inputs)
        found = machine.run(inputs, count)
        for name, node in graph.results:
            tolerance = TOLERANCE.get(node.dtype, 0)
            assert found[name].dtype == wanted[name].dtype
            assert found[name].shape == wanted[name].shape
            np.testing.assert_allclose(found[name], wanted[name], rtol=tolerance, atol=tolerance * MOST, err_msg=name)
