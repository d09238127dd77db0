"""The verifier refuses each way in which a graph can be badly made."""

from __future__ import annotations

import dataclasses
import re

import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.check import Check
from axonc.compiler.ir.graph import DATA, STATE, Builder, Graph, Item, Literal, Node
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import F32, F64, UNKNOWN, Several, Tensor
from axonc.compiler.ir.verify import verify
from axonc.spec.source import Place, Source, Span

NOWHERE = Place(Span(Source("test", ""), 0, 0))


class Split(Op, abstract=True):
    """An operation of the tests with two results."""

    def infer(self, c: Check, *types: Tensor) -> Several:
        return Several((types[0], types[0]))


class Meet(Op, abstract=True):
    """An operation of the tests whose operands must have the same size."""

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return Tensor(types[0].dtype, (c.same(types[0].shape[0], types[1].shape[0], "they differ"),))


class Holding(Op, abstract=True):
    """An operation of the tests with a body."""

    body: Graph

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return types[0]


def small() -> Graph:
    b = Builder(NOWHERE)
    x = b.input("x", DATA, Tensor(F32, (3,)))
    first, _ = b.many(Split(), x)
    return b.graph({"y": first}, {"x": x})


def wrong(graph: Graph, message: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        verify(graph)


def test_what_the_builder_makes_is_well_made() -> None:
    verify(small())


def test_a_type_that_the_operation_does_not_infer() -> None:
    graph = small()
    x, split, *_ = graph.nodes
    bad = Node(split.op, (x,), Several((Tensor(F64, (3,)),) * 2), NOWHERE)
    item = Node(Item(0), (bad,), Tensor(F64, (3,)), NOWHERE)
    wrong(Graph((x,), (x, bad, item), (("y", item),)), "should have type (f32[3], f32[3])")


def test_a_node_before_what_it_reads() -> None:
    graph = small()
    x, split, first, second = graph.nodes
    wrong(dataclasses.replace(graph, nodes=(x, first, split, second)), "which does not stand before it")


def test_a_graph_that_is_not_closed() -> None:
    graph, other = small(), small()
    item = Node(Item(0), (other.nodes[1],), Tensor(F32, (3,)), NOWHERE)
    wrong(dataclasses.replace(graph, nodes=(*graph.nodes, item)), "which does not stand before it")


def test_a_node_that_stands_twice() -> None:
    graph = small()
    wrong(dataclasses.replace(graph, nodes=(*graph.nodes, graph.nodes[1])), "stands twice")


def test_an_item_of_one_result() -> None:
    graph = small()
    item = Node(Item(0), (graph.nodes[0],), Tensor(F32, (3,)), NOWHERE)
    wrong(dataclasses.replace(graph, nodes=(*graph.nodes, item)), "which has one result")


def test_an_item_beyond_the_results() -> None:
    graph = small()
    item = Node(Item(2), (graph.nodes[1],), Tensor(F32, (3,)), NOWHERE)
    wrong(dataclasses.replace(graph, nodes=(*graph.nodes, item)), "reads item 2")


def test_several_results_read_by_another_operation_than_an_item() -> None:
    graph = small()
    bad = Node(Split(), (graph.nodes[1],), Several(()), NOWHERE)
    wrong(dataclasses.replace(graph, nodes=(*graph.nodes, bad)), "only an item may read several results")


def test_a_value_of_unknown_type() -> None:
    graph = small()
    bad = Node(Literal(0, F32), (), UNKNOWN, NOWHERE)
    wrong(dataclasses.replace(graph, nodes=(*graph.nodes, bad)), "should have type f32[]")


def test_a_result_that_is_not_in_the_graph_or_is_not_one_array() -> None:
    graph = small()
    wrong(dataclasses.replace(graph, results=(("y", small().nodes[2]),)), "which is not in the graph")
    wrong(dataclasses.replace(graph, results=(("y", graph.nodes[1]),)), "which is not one array")


def test_two_results_or_two_inputs_of_one_name() -> None:
    graph = small()
    wrong(dataclasses.replace(graph, results=graph.results * 2), "results of the same name")
    b = Builder(NOWHERE)
    b.input("x", DATA, Tensor(F32, ()))
    b.input("x", DATA, Tensor(F32, ()))
    wrong(b.graph({}), "inputs of the same name")


def test_an_input_that_is_not_listed() -> None:
    wrong(dataclasses.replace(small(), inputs=()), "the inputs listed are not the inputs that stand")


def test_an_update_of_another_type_than_the_state() -> None:
    b = Builder(NOWHERE)
    b.input("n", STATE, Tensor(F32, ()))
    other = b.input("x", DATA, Tensor(F32, (2,)))
    wrong(b.graph({}, {"n": other}), "n becomes %x: f32[2], but is f32[]")


def test_an_open_question_without_its_guard() -> None:
    b = Builder(NOWHERE)
    h = dims.name("H")
    x, y = b.input("x", DATA, Tensor(F32, (h,))), b.input("y", DATA, Tensor(F32, (h // 2 * 2,)))
    graph = b.graph({"z": b.add(Meet(), x, y)})
    verify(graph)
    wrong(dataclasses.replace(graph, guards=()), "needs a guard for H == 2 * (H // 2)")


def test_a_body_is_verified_too() -> None:
    b = Builder(NOWHERE)
    x = b.input("x", DATA, Tensor(F32, ()))
    body = small()
    good = b.graph({"y": b.add(Holding(body), x)})
    verify(good)
    bad = b.add(Holding(dataclasses.replace(body, results=body.results * 2)), x)
    wrong(b.graph({"y": bad}), "results of the same name")
