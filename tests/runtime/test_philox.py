"""The generator gives the words of the definition, however the work is divided."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.compiler.ir.graph import CONTROL, Builder
from axonc.compiler.ir.types import F32, I64, U32, Tensor
from axonc.compiler.ops.random import Bernoulli, RandomBits, Uniform, stream_number
from axonc.compiler.pipeline import compile_graph
from axonc.runtime.machine import Machine
from axonc.runtime.philox import SCRATCH, Philox
from axonc.spec.source import Place, Source, Span

NOWHERE = Place(Span(Source("test", ""), 0, 0))
KEY, STEP = np.array([0xA4093822, 0x299F31D0], np.uint32), np.array((7 << 32) + 5, np.int64)


@pytest.mark.parametrize("sizes", [(1,), (7, 5), (4096 * 4,), (4096 * 4 + 1, 3), (100, 4096 * 8 + 2)])
def test_streams_are_the_same_together_alone_and_in_chunks(sizes: tuple[int, ...]) -> None:
    outs = [np.zeros(n, np.uint32) for n in sizes]
    names = [f"stream.{i}" for i in range(len(sizes))]
    scratch = np.zeros(SCRATCH * 4096, np.int64)
    Philox(outs, [stream_number(n) for n in names], scratch, KEY, STEP).fill()
    for out, name in zip(outs, names, strict=True):
        np.testing.assert_array_equal(out, RandomBits(name, out.shape).eval(np, KEY, STEP))


def test_the_short_draws_of_a_step_are_one_instruction() -> None:
    b = Builder(NOWHERE)
    key, step = b.input("key", CONTROL, Tensor(U32, (2,))), b.input("step", CONTROL, Tensor(I64, ()))
    ops = {"a": Uniform("a", (3, 4), F32), "b": Bernoulli("b", (5,), 0.5), "c": Uniform("c", (9,), F32)}
    plan = compile_graph(b.graph({name: b.add(op, key, step) for name, op in ops.items()}))
    assert [s.instruction for s in plan.walk()].count("random_bits") == 1
    found = Machine(plan).run({"key": KEY, "step": STEP})
    for name, op in ops.items():
        np.testing.assert_array_equal(found[name], op.eval(np, KEY, STEP))
