"""Products are written as their readers want them to lie: heads of attention beside each other."""

from __future__ import annotations

import pytest
from axonc.compiler.ops.layout import Reshape
from axonc.compiler.pipeline import CUPY, NUMPY, Target, compile_stages
from axonc.compiler.schedule.kernel import Call, Library
from axonc.compiler.schedule.target import native
from axonc.specification import check

SPEC = """axonc 1
input x: f32[N, 24, 16]
input label: i64[N]
logits = x |> self_attention(4, causal = true) |> flatten |> dense(3)
loss cross_entropy(logits, label)
train { optimizer sgd(0.1) }
"""


def copies(target: Target) -> list[Call]:
    """What of a training step only moves elements."""
    schedule = compile_stages(check(SPEC).phases.train, rows=5, target=target).schedule
    return [c for c in schedule.calls() if isinstance(c.kernel.form, Library) and isinstance(c.kernel.form.op, Reshape)]


@pytest.mark.parametrize("target", [NUMPY, native()], ids=lambda t: t.name)
def test_heads_are_joined_without_copies(target: Target) -> None:
    assert copies(target) == []


def test_where_products_are_of_a_library_with_batches_heads_are_copied() -> None:
    assert copies(CUPY)
