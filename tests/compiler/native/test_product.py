"""Compiled products are those of NumPy in f64, touch nothing else, and do not depend on how threads divide them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.types import F32, F64, I32, I64, DType
from axonc.compiler.native.function import Machinery
from axonc.compiler.native.matrices import Triangle
from axonc.compiler.native.product import Product
from axonc.compiler.schedule.kernel import Window
from hypothesis import given, settings
from hypothesis import strategies as st

from .compiled import Memory, call, library, machinery, needs_compiler, printed, window

pytestmark = needs_compiler

N = dims.name("N")
COUNT = {"N": 5}
PARTS = ((0, 1), (0, 0.3, 0.5, 1), (0, 0, 0.77, 1))


class Case(NamedTuple):
    """A product: its leading axes, sizes, and how its operands lie."""

    lead: tuple[Size, ...] = ()
    m: Size = 1
    k: Size = 1
    n: Size = 1
    layout: str = "nnn"  # of out, a, b: n normal, t transposed, s with strides, p with padded rows
    dtype: DType = F32
    accumulate: bool = False
    vectors: str = ""  # operands that are vectors
    shared: str = ""  # operands without leading axes

    def windows(self) -> tuple[Window, Window, Window]:
        out, a, b = (self.m, self.n), (self.m, self.k), (self.k, self.n)
        if "a" in self.vectors:
            out, a = out[1:], a[1:]
        if "b" in self.vectors:
            out, b = out[:-1], b[:-1]
        return (
            lying((*self.lead, *out), self.layout[0], self.dtype, "out"),
            lying((*self.lead * ("a" not in self.shared), *a), self.layout[1], self.dtype, "a"),
            lying((*self.lead * ("b" not in self.shared), *b), self.layout[2], self.dtype, "b"),
        )


def lying(shape: tuple[Size, ...], how: str, dtype: DType, name: str) -> Window:
    """A window of a shape: the layout of its last two axes is a letter of `Case.layout`."""
    if not shape:
        return window((), (), dtype, name)
    order = [*range(len(shape))]
    if how == "t":
        order[-2:] = reversed(order[-2:])
    steps: dict[int, Size] = {}
    step: Size = 3 if how == "s" else 1
    for i in reversed(order):
        steps[i] = step
        step = step * shape[i] + (2 if how == "s" else 7 if how == "p" and i == order[-1] else 0)
    return window(shape, tuple(steps[i] for i in range(len(shape))), dtype, name)


def check(
    cases: list[Case],
    m: Machinery,
    parts: tuple[tuple[float, ...], ...] = PARTS,
    *,
    edge: bool = False,
    samples: int = 5,
) -> None:
    """Every case compiled for a machinery, and compared with NumPy."""
    made = [(c, c.windows()) for c in cases]
    functions = [printed(Product(m, c.accumulate), w[:1], w[1:]) for c, w in made]
    lib = library(functions, m)
    for (case, windows), f in zip(made, functions, strict=True):
        results = []
        for cuts in parts:
            memories = [Memory(w, {"N": samples}, edge) for w in windows]
            random = np.random.default_rng(3)
            for memory in memories:
                shape = memory.array.shape
                whole = memory.array.dtype.kind == "i"
                memory.array[...] = random.integers(-9, 9, shape) if whole else random.standard_normal(shape)
            out, a, b = (x.array for x in memories)
            wide = a.dtype if a.dtype.kind == "i" else np.dtype(np.float64)
            wanted = np.matmul(a.astype(wide), b.astype(wide)) + (out if case.accumulate else 0)
            before = [x.outside() for x in memories]
            operands = [x.array.copy() for x in memories[1:]]
            call(lib, f, memories, {"N": samples}, cuts)
            assert [x.outside() for x in memories] == before, case
            assert all(np.array_equal(x.array, y) for x, y in zip(memories[1:], operands, strict=True)), case
            scale = np.abs(a.astype(wide)).max(initial=1) * max(1, a.shape[-1]) ** 0.5
            exact = 0 if wide != np.float64 else {"f32": 2e-6, "f64": 1e-14}[str(case.dtype)]
            assert np.abs(out - wanted).max(initial=0) <= exact * scale * 4, case
            results.append(out.tobytes())
        assert len(set(results)) == 1, f"{case} depends on how it is divided"


def shapes() -> Iterator[Case]:
    """Every remainder that tiles, vectors and pieces of rows can leave."""
    for m, k, n in (
        (1, 1, 1),
        (30, 2, 8),
        (30, 8, 8),
        (32, 32, 16),
        (15, 7, 33),
        (29, 19, 47),
        (64, 31, 10),
        (3, 70, 100),
    ):
        yield Case((), m, k, n)
    for layout in ("nnn", "ntn", "nnt", "ntt", "tnn", "ttn", "tnt", "sss", "pns", "pst", "ppp"):
        yield Case((), 21, 18, 37, layout)
        yield Case((), 18, 70, 21, layout, accumulate=True)


def leading() -> Iterator[Case]:
    """Leading axes: merged, strided, broadcast, missing."""
    for layout in ("nnn", "nnt", "ntn", "sss", "ppp"):
        yield Case((2, 3), 9, 8, 17, layout)
        yield Case((2, 3), 9, 8, 17, layout, shared="b")
        yield Case((2, 3), 9, 8, 17, layout, shared="a")
        yield Case((N, 3), 4, 5, 6, layout)
        yield Case((3, N), 4, 5, 6, layout, shared="b")
    yield Case((4,), 1, 20, 9, shared="b")
    yield Case((4,), 9, 20, 1, shared="a")


def symbolic() -> Iterator[Case]:
    """Sizes that only a run knows."""
    for layout in ("nnn", "nnt", "ntn", "ntt", "ppp", "sss", "tnn"):
        yield Case((), N, 12, 20, layout)
        yield Case((), N * 7, 12, 20, layout, accumulate=True)
        yield Case((), 20, N * 11, 20, layout)
        yield Case((), 20, 12, N * 9, layout)
    yield Case((), N * 7, 12, 40)
    yield Case((), N, N * 130, N * 4)
    yield Case((), 20, N * 250, 33, "ntn", accumulate=True)


def vectors() -> Iterator[Case]:
    """Vectors on either side or both, with every layout of the matrix."""
    for layout in ("nnn", "ntt", "sss"):
        for which in ("a", "b", "ab"):
            flat = "".join(kind if kind == "s" else "n" for kind in layout)
            mixed = flat[0] + (flat[1] if "a" in which else layout[1]) + (flat[2] if "b" in which else layout[2])
            m, n = (1 if "a" in which else 37), (1 if "b" in which else 43)
            yield Case((), m, 75, n, mixed, vectors=which)
            yield Case((), m, 9, n, mixed, vectors=which, accumulate=True)
    yield Case((2, 3), 1, 40, 1, vectors="ab", shared="ab")
    yield Case((2, 3), 5, 40, 1, vectors="b", shared="b")
    yield Case((), N * 9, 40, 1, vectors="b")
    yield Case((), 1, N * 9, 17, vectors="a")
    yield Case((), 1, N * 90, 1, vectors="ab")


GROUPS = {"shapes": shapes, "leading": leading, "symbolic": symbolic, "vectors": vectors}


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("group", GROUPS)
def test_products_are_those_of_numpy(group: str, dtype: DType) -> None:
    check([case._replace(dtype=dtype) for case in GROUPS[group]()], machinery())


@pytest.mark.parametrize("lanes", [8, 4])
@pytest.mark.parametrize("group", GROUPS)
def test_products_for_narrower_vectors_are_those_of_numpy(group: str, lanes: int) -> None:
    cases = [*GROUPS[group]()]
    check([c._replace(dtype=F64 if i % 4 == 0 else F32) for i, c in enumerate(cases)], Machinery(lanes, 16))


def test_two_rows_that_remain_are_multiplied_with_the_six_before() -> None:
    windows = window((N, 512)), window((N, 128)), window((32, 128, 16))
    text = printed(Product(Machinery(8, 16), panels=16), windows[:1], windows[1:]).text.rpartition("else {")[2]
    assert re.findall(r"row \+ (\d+) <= stop", text) == ["6", "4", "2", "1"]
    assert "stop - row != 8" in text


def test_rows_that_are_copied_stay_where_full_tiles_find_them() -> None:
    out, a, b = Case((), N, 800, 512, "ntn").windows()
    text = printed(Product(Machinery(8, 16)), (out,), (a, b)).text
    assert "row + 4 <= stop" in text
    assert "stop - row !=" not in text


@pytest.mark.parametrize("samples", [1, 2, 32, 33])
def test_products_of_few_and_of_many_samples_are_those_of_numpy(samples: int) -> None:
    layouts = ("nnn", "nnt", "sss", "pnp", "tnn")
    cases = [Case((), N, 70, n, kind, accumulate=n == 300) for kind in layouts for n in (3, 70, 300)]
    cases += [Case((), 20, N, 40, "ntn"), Case((N,), 3, 20, 40), Case((N,), 1, 70, 40, shared="b")]
    check(cases, machinery(), samples=samples)


@pytest.mark.parametrize("dtype", [I32, I64], ids=str)
def test_products_of_integers_are_exact(dtype: DType) -> None:
    cases = [Case((2, 3), 5, 7, 6, "sns", dtype, shared="b"), Case((), N, 7, 6, "nnt", dtype, accumulate=True)]
    check(cases, machinery())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are protected by a call of Linux")
@pytest.mark.parametrize("lanes", [16, 8])
def test_products_read_nothing_after_their_operands(lanes: int) -> None:
    kinds = ("nnn", "nnt", "ntn", "ntt", "sss", "tnn")
    cases = [Case((2,), 21, 18, 37, layout) for layout in kinds] + [Case((), N, N * 4, 19, layout) for layout in kinds]
    cases += [Case((), 1, 75, 43, "ntt"), Case((), 37, 75, 1), Case((), 1, 75, 1), Case((), 1, 75, 43)]
    check(cases, Machinery(lanes, 2 * lanes), ((0, 1),), edge=True)


def test_operands_of_other_types_count_as_those_of_the_result() -> None:
    m = machinery()
    out, narrow, b = window((3, 5), dtype=I64), window((3, 4), dtype=I32), window((4, 5), dtype=I64)
    f = printed(Product(m), (out,), (narrow, b))
    memories = [Memory(w) for w in (out, narrow, b)]
    for memory in memories[1:]:
        memory.array[...] = np.arange(memory.array.size).reshape(memory.array.shape) - 7
    call(library([f], m), f, memories)
    assert np.array_equal(memories[0].array, memories[1].array @ memories[2].array)


def test_deep_products_are_added_up_block_by_block() -> None:
    cases = [
        Case((), 40, 1500, 33),
        Case((), 40, 1500, 33, "nnt", accumulate=True),
        Case((), 40, 1500, 33, "tss"),
        Case((), 61, 1024, 70),  # rows that lie 4096 bytes apart
        Case((), 61, 2048, 40, "nnt"),
        Case((), 300, 8, 20, "ntn"),
        Case((), 50, 40, 1030),
        Case((), 90, 40, 1030, "ptn"),
    ]
    check(cases, machinery())


def test_copied_operands_of_several_groups_blocks_and_depths_are_added_up() -> None:
    cases = [
        Case((), 256, 700, 90, "ntn"),  # rows of a that push each other out of the cache, several groups of them
        Case((), 250, 300, 40, "ntp", accumulate=True),
        Case((), 110, 300, 1088, "ntn", accumulate=True),  # more columns than are packed together
        Case((), 110, 520, 1090),
        Case((), 1027, 16, 24),
        Case((2,), 256, 300, 72, "ntn", shared="b"),
    ]
    for m in (Machinery(8, 16), Machinery(8, 16, first_cache=4 << 10, second_cache=64 << 10), machinery()):
        check(cases, m)


@pytest.mark.parametrize("cut", [0.4, 5 / 6])
@pytest.mark.parametrize("samples", [1, 2, 33])
def test_products_with_panels_are_those_of_numpy(samples: int, cut: float) -> None:
    shapes = [(32, 70, 48), (1, 300, 32), (N, 40, 64), (N * 7, 33, 16), (100, 600, 96)]
    jobs = []
    for i, (m, k, n) in enumerate(shapes):
        out, a, b = window((m, n)), window((m, k)), window((n // 16, k, 16))
        jobs.append((out, a, b, printed(Product(Machinery(8, 16), bool(i % 2), 16), (out,), (a, b))))
    lib = library([f for *_, f in jobs], Machinery(8, 16))
    for (out, a, b, f), (_, _, n), adds in zip(jobs, shapes, (False, True) * 3, strict=False):
        memories = [Memory(w, {"N": samples}) for w in (out, a, b)]
        for i, memory in enumerate(memories):
            memory.array[...] = np.random.default_rng(i).standard_normal(memory.array.shape)
        c, left, panels = (memory.array.astype(np.float64) for memory in memories)
        wanted = left @ panels.transpose(1, 0, 2).reshape(-1, n) + (c if adds else 0)
        before = [memory.outside() for memory in memories]
        call(lib, f, memories, {"N": samples}, (0, cut, 1))
        assert [memory.outside() for memory in memories] == before
        np.testing.assert_allclose(memories[0].array, wanted, atol=2e-4)


TRIANGLES = [Triangle(of, upper) for of in ("a", "b", "out") for upper in (False, True)]


@pytest.mark.parametrize("triangle", TRIANGLES, ids=str)
def test_products_that_know_of_a_triangle_are_those_of_numpy(triangle: Triangle) -> None:
    cases = [
        Case((), 64, 64, 64),
        Case((2, 3), 37, 53, 41, "nnt"),
        Case((2,), 70, 40, 33, "tnn", shared="b"),
        Case((2,), 33, 70, 100, "ntn", shared="a"),
        Case((N,), 40, 8, 90, "sss", F64),
        Case((), 48, N * 9, 40, "nnt"),
        Case((), N * 7, 40, N * 8),
        Case((), 90, 1500, 70, "pnn"),
        Case((), 256, 700, 90, "ntn"),
    ]
    cut = np.triu if triangle.upper else np.tril
    for m in (machinery(), Machinery(8, 16, first_cache=4 << 10, second_cache=64 << 10)):
        made = [(c, c.windows()) for c in cases]
        functions = [printed(Product(m, triangle=triangle), w[:1], w[1:]) for _, w in made]
        lib = library(functions, m)
        for (case, windows), f in zip(made, functions, strict=True):
            memories = {of: Memory(w, {"N": 5}) for of, w in zip(("out", "a", "b"), windows, strict=True)}
            for memory in memories.values():
                memory.array[...] = np.random.default_rng(3).standard_normal(memory.array.shape)
            known = memories[triangle.of].array
            known[...] = cut(known)
            a, b = (memories[of].array.astype(np.float64) for of in "ab")
            wanted = cut(a @ b) if triangle.of == "out" else a @ b
            before = [x.outside() for x in memories.values()]
            call(lib, f, [*memories.values()], {"N": 5}, (0, 0.4, 1))
            assert [x.outside() for x in memories.values()] == before, case
            np.testing.assert_allclose(memories["out"].array, wanted, atol=2e-4, err_msg=str(case))


def test_what_a_triangle_says_to_be_zero_is_not_multiplied() -> None:
    """Elements that are far from the diagonal may be anything."""
    m = machinery()
    for of, where in (("a", (slice(0, 8), slice(80, 96))), ("b", (slice(0, 8), slice(80, 96)))):
        windows = Case((), 96, 96, 96).windows()
        f = printed(Product(m, triangle=Triangle(of)), windows[:1], windows[1:])
        out, a, b = memories = [Memory(w) for w in windows]
        for memory in memories:
            memory.array[...] = np.tril(np.ones((96, 96)))
        (a if of == "a" else b).array[where] = np.nan
        call(library([f], m), f, memories)
        np.testing.assert_allclose(out.array, np.tril(np.ones((96, 96))) @ np.tril(np.ones((96, 96))))


def test_a_product_over_nothing_is_zero() -> None:
    check([Case((), 3, 0, 4), Case((), 3, 0, 4, accumulate=True), Case((), 0, 3, 4)], machinery())


sizes = st.integers(1, 70)
kinds = st.text("ntsp", min_size=3, max_size=3)


@settings(max_examples=8)
@given(
    st.lists(
        st.tuples(sizes, sizes, sizes, kinds, st.booleans(), st.sampled_from(["", "a", "b"])), min_size=4, max_size=8
    )
)
def test_products_of_any_shape_are_those_of_numpy(
    drawn: list[tuple[int, int, int, str, bool, str]],
) -> None:
    cases = [
        Case((2,), m, k, n, layout, accumulate=accumulate, shared=shared)
        for m, k, n, layout, accumulate, shared in drawn
    ]
    check(cases, machinery(), ((0, 1), (0, 0.4, 1)))


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_few_samples_are_divided_and_one_by_its_columns(samples: int) -> None:
    layouts = ("nnn", "nnt", "nns", "nnp", "ntn", "ttn")
    cases = [Case((), N, 70, 90, how, accumulate=how == "nnn") for how in layouts] + [Case((), N, 1500, 40)]
    made = [printed(Product(machinery()), w[:1], w[1:]) for w in (c.windows() for c in cases)]
    assert sum(f.parts is not None for f in made) >= 3
    check(cases, machinery(), ((0, 1), (0, 0.5, 1), (0, 0.4, 0.8, 1)), samples=samples)
