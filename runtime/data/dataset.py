"""A recipe and its files to arrays: what they will be, the samples of each part, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .arrays import in_memory
from .augment import Augmenter
from .conformity import check_varies, conform, width_of
from .formats import locate, look
from .functions import Chain
from .part import Batch, Part, Samples
from .preparation import Pipeline, pipelines
from .recipe import Recipe
from .split import SHARED, Division, Piece, divide, pieces
from .streams import EPOCHS, generator
from .values import DataFile, Field, Origin, word_of


@dataclass(frozen=True)
class Dataset:
    """The parts of a data set, prepared.

    `fields` says what one sample of each binding is. `learned` is what predictions need besides the recipe, as JSON
    can say it: for each binding its `columns`, what each of its `steps` learned, the `dtype` and `shape` of a sample.
    """

    recipe: Recipe
    parts: Mapping[str, Part]
    fields: Mapping[str, Field]
    learned: Mapping[str, Any]

    def batches(self, part: str, *, epoch: int | None = None, seed: int | None = None) -> Iterator[Batch]:
        """The samples of `part`, as many at a time as the recipe's `batch`, the last batch shorter.

        In an epoch training samples are augmented, and come in an order that `epoch` and `seed` (that of the recipe,
        if None) decide, unless the recipe does not shuffle; without one, and of other parts, they come as they are.
        The next batch overwrites the arrays of the one before.
        """
        recipe, samples = self.recipe, self.parts[part]
        if epoch is None or part != "train":
            return samples.batches(recipe.batch)
        seed = recipe.seed if seed is None else seed
        size = min(recipe.batch, samples.count)
        augmenters = [Augmenter(a, i, samples, size, seed=seed, epoch=epoch) for i, a in enumerate(recipe.augment)]
        order = generator(seed, EPOCHS + epoch) if recipe.shuffle else None
        return samples.batches(size, order, [augmenter.change for augmenter in augmenters])


def schema(
    recipe: Recipe, folder: Path, *, allowed: Sequence[Path] = (), arrays: Mapping[str, np.ndarray] | None = None
) -> dict[str, Field]:
    """What one sample of each binding is: dtype, shape, and the number of classes or words where data decides it.

    From names and headers alone if nothing in particular is wanted and no answer is in the rows; else as `load` does.
    """
    division = divide(recipe)
    file = _files(recipe, division, folder, allowed, arrays)[division.training]
    fields: dict[str, Field] = {}
    needed = pipelines(recipe.bindings, file)
    for pipeline in needed:
        binding, found = pipeline.binding, pipeline.infer(file.fields)
        if found is not None and (binding.dtype, binding.shape, binding.entries) == (None, None, None):
            fields[binding.name] = found
    if len(fields) < len(needed):
        slow = {p.binding for p in needed if p.binding.name in fields and (file.slow or p.chain.slow)}
        some = replace(recipe, bindings=tuple(b for b in recipe.bindings if b not in slow))
        fields |= load(some, folder, allowed=allowed, arrays=arrays).fields
    return fields


def load(
    recipe: Recipe, folder: Path, *, allowed: Sequence[Path] = (), arrays: Mapping[str, np.ndarray] | None = None
) -> Dataset:
    """Read, check and prepare everything that `recipe` asks for.

    Files must lie below `folder` or one of `allowed`; `arrays`, if given, stand for the recipe's source. DataError or
    FileError for the first thing at fault, with its file, row and column; WrongStep if the steps of a binding do not
    fit each other.
    """
    division = divide(recipe)
    files = _files(recipe, division, folder, allowed, arrays)
    needed = pipelines(recipe.bindings, files[division.training])
    every = stride([pipeline.chain for pipeline in needed], files[division.training])
    sources = pieces(division, files, needed, recipe.seed, in_order=every is not None)
    prepared = {pipeline.binding.name: _prepare(pipeline, sources) for pipeline in needed}
    parts = {
        part: _part(part, needed, piece, {name: each.arrays[i] for name, each in prepared.items()}, every or 1)
        for i, piece in enumerate(sources)
        for part in piece.rows
    }
    return Dataset(
        recipe,
        {part: parts[part] for part, _ in recipe.split},
        {name: each.field for name, each in prepared.items()},
        {name: each.learned for name, each in prepared.items()},
    )


def stride(chains: Sequence[Chain], file: DataFile) -> int | None:
    """How many rows apart samples begin if rows are a series, else None."""
    if not any(each.window or each.shift for each in chains):
        return None
    windows = [each.window for each in chains if each.window]
    found = {window.every or (window.length if file.continuous else 1) for window in windows} or {1}
    if len(found) > 1:
        problem = f"has windows that begin every {' and every '.join(map(str, sorted(found)))} rows"
        raise DataError("uneven-windows", problem, "give all the same `every`", file=file.name)
    return found.pop()


def samples_of(pipeline: Pipeline, rows: np.ndarray, every: int) -> Samples:
    """How the binding's samples are made of its prepared rows, if they begin `every` rows apart."""
    shifted = rows[pipeline.chain.shift :]
    if window := pipeline.chain.window:
        return Samples(shifted, window.length, every)
    return Samples(np.ascontiguousarray(shifted[::every]))


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The rows of one binding from each source, what a sample of them is, and what was learned."""

    arrays: tuple[np.ndarray, ...]
    field: Field
    learned: Mapping[str, Any]


def _files(
    recipe: Recipe,
    division: Division,
    folder: Path,
    allowed: Sequence[Path],
    arrays: Mapping[str, np.ndarray] | None,
) -> dict[str, DataFile]:
    files = {part: look(locate(name, folder, allowed)) for part, name in division.files.items()}
    if division.shares:
        files[SHARED] = look(locate(recipe.source, folder, allowed)) if arrays is None else in_memory(arrays)
    return files


def _prepare(pipeline: Pipeline, sources: Sequence[Piece]) -> _Prepared:
    binding, length = pipeline.binding, pipeline.chain.length
    values, steps = [], None
    for piece in sources:
        value, steps = piece.preparation.run(pipeline, steps)
        values.append(value)
    width = width_of(binding, values, length)
    arrays = []
    for piece, value in zip(sources, values, strict=True):
        origin = Origin(piece.preparation.source, pipeline.columns)
        array = conform(binding, value, width, length, origin)
        shape = (length, *array.shape[1:]) if length else array.shape[1:]
        binding = replace(binding, dtype=word_of(array.dtype), shape=shape)  # as the first is, so must the others be
        if binding.target and "train" in piece.rows:
            check_varies(binding, array[piece.rows["train"]], origin)
        arrays.append(array)
    assert binding.dtype is not None
    entries = pipeline.count(steps or ()) if binding.entries is None else binding.entries
    learned = {"columns": list(pipeline.columns), "steps": steps, "dtype": binding.dtype, "shape": list(shape)}
    return _Prepared(tuple(arrays), Field(binding.dtype, shape, entries), learned)


def _part(part: str, needed: Sequence[Pipeline], piece: Piece, arrays: Mapping[str, np.ndarray], every: int) -> Part:
    rows = piece.rows[part]
    samples = {each.binding.name: samples_of(each, arrays[each.binding.name][rows], every) for each in needed}
    count = min(len(each) for each in samples.values())
    if count < 1:
        longest = max(each.chain.shift + max(each.chain.length, 1) for each in needed)
        problem = f"has too few rows in the part `{part}`: a sample takes {longest}"
        raise DataError("too-few-rows", problem, "add rows, or take less", file=piece.preparation.source.file)
    return Part(samples, count)
