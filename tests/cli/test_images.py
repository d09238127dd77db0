"""A folder of images from training to predictions: classes, sizes and what changed are known from then on."""

import csv
import json
import sys

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

SPEC = """axonc 1
model stripes

data "photos/" {
  image = image |> resize(8, 8) |> normalise
  target label = folder |> classes
  split { train 0.6; validation 0.2; test 0.2 }
  batch 8
  augment { image { flip [horizontal, vertical]; crop 1; noise 0.1; erase 2 } }
}

input image: f32[N, H, W, C]
input label: i64[N]

logits = image |> conv2d(4, 3, activation = relu) |> flatten |> dense(2)

output folder = argmax(logits)
loss cross_entropy(logits, label)
metric accuracy(logits, label)

train { optimizer adam(0.01); epochs 8 }
"""


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Forty images of several sizes, striped across or down."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stripes.axon").write_text(SPEC)
    rng = np.random.default_rng(0)
    for number in range(40):
        size = int(rng.integers(12, 30))
        stripes = (np.arange(size) * 8 // size % 2 * 200)[:, None, None] + rng.integers(0, 50, (size, size, 3))
        kind = "across" if number % 2 else "down"
        folder = tmp_path / "photos" / kind
        folder.mkdir(parents=True, exist_ok=True)
        pixels = stripes if kind == "across" else stripes.transpose(1, 0, 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")
    return tmp_path / "photos"


def test_images_in_folders_are_trained_on_and_predicted(axonc, photos):
    checked = axonc("check", "stripes.axon")
    assert "image f32[N, 8, 8, 3]" in checked.out, checked.err
    assert axonc("train", "stripes.axon", "--out", "run", "--quiet").code == 0
    assert json.loads(axonc("evaluate", "run", "--json").out)["metrics"]["accuracy"] == 1
    ended = axonc("predict", "run", "--input", "photos", "--output", "out.csv")
    assert ended.out == "40 predictions of folder in out.csv\n", ended.err
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == sorted(str(path.relative_to(photos)) for path in photos.glob("*/*"))
    assert sum(row["file"].split("/")[0] == row["folder"] for row in rows) >= 38
    (photos / "down" / "38.png").rename(photos / "38.png")
    assert axonc("predict", "run", "--input", "photos", "--output", "out.npz").code == 0
    found = np.load("out.npz")
    assert (found["file"][0], found["folder"][0]) == ("38.png", "down")
    (photos / "38.png").rename(photos / "down" / "39.png")
    assert "error[data-changed]" in axonc("evaluate", "run").err


def test_images_that_a_table_names_are_trained_on_and_predicted(axonc, photos):
    names = sorted(photos.glob("*/*"))
    for file, half in (("table.csv", names[::2]), ("new.csv", names[1::2])):
        rows = [f"{name.parent.name},photos/{name.parent.name}/{name.name}" for name in half]
        (photos.parent / file).write_text("\n".join(["kind,file", *rows, ""]))
    spec = SPEC.replace("photos/", "table.csv").replace("image = image |> resize", "image = file |> image")
    (photos.parent / "table.axon").write_text(
        spec.replace("folder |> classes", "kind |> classes").replace("folder", "kind")
    )
    assert axonc("train", "table.axon", "--out", "run", "--quiet").code == 0
    ended = axonc("predict", "run", "--input", "new.csv", "--output", "out.csv")
    assert ended.out == "20 predictions of kind in out.csv\n", ended.err
    with open("out.csv", newline="") as file:
        found = [row["kind"] for row in csv.DictReader(file)]
    assert sum(kind == name.parent.name for kind, name in zip(found, names[1::2], strict=True)) >= 18


def test_what_is_wrong_with_images_is_told_where_the_spec_names_them(axonc, photos):
    (photos / "across" / "notes.txt").write_text("")
    ended = axonc("check", "stripes.axon")
    assert ended.code == 3
    assert "stripes.axon:4:6" in ended.err
    assert "notes.txt: has the suffix `.txt`" in ended.err


def test_without_pillow_it_is_said_what_to_install(axonc, photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    ended = axonc("check", "stripes.axon")
    assert ended.code == 3
    assert "is read with the package Pillow, which is not here" in ended.err
    assert "pip install 'axonc[images]'" in ended.err
