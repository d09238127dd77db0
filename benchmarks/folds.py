"""Samples by column to a program that was trained on some of them and measured on others, as a spec says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import axonc
import numpy as np
from axonc.spec.record import replace as replace_record

Columns = Mapping[str, np.ndarray]


def trained(
    spec: Path, train: Columns, test: Columns, *, overrides: Mapping[str, Any] | None = None, seed: int = 0
) -> tuple[axonc.Program, dict[str, float]]:
    """The program after training on the samples `train`, and its losses and metrics on the samples `test`.

    The columns are those of the spec's data; the split of the spec does not count. What preparation learns comes from
    `train`, and training ends after all epochs.
    """
    specification = axonc.compile(spec, overrides=overrides).specification
    assert specification.recipe is not None
    with TemporaryDirectory() as folder:
        parts = {"train": train, "test": test}
        for part, columns in parts.items():
            np.savez(Path(folder) / f"{part}.npz", **columns)
        recipe = replace(specification.recipe, split=tuple((part, f"{part}.npz") for part in parts))
        program = axonc.Program(replace_record(specification, recipe=recipe, folder=Path(folder)), seed=seed)
        return program, dict(program.fit().test)


def prepared(program: axonc.Program, part: str) -> dict[str, np.ndarray]:
    """The inputs of all samples of a part, as training prepared them."""
    assert program.data is not None
    batches = [{name: array.copy() for name, array in batch.items()} for batch in program.data.batches(part)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def stratified(labels: np.ndarray, count: int, seed: int = 0) -> list[np.ndarray]:
    """The rows of each of `count` folds: every label is dealt evenly, in an order drawn from `seed`."""
    order = np.random.default_rng(seed).permutation(len(labels))
    by_label = order[np.argsort(labels[order], kind="stable")]
    return [np.sort(by_label[first::count]) for first in range(count)]


def rows(columns: Columns, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Some rows of every column."""
    return {name: array[chosen] for name, array in columns.items()}


def others(fold: np.ndarray, count: int) -> np.ndarray:
    """The rows below `count` that are not in a fold."""
    return np.setdiff1d(np.arange(count), fold)


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Mean, standard deviation over folds, and each value."""
    each = " ".join(f"{value:.{digits}f}" for value in values)
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f} ({each})"
