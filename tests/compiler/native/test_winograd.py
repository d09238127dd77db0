"""Compiled convolutions by Winograd's products are the definition in f64, but for the rounding of f32."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.native.function import Machinery
from axonc.compiler.native.winograd import Winograd, WinogradWeights, pays
from axonc.compiler.native.winograd_weight import WinogradWeight
from axonc.compiler.ops.convolution import Conv, ConvWeight
from axonc.compiler.schedule.kernel import Window

from .compiled import Memory, call, library, machinery, needs_compiler, printed, window

pytestmark = needs_compiler

N = dims.name("N")
PARTS = ((0.0, 1.0), (0.0, 0.3, 0.5, 1.0))
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


class Case(NamedTuple):
    """A convolution of 3 by 3: its sizes, and how data and results lie."""

    high: int
    wide: int
    channels: int
    results: int
    gap: int = 0  # elements between pixels
    apart: int = 1  # from channel to channel

    def window(self, frame: int, channels: int, name: str) -> Window:
        shape: tuple[Size, ...] = (N, self.high + frame, self.wide + frame, channels)
        pixel = channels * self.apart + self.gap
        row = pixel * shape[2] + self.gap
        return window(shape, (row * shape[1] + self.gap, row, pixel, self.apart), name=name)


CASES = [
    Case(8, 8, 16, 16),
    Case(4, 6, 32, 48),
    Case(14, 14, 16, 64, gap=3),
    Case(10, 4, 32, 32),
    Case(4, 36, 16, 16),
    Case(4, 4, 16, 32, apart=2),
]


@pytest.mark.parametrize("m", [machinery(), Machinery(8, 16)], ids=lambda m: f"lanes{m.lanes}")
def test_sixteen_products_give_what_thirty_six_do(m: Machinery) -> None:
    windows = [
        (c.window(0, c.results, "y"), c.window(2, c.channels, "x"), window((4, 4, c.channels, c.results), name="u"))
        for c in CASES
    ]
    functions = [printed(Winograd(m), (y,), (x, u)) for y, x, u in windows]
    lib, random = library(functions, m), np.random.default_rng(1)
    for case, f, own in zip(CASES, functions, windows, strict=True):
        out, data, weights = (Memory(w, {"N": 3}) for w in own)
        w = random.standard_normal((3, 3, case.channels, case.results))
        data.array[...] = random.standard_normal(data.array.shape)
        weights.array[...] = transformed(w)
        wanted = Conv((1, 1), ((0, 0), (0, 0)), (1, 1), 1).eval(np, data.array.astype(float), w)
        outside, results = out.outside(), []
        for parts in PARTS:
            out.array[...] = np.nan
            call(lib, f, [out, data, weights], {"N": 3}, parts)
            results.append(out.array.copy())
        assert np.abs(results[0] - wanted).max() < 2e-6 * np.abs(wanted).max(), case
        assert np.array_equal(*results), case
        assert out.outside() == outside, case


@pytest.mark.parametrize("m", [machinery(), Machinery(8, 16)], ids=lambda m: f"lanes{m.lanes}")
@pytest.mark.parametrize("accumulate", [False, True])
def test_weights_are_found_by_sixteen_products(m: Machinery, accumulate: bool) -> None:
    windows = [
        (window((3, 3, c.channels, c.results), name="w"), c.window(2, c.channels, "x"), c.window(0, c.results, "y"))
        for c in CASES
    ]
    functions = [printed(WinogradWeight(m, accumulate), (w,), (x, y)) for w, x, y in windows]
    lib, random = library(functions, m), np.random.default_rng(1)
    for case, f, own in zip(CASES, functions, windows, strict=True):
        for count in (0, 1, 6):
            weights, data, flow = (Memory(w, {"N": max(count, 1)}) for w in own)
            for memory in (data, flow):
                memory.array[...] = random.standard_normal(memory.array.shape)
            arrays = (memory.array[:count].astype(float) for memory in (data, flow))
            settings = (1, 1), ((0, 0), (0, 0)), (1, 1), 1, (3, 3)
            wanted = ConvWeight(*settings).eval(np, *arrays) + (2.0 if accumulate else 0.0)
            outside, results = weights.outside(), []
            for parts in PARTS:
                weights.array[...] = 2
                call(lib, f, [weights, data, flow], {"N": count}, parts)
                results.append(weights.array.copy())
            assert np.abs(results[0] - wanted).max() <= 2e-6 * np.abs(wanted).max(), (case, count)
            assert np.array_equal(*results), case
            assert weights.outside() == outside, case


def test_weights_are_transformed_whatever_their_strides() -> None:
    m = machinery()
    out = window((4, 4, 32, 16), name="u")
    given = [window((3, 3, 32, 16), name="w"), window((3, 3, 32, 16), (1536, 512, 1, 32), name="w")]
    functions = [printed(WinogradWeights(m), (out,), (w,)) for w in given]
    lib = library(functions, m)
    for f, w in zip(functions, given, strict=True):
        target, weights = Memory(out), Memory(w)
        weights.array[...] = np.random.default_rng(2).standard_normal((3, 3, 32, 16))
        outside = target.outside()
        call(lib, f, [target, weights], {}, (0, 0.4, 1))
        np.testing.assert_allclose(target.array, transformed(weights.array.astype(float)), 1e-6, 1e-6)
        assert target.outside() == outside


def transformed(w: np.ndarray) -> np.ndarray:
    """G w Gᵀ over the first two axes."""
    return np.einsum("ia,jb,abck->ijck", G, G, w)


def test_it_pays_for_whole_vectors_of_channels_and_even_images() -> None:
    m = Machinery()

    def judged(high: int, wide: Size, channels: int, results: int, kernel: int = 3) -> bool:
        y, w = window((N, high, wide, results)), window((kernel, kernel, channels, results))
        return pays(y, w, m)

    assert judged(8, 8, 16, 64)
    assert not judged(7, 8, 16, 64)
    assert not judged(8, N, 16, 64)
    assert not judged(8, 8, 3, 64)
    assert not judged(8, 8, 16, 10)
    assert not judged(8, 8, 16, 64, kernel=1)
