"""Compiling takes time in proportion to the depth of a model: from the text to the plan of a training step."""

from __future__ import annotations

import gc
import time

import pytest
from axonc.compiler.pipeline import compile_graph
from axonc.specification import check

FRAME = """axonc 1
model deep(depth = 1)
input x: f32[N, {shape}]
input label: i64[N]
repeat depth {{ {body} }}
loss cross_entropy(x |> flatten |> dense(10), label)
train {{ optimizer adam(1e-3) }}
"""

# A body for each way in which values depend on each other, and a depth that takes about a fifth of a second.
MODELS = {
    "layers": ("32", "x = x |> dense(32) |> relu", 100),
    "residual": ("32", "x = x + (x |> layer_norm |> dense(32) |> gelu)", 20),
    "concatenation": ("32", "x = concat(x, x |> dense(8) |> relu)", 50),
    "convolutions": ("16, 16, 8", "x = x |> conv2d(8, 3, bias = false) |> batch_norm |> relu", 12),
    "attention": ("12, 16", "x = x + (x |> layer_norm |> self_attention(4, causal = true))", 8),
    "scans": ("12, 16", "x = x |> lstm(16)", 6),
}
MOST = 2.2  # what twice the depth may take
TURNS = 5


@pytest.mark.parametrize("name", MODELS)
def test_twice_the_depth_takes_twice_the_time(name: str) -> None:
    """The least of several turns of each, in turn; a busy machine gets more turns before it is believed."""
    shape, body, depth = MODELS[name]
    text = FRAME.format(shape=shape, body=body)
    once, twice = [seconds(text, depth)], [seconds(text, 2 * depth)]  # the first reads the library
    for _ in range(TURNS):
        once.append(seconds(text, depth))
        twice.append(seconds(text, 2 * depth))
        if min(twice) <= MOST * min(once):
            return
    assert min(twice) <= MOST * min(once)


def seconds(text: str, depth: int) -> float:
    """Processor time from the text to the plan."""
    gc.collect()
    start = time.process_time()
    specification = check(text, overrides={"depth": depth})
    compile_graph(specification.phases.train, rows=32)
    return time.process_time() - start
