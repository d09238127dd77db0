"""What a run takes is what its plan says: the arena, and little beside it."""

import tracemalloc

import axonc
import numpy as np
import pytest
from axonc.runtime.machine import Machine

LAYERS = {
    "dense": ((784,), "x |> dense(512, activation = relu) |> dense(256, activation = relu)"),
    "convolution": ((28, 28, 1), "x |> conv2d(32, 3) |> max_pool2d(2) |> relu |> conv2d(64, 3) |> relu |> flatten"),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_machine_and_its_first_run_take_the_arena_and_little_more(kind):
    shape, layers = LAYERS[kind]
    spec = f"""axonc 1
model m
input x: f32[N, {", ".join(map(str, shape))}]
input y: i64[N]
z = {layers} |> dense(10)
loss cross_entropy(z, y)
train {{ optimizer adam(1e-3) }}
"""
    program = axonc.compile(spec)
    program.train_step({"x": np.zeros((64, *shape), np.float32), "y": np.zeros(64, np.int64)})
    (route,) = program._routes.values()
    plan = route.machine.plan
    tracemalloc.start()
    try:
        machine = Machine(plan, route.machine.memory)
        machine.step(64)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert plan.arena <= peak <= 1.05 * plan.arena + 256 * 1024
