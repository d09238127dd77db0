"""Compiled pools are their operations' definitions, ties and NaN included, and may be divided anyhow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.types import F32, F64, DType
from axonc.compiler.native.function import Function, Machinery
from axonc.compiler.native.pool import AveragePool, AveragePoolInput, MaxPool, MaxPoolInput, MaxPoolPick
from axonc.compiler.ops import pool as ops
from axonc.compiler.schedule.kernel import Window
from hypothesis import given, settings
from hypothesis import strategies as st

from .compiled import Form, Memory, call, library, machinery, needs_compiler, printed, window

pytestmark = needs_compiler

N = dims.name("N")
PARTS = ((0.0, 1.0), (0.0, 0.3, 0.5, 1.0))


class Case(NamedTuple):
    """A pool: its settings, and how its operands lie."""

    space: tuple[int, ...] = (6, 8)
    size: tuple[int, ...] = (2, 2)
    stride: tuple[int, ...] = (2, 2)
    padding: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    channels: int = 16
    images: int = 2
    unknown: bool = False  # whether only a run knows how many images there are
    gap: int = 0  # elements between pixels
    apart: int = 1  # from channel to channel
    dtype: DType = F32
    special: bool = False  # NaN and infinities among the data

    @property
    def settings(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[int, int], ...]]:
        return self.size, self.stride, self.padding

    def window(self, space: Sequence[int], name: str) -> Window:
        shape: tuple[Size, ...] = (N if self.unknown else self.images, *space, self.channels)
        strides: list[Size] = [self.apart]
        step = self.channels * self.apart + self.gap
        for n in reversed(space):
            strides.insert(0, step)
            step = step * n + 2 * self.gap
        return window(shape, (step, *strides), self.dtype, name)

    def data(self) -> np.ndarray:
        """Few different numbers, so that there are ties."""
        random = np.random.default_rng(5)
        shape = (self.images, *self.space, self.channels)
        x = random.integers(-3, 3, shape).astype(np.float64)
        if self.special:
            x = np.where(random.random(shape) < 0.1, np.nan, x)
            x = np.where(random.random(shape) < 0.6, -np.inf, x)
            x = np.where(random.random(shape) < 0.1, np.inf, x)
        return x


class Job(NamedTuple):
    """A form with its windows, the arrays to read, and what it must find there."""

    form: Form
    writes: Window
    reads: tuple[Window, ...]
    arrays: tuple[np.ndarray, ...]
    wanted: np.ndarray


def jobs(c: Case, m: Machinery) -> Iterator[Job]:
    """All five kernels of a pool."""
    random = np.random.default_rng(9)
    x, t = c.data(), random.standard_normal((c.images, *c.space, c.channels))
    y = ops.MaxPool(*c.settings).eval(np, x)
    g = random.standard_normal(y.shape)
    data, found = c.window(c.space, "x"), c.window(y.shape[1:-1], "y")
    other, flow, given_ = c.window(c.space, "t"), c.window(y.shape[1:-1], "g"), c.window(c.space, "dx")
    yield Job(MaxPool(*c.settings, m), found, (data,), (x,), y)
    wanted = ops.MaxPoolInput(*c.settings).eval(np, x, y, g)
    yield Job(MaxPoolInput(*c.settings, m), given_, (data, found, flow), (x, y, g), wanted)
    wanted = ops.MaxPoolPick(*c.settings).eval(np, x, y, t)
    yield Job(MaxPoolPick(*c.settings, m), flow, (data, found, other), (x, y, t), wanted)
    for count in (True, False):
        average = ops.AveragePool(*c.settings, count).eval(np, t)
        yield Job(AveragePool(*c.settings, count, m), found, (other,), (t,), average)
        back = ops.AveragePoolInput(*c.settings, count, c.space).eval(np, g)
        yield Job(AveragePoolInput(*c.settings, count, m), given_, (flow,), (g,), back)


def check(cases: Sequence[Case], m: Machinery) -> None:
    """All kernels of all cases, compiled together."""
    made = [(c, job) for c in cases for job in jobs(c, m)]
    functions = [printed(job.form, (job.writes,), job.reads) for _, job in made]
    lib = library(functions, m)
    for (case, job), f in zip(made, functions, strict=True):
        results = [run(lib, f, case, job, parts) for parts in PARTS]
        np.testing.assert_allclose(results[0], job.wanted, 1e-5, 1e-5, err_msg=f"{case} {job.form}")
        assert all(np.array_equal(r, results[0], equal_nan=True) for r in results), (case, job.form)


def run(lib: object, f: Function, case: Case, job: Job, parts: tuple[float, ...]) -> np.ndarray:
    counts = {"N": case.images}
    out, reads = Memory(job.writes, counts), [Memory(w, counts) for w in job.reads]
    for memory, values in zip(reads, job.arrays, strict=True):
        memory.array[...] = values
    outside = out.outside()
    call(lib, f, [out, *reads], counts, parts)  # type: ignore[arg-type]
    assert out.outside() == outside, (case, job.form)
    return np.array(out.array, np.float64)


CASES = [
    Case(),
    Case(space=(7, 9), channels=20, unknown=True),
    Case(size=(3, 3), padding=((1, 1), (1, 1)), channels=5, special=True),
    Case(size=(3, 2), stride=(1, 1), padding=((2, 1), (0, 1)), channels=33, gap=3, special=True),
    Case(size=(2, 2), stride=(3, 3), channels=16, special=True),
    Case(size=(6, 8), stride=(6, 8), channels=24),
    Case(space=(12,), size=(3,), stride=(2,), padding=((1, 2),), channels=7, unknown=True),
    Case(space=(4, 5, 6), size=(2, 3, 2), stride=(2, 1, 2), padding=((0, 0), (1, 1), (1, 0)), channels=8),
    Case(channels=6, apart=2, gap=1, padding=((1, 1), (1, 0)), special=True),
    Case(dtype=F64, channels=11, size=(3, 3), stride=(2, 2), padding=((1, 0), (1, 1)), special=True),
    Case(dtype=F64, channels=8),
]


def test_every_kind_of_pool_is_its_definition() -> None:
    check(CASES, machinery())


@pytest.mark.parametrize(("m", "cases"), [(Machinery(8, 16), CASES[1::2]), (Machinery(4, 16), CASES[2::4])])
def test_shorter_vectors_change_no_pool(m: Machinery, cases: list[Case]) -> None:
    check(cases, m)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rank = draw(st.integers(1, 3))
    size = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    stride = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    padding = tuple((draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in size)
    space = tuple(k + draw(st.integers(0, 6)) for k in size)
    channels, images = draw(st.sampled_from([1, 3, 16, 35])), draw(st.integers(1, 3))
    dtype, special = draw(st.sampled_from([F32, F64])), draw(st.booleans())
    return Case(space, size, stride, padding, channels, images, draw(st.booleans()), 0, 1, dtype, special)


@given(st.lists(cases(), min_size=3, max_size=3), st.sampled_from([machinery(), Machinery(8, 16)]))
@settings(max_examples=5, deadline=None)
def test_pools_drawn_at_random_are_their_definitions(drawn: list[Case], m: Machinery) -> None:
    check(drawn, m)
