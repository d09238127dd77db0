"""A compiled loop, and its compiled gradient, give what their definition gives."""

from __future__ import annotations

import numpy as np
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import Graph
from axonc.compiler.ir.text import read
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import Machine
from hypothesis import given, settings

from .graphs import arrays, loops
from .ops.graphs import weighted


@settings(deadline=None, max_examples=60)
@given(loops())
def test_a_plan_of_a_loop_and_of_its_gradient_gives_what_the_definition_gives(graph: Graph) -> None:
    agrees(graph)


def test_what_begins_before_a_loop_does_not_lie_where_a_turn_says() -> None:
    """A stack of what turns find may be copied from what was there before them."""
    agrees(
        read("""%h0 = input("h0", "data", f64[1])
%sum = input("sum", "data", f64[])
%x0 = input("x0", "data", f64[3])
%x1 = input("x1", "data", f64[3])
%4 = scan(%h0, %sum, %x0, %x1, body={
  %h0 = input("h0", "data", f64[1])
  %sum = input("sum", "data", f64[])
  %x0 = input("x0", "data", f64[])
  %x1 = input("x1", "data", f64[])
  %4 = neg(%x1): f64[]
  %5 = pad(%h0, before=[0], after=[0], between=[0]): f64[1]
  %6 = sin(%5): f64[1]
  %7 = sub(%sum, %4): f64[]
  return r0=%6, r1=%7
}, carries=2, slices=2): (f64[1], f64[])
%5 = item(%4, index=0): f64[1]
%6 = item(%4, index=1): f64[]
return y0=%6
""")
    )


def agrees(graph: Graph) -> None:
    loss = weighted(graph, [name for name, _ in graph.results], "r")
    for g in (graph, gradient_graph(loss, "loss", [n.name for n in graph.inputs])):
        values = arrays(g)
        found = Machine(compile_graph(g)).run(values)
        for name, wanted in evaluate(g, values).items():
            np.testing.assert_allclose(found[name], wanted, rtol=1e-9, atol=1e-9, err_msg=name)
