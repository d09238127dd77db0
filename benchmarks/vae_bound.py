"""Nats for a digit that training has not seen: the bound of the VAE example over folds, beside simpler models.

python benchmarks/vae_bound.py                         # five folds, a seed for each
python benchmarks/vae_bound.py --picture examples/vae/digits.png

A picture is 64 levels from 0 to 16, so every model tells the probability of one of 17 ** 64 pictures, or a bound of it:
a density of level + u, u uniform in [0, 1), is on average in logarithm at most the probability of the level.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import struct
import time
import zlib
from pathlib import Path

import numpy as np
from folds import others, prepared, rows, spread, stratified, trained

SPEC = Path(__file__).parent.parent / "examples" / "vae" / "vae.axon"
LEVELS = 17


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--picture", type=Path, help="draw digits, their reconstructions and samples, and measure less")
    options = parser.parse_args()
    with np.load(SPEC.parent / "digits.npz") as file:
        samples = dict(file)
    count = len(samples["digit"])
    folds = [(rows(samples, others(f, count)), rows(samples, f)) for f in stratified(samples["digit"], options.folds)]
    if options.picture:
        draw(*folds[0], options.picture)
        return
    nats: dict[str, list[float]] = {}
    start = time.perf_counter()
    for seed, (train, test) in enumerate(folds):
        _, metrics = trained(SPEC, train, test, seed=seed)
        nats.setdefault("VAE", []).append(metrics["loss"])
    print(f"{(time.perf_counter() - start) / len(folds):.1f} s each")
    for train, test in folds:
        seen, new = (part["pixels"].reshape(-1, 64).astype(np.int64) for part in (train, test))
        nats.setdefault("pixels apart", []).append(mixture(seen, new, 1))
        for clusters in (5, 10, 20):
            nats.setdefault(f"{clusters} clusters of pixels apart", []).append(mixture(seen, new, clusters))
        for axes in (16, 32, 48):
            nats.setdefault(f"probabilistic PCA, {axes} axes", []).append(components(seen, new, axes))
    for name, values in nats.items():
        print(f"{name}: {spread(values, 1)}")


def mixture(seen: np.ndarray, new: np.ndarray, clusters: int) -> float:
    """Nats of a mixture of clusters in which each pixel has shares of its own for each level, found by EM.

    The shares of a cluster are begun with ten pictures of those of all.
    """
    ones, asked = (np.eye(LEVELS)[pixels].reshape(len(pixels), -1) for pixels in (seen, new))
    usual = (ones.sum(0) + 0.1) / len(seen)
    belongs = np.random.default_rng(0).dirichlet(np.full(clusters, 0.1), len(seen))
    for _ in range(60):
        counts = (belongs.T @ ones + 10 * usual).reshape(clusters, 64, LEVELS)
        shares = np.log(counts / counts.sum(-1, keepdims=True)).reshape(clusters, -1)
        sizes = np.log(belongs.mean(0) + 1e-12)
        scores = ones @ shares.T + sizes
        belongs = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
    return float(-np.logaddexp.reduce(asked @ shares.T + sizes, axis=1).mean())


def components(seen: np.ndarray, new: np.ndarray, axes: int, draws: int = 20) -> float:
    """A bound of the nats of probabilistic PCA (Tipping & Bishop 1999) of levels made continuous."""
    random = np.random.default_rng(0)
    seen, new = (np.concatenate([p + random.random(p.shape) for _ in range(draws)]) for p in (seen, new))
    values, vectors = np.linalg.eigh(np.cov(seen.T))
    values[:-axes] = values[:-axes].mean()
    turned = (new - seen.mean(0)) @ vectors
    return float((np.square(turned) / values + np.log(2 * np.pi * values)).sum(1).mean() / 2)


def draw(train: dict[str, np.ndarray], test: dict[str, np.ndarray], path: Path, columns: int = 16) -> None:
    """Three pairs of rows: digits of the test part, what the VAE makes of them, and digits that it makes up."""
    program, _ = trained(SPEC, train, test)
    image = prepared(program, "test")["image"][: 2 * columns]
    found = program.predict({"image": image})
    bands = [np.pad(b, ((0, 0), (1, 1), (1, 1))) for b in (image, found["image"], found["sample"])]
    blocks = [b.reshape(2, columns, 10, 10).transpose(0, 2, 1, 3).reshape(20, -1) for b in bands]
    grid = np.concatenate([np.pad(block, ((0, 4), (0, 0))) for block in blocks])[:-4]
    path.write_bytes(png(np.kron(255 - grid * 255 / 16, np.ones((3, 3))).round().astype(np.uint8)))


def png(grey: np.ndarray) -> bytes:
    """A picture u8[height, width] as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")


if __name__ == "__main__":
    main()
