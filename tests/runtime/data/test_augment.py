"""Augmented samples, against slices of padded arrays, `numpy.flip` and the statistics that chance must have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime.data import dataset
from axonc.runtime.data.recipe import Augmentation, Binding, Column, Recipe, Step

HEIGHT, WIDTH, COUNT = 5, 7, 600


def bind(name: str, dtype: str = "f32", *steps: Step) -> Binding:
    return Binding(name, False, (Column(name),), steps, dtype)


BINDINGS = (bind("image"), bind("mask", "i64"), bind("id", "i64"))


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """Images [COUNT, 5, 7, 2] whose pixels differ and are never 0, masks that follow from them, and their numbers."""
    pixels = np.arange(1, 1 + HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    ids = np.arange(COUNT)
    image = np.stack([pixels + 0 * ids[:, None, None], 100 * pixels + ids[:, None, None] / 1000], -1)
    return {"image": image.astype(np.float32), "mask": np.stack([pixels * 3 % 5 + 1] * COUNT), "id": ids}


def load(arrays: dict[str, np.ndarray], *augment: Augmentation, batch: int = 32, **more: object) -> dataset.Dataset:
    recipe = Recipe("a.npz", more.pop("bindings", BINDINGS), batch=batch, augment=augment, **more)  # type: ignore[arg-type]
    return dataset.load(recipe, Path(), arrays=arrays)


def samples(loaded: dataset.Dataset, name: str = "image", **order: int) -> np.ndarray:
    """All training samples of an epoch in the order of their numbers."""
    batches = [(batch["id"].copy(), batch[name].copy()) for batch in loaded.batches("train", **({"epoch": 1} | order))]
    ids, found = (np.concatenate(each) for each in zip(*batches, strict=True))
    return found[np.argsort(ids)]


def variants(image: np.ndarray, flips: tuple[str, ...], crop: int) -> Iterator[tuple[tuple[object, ...], np.ndarray]]:
    """Every image that may come of one, by its mirrors and the corner at which it is cut out of its padded self."""
    axes = {"vertical": 0, "horizontal": 1}
    margin = [(crop, crop), (crop, crop), (0, 0)][: image.ndim]
    for mirrored in product((False, True), repeat=len(flips)):
        turned = np.flip(image, [axes[flip] for flip, so in zip(flips, mirrored, strict=True) if so])
        padded = np.pad(turned, margin)
        for top, left in product(range(2 * crop + 1), repeat=2):
            yield (*mirrored, top, left), padded[top : top + HEIGHT, left : left + WIDTH]


@pytest.mark.parametrize("flips", [(), ("horizontal",), ("vertical",), ("vertical", "horizontal")])
@pytest.mark.parametrize("crop", [0, 1, 3])
def test_mirrors_and_cuts_are_all_that_there_are_and_equally_likely(
    arrays: dict[str, np.ndarray], flips: tuple[str, ...], crop: int
) -> None:
    loaded = load(arrays, Augmentation("image", flips, crop))
    seen: Counter[tuple[object, ...]] = Counter()
    for sample, found in enumerate(samples(loaded)):
        known = dict(variants(arrays["image"][sample], flips, crop))
        matches = [key for key, image in known.items() if np.array_equal(found, image)]
        assert len(matches) == 1
        seen[matches[0]] += 1
    assert len(known) == 2 ** len(flips) * (2 * crop + 1) ** 2
    expected = COUNT / len(known)
    chi_square = sum((seen[key] - expected) ** 2 / expected for key in known)
    freedom = len(known) - 1
    assert chi_square <= freedom + 4 * np.sqrt(2 * freedom)


def test_what_goes_with_an_image_is_moved_as_it_is(arrays: dict[str, np.ndarray]) -> None:
    asked = Augmentation("image", ("horizontal", "vertical"), 2, noise=0.1, together=("mask",))
    loaded = load(arrays, asked)
    images, masks = samples(loaded), samples(loaded, "mask")
    follows = np.concatenate([[0], np.arange(1, 1 + HEIGHT * WIDTH) * 3 % 5 + 1])
    pixels = np.clip(np.rint(images[..., 1] / 100), 0, None).astype(int)
    np.testing.assert_array_equal(masks, follows[pixels])
    assert (masks != arrays["mask"]).any(axis=(1, 2)).mean() > 0.9


def test_images_without_channels_are_augmented_too(arrays: dict[str, np.ndarray]) -> None:
    loaded = load(arrays | {"image": arrays["image"][..., 1]}, Augmentation("image", ("horizontal",), 1, erase=2))
    plain = samples(load(arrays | {"image": arrays["image"][..., 1]}, Augmentation("image", ("horizontal",), 1)))
    found = samples(loaded)
    np.testing.assert_array_equal(found[found != 0], plain[found != 0])
    assert set(np.unique((found == 0).sum((1, 2)) - (plain == 0).sum((1, 2)))) <= set(range(5))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_square_is_erased_whose_middle_is_any_pixel(arrays: dict[str, np.ndarray], size: int) -> None:
    found = samples(load(arrays, Augmentation("image", erase=size)))
    erased = (found == 0).all(-1)
    np.testing.assert_array_equal(found[~erased], arrays["image"][~erased])
    seen: Counter[bytes] = Counter(each.tobytes() for each in erased)
    expected: Counter[bytes] = Counter()
    for y, x in product(range(HEIGHT), range(WIDTH)):
        square = np.zeros((HEIGHT, WIDTH), bool)
        for a, b in product(range(y - size // 2, y - size // 2 + size), range(x - size // 2, x - size // 2 + size)):
            if 0 <= a < HEIGHT and 0 <= b < WIDTH:
                square[a, b] = True
        expected[square.tobytes()] += COUNT / HEIGHT / WIDTH  # type: ignore[assignment]
    assert seen.keys() == expected.keys()
    assert all(abs(seen[key] - often) < 5 * np.sqrt(often) for key, often in expected.items())


@pytest.mark.parametrize("dtype", ["f16", "f32", "f64"])
def test_noise_is_normal_independent_and_of_its_deviation(arrays: dict[str, np.ndarray], dtype: str) -> None:
    bindings = (bind("image", dtype), BINDINGS[2])
    some = {"image": arrays["image"] / 1000, "id": arrays["id"]}
    noise = samples(load(some, Augmentation("image", noise=0.25), bindings=bindings)) - some["image"]
    assert noise.size == 42_000
    assert abs(noise.mean()) < 5 * 0.25 / np.sqrt(noise.size)
    assert abs(noise.std() - 0.25) < 5 * 0.25 / np.sqrt(2 * noise.size)
    normal = noise.astype(float) / noise.std()
    assert abs((normal**3).mean()) < 5 * np.sqrt(6 / noise.size)
    assert abs((normal**4).mean() - 3) < 5 * np.sqrt(24 / noise.size)
    flat = normal.reshape(COUNT, -1)
    for one, other in ((flat[:, 1:], flat[:, :-1]), (flat[1:], flat[:-1])):
        assert abs((one * other).mean()) < 5 / np.sqrt(one.size)


def test_rows_and_windows_of_a_table_get_noise(arrays: dict[str, np.ndarray]) -> None:
    some = {"image": arrays["image"][:, 0, 0], "id": arrays["id"]}
    for steps, shape in (((), (2,)), ((Step("window", (("length", 4),)),), (4, 2))):
        bindings = (bind("image", "f32", *steps), BINDINGS[2])
        plain = load(some, bindings=bindings).parts["train"].arrays()["image"]
        found = samples(load(some, Augmentation("image", noise=1.0), bindings=bindings))
        assert found.shape == (len(plain), *shape)
        assert 0.9 < (found - plain).std() < 1.1


ALL = Augmentation("image", ("horizontal", "vertical"), 2, 0.5, 3, ("mask",))


def test_seed_and_epoch_decide_what_happens_to_a_sample_and_the_size_of_batches_does_not(
    arrays: dict[str, np.ndarray],
) -> None:
    first = samples(load(arrays, ALL), epoch=3, seed=8)
    for size in (1, 7, 600):
        np.testing.assert_array_equal(samples(load(arrays, ALL, batch=size), epoch=3, seed=8), first)
    for other in ({"epoch": 4, "seed": 8}, {"epoch": 3, "seed": 9}):
        found = samples(load(arrays, ALL), **other)
        assert (found != first).any(axis=(1, 2, 3)).all()


def test_moves_do_not_depend_on_the_order_of_samples(arrays: dict[str, np.ndarray]) -> None:
    asked = Augmentation("image", ("horizontal",), 2, erase=2)
    shuffled, in_order = (samples(load(arrays, asked, shuffle=so)) for so in (True, False))
    np.testing.assert_array_equal(shuffled, in_order)


def test_each_input_has_chances_of_its_own(arrays: dict[str, np.ndarray]) -> None:
    some = arrays | {"other": arrays["image"]}
    bindings = (bind("image"), bind("other"), BINDINGS[2])
    names = ("image", "other")
    cut = load(some, *(Augmentation(name, crop=2) for name in names), bindings=bindings)
    noisy = load(some, *(Augmentation(name, noise=1.0) for name in names), bindings=bindings)
    one, other = (samples(cut, name) for name in names)
    assert (one != other).any(axis=(1, 2, 3)).mean() > 0.9
    one, other = ((samples(noisy, name) - arrays["image"]).ravel() for name in names)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_only_training_samples_of_an_epoch_are_augmented(arrays: dict[str, np.ndarray]) -> None:
    split = (("train", 0.5), ("validation", 0.3), ("test", 0.2))
    changed, plain = load(arrays, ALL, split=split), load(arrays, split=split)
    for part, order in (("train", {}), ("validation", {"epoch": 1}), ("test", {"epoch": 1}), ("validation", {})):
        for found, wanted in zip(changed.batches(part, **order), plain.batches(part, **order), strict=True):
            for name in ("image", "mask"):
                np.testing.assert_array_equal(found[name], wanted[name])
    before = {name: array.copy() for name, array in changed.parts["train"].arrays().items()}
    samples(changed)
    for name, array in changed.parts["train"].arrays().items():
        np.testing.assert_array_equal(array, before[name])
