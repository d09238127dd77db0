"""The networks that peers are given compute what the spec says: outputs, loss and gradients, from the same weights."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from axonc.bench.case import case
from axonc.bench.job import KINDS, Contender, Job
from axonc.bench.own import Own
from axonc.compiler.ir.dims import names
from axonc.compiler.ir.op import Op
from axonc.specification import check

from ..examples.test_zoo import LENGTHS, SMALL, small

WORKLOADS = Path(__file__).parents[2] / "benchmarks" / "workloads"
ROWS = {"playground": 30, "mlp": 16, "cnn": 8, "resnet20": 4, "gpt": 2, "lstm": 4, "unet": 2, "vit": 4}
COMPILED = ("lenet5", "densenet121", "unet", "vae", "gru_classifier", "seq2seq", "vit_b16")  # JAX takes seconds
SWITCHING = ("resnet20", "unet")  # deep ones with rectifiers, some of which rounding turns over
PEERS = ("torch", "torch-channels-last", "jax", "onnxruntime")


def needs(contender: str) -> Any:
    package = KINDS[contender].package
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


def every(names: tuple[str, ...] = PEERS) -> list[Any]:
    return [pytest.param(name, marks=needs(name)) for name in names]


def made(job: Job) -> Contender:
    from importlib import import_module

    module: ModuleType = import_module(f"axonc.bench.{job.kind.module}")
    contender: Contender = module.make(job, job.read())
    return contender


def assert_alike(job: Job, *, trains: bool, tolerance: float) -> None:
    """The contender of a job has the outputs, loss and gradients of the definition in NumPy."""
    own, other = Own(Job(**{**vars(job), "contender": "numpy"}), job.read()), made(job)
    for rows in (job.rows, 1):
        found, wanted = other.predict(rows), own.predict(rows)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            assert np.abs(np.asarray(found[name]) - array).max() <= 1e-4 * max(1.0, float(np.abs(array).max())), name
    if not trains:
        return
    (loss, gradients), (wanted_loss, wanted_gradients) = other.gradients(), own.gradients()
    assert loss == pytest.approx(wanted_loss, rel=1e-5)
    assert gradients.keys() == wanted_gradients.keys()
    largest = max(float(np.abs(g).max()) for g in wanted_gradients.values())
    for name, gradient in wanted_gradients.items():
        assert gradients[name].shape == gradient.shape
        assert np.abs(gradients[name] - gradient).max() <= tolerance * largest, name


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("contender", every())
def test_a_network_by_hand_is_that_of_its_workload(name: str, contender: str, tmp_path: Path) -> None:
    path, arrays = WORKLOADS / f"{name}.axon", tmp_path / "arrays.npz"
    found = case(check(path), str(path), {}, {}, ROWS[name])
    found.write(arrays)
    peers = {package: str(WORKLOADS / f"{package}_networks.py") for package in ("torch", "jax")}
    job = Job(contender, str(path), {}, {}, found.rows, 1, str(arrays), peers)
    tolerance = 1e-2 if name in SWITCHING else 1e-5
    assert_alike(job, trains=KINDS[contender].trains, tolerance=tolerance)


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")  # JAX counts in 32 bits
@pytest.mark.parametrize(
    ("name", "contender"),
    [
        *(pytest.param(name, c, marks=needs(c)) for name in SMALL for c in ("torch", "torch-channels-last")),
        *(pytest.param(name, "jax", marks=needs("jax")) for name in COMPILED),
    ],
)
def test_a_network_from_the_graph_is_that_of_the_spec(name: str, contender: str, tmp_path: Path) -> None:
    path, arrays = tmp_path / "spec.axon", tmp_path / "arrays.npz"
    path.write_text(_without_penalties(small(name)))
    given = {constant: str(value) for constant, value in SMALL[name].items()}
    specification = check(path, overrides=given)
    asked = {name for node in specification.phases.train.inputs for size in node.shape for name in names(size)}
    sizes = {name: LENGTHS[name] for name in asked & LENGTHS.keys()}
    found = case(specification, str(path), given, sizes, 3)
    found.write(arrays)
    job = Job(contender, str(path), given, found.sizes, found.rows, 1, str(arrays), {})
    assert_alike(job, trains=not found.draws, tolerance=1e-5)


def _without_penalties(spec: str) -> str:
    return "\n".join(line for line in spec.splitlines() if " l2 " not in line)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_every_operation_of_a_forward_pass_has_a_call_of_pytorch() -> None:
    from axonc.bench.torch_operations import OPERATIONS

    made_by_others = {"input", "literal", "item", "scan", "recompute"}
    gradients = {"conv_weight", "max_pool_input", "max_pool_pick", "average_pool_input"}
    assert {kind.word for kind in OPERATIONS} | made_by_others | gradients == set(Op.words)
