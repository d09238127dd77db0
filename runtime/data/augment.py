"""Training samples changed by chance: in a mirror, cut out of themselves, with noise, partly erased."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .part import Part
from .recipe import Augmentation
from .streams import EPOCHS, generator

AXES = ("vertical", "horizontal")  # how an image is mirrored along its axes 0 and 1


class Augmenter:
    """The chances of one augmentation in one epoch, for batches of at most `size` samples of `part`.

    Seed, epoch and sample decide them, and for noise the order of the epoch; the size of batches does not matter.
    `place` counts the augmentations of a recipe: each has chances of its own.
    """

    def __init__(self, asked: Augmentation, place: int, part: Part, size: int, *, seed: int, epoch: int) -> None:
        chances = generator(seed, EPOCHS + epoch, 2 * place + 1).random((3, part.count, 2))
        self.asked = asked
        self.mirrored = (chances[0] < 0.5) & [axis in asked.flip for axis in AXES]
        self.shift = np.floor(chances[1] * (2 * asked.crop + 1)).astype(int) - asked.crop
        self.middle = chances[2]
        self.normal = generator(seed, EPOCHS + epoch, 2 * place + 2)
        self.drawn = np.empty(part.samples[asked.name].shape(size) if asked.noise else 0, np.float32)
        self.rows = {name: part.samples[name].rows for name in (asked.name, *asked.together)}

    def change(self, batch: Mapping[str, np.ndarray], which: np.ndarray) -> None:
        """Change `batch`, which holds the samples `which` of the part."""
        asked, values = self.asked, batch[self.asked.name]
        if asked.flip or asked.crop:
            for i, sample in enumerate(which):
                self._move(batch, i, sample)
        if asked.noise:
            self._add_noise(values)
        if asked.erase:
            for image, middle in zip(values, self.middle[which], strict=True):
                _erase(image, asked.erase, middle)

    def _move(self, batch: Mapping[str, np.ndarray], i: int, sample: int) -> None:
        """Mirror and cut a sample and what goes with it; `batch` holds them at `i` as they are."""
        (upside_down, mirrored), (down, right) = self.mirrored[sample].tolist(), self.shift[sample].tolist()
        if not (upside_down or mirrored or down or right):
            return
        for name, rows in self.rows.items():
            image, before = batch[name][i], rows[sample, :: -1 if upside_down else 1, :: -1 if mirrored else 1]
            image.fill(0)
            to, of = zip(_overlap(down, len(image)), _overlap(right, image.shape[1]), strict=True)
            image[to] = before[of]

    def _add_noise(self, values: np.ndarray) -> None:
        drawn = self.drawn[: len(values)]
        self.normal.standard_normal(dtype=np.float32, out=drawn)
        np.multiply(drawn, self.asked.noise, out=drawn)
        np.add(values, drawn, out=values)


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Where pixels of an axis go that is shifted, and which they are; the others leave the image."""
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size - max(shift, 0))


def _erase(image: np.ndarray, size: int, middle: np.ndarray) -> None:
    """Set a square of `size` pixels to 0, or what of it lies inside; `middle` is a share of height and of width."""
    top, left = (int(share * length) - size // 2 for share, length in zip(middle, image.shape[:2], strict=True))
    image[max(top, 0) : top + size, max(left, 0) : left + size] = 0
