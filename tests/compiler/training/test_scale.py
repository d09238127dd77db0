"""The loss scale of f16: what becomes of it and of a step that it spoils, as PyTorch's GradScaler has it."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.compiler.training import scale
from axonc.program import Program
from axonc.specification import check

from .steps import Weights, fed, followed, gradients

SPOILED = (2, 3, 7)  # steps whose gradients are not finite
ROOT = """
model root
input x: f32[N, 1]
weight w: f32[1] = zeros
loss sqrt(abs(x + w))
train { optimizer adam(0.01); precision f16 }
"""  # the gradient at zero is no number
TRAIN = "optimizer adam(0.01); precision f16"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "PATIENCE", 3)


def spoiled() -> list[Weights]:
    found = gradients()
    for step, value in zip(SPOILED, (np.inf, np.nan, -np.inf), strict=True):
        found[step]["matrix"][1, 2] = value
    return found


def scales(train: str, fed_with: list[Weights]) -> tuple[list[float], list[Weights]]:
    """The scale after each step, and the weights."""
    program, found, path = fed(train), [], []
    for g in fed_with:
        path += followed(program, [g])[1]
        found.append(program.memory()[scale.SCALE].item())
    return found, path


@pytest.mark.usefixtures("impatient")
def test_scale_and_steps_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    found, path = scales(TRAIN, spoiled())
    tensors = {n: torch.tensor(a.copy(), requires_grad=True) for n, a in fed(TRAIN).parameters.items()}
    optimizer = torch.optim.Adam(tensors.values(), 0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale.FIRST, growth_interval=3)
    for i, g in enumerate(spoiled()):
        optimizer.zero_grad()
        scaler.scale(sum((tensors[n] * torch.tensor(g[n])).sum() for n in tensors)).backward()
        scaler.step(optimizer)
        scaler.update()
        assert found[i] == scaler.get_scale(), i
        for name, tensor in tensors.items():
            np.testing.assert_allclose(path[i][name], tensor.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert len(set(found)) == 3


def test_a_spoiled_step_changes_nothing_but_the_scale() -> None:
    program = fed("optimizer adam(0.01); average 0.9; " + TRAIN.partition("; ")[2])
    followed(program, gradients(2))
    before = program.snapshot()
    followed(program, [spoiled()[2]])
    after = program.snapshot()
    changed = {name for name in after if (after[name] != before[name]).any()}
    assert changed == {f"optimizer/{scale.SCALE}", f"optimizer/{scale.GOOD}", "optimizer/steps"}
    assert after[f"optimizer/{scale.SCALE}"] == before[f"optimizer/{scale.SCALE}"] / 2


def test_without_a_spoiled_step_the_scale_leaves_no_trace() -> None:
    """It is a power of two, and no gradient here is so small or so large that it matters."""
    for train in ("optimizer adam(0.01)", "optimizer lamb(0.01); clip { norm 1 }"):
        _, wanted = followed(fed(train), gradients())
        _, found = followed(fed(train + "; precision f16"), gradients())
        for a, z in zip(wanted, found, strict=True):
            for name in a:
                np.testing.assert_allclose(z[name], a[name], rtol=1e-5, atol=1e-6)


def test_gradients_are_given_without_the_scale() -> None:
    program, (g, *_) = fed(TRAIN), gradients(1)
    _, found = program.loss_and_gradients({"a": g["matrix"][None], "b": g["row"][None]})
    np.testing.assert_array_equal(found["matrix"], g["matrix"])


def test_the_scale_is_part_of_a_snapshot() -> None:
    one, other = fed(TRAIN), fed(TRAIN)
    followed(one, spoiled()[:4])
    other.restore(one.snapshot())
    _, path = followed(one, gradients(2))
    _, again = followed(other, gradients(2))
    np.testing.assert_array_equal(path[-1]["matrix"], again[-1]["matrix"])
    assert one.memory()[scale.SCALE] == other.memory()[scale.SCALE] == scale.FIRST / 4


def test_gradients_that_no_scale_makes_finite_make_the_loss_nan() -> None:
    program = Program(check(ROOT))
    x = np.zeros((1, 1), np.float32)
    losses = [program.train_step({"x": x})["loss"] for _ in range(45)]
    assert losses[:40] == [0.0] * 40
    assert np.isnan(losses[-1])
    assert program.parameters["w"] == 0


def test_bf16_needs_no_scale() -> None:
    program = fed("optimizer adam(0.01); precision bf16")
    followed(program, gradients(1))
    assert not any(name in scale.NAMES for name in program.memory())
