"""What is built from positions: gradients against finite differences and against their plans; what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import Builder, Node
from axonc.compiler.ir.types import I64, Unknown
from axonc.compiler.ops.along import gather_nd, scatter_nd
from axonc.compiler.ops.layout import roll, tile
from axonc.compiler.ops.order import sort, top_positions
from axonc.compiler.ops.resize import framed, linear, nearest
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.errors import InputError
from axonc.runtime.machine import Machine

from .graphs import assert_gradient, builder, inputs, type_of, weighted
from .operands import real, whole
from .test_refusals import t

AT = np.stack([whole(2, 3, low=0, high=4), whole(2, 3, low=0, high=5)], -1)

BUILT: dict[str, tuple[Callable[..., Node], tuple[np.ndarray, ...]]] = {
    "nearest": (lambda b, x: nearest(b, x, 1, 7), (real(2, 4, 3),)),
    "smaller": (lambda b, x: nearest(b, x, 0, 1), (real(4, 3),)),
    "linear": (lambda b, x: linear(b, x, 1, 7), (real(2, 4, 3),)),
    "corners": (lambda b, x: linear(b, x, 1, 7, align_corners=True), (real(2, 4, 3),)),
    "one corner": (lambda b, x: linear(b, x, 1, 1, align_corners=True), (real(2, 4),)),
    "of one": (lambda b, x: linear(b, x, 1, 3), (real(2, 1),)),
    "reflect": (lambda b, x: framed(b, x, 1, 3, 2, "reflect"), (real(2, 4),)),
    "edge": (lambda b, x: framed(b, x, 0, 3, 2, "edge"), (real(2, 4),)),
    "wrap": (lambda b, x: framed(b, x, 1, 4, 1, "wrap"), (real(2, 4),)),
    "sort": (lambda b, x: sort(b, x, 1), (real(3, 4),)),
    "descending": (lambda b, x: sort(b, x, 0, descending=True), (real(3, 4),)),
    "gather_nd": (gather_nd, (real(4, 5, 2), AT)),
    "scatter_nd": (lambda b, x, at: scatter_nd(b, at, x, (4, 5)), (real(2, 3), AT)),
    "roll": (lambda b, x: roll(b, x, -1, 1), (real(2, 4),)),
    "tile": (lambda b, x: tile(b, x, (2, 3)), (real(2, 2),)),
}


@pytest.mark.parametrize("name", BUILT)
def test_gradient_agrees_with_finite_differences_and_with_its_plan(name: str) -> None:
    build, arrays = BUILT[name]
    b: Builder = builder()
    nodes = inputs(b, [type_of(a) for a in arrays])
    graph = weighted(b.graph({"y": build(b, *nodes)}), ["y"], "r")
    values = {f"x{i}": a for i, a in enumerate(arrays)}
    values["r0"] = np.random.default_rng(4).standard_normal(graph.input("r0").shape)
    gradients = assert_gradient(graph, values, ["x0"], name)
    found = Machine(compile_graph(gradients)).run(values)
    for key, wanted in evaluate(gradients, values).items():
        np.testing.assert_allclose(found[key], wanted, rtol=1e-12, atol=1e-12, err_msg=key)


def test_functions_of_positions_refuse_as_operations_do() -> None:
    b = builder()
    x, at, empty = inputs(b, (t(2, 3), t(4, 3, dtype=I64), t(0, 3)))
    wrong = [
        framed(b, x, 1, 3, 0, "reflect"),
        framed(b, x, 1, 0, 4, "wrap"),
        framed(b, empty, 0, 1, 0, "edge"),
        top_positions(b, x, 4, 1),
        top_positions(b, x, 1, 2),
        gather_nd(b, x, at),
        gather_nd(b, x, x),
        scatter_nd(b, at, x, (2,)),
        scatter_nd(b, at, x, (2, 3, 4)),
    ]
    assert all(isinstance(n.type, Unknown) for n in wrong)
    assert len(b.reports) == len(wrong)
    assert all(r.place is b.place for r in b.reports)


def test_a_position_outside_of_one_axis_is_noticed_even_where_the_flat_one_is_inside() -> None:
    b = builder()
    table, at = inputs(b, (t(4, 5), t(1, 2, dtype=I64)))
    machine = Machine(compile_graph(b.graph({"y": gather_nd(b, table, at)})))
    with pytest.raises(InputError, match="index 5 is outside"):
        machine.run({"x0": np.zeros((4, 5)), "x1": np.array([[0, 5]])})
