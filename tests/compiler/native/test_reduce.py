"""Reductions across rows of every width: of few elements, several rows of which are combined at once, and of many."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from axonc.backends import backend
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph
from axonc.compiler.ir.types import BOOL, F16, F32, F64, I64, U8, DType, Tensor
from axonc.compiler.ops.reduce import All, Any, Prod, ReduceMax, ReduceMin, Reduction, Sum
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import Machine

from ..graphs import NOWHERE
from .compiled import DTYPES, needs_compiler

pytestmark = needs_compiler

WIDTHS = (1, 2, 3, 16, 32, 60, 64, 65, 128, 200)
LAWS = (Sum, Prod, ReduceMax, ReduceMin, Any, All)
ROWS = 30  # samples at most, of three rows each
COUNTS = (1, 2, 5, 11, 16, ROWS)  # as many rows as are combined at once, and more or fewer


def taken(law: type[Reduction]) -> tuple[DType, ...]:
    if law in (Any, All):
        return (BOOL,)
    return (F32, F64, I64, U8) if law in (ReduceMax, ReduceMin) else (F32, F64, F16, I64)


@cache
def graph() -> Graph:
    b = Builder(NOWHERE)
    results = {}
    for law in LAWS:
        for dtype in taken(law):
            for width in WIDTHS:
                name = f"{law.word}.{dtype}.{width}"
                x = b.input(name, DATA, Tensor(dtype, (dims.name("N"), 3, width)))
                results[name] = b.add(law((0, 1)), x)
    return b.graph(results)


@cache
def machine(threads: int) -> Machine:
    native = backend("native", threads=threads)
    assert native.name == "native", native.note
    return native.machine(compile_graph(graph(), rows=ROWS, target=native.target), {})


def given(count: int) -> dict[str, np.ndarray]:
    """Small whole numbers, so that every order of adding them gives the same, and products that do not grow."""
    draw = np.random.default_rng(count)
    arrays = {}
    for node in graph().inputs:
        word, dtype, width = node.name.split(".")
        values = draw.integers(0, 3, (count, 3, int(width)))
        if word == "prod":
            values = np.where(draw.random(values.shape) < 0.9, 1, values)
        arrays[node.name] = values.astype(DTYPES[dtype])
    return arrays


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", COUNTS)
def test_rows_are_combined_as_by_definition(count: int, threads: int) -> None:
    inputs = given(count)
    found, wanted = machine(threads).run(inputs, count), evaluate(graph(), inputs)
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize("count", COUNTS)
def test_what_is_no_number_is_seen_in_every_row(count: int) -> None:
    inputs = given(count)
    draw = np.random.default_rng(0)
    for name, array in inputs.items():
        if array.dtype.kind == "f" and not name.startswith("prod"):
            array[draw.random(array.shape) < 0.05] = np.nan
    found, wanted = machine(1).run(inputs, count), evaluate(graph(), inputs)
    assert any(np.isnan(value).any() for value in wanted.values() if value.dtype.kind == "f")
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
