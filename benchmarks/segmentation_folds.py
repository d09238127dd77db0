"""Overlap of the segmentation example with the annotated nuclei over folds of whole pictures, beside thresholds.

python benchmarks/segmentation_folds.py                # five folds
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from pathlib import Path

import numpy as np
from folds import others, prepared, rows, spread, trained

SPEC = Path(__file__).parent.parent / "examples" / "segmentation" / "unet.axon"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    with np.load(SPEC.parent / "nuclei.npz") as file:
        samples = dict(file)
    pictures = np.random.default_rng(0).permutation(samples["picture"].max() + 1)
    measured: dict[str, list[tuple[float, float]]] = {"Otsu": [], "Otsu twice": [], "U-Net": []}
    start = time.perf_counter()
    for first in range(options.folds):
        fold = np.flatnonzero(np.isin(samples["picture"], pictures[first :: options.folds]))
        test = rows(samples, fold)
        program, _ = trained(SPEC, rows(samples, others(fold, len(samples["picture"]))), test)
        found = {
            "Otsu": np.array([darker(image) for image in test["image"]]),
            "Otsu twice": np.array([darkest(image) for image in test["image"]]),
            "U-Net": program.predict({"image": prepared(program, "test")["image"]})["mask"] > 0,
        }
        for name, mask in found.items():
            measured[name].append(overlap(mask, test["mask"] > 0))
    for name, pairs in measured.items():
        print(f"{name}: IoU {spread([iou for iou, _ in pairs])}, Dice {spread([dice for _, dice in pairs])}")
    print(f"{(time.perf_counter() - start) / options.folds:.0f} s a fold")


def darker(image: np.ndarray) -> np.ndarray:
    """The pixels below the threshold that parts levels with least variance on both sides (Otsu 1979)."""
    return image <= threshold(image)


def darkest(image: np.ndarray) -> np.ndarray:
    """The darker of the darker pixels: background, cells and nuclei are three levels."""
    return image <= threshold(image[darker(image)])


def threshold(levels: np.ndarray) -> int:
    counts = np.bincount(levels.ravel(), minlength=256).astype(float)
    below, total = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return int(np.nanargmax(between)) if np.isfinite(between).any() else int(levels.max())


def overlap(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """IoU and Dice of the nuclei, the pixels of all images together."""
    both, sizes = (found & truth).sum(), found.sum() + truth.sum()
    return float(both / (sizes - both)), float(2 * both / sizes)


if __name__ == "__main__":
    main()
