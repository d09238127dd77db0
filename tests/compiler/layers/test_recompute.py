"""`recompute` changes neither values nor gradients, and its plan needs less memory."""

from __future__ import annotations

import axonc
import numpy as np
import pytest
from axonc.compiler.pipeline import compile_graph

from ..trace.specs import checked, computed, mistakes

HEAD = "axonc 1\ninput x: f32[N, 6, 16]\n"
LAYERS = {
    "dense": "dense(64) |> gelu |> dense(16) |> tanh",
    "attention": "transformer_encoder(heads = 2, rate = 0.2)",
    "recurrent": "lstm(16)",
    "norm": "dense(16) |> batch_norm |> relu",
}


def stack(layer: str, *, again: bool) -> str:
    step = "recompute(f)" if again else "f"
    return f"f = {layer}\ny = x |> {step} |> dense(16)\noutput y\nloss mean(y ** 2)"


def program(layer: str, *, again: bool) -> axonc.Program:
    made = axonc.compile(HEAD + stack(layer, again=again))
    draw = np.random.default_rng(1)
    for array in made.parameters.values():
        array[...] = draw.normal(size=array.shape) * 0.3
    return made


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_values_and_gradients_stay(layer: str) -> None:
    x = np.random.default_rng(0).normal(size=(4, 6, 16)).astype(np.float32)
    plain, again = program(layer, again=False), program(layer, again=True)
    assert list(plain.parameters) == list(again.parameters)
    (loss, gradients), (loss_again, gradients_again) = (p.loss_and_gradients({"x": x}) for p in (plain, again))
    np.testing.assert_allclose(loss_again, loss, rtol=1e-6)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradients_again[name], gradient, rtol=1e-4, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(again.predict({"x": x})["y"], plain.predict({"x": x})["y"], rtol=1e-5, atol=1e-6)


def test_states_go_on_as_without() -> None:
    x = np.random.default_rng(0).normal(size=(4, 6, 16)).astype(np.float32)
    plain, again = (computed(stack("batch_norm", again=a), {"x": x}, "train", HEAD) for a in (False, True))
    assert sorted(plain) == sorted(again) == ["f.centre", "f.spread", "loss", "mean"]
    for name, value in plain.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-6, err_msg=name)


def test_a_deep_stack_needs_less_memory() -> None:
    def arena(step: str) -> int:
        body = f"repeat 8 {{ x = x |> {step} }}\nloss mean(x ** 2)"
        graph = checked(body, HEAD).phases.gradients
        return compile_graph(graph, rows=64).arena

    layer = "dense(64) |> gelu |> dense(64) |> tanh |> dense(16)"
    assert arena(f"recompute({layer})") < 0.5 * arena(layer)


def test_what_is_no_layer_of_one_tensor_is_refused() -> None:
    assert mistakes("y = x |> recompute(3)", HEAD) == [("wrong-kind", 1, 20)]
    assert mistakes("y = x |> recompute(split(2))", HEAD) == [("wrong-kind", 1, 20)]
