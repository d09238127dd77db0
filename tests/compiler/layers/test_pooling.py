"""Pools and transposed convolutions over one to three axes, against ONNX Runtime and NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from ..ops.oracles import first, kernels, last, run
from ..trace.specs import mistakes, types
from .models import head_of, output, real

SHAPES = {1: (2, 7, 3), 2: (2, 7, 6, 3), 3: (1, 4, 5, 6, 2)}
DATA = {rank: real(*shape, seed=rank) for rank, shape in SHAPES.items()}


@pytest.mark.parametrize("rank", DATA)
@pytest.mark.parametrize("ceil", [0, 1])
def test_pools_slide_over_one_to_three_axes(rank: int, ceil: int) -> None:
    x, flag = DATA[rank], ["false", "true"][ceil]
    how = {"kernel_shape": [3] * rank, "strides": [2] * rank, "ceil_mode": ceil}
    found = output(f"max_pool{rank}d(x, 3, stride = 2, ceil = {flag})", x=x)
    np.testing.assert_array_equal(found, last(run("MaxPool", first(x), **how)))
    found = output(f"average_pool{rank}d(x, 3, stride = 2, ceil = {flag})", x=x)
    np.testing.assert_allclose(found, last(run("AveragePool", first(x), **how)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1])
def test_padding_counts_in_an_average_if_it_is_asked_for(count: int) -> None:
    how = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": count}
    flag = ["false", "true"][count]
    found = output(f"average_pool2d(x, 3, stride = 2, padding = 1, count_padding = {flag})", x=DATA[2])
    np.testing.assert_allclose(found, last(run("AveragePool", first(DATA[2]), **how)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rank", DATA)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_an_adaptive_pool_has_the_size_it_was_asked_for(rank: int, size: int) -> None:
    x = DATA[rank]
    for word, function in (("average", np.mean), ("max", np.max)):
        wanted = x
        for axis in range(1, rank + 1):
            n = x.shape[axis]
            bounds = [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]
            rows = [function(wanted.take(range(*b), axis), axis, keepdims=True) for b in bounds]
            wanted = np.concatenate(rows, axis)
        found = output(f"adaptive_{word}_pool{rank}d(x, {size})", x=x)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_multiple_of_the_parts_may_be_free() -> None:
    head = "axonc 1\ninput x: f32[N, 2 * H, 4 * W, 3]\n"
    assert types("y = adaptive_average_pool2d(x, [2, 4])", head) == {"y": "f32[N, 2, 4, 3]"}
    assert mistakes("y = adaptive_average_pool2d(x, 4)", head) == [("not-known-when-compiling", 1, 32)]


@pytest.mark.parametrize("rank", DATA)
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions_have_groups_dilation_and_output_padding(rank: int, groups: int) -> None:
    shape = (*SHAPES[rank][:-1], 4)
    x, w = real(*shape), real(*[2] * rank, 4, 6 // groups, seed=5)
    body = f"conv{rank}d_transpose(x, 6, 2, stride = 3, padding = 1, dilation = 2, output_padding = 1"
    wanted = run(
        "ConvTranspose",
        first(x),
        np.ascontiguousarray(np.moveaxis(w, (-2, -1), (0, 1))),
        strides=[3] * rank,
        pads=[1] * (2 * rank),
        dilations=[2] * rank,
        output_padding=[1] * rank,
        group=groups,
    )
    values = {f"conv{rank}d_transpose.weight": w}
    found = output(f"{body}, groups = {groups}, bias = false)", values, x=x)
    np.testing.assert_allclose(found, last(wanted), rtol=1e-4, atol=1e-5)


def test_a_separable_convolution_is_two_convolutions() -> None:
    x, deep, wide = DATA[2], real(3, 3, 1, 6, seed=1), real(1, 1, 6, 4, seed=2)
    values = {"separable_conv2d.depthwise": deep, "separable_conv2d.weight": wide}
    found = output("separable_conv2d(x, 4, 3, multiplier = 2, bias = false)", values, x=x)
    middle = run("Conv", first(x), kernels(deep), pads=[1] * 4, group=3)
    np.testing.assert_allclose(found, last(run("Conv", middle, kernels(wide))), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ("y = max_pool1d(x, 2)", ("wrong-kind", 1, 5)),
        ("y = max_pool2d(x, [2, 2, 2])", ("wrong-kind", 1, 19)),
        ("y = max_pool2d(x, 8)", ("shape-mismatch", 1, 5)),
        ("y = adaptive_max_pool2d(x, 0)", ("wrong-kind", 1, 28)),
        ("y = conv1d_transpose(x, 2, 3)", ("wrong-kind", 1, 5)),
        ("y = conv2d_transpose(x, 2, 3, output_padding = 1)", ("wrong-kind", 1, 48)),
        ("y = conv2d_transpose(x, 2, 3, padding = 0, output_padding = [1, 2, 3])", ("wrong-kind", 1, 61)),
        ("y = conv2d_transpose(x, 2, 3, groups = 2)", ("bad-index", 1, 40)),
    ],
)
def test_a_mistake_stands_where_it_was_made(body: str, mistake: tuple[str, int, int]) -> None:
    assert mistakes(body, head_of({"x": DATA[2]})) == [mistake]
