"""Compiled convolutions are their operations' definitions in f64, touch nothing else, and may be divided anyhow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.types import F32, F64, DType
from axonc.compiler.native.convolution import Conv, ConvInput, input_frame
from axonc.compiler.native.convolution_weight import ConvWeight
from axonc.compiler.native.frame import Border, Flipped
from axonc.compiler.native.function import Function, Machinery
from axonc.compiler.ops import convolution as ops
from axonc.compiler.schedule.kernel import Window
from hypothesis import given, settings
from hypothesis import strategies as st

from .compiled import Form, Memory, call, library, machinery, needs_compiler, printed, window

pytestmark = needs_compiler

N = dims.name("N")
PARTS = ((0.0, 1.0), (0.0, 0.3, 0.5, 1.0))


class Case(NamedTuple):
    """A convolution: its settings, and how its operands lie."""

    size: tuple[int, ...] = (6, 7)
    kernel: tuple[int, ...] = (3, 3)
    channels: int = 3
    results: int = 16
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[tuple[int, int], ...] = ((1, 1), (1, 1))
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1
    images: int = 2
    unknown: bool = False  # whether only a run knows how many images there are
    gap: int = 0  # elements between pixels
    apart: int = 1  # from channel to channel
    dtype: DType = F32
    accumulate: bool = False

    @property
    def settings(self) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...], tuple[int, ...], int]:
        return self.stride, self.padding, self.dilation, self.groups

    @property
    def found(self) -> tuple[int, ...]:
        return ops.Conv(*self.settings).windows(self.size, self.kernel)  # type: ignore[return-value]

    @property
    def weights(self) -> tuple[int, ...]:
        return (*self.kernel, self.channels // self.groups, self.results)

    def window(self, space: Sequence[int], channels: int, name: str) -> Window:
        """Data with so many channels, as the case lays it out."""
        shape: tuple[Size, ...] = (N if self.unknown else self.images, *space, channels)
        strides: list[Size] = [self.apart]
        step = channels * self.apart + self.gap
        for n in reversed(space):
            strides.insert(0, step)
            step = step * n + 2 * self.gap
        return window(shape, (step, *strides), self.dtype, name)


class Job(NamedTuple):
    """A form with its windows, the arrays to read, what it must find there, and what lies in the result before."""

    form: Form
    writes: Window
    reads: tuple[Window, ...]
    arrays: tuple[np.ndarray, ...]
    wanted: np.ndarray
    before: float = 0.0


def padded(x: np.ndarray, padding: Sequence[tuple[int, int]]) -> np.ndarray:
    return np.pad(x, ((0, 0), *padding, (0, 0)))


def jobs(c: Case, m: Machinery) -> Iterator[Job]:
    """The three kernels of a convolution, and the turned weights."""
    random = np.random.default_rng(7)
    x = random.standard_normal((c.images, *c.size, c.channels))
    w = random.standard_normal(c.weights)
    y = random.standard_normal((c.images, *c.found, c.results))
    frame = [n + a + b for n, (a, b) in zip(c.size, c.padding, strict=True)]
    wide, flat = c.window(frame, c.channels, "x"), window(c.weights, None, c.dtype, "w")
    out, inner = c.window(c.found, c.results, "y"), c.window(c.size, c.channels, "dx")
    geometry = (c.stride, c.dilation, c.groups)

    yield Job(Conv(*geometry, m), out, (wide, flat), (padded(x, c.padding), w), ops.Conv(*c.settings).eval(np, x, w))
    yield Job(
        ConvWeight(*geometry, m, c.accumulate),
        flat,
        (wide, out),
        (padded(x, c.padding), y),
        ops.ConvWeight(*c.settings, c.kernel).eval(np, x, y) + (0.5 if c.accumulate else 0.0),
        0.5,
    )
    low = tuple(a for a, _ in c.padding)
    before, after = input_frame(c.size, c.found, c.kernel, c.stride, c.dilation, low)
    space = [n + a + b for n, a, b in zip(c.found, before, after, strict=True)]
    turned = turn(w, c.groups)
    yield Job(
        ConvInput(*geometry, low, before, m),
        inner,
        (c.window(space, c.results, "dy"), window(turned.shape, None, c.dtype, "turned")),
        (padded(y, list(zip(before, after, strict=True))), turned),
        ops.ConvInput(*c.settings, c.size).eval(np, y, w),
    )
    yield Job(Flipped(c.groups), window(turned.shape, None, c.dtype, "turned"), (flat,), (w,), turned)


def turn(w: np.ndarray, groups: int) -> np.ndarray:
    """Weights turned round, and what each group reads exchanged with what it gives."""
    flipped = w[tuple(slice(None, None, -1) for _ in w.shape[:-2])]
    parts = np.split(flipped, groups, axis=-1)
    return np.concatenate([np.swapaxes(p, -1, -2) for p in parts], axis=-1)


def check(cases: Sequence[Case], m: Machinery) -> None:
    """All kernels of all cases, compiled together."""
    made = [(c, job) for c in cases for job in jobs(c, m)]
    functions = [printed(job.form, (job.writes,), job.reads) for _, job in made]
    lib = library(functions, m)
    for (case, job), f in zip(made, functions, strict=True):
        results = [run(lib, f, case, job, parts) for parts in PARTS]
        scale = np.abs(job.wanted).max() + 1e-30
        error = np.abs(results[0] - job.wanted).max() / scale
        assert error < (1e-12 if case.dtype is F64 else 2e-5), (case, job.form, error)
        assert all(np.array_equal(r, results[0]) for r in results), (case, job.form)


def run(lib: object, f: Function, case: Case, job: Job, parts: tuple[float, ...]) -> np.ndarray:
    counts = {"N": case.images}
    out, reads = Memory(job.writes, counts), [Memory(w, counts) for w in job.reads]
    out.array[...] = job.before
    for memory, values in zip(reads, job.arrays, strict=True):
        memory.array[...] = values
    outside, given_ = out.outside(), [r.whole.copy() for r in reads]
    call(lib, f, [out, *reads], counts, parts)  # type: ignore[arg-type]
    assert out.outside() == outside, (case, job.form)
    assert all(np.array_equal(r.whole, g, equal_nan=True) for r, g in zip(reads, given_, strict=True))
    return np.array(out.array, np.float64)


ODD = ((0, 2), (1, 0))
CASES = [
    Case(),
    Case(accumulate=True, channels=1, results=32, size=(28, 28)),
    Case(channels=32, results=64, size=(14, 14), images=1),
    Case(channels=16, results=32, stride=(2, 2), size=(16, 16)),
    Case(channels=16, results=16, stride=(2, 2), size=(9, 7)),
    Case(channels=16, results=20, stride=(2, 3), size=(9, 7), padding=ODD, unknown=True),
    Case(kernel=(1, 1), padding=((0, 0), (0, 0)), stride=(2, 2), size=(8, 8), channels=8, results=40),
    Case(kernel=(1, 1), padding=((0, 0), (0, 0)), size=(7, 7), channels=8, results=48, unknown=True, accumulate=True),
    Case(dilation=(2, 1), padding=((2, 2), (0, 1)), channels=4, results=5),
    Case(dilation=(2, 3), stride=(2, 2), size=(11, 12), channels=4, results=17, accumulate=True),
    Case(groups=2, channels=6, results=8, gap=3),
    Case(groups=3, channels=6, results=9, stride=(2, 1), accumulate=True),
    Case(groups=20, channels=20, results=20, size=(9, 9)),
    Case(groups=32, channels=32, results=32, stride=(2, 2), size=(8, 8), accumulate=True),
    Case(groups=5, channels=5, results=5, kernel=(5, 2), padding=((2, 2), (1, 0))),
    Case(groups=4, channels=4, results=12),
    Case(size=(40,), kernel=(5,), stride=(1,), padding=((4, 0),), dilation=(1,), channels=16, results=24),
    Case(size=(130,), kernel=(3,), stride=(2,), padding=((1, 1),), dilation=(1,), channels=3, results=3, unknown=True),
    Case(size=(128,), kernel=(3,), stride=(1,), padding=((1, 1),), dilation=(1,), channels=8, results=32),
    Case(
        size=(4, 5, 6),
        kernel=(3, 2, 3),
        stride=(1, 2, 1),
        padding=((1, 1), (0, 1), (1, 1)),
        dilation=(1, 1, 1),
        channels=3,
        results=18,
    ),
    Case(
        size=(5, 5, 5),
        kernel=(3, 3, 3),
        stride=(2, 2, 2),
        padding=((1, 1),) * 3,
        dilation=(1, 1, 1),
        channels=2,
        results=16,
        accumulate=True,
    ),
    Case(apart=2, gap=1, channels=5, results=18),
    Case(dtype=F64, channels=4, results=24, size=(10, 10)),
    Case(dtype=F64, channels=5, results=3, stride=(2, 2), accumulate=True),
    Case(dtype=F64, groups=9, channels=9, results=9),
    Case(size=(30, 40), channels=2, results=16, images=3, unknown=True),
    Case(size=(8, 8), kernel=(7, 7), padding=((3, 3), (3, 3)), channels=3, results=64, stride=(2, 2)),
]


def test_every_kind_of_convolution_is_its_definition() -> None:
    check(CASES, machinery())


@pytest.mark.parametrize(("m", "cases"), [(Machinery(8, 16), CASES[::2]), (Machinery(4, 16), CASES[5::6])])
def test_shorter_vectors_and_fewer_registers_change_no_convolution(m: Machinery, cases: list[Case]) -> None:
    check(cases, m)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rank = draw(st.integers(1, 3))

    def several(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    kernel, dilation = several(1, 4), several(1, 2)
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple((draw(st.integers(0, r)), draw(st.integers(0, r))) for r in reach)
    groups = draw(st.sampled_from([1, 1, 2, 5]))
    size = tuple(n + r for n, r in zip(several(1, 12 if rank < 3 else 4), reach, strict=True))
    return Case(
        size,
        kernel,
        groups * draw(st.sampled_from([1, 2, 3, 16])),
        groups * draw(st.sampled_from([1, 2, 7, 16, 33])),
        several(1, 3),
        padding,
        dilation,
        groups,
        draw(st.integers(1, 3)),
        draw(st.booleans()),
        draw(st.sampled_from([0, 3])),
        1,
        draw(st.sampled_from([F32, F32, F64])),
        draw(st.booleans()),
    )


@given(st.lists(cases(), min_size=4, max_size=4), st.sampled_from([machinery(), Machinery(8, 16)]))
@settings(max_examples=5, deadline=None)
def test_convolutions_drawn_at_random_are_their_definitions(drawn: list[Case], m: Machinery) -> None:
    check(drawn, m)


def test_a_border_zeroes_the_frame_and_nothing_else() -> None:
    x = window((N, 5, 6, 3), (200, 25, 4, 1))
    forms = [Border((1, 2), (2, 0)), Border((0, 0), (0, 1)), Border((2, 3), (3, 3))]
    functions = [printed(form, (x,), ()) for form in forms]
    lib = library(functions, machinery())
    for form, f in zip(forms, functions, strict=True):
        memory = Memory(x, {"N": 3})
        memory.array[...] = 1
        outside = memory.outside()
        wanted = np.zeros((3, 5, 6, 3))
        low, high = form.before, form.after
        wanted[:, low[0] : 5 - high[0], low[1] : 6 - high[1]] = 1
        call(lib, f, [memory], {"N": 3}, (0, 0.4, 1))
        assert np.array_equal(memory.array, wanted)
        assert memory.outside() == outside


def test_no_images_give_weights_of_zero() -> None:
    case = Case(unknown=True)
    x, y = case.window((8, 9), 3, "x"), case.window((6, 7), 16, "y")
    w = window(case.weights)
    f = printed(ConvWeight((1, 1), (1, 1), 1, machinery()), (w,), (x, y))
    memories = [Memory(v, {"N": 1}) for v in (w, x, y)]
    call(library([f], machinery()), f, memories, {"N": 0})
    assert not memories[0].array.any()
