"""Mean test accuracy of the digits examples over stratified folds, each trained from nothing on the other folds.

python benchmarks/digits_folds.py                       # both specs, five folds
python benchmarks/digits_folds.py examples/digits/cnn.axon --folds 3
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import axonc
import numpy as np

DIGITS = Path(__file__).parent.parent / "examples" / "digits"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[DIGITS / "mlp.yaml", DIGITS / "cnn.axon"])
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    for spec in options.specs:
        measured = [fold(spec, test) for test in folds(options.folds)]
        accuracies = [accuracy for accuracy, _ in measured]
        each = " ".join(f"{accuracy:.4f}" for accuracy in accuracies)
        slowest = max(seconds for _, seconds in measured)
        print(f"{spec.name}: mean accuracy {np.mean(accuracies):.4f} of {each}; slowest fold {slowest:.1f} s")


def folds(count: int, seed: int = 0) -> list[np.ndarray]:
    """The rows of each fold: every digit is dealt evenly, in an order drawn from `seed`."""
    digit = digits()["label"]
    order = np.random.default_rng(seed).permutation(len(digit))
    by_digit = order[np.argsort(digit[order], kind="stable")]
    return [np.sort(by_digit[first::count]) for first in range(count)]


def digits() -> dict[str, np.ndarray]:
    """All samples as the specs name them."""
    with np.load(DIGITS / "digits.npz") as file:
        return {"image": file["pixels"].astype(np.float32), "label": file["digit"].astype(np.int64)}


def fold(spec: Path, test: np.ndarray) -> tuple[float, float]:
    """Accuracy on the rows `test` after training on all others, and the seconds it took."""
    start = time.perf_counter()
    program = axonc.compile(spec)
    data = digits()
    train = np.setdiff1d(np.arange(len(data["label"])), test)
    shuffler = np.random.default_rng(program.seed)
    for epoch in range(program.specification.training.epochs):
        program.begin_epoch(epoch)
        order = shuffler.permutation(train)
        for first in range(0, len(order), program.batch):
            rows = order[first : first + program.batch]
            program.train_step({name: array[rows] for name, array in data.items()})
    found = program.predict({"image": data["image"][test]})["digit"]
    return float(np.mean(found == data["label"][test])), time.perf_counter() - start


if __name__ == "__main__":
    main()
