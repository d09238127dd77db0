"""Eighteen whole models in both notations: the weights that their papers count, and the same graphs twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from axonc.compiler.ir.verify import verify
from axonc.spec.load import load
from axonc.spec.record import replace
from axonc.specification import Specification, check_model

MODELS = Path(__file__).parents[2] / "spec" / "models"
NAMES = sorted(p.stem for p in MODELS.glob("[0-9]*.axon"))

# Published, or counted by hand below.
COUNTS = {
    "02_maxout": 2 * (64 * 64 + 64) + 64 * 10 + 10,
    "03_lenet5": 61_706,
    "04_vgg16": 138_357_544,
    "05_resnet50": 25_557_032,
    "06_mobilenetv2": 3_504_872,
    "07_densenet121": 7_978_856,
    "08_unet": 31_037_698,
    "09_vae": (64 * 128 + 128) + 2 * (128 * 16 + 16) + (16 * 128 + 128) + (128 * 64 + 64),
    "10_lstm_masked": 20_000 * 64 + 2 * 4 * 128 * (64 + 128 + 1) + (256 * 2 + 2),
    "14_gpt2": 124_439_808,
    "15_vit": 86_567_656,
    "17_transfer": 25_557_032 - (2048 * 1000 + 1000) + (2048 * 5 + 5),
}


def specification(name: str, notation: str) -> Specification:
    """A model without its data section: the files that it names are not there."""
    model = load(MODELS / f"{name}.{notation}")
    is_wide = any(size.span.text == "F" for i in model.inputs for size in i.type.sizes)
    return check_model(replace(model, data=None), MODELS, sizes={"F": 30} if is_wide else {})


@pytest.mark.parametrize("name", NAMES)
def test_both_notations_give_the_same_graphs_in_all_phases(name: str) -> None:
    axon, yaml = (specification(name, notation) for notation in ("axon", "yaml"))
    assert {n: str(p.type) for n, p in axon.parameters.items()} == {n: str(p.type) for n, p in yaml.parameters.items()}
    assert (axon.phases.predict, axon.phases.evaluate) == (yaml.phases.predict, yaml.phases.evaluate)
    verify(axon.phases.predict)
    if axon.phases.traced["train"].losses:
        assert axon.phases.train == yaml.phases.train
        verify(axon.phases.train)
    if name in COUNTS:
        assert axon.parameter_count == COUNTS[name]


def test_the_weights_of_a_block_that_was_included_are_named_by_its_instance() -> None:
    found = specification("17_transfer", "axon")
    assert "backbone.bottleneck.3.2.convolution_3.batch_norm.scale" in found.parameters
    assert {name.split(".")[0] for name in found.parameters} == {"backbone", "head"}
    assert {name.split(".")[0] for name in found.origins} == {"backbone"}


def test_sizes_of_the_u_net_are_equal_after_halving_and_doubling() -> None:
    (mask,) = specification("08_unet", "axon").phases.traced["predict"].outputs.values()
    assert str(mask.type) == "i64[N, 16 * H, 16 * W]"
