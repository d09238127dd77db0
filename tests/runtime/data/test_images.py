"""Folders of images, against the arrays that they were made of."""

from __future__ import annotations

import os
import random
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime.data import dataset, inputs
from axonc.runtime.data.recipe import Binding, Column, Pattern, Recipe, Step
from axonc.runtime.data.values import Field
from axonc.runtime.errors import DataError, FileError, Mistake
from axonc.runtime.run import digest

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

CLASSES, GREY, NORMALISE = Step("classes"), Step("grey"), Step("normalise")
LABEL = Binding("label", True, (Column("folder"),), (CLASSES,))


def resize(height: int, width: int) -> Step:
    return Step("resize", (("height", height), ("width", width)))


def image(*steps: Step, **wanted: object) -> Binding:
    return Binding("x", False, (Column("image"),), steps, **wanted)  # type: ignore[arg-type]


def save(path: Path, pixels: np.ndarray, **how: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **how)


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, np.ndarray]:
    """Twelve images of 4 x 6 pixels in three folders, by their path."""
    rng = np.random.default_rng(0)
    names = [
        f"{kind}/{number}.{suffix}"
        for kind in ("cat", "ant", "bee")
        for number, suffix in enumerate(("png", "bmp", "PNG", "png"))
    ]
    pixels = {name: rng.integers(0, 256, (4, 6, 3), np.uint8) for name in names}
    for name, array in pixels.items():
        save(tmp_path / "photos" / name, array)
    return dict(sorted(pixels.items()))


def load(folder: Path, *bindings: Binding, **more: object) -> dataset.Dataset:
    return dataset.load(Recipe("photos/", bindings, **more), folder)  # type: ignore[arg-type]


def test_images_and_their_folders_are_rows_sorted_by_name(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    (tmp_path / "photos" / ".hidden").mkdir()
    (tmp_path / "photos" / "ant" / ".DS_Store").write_text("")
    loaded = load(tmp_path, image(), LABEL)
    arrays = loaded.parts["train"].arrays()
    np.testing.assert_array_equal(arrays["x"], np.stack(list(photos.values())))
    assert arrays["x"].dtype == np.uint8
    np.testing.assert_array_equal(arrays["label"], np.repeat([0, 1, 2], 4))
    assert loaded.learned["label"]["steps"] == [[["ant", "bee", "cat"]]]
    assert loaded.fields == {"x": Field("u8", (4, 6, 3)), "label": Field("i64", (), 3)}


def test_parts_are_shares_of_the_images(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    loaded = load(tmp_path, image(dtype="f32"), LABEL, split=(("train", 0.75), ("test", 0.25)))
    known = {array.tobytes(): sorted({"ant", "bee", "cat"}).index(name[:3]) for name, array in photos.items()}
    seen = [part.arrays() for part in loaded.parts.values()]
    assert [len(arrays["x"]) for arrays in seen] == [9, 3]
    for arrays in seen:
        assert [known.pop(x.astype(np.uint8).tobytes()) for x in arrays["x"]] == arrays["label"].tolist()


def test_grey_images_have_no_channels_and_the_weights_of_brightness(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    found = load(tmp_path, image(GREY)).parts["train"].arrays()["x"]
    brightness = np.stack(list(photos.values())) @ [0.299, 0.587, 0.114]
    assert found.shape == (12, 4, 6)
    assert np.abs(found - brightness).max() <= 1


def test_resized_images_are_means_of_their_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    save(tmp_path / "photos" / "small.png", np.full((5, 9, 3), 77, np.uint8))
    coarse = rng.integers(0, 256, (2, 3, 3), np.uint8)
    save(tmp_path / "photos" / "large.png", coarse.repeat(40, 0).repeat(40, 1))
    large, small = load(tmp_path, image(resize(2, 3))).parts["train"].arrays()["x"]
    np.testing.assert_array_equal(small, np.full((2, 3, 3), 77))
    means = coarse.astype(int)
    assert np.abs(large - means).mean() < 30  # the filter reaches into the neighbours
    assert np.corrcoef(large.ravel(), means.ravel())[0, 1] > 0.97
    assert load(tmp_path, image(GREY, resize(2, 3))).fields["x"] == Field("u8", (2, 3))
    assert load(tmp_path, image(resize(2, 3), GREY)).fields["x"] == Field("u8", (2, 3))


def test_images_may_be_normalised_and_take_the_shape_that_is_wanted(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    pixels = np.stack(list(photos.values())).astype(float)
    found = load(tmp_path, image(NORMALISE)).parts["train"].arrays()["x"]
    np.testing.assert_allclose(found, (pixels - pixels.mean((0, 1, 2))) / pixels.std((0, 1, 2)), atol=1e-5)
    shaped = load(tmp_path, image(GREY, dtype="f32", shape=(4, 6, 1))).parts["train"].arrays()["x"]
    assert shaped.shape == (12, 4, 6, 1)


def test_the_schema_reads_one_header_and_names(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    for name in list(photos)[1:]:
        (tmp_path / "photos" / name).write_bytes(b"nothing")
    for steps, shape in (
        ((), (4, 6, 3)),
        ((GREY,), (4, 6)),
        ((resize(8, 9),), (8, 9, 3)),
        ((resize(8, 9), GREY), (8, 9)),
    ):
        found = dataset.schema(Recipe("photos", (image(*steps), LABEL)), tmp_path)
        assert found == {"x": Field("u8", shape), "label": Field("i64", (), 3)}
    assert dataset.schema(Recipe("photos", (image(NORMALISE),)), tmp_path) == {"x": Field("f32", (4, 6, 3))}


def test_new_images_are_prepared_as_in_training_whatever_folders_they_are_in(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    loaded = load(tmp_path, image(GREY, resize(4, 6), NORMALISE), LABEL)
    new = tmp_path / "new"
    for number, array in enumerate(photos.values()):
        save(new / f"{number:02}.png", array)
    found = inputs.read_inputs(loaded.recipe, loaded.learned, new)
    np.testing.assert_array_equal(found["x"], loaded.parts["train"].arrays()["x"])
    assert list(inputs.invert(loaded.recipe, loaded.learned, "label", np.array([2, 0]))) == ["cat", "ant"]


def test_new_images_of_another_size_are_refused_by_a_model_that_does_not_resize(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    loaded = load(tmp_path, image(), LABEL)
    save(tmp_path / "new" / "a.png", np.zeros((4, 7, 3), np.uint8))
    with pytest.raises(DataError) as caught:
        inputs.read_inputs(loaded.recipe, loaded.learned, tmp_path / "new")
    assert caught.value.problem == "gives rows of shape [4, 7, 3], `x` wants [4, 6, 3]"
    assert "`image |> resize(height, width)`" in caught.value.help


def test_pixels_are_those_of_each_format(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    smooth = np.linspace(0, 255, 16 * 16 * 3).reshape(16, 16, 3).astype(np.uint8)
    few = rng.integers(0, 4, (16, 16), np.uint8) * 80
    flat = few[..., None].repeat(3, -1)
    turned = Image.Exif()
    turned[274] = 6  # to be turned by a quarter, clockwise
    made = {
        "a.jpg": (smooth, {"quality": 95}, smooth, 6),
        "b.jpeg": (smooth, {"quality": 95, "exif": turned}, np.rot90(smooth, -1), 6),
        "c.gif": (few, {"save_all": True, "append_images": [Image.fromarray(255 - few)]}, flat, 0),
        "d.png": (np.dstack([smooth, few]), {}, smooth, 0),
        "e.png": (few > 100, {}, (flat > 100) * 255, 0),
        "f.png": (np.dstack([few, 255 - few]), {}, flat, 0),
        "g.bmp": (smooth, {}, smooth, 0),
    }
    for name, (pixels, how, _, _) in made.items():
        save(tmp_path / "photos" / name, pixels, **how)
    found = load(tmp_path, image()).parts["train"].arrays()["x"].astype(int)
    for array, (name, (_, _, wanted, most)) in zip(found, made.items(), strict=True):
        assert np.abs(array - wanted).max() <= most, name


def test_an_image_of_few_colours_with_a_transparent_one_is_read(tmp_path: Path) -> None:
    colours = Image.fromarray(np.arange(4, dtype=np.uint8).reshape(2, 2)).convert("P")
    colours.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    (tmp_path / "photos").mkdir()
    colours.save(tmp_path / "photos" / "a.png", transparency=b"\x00\x80\xff\xff")
    found = load(tmp_path, image()).parts["train"].arrays()["x"]
    np.testing.assert_array_equal(found[0].ravel(), np.arange(10, 130, 10))


# Mistakes


def png(width: int, height: int) -> bytes:
    """A PNG file that declares a size and holds next to nothing."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def encoded(format: str) -> bytes:
    """An image in some format."""
    file = BytesIO()
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(file, format)
    return file.getvalue()


def refused(folder: Path, *bindings: Binding) -> Mistake:
    with pytest.raises((DataError, FileError)) as caught:
        load(folder, *bindings)
    return caught.value


def spoil(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "photos" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "code", "problem"),
    [
        ("ant/0.png", b"nothing", "bad-image", "is no image in the format PNG, JPEG, BMP, GIF, or is damaged"),
        ("cat/9.png", b"", "bad-image", "or is damaged"),
        ("cat/9.png", png(1 << 20, 1 << 20), "too-many-pixels", "has more than"),
        ("cat/9.png", png(4, 6), "bad-image", "or is damaged"),
        ("cat/9.jpg", encoded("TIFF"), "bad-image", "is no image"),
        ("cat/9.png", encoded("WEBP"), "bad-image", "is no image"),
        ("cat/notes.txt", b"", "unknown-format", "has the suffix `.txt`, expected one of .png, .jpg"),
        ("cat/9.svg", b"<svg/>", "unknown-format", "has the suffix `.svg`"),
    ],
)
def test_a_file_that_is_no_image_is_named(
    tmp_path: Path, photos: dict[str, np.ndarray], name: str, content: bytes, code: str, problem: str
) -> None:
    path = spoil(tmp_path, name, content)
    mistake = refused(tmp_path, image(), LABEL)
    assert (mistake.code, mistake.where) == (code, str(path))
    assert problem in mistake.problem


def test_images_of_other_sizes_are_named_and_may_be_resized(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    save(tmp_path / "photos" / "bee" / "wide.png", np.zeros((4, 7, 3), np.uint8))
    mistake = refused(tmp_path, image())
    assert (mistake.code, mistake.problem) == ("uneven-images", "has 7 x 4 pixels, 0.png has 6 x 4 pixels")
    assert mistake.where.endswith("bee/wide.png")
    assert "`image |> resize(height, width)`" in mistake.help
    assert load(tmp_path, image(resize(4, 6))).parts["train"].count == 13


def test_sixteen_bits_are_not_cut_in_silence(tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a.png", np.full((4, 4), 40_000, np.uint16))
    mistake = refused(tmp_path, image())
    assert (mistake.code, mistake.problem) == ("image-mode", "is of the mode I;16, expected 8 bits a channel")


def test_a_folder_without_images_and_an_image_without_class_are_named(tmp_path: Path) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    assert refused(tmp_path, image()).code == "no-images"
    save(tmp_path / "photos" / "a.png", np.zeros((2, 2, 3), np.uint8))
    save(tmp_path / "photos" / "cat" / "b.png", np.zeros((2, 2, 3), np.uint8))
    mistake = refused(tmp_path, image(), LABEL)
    assert (mistake.code, mistake.where) == ("no-class", str(tmp_path / "photos" / "a.png"))


def test_folders_of_images_lie_no_deeper(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    (tmp_path / "photos" / "cat" / "more").mkdir()
    mistake = refused(tmp_path, image(), LABEL)
    assert (mistake.code, mistake.where) == ("too-deep", str(tmp_path / "photos" / "cat" / "more"))
    assert "name a folder nearer to them" in mistake.help


@pytest.mark.parametrize(
    ("binding", "code", "help"),
    [
        (Binding("x", False, (Column("folder"),)), "not-a-number", "`folder |> classes`"),
        (Binding("x", False, (Column("image"),), (CLASSES,)), "not-a-text", "for classes use `folder`"),
        (Binding("x", False, (Column("pixels"),)), "missing-column", "there is `image`, `folder`"),
        (Binding("x", False, (Pattern("*"),)), "not-a-number", "`folder |> classes`"),
    ],
)
def test_columns_are_used_for_what_they_are(
    tmp_path: Path, photos: dict[str, np.ndarray], binding: Binding, code: str, help: str
) -> None:
    mistake = refused(tmp_path, binding)
    assert mistake.code == code
    assert help in mistake.help


def test_arrays_are_no_images_of_a_folder(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=np.zeros((4, 4, 4)))
    with pytest.raises(DataError, match="`resize` and `grey` take the images of a folder"):
        dataset.load(Recipe("a.npz", (image(resize(2, 2)),)), tmp_path)


@pytest.mark.parametrize("name", ["cat/9.png", "dog"])
def test_links_lead_nowhere_else(tmp_path: Path, photos: dict[str, np.ndarray], name: str) -> None:
    save(tmp_path / "secret" / "a.png", np.zeros((4, 6, 3), np.uint8))
    (tmp_path / "photos" / name).symlink_to(tmp_path / "secret" / ("a.png" if name.endswith("png") else ""))
    mistake = refused(tmp_path, image(), LABEL)
    assert (mistake.code, mistake.where) == ("outside-data", str(tmp_path / "photos" / name))


def test_a_folder_elsewhere_must_be_allowed(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "link").symlink_to(tmp_path / "photos")
    for source in ("../photos", "link"):
        recipe = Recipe(source, (image(), LABEL))
        with pytest.raises(FileError, match="lies outside the folder of the spec"):
            dataset.load(recipe, tmp_path / "specs")
        assert dataset.load(recipe, tmp_path / "specs", allowed=[tmp_path / "photos"]).parts["train"].count == 12


def test_what_never_ends_is_not_waited_for(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    os.mkfifo(tmp_path / "photos" / "bee" / "9.png")
    assert refused(tmp_path, image()).where.endswith("bee/9.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif"])
def test_damaged_images_are_read_or_refused(tmp_path: Path, suffix: str) -> None:
    rng = random.Random(7)
    save(tmp_path / "photos" / f"a.{suffix}", np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8))
    path = tmp_path / "photos" / f"a.{suffix}"
    whole = path.read_bytes()
    mistakes: list[DataError | None] = []
    for turn in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged[: rng.randrange(len(damaged))] if turn % 3 == 0 else damaged)
        mistakes.append(mistake_of(tmp_path))
    found = [mistake for mistake in mistakes if mistake]
    assert 0 < len(found) < len(mistakes)
    assert {mistake.code for mistake in found} <= {"bad-image", "too-many-pixels"}
    assert {mistake.file for mistake in found} == {str(path)}


def mistake_of(folder: Path) -> DataError | None:
    try:
        load(folder, image(resize(4, 4)))
    except DataError as mistake:
        return mistake
    return None


def test_a_folder_is_known_again_by_the_names_and_bytes_of_its_images(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    folder, first = tmp_path / "photos", digest(tmp_path / "photos")
    assert digest(folder) == first
    (folder / "cat" / "0.png").rename(folder / "cat" / "7.png")
    renamed = digest(folder)
    save(folder / "cat" / "7.png", np.zeros((4, 6, 3), np.uint8))
    assert len({first, renamed, digest(folder)}) == 3
