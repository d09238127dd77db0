"""Rules of reductions, on every way in which axes can be joined, split, stretched and scaled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from axonc.compiler.ir.graph import DATA, Builder, Graph, Node
from axonc.compiler.ir.types import F64, Tensor
from axonc.compiler.ir.verify import verify
from axonc.compiler.ops.elementwise import Add, Div, Mul, Sub
from axonc.compiler.ops.layout import Reshape
from axonc.compiler.ops.reduce import Mean, Prod, ReduceMax, Sum
from axonc.compiler.passes.fold import fold
from axonc.compiler.passes.sequence import run
from axonc.compiler.passes.simplify import simplify
from hypothesis import given, settings
from hypothesis import strategies as st

from ..graphs import NOWHERE, N, assert_same_meaning

Draw = Callable[[st.SearchStrategy[Any]], Any]


def axes(rank: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(0, rank - 1), unique=True, max_size=rank).map(tuple) if rank else st.just(())


def assert_kept(b: Builder, **results: Node) -> Graph:
    graph = b.graph(results)
    after = run(graph, [simplify, fold, simplify])
    verify(after)
    assert_same_meaning(graph, after)
    return after


@settings(deadline=None)
@given(st.data())
def test_a_reduction_of_what_was_reshaped(data: st.DataObject) -> None:
    factors = data.draw(st.lists(st.sampled_from([1, 2, 3, N]), min_size=1, max_size=5))

    def joined() -> tuple[Any, ...]:
        """The factors, some neighbours of them joined to one axis."""
        shape: list[Any] = [factors[0]]
        for factor in factors[1:]:
            if data.draw(st.booleans()):
                shape[-1] = shape[-1] * factor
            else:
                shape.append(factor)
        return tuple(shape)

    b = Builder(NOWHERE)
    b.input("n", DATA, Tensor(F64, (N,)))
    x = b.input("x", DATA, Tensor(F64, tuple(factors)))
    y = b.add(Reshape(joined()), b.add(Reshape(joined()), x))
    kind = data.draw(st.sampled_from([Sum, Mean, ReduceMax, Prod]))
    assert_kept(b, y=b.add(kind(data.draw(axes(len(y.shape))), data.draw(st.booleans())), y))


@settings(deadline=None)
@given(st.data())
def test_a_sum_of_what_was_scaled_or_centred(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.sampled_from([1, 2, 3, N]), min_size=1, max_size=4)))
    lead = data.draw(st.integers(0, len(shape)))
    small = tuple(data.draw(st.sampled_from([s, 1])) for s in shape[lead:])
    over, keep = data.draw(axes(len(shape))), data.draw(st.booleans())
    b = Builder(NOWHERE)
    b.input("n", DATA, Tensor(F64, (N,)))
    x, v = b.input("x", DATA, Tensor(F64, shape)), b.input("v", DATA, Tensor(F64, small))
    away = b.add(Sub(), x, b.add(Div(), b.add(Sum(over, True), x), b.literal(3.0, F64)))
    safe = b.add(Add(), b.add(Mul(), v, v), b.literal(1.0, F64))
    twice = b.add(Mul(), away, b.literal(2.0, F64))
    total = Sum(over, keep)
    scaled, divided = (b.add(total, b.add(op, twice, safe)) for op in (Mul(), Div()))
    assert_kept(b, scaled=scaled, divided=divided, turned=b.add(total, b.add(Mul(), safe, twice)))


def test_a_mean_taken_away_leaves_a_sum_of_nothing_along_its_own_axes_only() -> None:
    b = Builder(NOWHERE)
    x = b.input("x", DATA, Tensor(F64, (3, 3)))
    columns = b.add(Div(), b.add(Sum((0,)), x), b.literal(3.0, F64))
    rows = b.add(Div(), b.add(Sum((1,)), x), b.literal(3.0, F64))  # read along the wrong axis, as it may be here
    wrong = b.add(Div(), b.add(Sum((0,)), x), b.literal(2.0, F64))
    means = {"own": columns, "rows": rows, "wrong": wrong}
    results = {name: b.add(Sum((0,)), b.add(Sub(), x, mean)) for name, mean in means.items()}
    after = assert_kept(b, **results)
    left = {name: not any(isinstance(n.op, Sum) for n in (node, *node.inputs)) for name, node in after.results}
    assert left == {"own": True, "rows": False, "wrong": False}
    assert np.prod(after.result("own").shape) == 3
