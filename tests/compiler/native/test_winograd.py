"""Compiled convolutions by Winograd's products are the definition in f64, but for the rounding of f32."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.native.function import Machinery
from axonc.compiler.native.winograd import Winograd, WinogradWeights, pays, weights_type
from axonc.compiler.native.winograd_weight import WinogradWeight
from axonc.compiler.ops.convolution import Conv, ConvWeight
from axonc.compiler.schedule.kernel import Window

from .compiled import Memory, call, library, machinery, needs_compiler, printed, window

pytestmark = needs_compiler

N = dims.name("N")
PARTS = ((0.0, 1.0), (0.0, 0.3, 0.5, 1.0))
SMALL = Machinery(8, 16, 8 << 10, 64 << 10)  # a second cache that holds few tiles


def interpolated(points: list[Fraction]) -> np.ndarray:
    """G of Toom and Cook: values of w0 + w1 x + w2 x² at points, divided by what the others give, and at infinity."""
    rows = []
    for i, p in enumerate(points):
        others = [p - q for j, q in enumerate(points) if j != i]
        rows.append([p**k / Fraction(np.prod(others)) for k in range(3)])
    return np.array([*rows, [0, 0, 1]], float)


G = interpolated([Fraction(n, 4) for n in (0, 3, -3, 6, -6)])


class Case(NamedTuple):
    """A convolution of 3 by 3: its sizes, and how data and results lie."""

    high: int
    wide: int
    channels: int
    results: int
    gap: int = 0  # elements between pixels
    apart: int = 1  # from channel to channel

    @property
    def whole(self) -> tuple[int, int]:
        """The sides of the tiles that cover the results."""
        return -(-self.high // 4) * 4, -(-self.wide // 4) * 4

    def window(self, high: int, wide: int, channels: int, name: str) -> Window:
        shape: tuple[Size, ...] = (N, high, wide, channels)
        pixel = channels * self.apart + self.gap
        row = pixel * wide + self.gap
        return window(shape, (row * high + self.gap, row, pixel, self.apart), name=name)

    def framed(self) -> Window:
        high, wide = self.whole
        return self.window(high + 2, wide + 2, self.channels, "x")


CASES = [
    Case(8, 8, 16, 16),
    Case(4, 6, 32, 48),
    Case(14, 14, 16, 64, gap=3),
    Case(10, 4, 32, 32),
    Case(4, 36, 16, 16),
    Case(7, 5, 16, 32, apart=2),
    Case(4, 4, 64, 16),
    Case(1, 13, 16, 16),
]
MACHINES = pytest.mark.parametrize("m", [machinery(), Machinery(8, 16), SMALL], ids=["own", "lanes8", "small"])


@MACHINES
def test_thirty_six_products_give_what_a_hundred_and_forty_four_do(m: Machinery) -> None:
    windows = [
        (c.window(c.high, c.wide, c.results, "y"), c.framed(), made_window(c.channels, c.results, m)) for c in CASES
    ]
    functions = [printed(Winograd(m), (y,), (x, u)) for y, x, u in windows]
    lib, random = library(functions, m), np.random.default_rng(1)
    for case, f, own in zip(CASES, functions, windows, strict=True):
        out, data, weights = (Memory(w, {"N": 3}) for w in own)
        w = random.standard_normal((3, 3, case.channels, case.results))
        data.array[...] = random.standard_normal(data.array.shape)
        weights.array[:, :, : case.channels] = transformed(w, weights.array.shape)
        seen = data.array[:, : case.high + 2, : case.wide + 2].astype(float)
        wanted = Conv((1, 1), ((0, 0), (0, 0)), (1, 1), 1).eval(np, seen, w)
        outside, results = out.outside(), []
        for parts in PARTS:
            out.array[...] = np.nan
            call(lib, f, [out, data, weights], {"N": 3}, parts)
            results.append(out.array.copy())
        assert np.abs(results[0] - wanted).max() < 2e-6 * np.abs(wanted).max(), case
        assert np.array_equal(*results), case
        assert out.outside() == outside, case


@MACHINES
@pytest.mark.parametrize("accumulate", [False, True])
def test_weights_are_found_by_thirty_six_products(m: Machinery, accumulate: bool) -> None:
    windows = [
        (
            window((3, 3, c.channels, c.results), name="w"),
            c.framed(),
            c.window(*c.whole, c.results, "y"),
        )
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
            assert np.abs(results[0] - wanted).max() <= 3e-6 * np.abs(wanted).max(), (case, count)
            assert np.array_equal(*results), case
            assert weights.outside() == outside, case


def test_weights_are_transformed_whatever_their_strides() -> None:
    m = machinery()
    out = made_window(32, 16, m)
    given = [window((3, 3, 32, 16), name="w"), window((3, 3, 32, 16), (1536, 512, 1, 32), name="w")]
    functions = [printed(WinogradWeights(m), (out,), (w,)) for w in given]
    lib = library(functions, m)
    for f, w in zip(functions, given, strict=True):
        target, weights = Memory(out), Memory(w)
        weights.array[...] = np.random.default_rng(2).standard_normal((3, 3, 32, 16))
        outside = target.outside()
        call(lib, f, [target, weights], {}, (0, 0.4, 1))
        wanted = transformed(weights.array.astype(float), target.array.shape)
        np.testing.assert_allclose(target.array[:, :, :32], wanted, 1e-6, 1e-6)
        assert target.outside() == outside


def made_window(channels: int, results: int, m: Machinery) -> Window:
    """Where transformed weights go, which do not fill it."""
    return window(weights_type(channels, results, m).shape, name="u")


def transformed(w: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """G w Gᵀ over the first two axes, as [panel, place, channel, result of the panel]."""
    (panels, places, _, width), channels = shape, w.shape[2]
    made = np.einsum("ia,jb,abck->ijck", G, G, w).reshape(places, channels, panels, width)
    return made.transpose(2, 0, 1, 3)


def test_it_pays_for_whole_vectors_of_channels_and_images_of_some_size() -> None:
    m = Machinery()

    def judged(high: int, wide: Size, channels: int, results: int, kernel: int = 3) -> bool:
        y, w = window((N, high, wide, results)), window((kernel, kernel, channels, results))
        return pays(y, w, m)

    assert judged(8, 8, 16, 64)
    assert judged(7, 7, 64, 64)
    assert not judged(1, 1, 64, 64)
    assert judged(8, 1024, 32, 64)
    assert not judged(8, 1024, 256, 64)  # a row of tiles would not fit on the stack
    assert not judged(8, N, 16, 64)
    assert not judged(8, 8, 3, 64)
    assert not judged(8, 8, 16, 10)
    assert not judged(8, 8, 16, 64, kernel=1)
