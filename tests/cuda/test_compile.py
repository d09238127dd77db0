"""Kernels compile to machine code for every architecture, and take no more than each has. No driver is needed.

An ordinary run compiles each text for one architecture, in turn; a nightly one for all of them, and the whole zoo.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from axonc.compiler.pipeline import CUPY, compile_graph
from axonc.runtime.plan import THREADS, Gemm, Plan
from axonc.specification import Specification, check

from ..compiler.native.test_operations import GROUPS, graph_of
from ..compiler.ops.samples import SAMPLES
from ..examples.test_zoo import LENGTHS, SMALL, small
from ..timing import is_done_within
from .nvrtc import LIMITS, REGISTERS, Use, compiled, needs_nvrtc

EXAMPLES = Path(__file__).parents[2] / "examples"
SPECS = sorted(p for end in ("axon", "yaml") for p in EXAMPLES.glob(f"*/*.{end}") if p.parent.name != "zoo")
ARCHITECTURES = tuple(LIMITS)
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
WHOLE = tuple(SMALL) if NIGHTLY else ("lenet5", "lstm_classifier", "gpt2")


def check_all(plan: Plan, turn: int) -> dict[str, Use]:
    """Compiles all kernels of a plan, and compares what they take with the limits."""
    found: dict[str, Use] = {}
    for i, unit in enumerate(plan.units):
        for architecture in ARCHITECTURES if NIGHTLY else (ARCHITECTURES[(turn + i) % len(ARCHITECTURES)],):
            made = compiled(unit.text, architecture)
            assert set(made) == set(unit.kernels)
            registers, shared = LIMITS[architecture]
            for name, use in made.items():
                assert use.registers <= min(registers, REGISTERS // THREADS), name
                assert use.shared <= shared, name
            found |= made
    return found


@needs_nvrtc
@pytest.mark.parametrize(("turn", "group"), list(enumerate(GROUPS)), ids=lambda x: x[0] if isinstance(x, tuple) else "")
def test_the_kernels_of_every_operation_compile(turn: int, group: tuple[str, ...]) -> None:
    graph = graph_of({f"{word}.{k}": s for word in group for k, s in enumerate(SAMPLES[word])})
    assert check_all(compile_graph(graph, target=CUPY), turn)


@needs_nvrtc
@pytest.mark.parametrize(("turn", "path"), list(enumerate(SPECS)), ids=lambda x: x.stem if isinstance(x, Path) else "")
def test_the_kernels_of_an_example_compile_and_spill_nothing(turn: int, path: Path) -> None:
    specification = check(path)
    assert specification.recipe is not None
    plan = compile_graph(specification.phases.train, rows=specification.recipe.batch, target=CUPY)
    assert not [name for name, use in check_all(plan, turn).items() if use.spilled]


@needs_nvrtc
@pytest.mark.parametrize(("turn", "name"), list(enumerate(WHOLE)), ids=lambda x: str(x))
def test_the_kernels_of_a_model_of_the_zoo_compile_at_its_full_size(turn: int, name: str) -> None:
    assert check_all(plan_of(name), turn)


@needs_nvrtc
@pytest.mark.skipif(not NIGHTLY, reason="takes minutes: .ci/run --nightly")
@pytest.mark.parametrize("precision", ["f32", "tf32", "bf16"])
def test_the_kernels_of_gpt2_at_its_full_length_compile_and_spill_nothing(precision: str) -> None:
    text = (EXAMPLES / "zoo" / "gpt2.axon").read_text().replace("clip {", f"precision {precision}; clip {{")
    specification = check(text)
    target = CUPY._replace(tf32=specification.training.tf32)
    plan = compile_graph(specification.phases.train, rows=12, sizes={"T": 1024}, target=target)
    products = [step.launch for step in plan.walk() if isinstance(step.launch, Gemm)]
    assert {product.tf32 for product in products} == {precision == "tf32"}
    assert ("bf16" in {plan.buffers[product.c.view.buffer].dtype for product in products}) == (precision == "bf16")
    assert not [name for name, use in check_all(plan, 0).items() if use.spilled]


def plan_of(name: str) -> Plan:
    """The training step of a model at its full size."""
    return plan_for(check(EXAMPLES / "zoo" / f"{name}.axon"))


def plan_for(specification: Specification) -> Plan:
    return compile_graph(specification.phases.train, rows=8, sizes={**LENGTHS, "H": 32, "W": 32}, target=CUPY)


def test_equal_layers_share_their_kernels() -> None:
    """From a depth on at which clusters, which look no further than so many nodes, are the same in each layer."""
    few, many = (plan_for(check(small("gpt2"), overrides={"depth": depth})) for depth in (9, 18))
    assert sum(len(unit.kernels) for unit in many.units) == sum(len(unit.kernels) for unit in few.units)
    assert len(many.steps) > 1.9 * len(few.steps)


def test_the_kernels_of_gpt2_are_written_in_two_seconds() -> None:
    specification = check(EXAMPLES / "zoo" / "gpt2.axon")
    assert plan_for(specification).units
    assert is_done_within(2, lambda: plan_for(specification))
