"""`axonc bench`."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from axonc.bench import job

from .conftest import Ended

Run = Callable[..., Ended]
QUICK = ("--rounds", "2", "--seconds", "0", "--backend", "numpy")


def test_a_spec_is_measured_in_training_and_predicting(axonc: Run, folder: Path) -> None:
    ended = axonc("bench", "digits.axon", "--rows", "4", *QUICK)
    assert (ended.code, ended.err) == (0, "")
    assert "digits, 2,250 parameters, 4 samples, 1 thread" in ended.out
    assert [line.split("  ")[0] for line in ended.out.splitlines() if line.startswith(("training", "predict"))] == [
        "training step",
        "predict 1",
        "predict 4",
    ]


def test_figures_are_one_value_of_json(axonc: Run, folder: Path) -> None:
    ended = axonc("bench", "flowers.axon", "--json", *QUICK)
    found = json.loads(ended.out)
    assert (found["ok"], found["name"], found["rows"], found["missing"]) == (True, "flowers", 8, {})
    (run,) = found["runs"]
    (numpy,) = run["contenders"]
    assert numpy["contender"] == "numpy"
    assert 0 < numpy["step"]["low"] <= numpy["step"]["median"] <= numpy["step"]["high"]
    assert numpy["process"] > numpy["kept"] > 0
    assert numpy["memory"] > 10_000_000
    assert numpy["predict"].keys() == {"1", "8"}
    assert found["flops"] == 8 * 2 * 3 * (2 * 8 + 8 * 2) - 8 * 2 * 2 * 8 + _others(found["flops"])


def _others(flops: int) -> int:
    """What is no product: a few operations for each element, less than there are products."""
    products = 8 * 2 * 3 * (2 * 8 + 8 * 2) - 8 * 2 * 2 * 8
    assert 0 < flops - products < 3 * products
    return flops - products


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
def test_a_peer_that_only_predicts_is_measured_in_predicting(axonc: Run, folder: Path) -> None:
    ended = axonc("bench", "digits.axon", "--rows", "2", "--against", "onnxruntime", *QUICK)
    assert ended.code == 0
    assert sum(line.startswith("onnxruntime") for line in ended.out.splitlines()) == 2


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_a_peer_that_computes_other_numbers_is_left_out_and_named(axonc: Run, folder: Path) -> None:
    Path("other.py").write_text(
        "import torch\n"
        "class Other:\n"
        "    def __init__(self):\n"
        "        self.module = torch.nn.Linear(16, 3)\n"
        "    def loss(self, rows):\n"
        "        return lambda batch: self.module(batch['image'].flatten(1)).square().mean()\n"
        "    def outputs(self, rows):\n"
        "        return lambda batch: {'logits': self.module(batch['image'].flatten(1))}\n"
        "def network(spec, weights, states):\n"
        "    return Other()\n"
    )
    ended = axonc("bench", "deep.axon", "--rows", "2", "--against", "torch", "--peers", "torch=other.py", *QUICK)
    assert ended.code == 0
    assert "torch is left out: its loss at step 1 is" in ended.out


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_a_peer_that_fails_is_left_out_with_its_last_words(axonc: Run, folder: Path) -> None:
    Path("broken.py").write_text("raise RuntimeError('no such thing')\n")
    ended = axonc("bench", "deep.axon", "--rows", "2", "--against", "torch", "--peers", "torch=broken.py", *QUICK)
    assert ended.code == 0
    assert "torch is left out: RuntimeError: no such thing" in ended.out


def test_a_peer_that_is_not_installed_is_named(axonc: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(job.KINDS, "jax", job.Kind("with_jax", "no_such_package"))
    ended = axonc("bench", "deep.axon", "--rows", "2", "--against", "jax", *QUICK)
    assert ended.code == 0
    assert ended.err == "note: jax is left out: the package no_such_package is not installed\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("broken.axon",), 1, "unknown-layer"),
        (("deep.axon", "--against", "caffe"), 2, "'caffe' is none of torch"),
        (("deep.axon", "--threads", "none"), 2, "expected whole numbers from 1"),
        (("deep.axon", "--threads", "0"), 2, "expected whole numbers from 1"),
        (("deep.axon", "--threads", "1,2", "--clock", "processor"), 2, "measures one thread"),
        (("deep.axon", "--backend", ""), 2, "name a backend or a peer"),
        (("deep.axon", "--peers", "torch"), 2, "expected torch=FILE.py"),
        (("deep.axon", "--peers", "torch=missing.py"), 2, "expected torch=FILE.py"),
    ],
)
def test_what_cannot_be_measured_is_said(
    axonc: Run, folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = axonc("bench", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


def test_the_clock_of_the_processor_measures_too(axonc: Run, folder: Path) -> None:
    ended = axonc("bench", "deep.axon", "--rows", "2", "--clock", "processor", "--json", *QUICK)
    found = json.loads(ended.out)
    assert found["clock"] == "processor"
    assert 0 < found["runs"][0]["contenders"][0]["step"]["median"] < 1


def test_a_size_without_a_number_is_asked_for(axonc: Run, folder: Path) -> None:
    Path("open.axon").write_text("axonc 1\ninput x: f32[N, T, 4]\ny = x |> dense(3)\n")
    ended = axonc("bench", "open.axon", *QUICK)
    assert ended.code == 3
    assert "--size T=16" in ended.err
    assert axonc("bench", "open.axon", "--size", "T=3", *QUICK).code == 0
