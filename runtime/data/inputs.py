"""New data to a trained model's inputs, and its outputs back to what people read."""

from __future__ import annotations

import csv
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from ..errors import FileError, quoted
from ..files import replace as replace_file
from .arrays import in_memory
from .conformity import conform, width_of
from .dataset import samples_of, stride
from .formats import look
from .functions import chain
from .preparation import Pipeline, Preparation, read
from .recipe import Binding, Recipe
from .values import Origin, Source, Texts, Tokens

Learned = Mapping[str, Any]  # as `Dataset.learned`


def read_inputs(
    recipe: Recipe, learned: Learned, data: Path | Mapping[str, np.ndarray], *, without: Container[str] = ()
) -> dict[str, np.ndarray]:
    """Every input that is no target, from a file or from arrays, prepared as in training; axis 0 counts the samples.

    Inputs `without` which one can do are left out. Columns of targets may be there or not. Errors as for `load`.
    """
    file = in_memory(data) if isinstance(data, Mapping) else look(data)
    wanted = [each for each in recipe.bindings if not each.target and each.name not in without]
    needed = [_pipeline(each, learned[each.name]) for each in wanted]
    every = stride([pipeline.chain for pipeline in needed], file) or 1
    preparation = Preparation(read(file, needed))
    samples = {}
    for pipeline in needed:
        binding, length = pipeline.binding, pipeline.chain.length
        value, _ = preparation.run(pipeline, learned[binding.name]["steps"])
        width = width_of(binding, [value], length)
        rows = conform(binding, value, width, length, Origin(preparation.source, pipeline.columns))
        samples[binding.name] = samples_of(pipeline, rows, every)
    count = min(len(each) for each in samples.values())
    return {name: each.first(count) for name, each in samples.items()}


def encode(recipe: Recipe, learned: Learned, name: str, text: str) -> np.ndarray:
    """`text` as the tokens that the binding `name` would have, i32[tokens], cut to their limit but not padded."""
    pipeline = _pipeline(recipe.binding(name), learned[name])
    source = Source("prompt", 1, texts=dict.fromkeys(pipeline.columns, (text,)))
    value: Any = Texts(((text,),))
    for function, lesson in zip(pipeline.chain.functions, learned[name]["steps"], strict=True):
        value = function.apply(value, lesson, Origin(source, pipeline.columns))
    assert isinstance(value, Tokens)
    return value.flat


def invert(recipe: Recipe, learned: Learned, name: str, array: np.ndarray) -> np.ndarray | None:
    """Predicted values of the binding `name` as they stand in data: names of classes, numbers in their own units,
    text; None if its preparation has no way back."""
    functions = chain(recipe.binding(name).steps).functions
    result: np.ndarray | None = array
    for function, lesson in zip(reversed(functions), reversed(learned[name]["steps"]), strict=True):
        result = None if result is None else function.invert(result, lesson)
    return result


def write_outputs(path: Path, outputs: Mapping[str, np.ndarray]) -> None:
    """Outputs, axis 0 counting the samples, into a csv, tsv or npz file, whole or not at all.

    In tables an output [samples, n] becomes the columns `name.0`, `name.1`, ...; FileError for one of higher rank.
    """
    match path.suffix.lower():
        case ".npz":
            replace_file(path, [_archive(outputs)])
        case ".csv":
            replace_file(path, _table(path, outputs, ","))
        case ".tsv" | ".tab":
            replace_file(path, _table(path, outputs, "\t"))
        case suffix:
            problem = f"has {f'the suffix {quoted(suffix)}' if suffix else 'no suffix'}, expected .csv, .tsv or .npz"
            raise FileError("unknown-format", problem, path=path)


def _pipeline(binding: Binding, learned: Learned) -> Pipeline:
    """The binding as training settled it."""
    settled = replace(binding, dtype=learned["dtype"], shape=tuple(learned["shape"]))
    return Pipeline(settled, chain(binding.steps), tuple(learned["columns"]))


def _archive(outputs: Mapping[str, np.ndarray]) -> memoryview:
    """An npz file; `numpy.savez` would take an output that is called `file` for where to write."""
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, array in outputs.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                npy.write_array(entry, array, allow_pickle=False)
    return buffer.getbuffer()


def _table(path: Path, outputs: Mapping[str, np.ndarray], separator: str) -> Iterable[bytes]:
    columns: dict[str, np.ndarray] = {}
    for name, array in outputs.items():
        if array.ndim > 2:
            problem = f"cannot hold the output {quoted(name)} of shape {array.shape}"
            raise FileError("wrong-shape", problem, "write it to an .npz file", path=path)
        columns |= {name: array} if array.ndim == 1 else {f"{name}.{i}": array[:, i] for i in range(array.shape[1])}
    text = StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.astype(str) for column in columns.values()), strict=True))
    return [text.getvalue().encode()]
