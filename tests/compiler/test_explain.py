"""Plans explained: costs counted by hand, whatever loops the schedule makes; every value lies in the arena."""

import pytest
from axonc.compiler.explain import Explanation, explain
from axonc.compiler.pipeline import Target, compile_stages
from axonc.specification import check

CONVOLUTIONS = """axonc 1
model m
input image: f32[N, 12, 12, 2]
input y: i64[N]
h = image |> conv2d(4, 3) |> relu |> conv2d(8, 3, stride = 2) |> relu |> max_pool2d(2) |> flatten
logits = h |> dense(3)
loss cross_entropy(logits, y)
"""
RECURRENT = """axonc 1
model m
input x: f32[N, 9, 4]
input y: f32[N, 5]
block cell(x, h) {
  weight W: f32[last(x) + last(h), last(h)]
  tanh(concat(x, h) @ W)
}
h = scan step in x with h = zeros(size(x, 0), 5) {
  h = cell(step, h)
}
loss mse(h[:, -1], y)
"""


def explained(text: str, rows: int, **target: int) -> Explanation:
    specification = check(text)
    stages = compile_stages(specification.phases.train, rows=rows, target=Target(**target))
    return explain(stages, specification.ranges, rows=rows, update=specification.training.place)


def forward_products(found: Explanation, sign: str) -> int:
    """The operations of all forward products; a product with bias fused would count more."""
    return sum(s.flops for s in found.of("forward") if f" {sign} " in s.formulas[0] and "weight" in s.formulas[0])


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("sweep", [1 << 14, 1 << 30])
def test_convolutions_cost_what_they_cost_in_one_go_or_in_stretches(rows, sweep):
    found = explained(CONVOLUTIONS, rows, sweep=sweep)
    wanted = 2 * rows * (12 * 12 * 9 * 2 * 4 + 6 * 6 * 9 * 4 * 8)
    assert forward_products(found, "*") == wanted


def test_small_caches_make_loops_that_cover_every_sample_with_a_shorter_last_turn():
    found = explained(CONVOLUTIONS, 1000, sweep=1 << 16)
    turns = {s.turns for s in found.steps if s.loop}
    assert turns
    assert max(turns) > 1


def test_each_turn_of_a_scan_counts_wherever_its_products_are_computed():
    found = explained(RECURRENT, 6)
    products = [s for s in found.of("forward") if "@" in s.formulas[0]]
    assert sum(s.flops for s in products) == 2 * 6 * 9 * (4 + 5) * 5
    assert max(s.turns for s in products) == 9


@pytest.mark.parametrize("text", [CONVOLUTIONS, RECURRENT])
def test_every_value_lies_in_the_arena_and_every_step_reads_what_there_is(text):
    found = explained(text, 5)
    numbers = {s.number for s in found.steps}
    assert numbers == set(range(1, len(numbers) + 1))
    for step in found.steps:
        assert set(step.reads) <= numbers
        for value in step.results:
            assert value.offset is None or 0 <= value.offset <= value.offset + value.bytes <= found.arena


def test_named_memory_is_weights_and_what_the_optimizer_remembers():
    weights = 3 * 3 * 2 * 4 + 4 + 3 * 3 * 4 * 8 + 8 + 3 * 3 * 8 * 3 + 3
    adam = CONVOLUTIONS + "train { optimizer adam(1e-3) }\n"
    assert explained(CONVOLUTIONS, 2).named == 4 * weights
    assert explained(adam, 2).named == 3 * 4 * weights


def test_each_weight_has_one_gradient_that_is_called_after_it():
    found = explained(CONVOLUTIONS, 2)
    names = [v.name for s in found.of("backward") for v in s.results if v.name.startswith("∂")]
    assert set(names) == {
        f"∂{layer}.{part}" for layer in ("conv2d", "conv2d_2", "dense") for part in ("weight", "bias")
    }
