"""Graphs of one operation, evaluated by the definition: what the tests of operations are written with."""

from collections.abc import Mapping, Sequence

import numpy as np
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Node, numpy_name
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.rewrite import copy
from axonc.compiler.ir.types import BF16, DType, Tensor
from axonc.compiler.ops.elementwise import Add, Mul
from axonc.compiler.ops.reduce import Sum
from axonc.spec.source import Place, Source, Span

PLACE = Place(Span(Source("test", ""), 0, 0))
DTYPES = {numpy_name(d): d for d in DType if d is not BF16}


def builder() -> Builder:
    return Builder(PLACE)


def type_of(array: np.ndarray) -> Tensor:
    return Tensor(DTYPES[str(array.dtype)], tuple(array.shape))


def symbolic(array: np.ndarray) -> Tensor:
    """The type of an array with a name for each size above 1, equal where the sizes are."""
    return type_of(array).with_shape(tuple(dims.name(f"D{n}") if n > 1 else n for n in array.shape))


def named(arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"x{i}": a for i, a in enumerate(arrays)}


def inputs(b: Builder, types: Sequence[Tensor]) -> list[Node]:
    return [b.input(f"x{i}", DATA, t) for i, t in enumerate(types)]


def graph_of(op: Op, types: Sequence[Tensor]) -> Graph:
    """The operation on inputs x0, x1 ..., with the result y."""
    b = builder()
    return b.graph({"y": b.add(op, *inputs(b, types))})


def define(op: Op, *arrays: np.ndarray) -> np.ndarray:
    """The definition's result for one operation."""
    return np.asarray(evaluate(graph_of(op, [type_of(a) for a in arrays]), named(arrays))["y"])


def weighted(graph: Graph, results: Sequence[str], prefix: str) -> Graph:
    """The scalar Σ result · weight over the named results, as the only result `loss`; weights are new inputs."""
    b = builder()
    new = copy(b, graph)
    total = b.literal(0.0, graph.result(results[0]).dtype)
    for i, name in enumerate(results):
        node = new[graph.result(name)]
        product = b.add(Mul(), node, b.input(f"{prefix}{i}", DATA, node.tensor))
        total = b.add(Add(), total, b.add(Sum(tuple(range(len(node.shape)))), product))
    return b.graph({"loss": total})


def gradients(op: Op, *arrays: np.ndarray) -> list[np.ndarray]:
    """The gradient of the sum of the result towards each operand."""
    graph = weighted(graph_of(op, [type_of(a) for a in arrays]), ["y"], "r")
    values = named(arrays) | {"r0": np.ones(graph.input("r0").shape)}
    wrt = list(named(arrays))
    found = evaluate(gradient_graph(graph, "loss", wrt), values)
    return [found[f"gradient.{name}"] for name in wrt]


def assert_gradient(graph: Graph, values: Mapping[str, np.ndarray], wrt: Sequence[str], note: object) -> Graph:
    """The gradient of `loss` has the type of each input, and along one direction it is what differences say."""
    gradients = gradient_graph(graph, "loss", wrt)
    for name in wrt:
        assert gradients.result(f"gradient.{name}").type == graph.input(name).type, note
    rng = np.random.default_rng(3)
    direction = {name: rng.standard_normal(values[name].shape) for name in wrt}
    found = evaluate(gradients, values)
    slope = sum(float(np.sum(found[f"gradient.{name}"] * d)) for name, d in direction.items())

    def loss(step: float) -> float:
        moved = {name: values[name] + step * direction[name] for name in wrt}
        return float(evaluate(graph, {**values, **moved})["loss"])

    h = 1e-5
    difference = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    scale = max(1.0, abs(float(found["loss"])), abs(slope))
    assert abs(slope - difference) <= 1e-7 * scale, (note, slope, difference)
    return gradients
