"""The loop over time: small cases by hand, recurrent cells by PyTorch, gradients by finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from axonc.compiler.differentiate import gradient_graph
from axonc.compiler.ir import dims
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Node
from axonc.compiler.ir.rewrite import bind
from axonc.compiler.ir.text import read, write
from axonc.compiler.ir.types import F64, I64, Tensor
from axonc.compiler.ir.verify import verify
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import Add, Lt, Mul, Sub, Where
from axonc.compiler.ops.layout import Reshape, split
from axonc.compiler.ops.scan import Scan
from axonc.compiler.ops.unary import Sigmoid, Sin, Tanh

from .graphs import assert_gradient, builder, weighted

T = dims.name("T")


def scalar_loop(step: Callable[[Builder, Node, Node, Node], tuple[Node, Node]], **settings: object) -> Graph:
    """A loop over a vector x with one scalar carry h and one scalar constant w: results `last` and `all`."""
    scalar, b, inner = Tensor(F64, ()), builder(), builder()
    carry, out = step(inner, *(inner.input(name, DATA, scalar) for name in "hxw"))
    body = inner.graph({"carry": carry, "stack": out})
    h, x, w = b.input("h", DATA, scalar), b.input("x", DATA, Tensor(F64, (T,))), b.input("w", DATA, scalar)
    last, every = b.many(Scan(body, 1, 1, **settings), h, x, w)
    return b.graph({"last": last, "all": every})


def decay(b: Builder, h: Node, x: Node, w: Node) -> tuple[Node, Node]:
    """h · w + x, also as the result of each step."""
    made = b.add(Add(), b.add(Mul(), h, w), x)
    return made, made


def decayed(h: float, x: list[float], w: float) -> list[float]:
    values = []
    for step in x:
        h = h * w + step
        values.append(h)
    return values


X = [1.0, -2.0, 0.5, 3.0, 0.25]
VALUES = {"h": 2.0, "x": X, "w": 0.5}


def test_a_scan_carries_and_stacks() -> None:
    found = evaluate(scalar_loop(decay), VALUES)
    np.testing.assert_allclose(found["all"], decayed(2.0, X, 0.5))
    assert found["last"] == found["all"][-1]


def test_a_reversed_scan_begins_at_the_end_and_stacks_in_the_order_of_time() -> None:
    found = evaluate(scalar_loop(decay, reverse=True), VALUES)
    np.testing.assert_allclose(found["all"], decayed(2.0, X[::-1], 0.5)[::-1])
    assert found["last"] == found["all"][0]


def test_a_scan_over_nothing_gives_its_first_carries_and_empty_stacks() -> None:
    found = evaluate(scalar_loop(decay), {"h": 2.0, "x": [], "w": 0.5})
    assert found["last"] == 2.0
    assert found["all"].shape == (0,)


def slope(graph: Graph, wrt: str, **values: object) -> np.ndarray:
    loss = Graph(graph.inputs, graph.nodes, (("loss", graph.result("last")),))
    return np.asarray(evaluate(gradient_graph(loss, "loss", ["h", "x", "w"]), VALUES | values)[f"gradient.{wrt}"])


def test_the_gradient_of_a_decay_is_what_a_hand_computes() -> None:
    """h5 = w⁵·h0 + Σ w^(4-t)·x_t."""
    graph = scalar_loop(decay)
    assert slope(graph, "h") == 0.5**5
    np.testing.assert_allclose(slope(graph, "x"), [0.5**k for k in (4, 3, 2, 1, 0)])
    powers = sum(k * 0.5 ** (k - 1) * x for k, x in zip((4, 3, 2, 1), X, strict=False))
    np.testing.assert_allclose(slope(graph, "w"), 5 * 0.5**4 * 2.0 + powers)


@pytest.mark.parametrize("reverse", [False, True])
def test_truncation_stops_the_gradient_of_a_carry_at_every_so_many_steps(reverse: bool) -> None:
    """With 2, steps 0-1, 2-3 and 4 are on their own: the last carry knows only the last one's x."""
    graph = scalar_loop(decay, truncate=2, reverse=reverse)
    order = -1 if reverse else 1
    np.testing.assert_allclose(slope(graph, "x")[::order], [0, 0, 0, 0, 1])
    assert slope(graph, "h") == 0
    before = decayed(2.0, X[::order], 0.5)[3]
    np.testing.assert_allclose(slope(graph, "w"), before)


def test_truncation_lets_the_first_steps_reach_the_first_carry() -> None:
    graph = scalar_loop(decay, truncate=9)
    assert slope(graph, "h") == 0.5**5


def smooth(b: Builder, h: Node, x: Node, w: Node) -> tuple[Node, Node]:
    made = b.add(Sin(), b.add(Add(), b.add(Mul(), h, w), b.add(Mul(), x, x)))
    return made, b.add(Mul(), made, h)


@pytest.mark.parametrize("settings", [{}, {"reverse": True}])
def test_gradients_of_first_second_and_third_order_agree_with_differences(settings: dict[str, object]) -> None:
    rng = np.random.default_rng(1)
    names = ["h", "x", "w"]
    values = {"h": np.array(0.3), "x": np.array([0.5, -0.7, 0.2]), "w": np.array(0.8)}
    graph = weighted(bind(scalar_loop(smooth, **settings), {"T": 3}), ["last", "all"], "r")
    values |= {"r0": np.array(0.7), "r1": rng.standard_normal(3)}
    for order in ("s", "t"):
        gradients = assert_gradient(graph, values, names, order)
        verify(gradients)
        graph = weighted(gradients, [f"gradient.{n}" for n in names], order)
        values |= {f"{order}{i}": rng.standard_normal(values[n].shape) for i, n in enumerate(names)}
    assert_gradient(graph, values, names, "third")


def cell(kind: str, b: Builder, x: Node, state: list[Node], w: Node, u: Node, bias: Node, extra: Node) -> list[Node]:
    """The next state of a recurrent cell with PyTorch's order of gates and its two biases."""
    size = state[0].shape[1]
    by_x = b.add(Add(), b.add(Matmul(False, True), x, w), bias)
    by_h = b.add(Add(), b.add(Matmul(False, True), state[0], u), extra)
    if kind == "rnn":
        return [b.add(Tanh(), b.add(Add(), by_x, by_h))]
    if kind == "lstm":
        gates = split(b, b.add(Add(), by_x, by_h), 1, (size,) * 4)
        i, f, o = (b.add(Sigmoid(), gates[k]) for k in (0, 1, 3))
        c = b.add(Add(), b.add(Mul(), f, state[1]), b.add(Mul(), i, b.add(Tanh(), gates[2])))
        return [b.add(Mul(), o, b.add(Tanh(), c)), c]
    (xr, xz, xn), (hr, hz, hn) = split(b, by_x, 1, (size,) * 3), split(b, by_h, 1, (size,) * 3)
    r, z = b.add(Sigmoid(), b.add(Add(), xr, hr)), b.add(Sigmoid(), b.add(Add(), xz, hz))
    n = b.add(Tanh(), b.add(Add(), xn, b.add(Mul(), r, hn)))
    return [b.add(Add(), n, b.add(Mul(), z, b.add(Sub(), state[0], n)))]


GATES = {"rnn": 1, "lstm": 4, "gru": 3}
ROWS, STEPS, WIDE, HIDDEN = 3, 5, 2, 4


def recurrent(kind: str, *, lengths: bool = False) -> Graph:
    """A layer of the cell over x [N, T, 2], with the inputs h (and c), x, w, u, b, e: results `last` and `all`."""
    n, gates = dims.name("N"), GATES[kind] * HIDDEN
    b, inner = builder(), builder()
    weights = {"w": (gates, WIDE), "u": (gates, HIDDEN), "b": (gates,), "e": (gates,)}
    names = ["h", "c"] if kind == "lstm" else ["h"]
    state = [inner.input(name, DATA, Tensor(F64, (n, HIDDEN))) for name in names]
    step = inner.input("x", DATA, Tensor(F64, (n, WIDE)))
    time = inner.input("time", DATA, Tensor(I64, ())) if lengths else None
    w, u, bias, extra = (inner.input(name, DATA, Tensor(F64, shape)) for name, shape in weights.items())
    after = cell(kind, inner, step, state, w, u, bias, extra)
    out = after[0]
    if time is not None:
        valid = inner.add(Lt(), time, inner.input("length", DATA, Tensor(I64, (n,))))
        column = inner.add(Reshape((n, 1)), valid)
        after = [inner.add(Where(), column, new, old) for new, old in zip(after, state, strict=True)]
        out = inner.add(Where(), column, out, inner.literal(0, F64))
    body = inner.graph({**{f"carry.{i}": s for i, s in enumerate(after)}, "stack.0": out})
    first = [b.input(name, DATA, Tensor(F64, (n, HIDDEN))) for name in names]
    sequences = [b.input("x", DATA, Tensor(F64, (n, T, WIDE)))]
    if lengths:
        sequences.append(b.input("time", DATA, Tensor(I64, (T,))))
    constants = [b.input(name, DATA, Tensor(F64, shape)) for name, shape in weights.items()]
    if lengths:
        constants.append(b.input("length", DATA, Tensor(I64, (n,))))
    values = b.many(Scan(body, len(state), len(sequences)), *first, *sequences, *constants)
    return b.graph({"last": values[0], "all": values[-1]})


def recurrent_values(kind: str) -> dict[str, np.ndarray]:
    rng, gates = np.random.default_rng(2), GATES[kind] * HIDDEN
    shapes = {"h": (ROWS, HIDDEN), "x": (ROWS, STEPS, WIDE), "w": (gates, WIDE), "u": (gates, HIDDEN)}
    shapes |= {"b": (gates,), "e": (gates,)} | ({"c": (ROWS, HIDDEN)} if kind == "lstm" else {})
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("kind", GATES)
def test_recurrent_cells_and_their_gradients_are_pytorchs(kind: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of recurrent cells")
    graph, values = recurrent(kind), recurrent_values(kind)
    rng = np.random.default_rng(3)
    values |= {"r0": rng.standard_normal((ROWS, HIDDEN)), "r1": rng.standard_normal((ROWS, STEPS, HIDDEN))}
    wrt = [n for n in values if n[0] != "r"]
    gradients = gradient_graph(weighted(graph, ["last", "all"], "r"), "loss", wrt)
    verify(gradients)
    found = evaluate(gradients, values)

    layer = getattr(torch.nn, {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}[kind])(
        WIDE, HIDDEN, batch_first=True
    ).double()
    with torch.no_grad():
        for parameter, name in zip(layer.parameters(), "wube", strict=True):
            parameter.copy_(torch.from_numpy(values[name]))
    state = [torch.from_numpy(values[n])[None].requires_grad_() for n in ("h", "c") if n in values]
    x = torch.from_numpy(values["x"]).requires_grad_()
    out, last = layer(x, tuple(state) if kind == "lstm" else state[0])
    last = last[0] if kind == "lstm" else last
    loss = (last[0] * torch.from_numpy(values["r0"])).sum() + (out * torch.from_numpy(values["r1"])).sum()
    loss.backward()

    np.testing.assert_allclose(found["loss"], loss.item())
    np.testing.assert_allclose(evaluate(graph, values)["all"], out.detach().numpy(), atol=1e-12)
    wanted = {"h": state[0].grad[0], "x": x.grad} | ({"c": state[1].grad[0]} if kind == "lstm" else {})
    wanted |= {name: p.grad for p, name in zip(layer.parameters(), "wube", strict=True)}
    for name, g in wanted.items():
        np.testing.assert_allclose(found[f"gradient.{name}"], g.numpy(), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", GATES)
def test_second_gradients_of_recurrent_cells_agree_with_differences(kind: str) -> None:
    values = recurrent_values(kind)
    wrt = list(values)
    rng = np.random.default_rng(3)
    values |= {"r0": rng.standard_normal((ROWS, HIDDEN)), "r1": rng.standard_normal((ROWS, STEPS, HIDDEN))}
    gradients = assert_gradient(weighted(recurrent(kind), ["last", "all"], "r"), values, wrt, kind)
    twice = weighted(gradients, [f"gradient.{n}" for n in wrt], "s")
    values |= {f"s{i}": rng.standard_normal(values[n].shape) for i, n in enumerate(wrt)}
    assert_gradient(twice, values, wrt, f"second of {kind}")


def test_a_row_of_given_length_ends_there() -> None:
    graph, values = recurrent("gru", lengths=True), recurrent_values("gru")
    values |= {"time": np.arange(STEPS), "length": np.array([5, 2, 0])}
    found, plain = evaluate(graph, values), evaluate(recurrent("gru"), recurrent_values("gru"))
    np.testing.assert_allclose(found["all"][0], plain["all"][0])
    np.testing.assert_allclose(found["all"][1, :2], plain["all"][1, :2])
    assert not found["all"][1, 2:].any()
    np.testing.assert_allclose(found["last"], [plain["all"][0, 4], plain["all"][1, 1], values["h"][2]])
    gradients = gradient_graph(weighted(graph, ["last"], "r"), "loss", ["x", "h"])
    values["r0"] = np.ones((ROWS, HIDDEN))
    slopes = evaluate(gradients, values)
    assert not slopes["gradient.x"][1, 2:].any()
    assert not slopes["gradient.x"][2].any()
    np.testing.assert_allclose(slopes["gradient.h"][2], 1)


def test_the_batch_is_an_axis_of_the_loop_and_time_is_whole() -> None:
    for lengths in (False, True):
        graph = recurrent("lstm", lengths=lengths)
        node = next(n for n in graph.nodes if isinstance(n.op, Scan))
        axes = node.op.axes(*(n.tensor for n in node.inputs))
        named = dict(zip((n.name for n in node.inputs), axes.inputs, strict=True))
        assert [(a.name, a.need) for a in named["x"]] == [("n", "point"), ("t2", "whole"), ("i2.1", "whole")]
        assert named["h"][0].name == named["c"][0].name == "n"
        assert {a.need for a in named["w"]} == {"whole"}
        assert axes.outputs[-1][0] == "n"
        assert not lengths or named["length"][0].name == "n"
    values = recurrent_values("lstm")
    some = {name: v[1:] if name in ("h", "c", "x") else v for name, v in values.items()}
    for name, found in evaluate(recurrent("lstm"), some).items():
        np.testing.assert_allclose(found, evaluate(recurrent("lstm"), values)[name][1:])


def test_the_rows_of_the_backward_loop_meet_in_the_sums_for_weights() -> None:
    graph = gradient_graph(weighted(recurrent("rnn"), ["last", "all"], "r"), "loss", ["w", "x"])
    node = next(n for n in graph.nodes if isinstance(n.op, Scan) and n.op.reverse)
    axes = node.op.axes(*(n.tensor for n in node.inputs))
    assert all(a.need == "whole" for names in axes.inputs for a in names)


def test_a_scan_is_bound_written_and_read_with_its_body() -> None:
    graph = recurrent("lstm")
    bound = bind(graph, {"N": 3, "T": 5})
    verify(bound)
    assert bound.result("all").shape == (3, 5, HIDDEN)
    for g in (graph, bound):
        assert read(write(g)) == g
    values = recurrent_values("lstm")
    np.testing.assert_array_equal(evaluate(bound, values)["all"], evaluate(graph, values)["all"])
