"""Losses and metrics of the language against their formulas in plain NumPy, f64, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from axonc.program import Program
from axonc.specification import check

RANDOM = np.random.default_rng(2)
N, K = 7, 4
A, B = (RANDOM.normal(size=(N, K)) for _ in range(2))
SHARES = np.abs(B) / np.abs(B).sum(1, keepdims=True)
SHARES[0] = [1, 0, 0, 0]
LABEL = RANDOM.integers(0, K, N)
SAME = RANDOM.integers(0, 2, N).astype(np.float64)
WEIGHT = RANDOM.uniform(0, 2, N)
SPEC = """
model losses
input a: f32[N, 4]
input b: f32[N, 4]
input shares: f32[N, 4]
input label: i64[N]
input same: f32[N]
input importance: f32[N]
weight w: f32[4] = ones
x = a * w
output x
{lines}
"""


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def entropy(x: np.ndarray) -> np.ndarray:
    return -log_softmax(x)[np.arange(N), LABEL]


def contrastive(x: np.ndarray, margin: float) -> np.ndarray:
    distance = np.linalg.norm(x - B, axis=1)
    return SAME * distance**2 / 2 + (1 - SAME) * np.maximum(margin - distance, 0) ** 2 / 2


def kl(x: np.ndarray) -> np.ndarray:
    ratio = np.log(np.where(SHARES > 0, SHARES, 1)) - log_softmax(x)
    return (SHARES * ratio).sum(1)


LOSSES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "categorical_cross_entropy(x, shares)": lambda x: -(SHARES * log_softmax(x)).sum(1),
    "categorical_cross_entropy(x, one_hot(label, 4))": entropy,
    "kl_categorical(x, shares)": kl,
    "kl_gaussian(x, b)": lambda x: 0.5 * (np.exp(B) + x**2 - 1 - B).sum(1),
    "cosine_distance(x, b)": lambda x: 1 - (x * B).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(B, axis=1),
    "contrastive(x, b, same)": lambda x: contrastive(x, 1.0),
    "contrastive(x, b, same, margin = 3.0)": lambda x: contrastive(x, 3.0),
    "importance * cross_entropy(x, label)": lambda x: WEIGHT * entropy(x),
    "mean(cross_entropy(x, label), where = same > 0)": lambda x: entropy(x)[SAME > 0],
    "sum(same * cross_entropy(x, label)) / sum(same)": lambda x: entropy(x)[SAME > 0],
}


def program(lines: str) -> Program:
    return Program(check(SPEC.format(lines=lines)))


def batch(p: Program) -> dict[str, np.ndarray]:
    known = {"a": A, "b": B, "shares": SHARES, "label": LABEL, "same": SAME, "importance": WEIGHT}
    asked = {
        i.op.name for phase in (p.specification.phases.train, p.specification.phases.evaluate) for i in phase.inputs
    }
    return {n: v if n == "label" else v.astype(np.float32) for n, v in known.items() if n in asked}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_and_its_gradient_are_those_of_its_formula(loss: str) -> None:
    p = program(f"loss {loss}")
    value, gradients = p.loss_and_gradients(batch(p))
    formula = LOSSES[loss]
    assert value == pytest.approx(formula(A).mean(), rel=1e-5)
    steps = 1e-6 * np.eye(K)
    differences = [(formula(A * (1 + s)).mean() - formula(A * (1 - s)).mean()) / 2e-6 for s in steps]
    np.testing.assert_allclose(gradients["w"], differences, rtol=1e-3, atol=1e-4)


def test_several_losses_are_added_with_their_weights_and_known_by_name() -> None:
    p = program("loss first = 0.3 * cross_entropy(x, label)\nloss second = 2 * mse(x, b)")
    losses = p.train_step(batch(p))
    assert losses["first"] == pytest.approx(0.3 * entropy(A).mean(), rel=1e-5)
    assert losses["second"] == pytest.approx(2 * ((A - B) ** 2).mean(), rel=1e-5)
    assert losses["loss"] == pytest.approx(losses["first"] + losses["second"], rel=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_accuracy_agrees(k: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    p = program(f"loss mse(x, b)\nmetric t = top_k_accuracy(x, label, k = {k})")
    found = p.evaluate_batch(batch(p))["t"]
    expected = sklearn.top_k_accuracy_score(LABEL, A, k=k, labels=range(K))
    assert found.total / found.count == pytest.approx(expected)


def test_metrics_over_the_whole_set_have_their_settings() -> None:
    from axonc.runtime.metrics import Totals

    lines = "loss cross_entropy(x, label)\nmetric confusion(x, label)\nmetric f1(x, label, micro = true)\n"
    lines += "metric p = perplexity(x, label)\nmetric q = perplexity(x, label, ignore = 1)\nmetric mae(x, b)"
    p = program(lines)
    totals = Totals()
    for part in (slice(0, 3), slice(3, N)):
        totals.add(p.evaluate_batch({n: a[part] for n, a in batch(p).items()}))
    values = totals.finish()
    assert values["f1"] == pytest.approx((A.argmax(1) == LABEL).mean())
    assert values["p"] == pytest.approx(np.exp(entropy(A).mean()), rel=1e-5)
    assert values["q"] == pytest.approx(np.exp(entropy(A)[LABEL != 1].mean()), rel=1e-5)
    assert values["mae"] == pytest.approx(np.abs(A - B).mean(), rel=1e-5)
    assert np.trace(totals.tables()["confusion"]) == (A.argmax(1) == LABEL).sum()
