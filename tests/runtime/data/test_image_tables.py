"""Images that a column of a table names, against the arrays that they were made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from axonc.runtime.data import dataset, inputs
from axonc.runtime.data.recipe import Binding, Column, Recipe, Step
from axonc.runtime.data.values import Field
from axonc.runtime.errors import DataError

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, np.ndarray]:
    """Six images of 4 x 6 pixels in three folders, by their path."""
    rng = np.random.default_rng(0)
    pixels = {
        f"{kind}/{n}.png": rng.integers(0, 256, (4, 6, 3), np.uint8) for kind in ("ant", "bee", "cat") for n in (0, 1)
    }
    for name, array in pixels.items():
        save(tmp_path / "photos" / name, array)
    return pixels


def named(*steps: Step, column: str = "file") -> Binding:
    return Binding("x", False, (Column(column),), (Step("image", (("height", 4), ("width", 6))), *steps))


def table(folder: Path, *rows: str) -> Path:
    (folder / "table.csv").write_text("\n".join(["file,kind", *rows, ""]))
    return folder


def test_a_table_names_images(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    table(tmp_path, *(f"photos/{name},{name[:3]}" for name in photos))
    kind = Binding("label", True, (Column("kind"),), (Step("classes"),))
    recipe = Recipe("table.csv", (named(), kind))
    loaded = dataset.load(recipe, tmp_path)
    arrays = loaded.parts["train"].arrays()
    np.testing.assert_array_equal(arrays["x"], np.stack(list(photos.values())))
    assert loaded.fields["x"] == Field("u8", (4, 6, 3))
    (tmp_path / "photos" / "ant" / "0.png").write_bytes(b"")  # nobody reads images only to know the classes
    assert dataset.schema(recipe, tmp_path) == loaded.fields
    grey = dataset.schema(Recipe("table.csv", (named(Step("grey"), Step("normalise")),)), tmp_path)
    assert grey == {"x": Field("f32", (4, 6))}
    paths = np.array([str(tmp_path / "photos" / "bee" / "0.png")])
    found = inputs.read_inputs(recipe, loaded.learned, {"file": paths})
    np.testing.assert_array_equal(found["x"], photos["bee/0.png"][None])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("photos/cat/99.png", "no-such-file"),
        ("photos/cat", "unknown-format"),
        ("photos/a\0b.png", "no-such-file"),
        ("x" * 5000 + ".png", "no-such-file"),
        ("../secret.png", "outside-data"),
        ("link.png", "outside-data"),
        ("", "missing-value"),
    ],
)
def test_what_a_table_names_wrongly_is_told_with_its_line(
    tmp_path: Path, photos: dict[str, np.ndarray], text: str, code: str
) -> None:
    home = tmp_path / "home"
    save(tmp_path / "secret.png", np.zeros((4, 6, 3), np.uint8))
    save(home / "photos" / "cat" / "0.png", np.zeros((4, 6, 3), np.uint8))
    (home / "link.png").symlink_to(tmp_path / "secret.png")
    table(home, "photos/cat/0.png,a", f"{text},a")
    with pytest.raises(DataError) as mistake:
        dataset.load(Recipe("table.csv", (named(),)), home)
    assert (mistake.value.code, mistake.value.row, mistake.value.column) == (code, 3, "file")


def test_one_column_of_a_table_names_images(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    table(tmp_path, "photos/cat/0.png,a")
    both = Binding("x", False, (Column("file"), Column("kind")), named().steps)
    with pytest.raises(DataError, match="found another column of text, expected one"):
        dataset.load(Recipe("table.csv", (both,)), tmp_path)
    resized = Binding("x", False, (Column("file"),), (Step("resize", (("height", 2), ("width", 2))),))
    with pytest.raises(DataError, match=r"for paths of images write `image\(height, width\)`"):
        dataset.load(Recipe("table.csv", (resized,)), tmp_path)
