"""Convolutions compiled in every way there is (grouped, depthwise, by rows, by stretches of the batch) are right."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from axonc.compiler.emit import convolution
from axonc.compiler.ir import dims
from axonc.compiler.ir.graph import DATA, Builder
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import F64, Shape, Tensor
from axonc.compiler.ops.convolution import Conv, ConvInput, ConvWeight
from axonc.compiler.pipeline import Target, compile_graph
from axonc.runtime.machine import Machine

from .graphs import NOWHERE

N, ROWS, SIZES = dims.name("N"), 5, (7, 6)
KERNELS = [(3, 3), (1, 1), (2, 3)]
STRIDES = [(1, 1), (2, 2), (2, 1)]
PADDINGS: list[Any] = [((1, 1), (1, 1)), ((0, 0), (0, 1)), ((2, 1), (0, 0))]
DILATIONS = [(1, 1), (2, 1)]
CHANNELS = {
    "plain": (2, 3, 1),
    "one channel": (1, 3, 1),
    "grouped": (4, 6, 2),
    "depthwise": (3, 3, 3),
    "depthwise, two each": (3, 6, 3),
}
WAYS = {"whole": (Target(), 4 << 20), "swept": (Target(sweep=3000), 4 << 20), "by rows": (Target(), 400)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_convolutions_and_their_gradients_are_those_of_the_definition(
    way: str, channels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, largest = WAYS[way]
    monkeypatch.setattr(convolution, "LARGEST", largest)
    c, k, groups = CHANNELS[channels]
    for kernel, stride, padding, dilation in product(KERNELS, STRIDES, PADDINGS, DILATIONS):
        settings = (stride, padding, dilation, groups)
        found = Conv(*settings).windows(SIZES, kernel)
        x, y, w = (N, *SIZES, c), (N, *found, k), (*kernel, c // groups, k)
        if any(isinstance(n, int) and n < 1 for n in found):
            continue
        assert_right(Conv(*settings), (x, w), target)
        assert_right(ConvInput(*settings, SIZES), (y, w), target)
        assert_right(ConvWeight(*settings, kernel), (x, y), target)


def assert_right(op: Op, shapes: tuple[Shape, Shape], target: Target) -> None:
    b = Builder(NOWHERE)
    node = b.add(op, *(b.input(name, DATA, Tensor(F64, shape)) for name, shape in zip("ab", shapes, strict=True)))
    machine = Machine(compile_graph(b.graph({"out": node}), rows=ROWS, target=target))
    random = np.random.default_rng(0)
    for count in (ROWS, 1):
        arrays = [random.standard_normal([dims.substitute(n, {"N": count}) for n in shape]) for shape in shapes]
        wanted = op.eval(np, *arrays)
        found = machine.run(dict(zip("ab", arrays, strict=True)), count)["out"]
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11, err_msg=str(op))
