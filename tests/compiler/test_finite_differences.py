"""Finite differences in f64: right gradients pass, each kind of wrong one is found."""

import numpy as np
import pytest
from axonc.compiler.finite_differences import Agreement, agreements, controls, random_data
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.types import F32
from axonc.compiler.passes.precision import in_double
from axonc.program import Program
from axonc.specification import check

SPEC = """axonc 1
model m
input x: f32[N, 5]
input y: i64[N]
h = x |> dense(4, activation = tanh) |> dropout(0.5)
logits = h |> dense(3)
loss cross_entropy(logits, y)
loss small = 0.1 * mean(h ** 2)
"""


@pytest.fixture
def prepared():
    program = Program(check(SPEC), seed=1)
    phases = program.specification.phases
    data = random_data(phases.gradients, {"N": 3}, {"y": 3})
    weights = program.parameters
    flat = {r.name: np.concatenate([weights[p.name].reshape(-1) for p in r.pieces]) for r in phases.ranges}
    return phases, {**data, **flat, **controls(phases.gradients)}


def test_the_graph_in_double_holds_no_single_and_computes_the_same(prepared):
    phases, inputs = prepared
    wide = in_double(phases.gradients)
    assert all(t.dtype is not F32 for n in wide.nodes for t in n.types)
    single, double = evaluate(phases.gradients, inputs), evaluate(wide, inputs)
    assert single.keys() == double.keys()
    for name, value in double.items():
        assert value.dtype == np.float64
        np.testing.assert_allclose(single[name], value, rtol=1e-4, atol=1e-6)


def test_right_gradients_agree_far_better_than_single_precision_could_show(prepared):
    phases, inputs = prepared
    found = list(agreements(phases, inputs))
    assert [a.parameter for a in found] == ["dense.weight", "dense.bias", "dense_2.weight", "dense_2.bias"]
    assert max(a.error for a in found) < 1e-6


def test_the_derivative_is_that_of_the_same_mask_of_dropout(prepared):
    phases, inputs = prepared
    one, other = (list(agreements(phases, {**inputs, "key": np.array([k, 0], np.uint32)})) for k in (1, 2))
    assert all(a.agrees for a in (*one, *other))
    assert one[0].derivative != other[0].derivative


@pytest.mark.parametrize(
    ("derivative", "difference", "agrees"),
    [(1.0, 1.0 + 1e-7, True), (1.0, 1.001, False), (1.0, -1.0, False), (0.0, 1e-12, True), (0.0, 1e-3, False)],
)
def test_the_verdict_is_relative_and_nothing_equals_nothing(derivative, difference, agrees):
    assert Agreement("w", 1, derivative, difference).agrees is agrees
