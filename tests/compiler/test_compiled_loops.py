"""A compiled loop, and its compiled gradient, give what their definition gives."""

from __future__ import annotations

import numpy as np
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import Graph
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import Machine
from hypothesis import given, settings

from .graphs import arrays, loops
from .ops.graphs import weighted


@settings(deadline=None, max_examples=60)
@given(loops())
def test_a_plan_of_a_loop_and_of_its_gradient_gives_what_the_definition_gives(graph: Graph) -> None:
    loss = weighted(graph, [name for name, _ in graph.results], "r")
    for g in (graph, gradient_graph(loss, "loss", [n.name for n in graph.inputs])):
        values = arrays(g)
        found = Machine(compile_graph(g)).run(values)
        for name, wanted in evaluate(g, values).items():
            np.testing.assert_allclose(found[name], wanted, rtol=1e-9, atol=1e-9, err_msg=name)
