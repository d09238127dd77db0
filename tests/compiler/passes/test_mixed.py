"""Mixed precision: where a model computes in two bytes, and that it still computes what it says."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import Graph, Input, Literal
from axonc.compiler.ir.text import write
from axonc.compiler.ir.types import BF16, F16, F32, DType
from axonc.compiler.ir.verify import verify
from axonc.compiler.passes.mixed import mixed
from axonc.compiler.training.scale import SCALE
from axonc.program import Program
from axonc.spec.record import replace
from axonc.specification import Specification, check

CLASSIFIER = """
model classifier
input x: f32[N, 20]
input label: i64[N]
logits = x |> dense(32) |> relu |> dense(32) |> tanh |> dense(5)
loss cross_entropy(logits, label)
train {{ optimizer sgd(0.1); precision {precision} }}
"""
IMAGES = """
model images
input x: f32[N, 8, 8, 3]
input label: i64[N]
logits = x |> conv2d(8, 3, bias = false) |> batch_norm |> relu |> max_pool2d(2)
  |> conv2d(8, 3) |> relu |> flatten |> dense(4)
loss cross_entropy(logits, label)
train {{ precision {precision} }}
"""
ATTENTION = """
model attending
input words: i64[N, 6]
input label: i64[N]
x = words |> embedding(11, 8)
x = x + (x |> layer_norm |> self_attention(heads = 2, causal = true))
logits = x |> layer_norm |> dense(16, activation = gelu) |> mean(axis = 1) |> dense(4)
loss cross_entropy(logits, label)
train {{ precision {precision} }}
"""
LOOP = """
model loop
input x: f32[N, 5, 4]
input y: f32[N, 3]
h = x |> lstm(6)
z = h[:, -1] |> dense(3)
loss mse(z, y)
train {{ precision {precision} }}
"""
MODELS = {"classifier": CLASSIFIER, "images": IMAGES, "attention": ATTENTION, "loop": LOOP}
HALVES = pytest.mark.parametrize("half", [F16, BF16], ids=str)
EPSILON = {F16: 2.0**-10, BF16: 2.0**-7}


def spec(model: str, half: DType = F32) -> Specification:
    return check(MODELS[model].format(precision=half))


def batch(specification: Specification, count: int = 16) -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    found = {}
    for node in specification.phases.forward.inputs:
        assert isinstance(node.op, Input)
        if node.op.role in ("data", "target"):
            shape = (count, *node.shape[1:])
            found[node.op.name] = (
                random.normal(size=shape).astype(np.float32) if node.dtype is F32 else random.integers(0, 4, shape)
            )
    return found


@HALVES
@pytest.mark.parametrize("model", MODELS)
def test_products_are_of_halves_and_what_needs_f32_has_it(model: str, half: DType) -> None:
    graph = mixed(spec(model).phases.forward, half)
    verify(graph)
    seen = [node for g in (graph, *bodies(graph)) for node in g.nodes]
    products = [n for n in seen if n.op.word in ("matmul", "conv")]
    assert products
    assert {t.dtype for n in products for x in (*n.inputs, n) for t in x.types} == {half}
    for node in seen:
        if node.op.precision == "wide" and not isinstance(node.op, Input | Literal) and not node.op.view:
            assert not any(t.dtype.is_half for x in (*node.inputs, node) for t in x.types if not node.op.moves), node
    assert not any(n.dtype.is_half for n in (*graph.inputs, *graph.ends))


def bodies(graph: Graph) -> list[Graph]:
    return [getattr(n.op, name) for n in graph.nodes for name in n.op.bodies]


@pytest.mark.parametrize(
    ("model", "halves"),
    [
        ("classifier", {"relu", "tanh", "add", "matmul"}),
        ("images", {"relu", "max_pool", "conv", "matmul"}),
        ("attention", {"matmul", "add", "erf"}),
    ],
)
def test_what_stands_between_products_stays_in_two_bytes(model: str, halves: set[str]) -> None:
    graph = mixed(spec(model).phases.forward, BF16)
    assert halves <= {n.op.word for n in graph.nodes if any(t.dtype is BF16 for t in n.types)}


def test_softmax_statistics_and_losses_stay_f32() -> None:
    words_of = {"attention": {"softmax", "square", "mean", "cross_entropy"}, "images": {"mean", "square", "sqrt"}}
    for model, words in words_of.items():
        graph = mixed(spec(model).phases.forward, F16)
        for node in graph.nodes:
            if node.op.word in words:
                assert {t.dtype for t in node.types} == {F32}, node
        assert words <= {n.op.word for n in graph.nodes}


def test_a_number_that_f16_cannot_hold_keeps_its_operation_in_f32() -> None:
    """The -1e9 under the causal mask would be infinite."""
    for half, wanted in ((F16, F32), (BF16, BF16)):
        graph = mixed(spec("attention").phases.forward, half)
        assert {n.dtype for n in graph.nodes if n.op.word == "where"} == {wanted}


def scaled(program: Program, given: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    """Loss and gradients with a scale at which nothing overflows, as training finds it in its first steps."""
    program.loss_and_gradients(given)
    if SCALE in program.memory():
        program.memory()[SCALE][...] = 2.0**8
    return program.loss_and_gradients(given)


@HALVES
@pytest.mark.parametrize("model", MODELS)
def test_losses_and_gradients_are_those_of_f32_up_to_rounding(model: str, half: DType) -> None:
    exact, rounded = Program(spec(model), seed=3), Program(spec(model, half), seed=3)
    given = batch(exact.specification)
    loss, gradients = exact.loss_and_gradients(given)
    found, theirs = scaled(rounded, given)
    assert abs(found - loss) <= 4 * EPSILON[half] * abs(loss)
    for name, g in gradients.items():
        assert theirs[name].dtype == np.float32
        distance = np.linalg.norm(theirs[name] - g)
        assert distance <= 8 * EPSILON[half] * np.linalg.norm(g), name


@HALVES
@pytest.mark.parametrize("model", MODELS)
def test_what_compiles_computes_what_the_definition_says(model: str, half: DType) -> None:
    program = Program(spec(model, half), seed=3)
    given = batch(program.specification)
    loss, gradients = scaled(program, given)
    graph = program.specification.phases.gradients
    memory = {
        n: a.reshape(graph.input(n).shape)
        for n, a in program.memory().items()
        if n in graph.named_inputs("parameter", "state")
    }
    defined = evaluate(graph, {**given, **memory})
    assert abs(loss - float(defined["loss"])) <= EPSILON[half] * abs(loss)
    for r in program.specification.phases.trained:
        flat = np.concatenate([gradients[p.name].reshape(-1) for p in r.pieces])
        distance = np.linalg.norm(flat - defined[f"gradient.{r.name}"])
        assert distance <= 4 * EPSILON[half] * np.linalg.norm(flat)


@HALVES
def test_gradients_are_as_near_to_f32_as_those_of_autocast(half: DType) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    exact, rounded = Program(spec("classifier"), seed=3), Program(spec("classifier", half), seed=3)
    given = batch(exact.specification, 64)
    _, wanted = exact.loss_and_gradients(given)
    _, found = rounded.loss_and_gradients(given)
    weights = {n: torch.tensor(a.copy(), requires_grad=True) for n, a in exact.parameters.items()}
    names = ["dense", "dense_2", "dense_3"]
    x = torch.tensor(given["x"])
    with torch.autocast("cpu", dtype=torch.float16 if half is F16 else torch.bfloat16):
        for name, activation in zip(names, (torch.relu, torch.tanh, None), strict=True):
            x = torch.nn.functional.linear(x, weights[f"{name}.weight"].T, weights[f"{name}.bias"])
            x = activation(x) if activation else x
        loss = torch.nn.functional.cross_entropy(x, torch.tensor(given["label"]))
    (loss * 2.0**16 if half is F16 else loss).backward()
    for name, weight in weights.items():
        theirs = weight.grad.numpy() / (2.0**16 if half is F16 else 1)
        size = np.linalg.norm(wanted[name])
        ours_off, theirs_off = (np.linalg.norm(g - wanted[name]) / size for g in (found[name], theirs))
        assert ours_off <= 1.5 * theirs_off + EPSILON[half] / 8, (name, ours_off, theirs_off)


def test_predict_and_evaluate_stay_f32() -> None:
    specification = spec("classifier", BF16)
    for graph in (specification.phases.predict, specification.phases.evaluate):
        assert "bf16" not in write(graph)
    assert "bf16" in write(specification.phases.train)


def test_differences_judge_the_gradients_without_halves() -> None:
    phases = spec("classifier", F16).phases
    assert "f16" not in write(phases.exact.gradients)
    assert phases.exact.gradients == replace(phases, training=replace(phases.training, precision=F32)).gradients
