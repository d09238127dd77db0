"""The examples are trained as a reader would train them, and reach what their READMEs say, less a margin."""

from __future__ import annotations

from pathlib import Path

import axonc
import numpy as np
import pytest
from axonc.spec.source import Source
from axonc.spec.write import format_source

EXAMPLES = Path(__file__).parents[2] / "examples"
WITH_DATA = [folder for folder in EXAMPLES.iterdir() if folder.is_dir() and folder.name != "zoo"]
SPECS = sorted(path for folder in WITH_DATA for path in folder.iterdir() if path.suffix in (".axon", ".yaml"))

# What the test part must reach: a few standard deviations below the mean over seeds.
LEAST = {
    "attention/towns.axon": ("accuracy", 0.74),
    "cars/cars.axon": ("r2", 0.85),
    "dates/transformer.axon": ("exact", 0.15),
    "digits/cnn.axon": ("accuracy", 0.965),
    "digits/mlp.yaml": ("accuracy", 0.95),
    "imbalance/satellite.axon": ("pr_auc", 0.74),
    "iris/iris.yaml": ("accuracy", 0.95),
    "segmentation/unet.axon": ("iou", 0.8),
    "text/gru.axon": ("accuracy", 0.66),
}
# And what it may be at most: losses in nats, errors in the unit of the data.
MOST = {
    "characters/gpt.axon": ("bits", 4.6),
    "dates/gru.axon": ("loss", 1.5),
    "series/lstm.axon": ("mae", 0.85),
    "vae/vae.axon": ("loss", 88.0),
}
# Constants that make a training shorter, where the whole takes long.
SHORTER: dict[str, dict[str, int]] = {
    "characters/gpt.axon": {"updates": 200, "d": 32, "depth": 1},
    "dates/gru.axon": {"updates": 150},
    "dates/transformer.axon": {"updates": 250},
    "segmentation/unet.axon": {"epochs": 5},
}


def name(path: Path) -> str:
    return path.relative_to(EXAMPLES).as_posix()


def test_every_example_has_a_bound_and_a_readme() -> None:
    assert {name(path) for path in SPECS} == LEAST.keys() | MOST.keys()
    assert all((path.parent / "README.md").exists() for path in SPECS)


@pytest.mark.parametrize("path", SPECS, ids=name)
def test_an_example_reaches_its_figure(path: Path) -> None:
    found = axonc.compile(path, overrides=SHORTER.get(name(path))).fit().test
    if name(path) in LEAST:
        metric, least = LEAST[name(path)]
        assert found[metric] >= least
    else:
        metric, most = MOST[name(path)]
        assert found[metric] <= most


@pytest.mark.parametrize("path", SPECS, ids=name)
def test_an_example_is_written_in_canonical_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_source(Source(path.name, text)) == text


def test_a_trained_example_is_saved_and_predicts_the_same_without_the_compiler(tmp_path: Path) -> None:
    program = axonc.compile(EXAMPLES / "digits" / "mlp.yaml")
    program.fit()
    program.save(tmp_path / "digits.safetensors")
    with np.load(EXAMPLES / "digits" / "digits.npz") as file:
        image = file["pixels"].astype(np.float32)
    model = axonc.load(tmp_path / "digits.safetensors")
    np.testing.assert_array_equal(model.predict({"image": image})["digit"], program.predict({"image": image})["digit"])


def test_a_saved_model_prepares_new_data_as_training_did(tmp_path: Path) -> None:
    program = axonc.compile(EXAMPLES / "iris" / "iris.yaml")
    program.fit()
    program.save(tmp_path / "iris.safetensors")
    model = axonc.load(tmp_path / "iris.safetensors")
    table = np.genfromtxt(EXAMPLES / "iris" / "iris.csv", delimiter=",", skip_header=1)[:, :4]
    from_file = model.prepare(EXAMPLES / "iris" / "iris.csv")
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    from_arrays = model.prepare(dict(zip(names, table.T, strict=True)))
    np.testing.assert_array_equal(from_file["flower"], from_arrays["flower"])
    kinds = np.repeat([0, 1, 2], 50)
    assert np.mean(model.predict(from_file)["species"] == kinds) > 0.95
