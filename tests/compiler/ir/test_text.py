"""The text form of graphs: what is written is read back, and what is wrong is refused at its place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.check import Check
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.graph import DATA, Builder, Graph
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.text import read, write
from axonc.compiler.ir.types import F32, F64, I64, DType, Several, Tensor
from axonc.compiler.ir.verify import verify
from axonc.spec.source import CompileError, Place, Source, Span
from hypothesis import given
from hypothesis import strategies as st

NOWHERE = Place(Span(Source("test", ""), 0, 0))


class Carry(Op, abstract=True):
    """An operation of the tests, with one attribute of any kind, and as many results as it is told."""

    word: ClassVar[str] = "carry"
    attribute: Any
    other: Any = 0
    count: int = 1

    def infer(self, c: Check, *types: Tensor) -> Tensor | Several:
        return types[0] if self.count == 1 else Several(types[:1] * self.count)


@pytest.fixture(autouse=True, scope="module")
def word() -> Iterator[None]:
    """The operation of the tests is one while they run."""
    Op.words["carry"] = Carry
    yield
    del Op.words["carry"]


def carrying(*attributes: object) -> Graph:
    b = Builder(NOWHERE)
    x = b.input("x", DATA, Tensor(F32, (dims.name("N"), 2)))
    for attribute in attributes:
        x = b.add(Carry(attribute), x)
    return b.graph({"y": x})


def sizes() -> st.SearchStrategy[Size]:
    leaf: st.SearchStrategy[Size] = st.one_of(st.integers(-9, 9), st.sampled_from("N H W".split()).map(dims.name))
    return st.recursive(
        leaf,
        lambda s: st.one_of(
            st.tuples(s, s).map(lambda p: p[0] + p[1]),
            st.tuples(s, s).map(lambda p: p[0] * p[1]),
            st.tuples(s, st.integers(1, 5)).map(lambda p: dims.floor_divide(*p)),
        ),
        max_leaves=5,
    )


def values() -> st.SearchStrategy[object]:
    floats = st.floats(allow_nan=True)
    dtypes = st.sampled_from(DType)
    tensors = st.builds(Tensor, dtypes, st.lists(sizes(), max_size=3).map(tuple))
    leaf = st.one_of(
        st.integers(), floats, st.booleans(), st.none(), st.text(st.characters(codec="utf-8")), dtypes, sizes(), tensors
    )
    return st.recursive(leaf, lambda v: st.lists(v, max_size=3).map(tuple), max_leaves=6)


@given(st.lists(values(), max_size=3))
def test_attributes_of_every_kind_are_read_back(attributes: list[object]) -> None:
    graph = carrying(*attributes)
    text = write(graph)
    assert read(text) == graph
    assert write(read(text)) == text


@given(sizes())
def test_a_size_is_read_back_from_its_text(size: Size) -> None:
    assert dims.parse(str(size)) == size


def test_the_sign_of_zero_and_not_a_number_survive() -> None:
    back = read(write(carrying(-0.0, math.nan, math.inf, -math.inf))).nodes
    found = [n.op.attribute for n in back[1:] if isinstance(n.op, Carry)]
    assert math.copysign(1, found[0]) == -1
    assert math.isnan(found[1])
    assert found[2:] == [math.inf, -math.inf]


def test_body_graphs_stand_in_braces_and_may_be_nested() -> None:
    inner = carrying(1)
    graph = carrying(carrying(2, inner), (inner, 3))
    assert read(write(graph)) == graph
    assert "    return y=%1\n" in write(graph)


def test_a_size_called_like_a_constant_is_told_apart() -> None:
    graph = carrying(dims.name("nan"), dims.name("f32"), dims.name("true") + 1, F32)
    assert read(write(graph)) == graph


def test_results_updates_guards_and_names_are_read_back() -> None:
    b = Builder(NOWHERE)
    h = dims.name("H")
    x = b.input("a name, with signs", DATA, Tensor(F64, (2 * h,)))
    y = b.add(Carry(0), x, name="twice")
    z = b.add(Carry(0), y, name="twice")
    count = b.input("n", "state", Tensor(I64, ()))
    b.guard(h // 2 * 2, h)
    graph = b.graph({"out put": z, "y": y}, {"n": count})
    back = read(write(graph))
    assert back == graph
    assert [(g.left, g.right) for g in back.guards] == [(h // 2 * 2, h)]
    assert [n.name for n in back.nodes[1:3]] == ["twice", "twice.2"]
    assert write(back) == write(graph)


def test_items_of_several_results_are_read_back() -> None:
    b = Builder(NOWHERE)
    x = b.input("x", DATA, Tensor(F32, (3,)))
    _, second = b.many(Carry(0, count=2), x)
    graph = b.graph({"y": second})
    assert "%1 = carry(%x, attribute=0, count=2): (f32[3], f32[3])" in write(graph)
    assert read(write(graph)) == graph
    verify(read(write(graph)))


def test_places_are_comments_that_reading_skips() -> None:
    source = Source("model.axon", "first\nsecond")
    b = Builder(Place(Span(source, 6, 12)))
    b.input("x", DATA, Tensor(F32, ()))
    graph = b.graph({"x": b.nodes[0]})
    assert write(graph, places=True).startswith('%x = input("x", "data", f32[])  # model.axon:2:1\n')
    assert read(write(graph, places=True)) == graph


def test_types_may_be_left_out_by_hand() -> None:
    graph = read('%x = input("x", "data", f32[N, 2])\n%y = carry(%x, attribute=1)\nreturn y=%y\n')
    assert graph.result("y").type == Tensor(F32, (dims.name("N"), 2))


HEAD = '%x = input("x", "data", f32[2])\n'


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        (HEAD + "%y = nothing(%x)", "no operation is called `nothing`", 2),
        (HEAD + "%y = carry(%z, attribute=1)", "nothing is called `%z` before this", 2),
        (HEAD + "%y = carry(%x, attribute=1): f32[3]", "the type is f32[2], not f32[3]", 2),
        (HEAD + "%x = carry(%x, attribute=1)", "`%x` is already made", 2),
        (HEAD + '%y = carry(%x, attribute="a)', "this string does not end", 2),
        (HEAD + "%y = carry(%x, attribute=1 2)", "`1 2` is no value", 2),
        (HEAD + "%y = carry(%x, attribute=1", "`,` or `)` is expected here", 2),
        (HEAD + "}", "a statement is expected here", 2),
        (HEAD + "hello", "`%` is expected here", 2),
    ],
)
def test_what_is_no_graph_is_refused_at_its_line(text: str, problem: str, line: int) -> None:
    with pytest.raises(CompileError) as refusal:
        read(text)
    (diagnostic,) = refusal.value.diagnostics
    assert problem in diagnostic.render_title()
    assert diagnostic.place.span.line == line
