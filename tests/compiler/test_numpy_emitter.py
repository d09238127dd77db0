"""What NumPy is asked for where the plain way is slow: long lines of short vectors, masks without branches."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.graph import DATA, Builder
from axonc.compiler.ir.types import BOOL, F32, Tensor
from axonc.compiler.ops.elementwise import Add, Where
from axonc.compiler.ops.unary import Exp
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import Machine

from .graphs import NOWHERE

N = dims.name("N")
SHAPES: list[tuple[tuple[Size, ...], tuple[int, ...] | None]] = [
    ((N, 4, 24, 32), (24, 32)),
    ((N, 4, 5, 32), (4, 5, 32)),
    ((N, 4, 24, 600), None),  # long by itself
    ((N, 3), None),  # a line has a length of its own
    ((2, 3, 4), None),  # nothing is left to repeat it for
]


@pytest.mark.parametrize(("shape", "line"), SHAPES)
def test_a_short_vector_is_repeated_where_that_makes_a_longer_line(
    shape: tuple[Size, ...], line: tuple[int, ...] | None
) -> None:
    b = Builder(NOWHERE)
    x, bias = b.input("x", DATA, Tensor(F32, shape)), b.input("bias", DATA, Tensor(F32, shape[-1:]))
    machine = Machine(compile_graph(b.graph({"out": b.add(Add(), x, bias)}), rows=3))
    lines = [step.writes[0].shape for step in machine.plan.walk() if step.instruction == "copy"]
    assert lines == ([line] if line else [])
    random = np.random.default_rng(0)
    given = random.standard_normal([dims.substitute(n, {"N": 2}) for n in shape]).astype("f4")
    vector = random.standard_normal(shape[-1:]).astype("f4")  # type: ignore[arg-type]
    found = machine.run({"x": given, "bias": vector}, None if shape[0] == 2 else 2)["out"]
    np.testing.assert_array_equal(found, given + vector)


@pytest.mark.parametrize("again", [False, True])
def test_a_mask_that_repeats_leaves_alone_what_is_read_again(again: bool) -> None:
    b = Builder(NOWHERE)
    x, seen = b.input("x", DATA, Tensor(F32, (N, 4, 4))), b.input("seen", DATA, Tensor(BOOL, (4, 4)))
    base = b.add(Exp(), x)
    chosen = b.add(Where(), seen, base, b.literal(-1e9, F32))
    results = {"chosen": chosen} | ({"base": base} if again else {})
    machine = Machine(compile_graph(b.graph(results), rows=3))
    assert "mask" in {step.instruction for step in machine.plan.walk()}
    given, truths = np.random.default_rng(0).standard_normal((3, 4, 4)).astype("f4"), np.tri(4, dtype=bool)
    found = machine.run({"x": given, "seen": truths})
    np.testing.assert_array_equal(found["chosen"], np.where(truths, np.exp(given), np.float32(-1e9)))
    if again:
        np.testing.assert_array_equal(found["base"], np.exp(given))
