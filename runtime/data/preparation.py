"""Bindings made runnable: columns of a source through a chain of functions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DataError
from .functions import Chain, chain
from .recipe import Binding, Column
from .selection import resolve
from .values import DataFile, Field, Images, Origin, Source, Texts, Value


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A binding with the chain of its functions and the names of its columns."""

    binding: Binding
    chain: Chain
    columns: tuple[str, ...]

    @property
    def alone(self) -> bool:
        """Whether it is one column called by its name, so that a row of it has no axis of columns."""
        return len(self.binding.columns) == 1 and isinstance(self.binding.columns[0], Column)

    def infer(self, fields: Mapping[str, Field]) -> Field | None:
        """What a sample will be if nothing in particular is wanted, or None if that takes the data itself."""
        first = fields[self.columns[0]]
        if first.dtype in ("text", "continuous") and self.chain.takes != "texts":
            return None
        result: Field | None = first if self.alone else Field(first.dtype, (len(self.columns),))
        for function in self.chain.functions:
            result = result and function.infer(result)
        if result and self.chain.length:
            return Field(result.dtype, (self.chain.length, *result.shape), result.entries)
        return result

    def count(self, learned: Sequence[Any]) -> int | None:
        """The number of different indices that it gives, if it gives indices."""
        functions = self.chain.functions
        return functions[-1].count(learned[-1]) if functions else None


@dataclass(slots=True)
class Preparation:
    """The preparing of columns of one source; what several pipelines begin with is computed once.

    `training` are the rows to learn from, None for all.
    """

    source: Source
    training: np.ndarray | None = None
    _known: dict[Hashable, tuple[Value, Any]] = field(default_factory=dict)

    def run(self, pipeline: Pipeline, learned: Sequence[Any] | None) -> tuple[Value, list[Any]]:
        """The prepared value of every row, and what each function learned; if `learned` is given, they use that."""
        origin = Origin(self.source, pipeline.columns)
        value = _gather(self.source, pipeline)
        functions = pipeline.chain.functions
        lessons = []
        for i, function in enumerate(functions):
            key = (pipeline.columns, pipeline.alone, functions[: i + 1])
            if key not in self._known:
                value = value if function.takes == "images" else _pixels(value)
                lesson = learned[i] if learned else None
                if function.learns and not learned:
                    lesson = function.learn(_rows(value, self.training), origin)
                self._known[key] = function.apply(value, lesson, origin), lesson
            value, lesson = self._known[key]
            lessons.append(lesson)
        return _pixels(value), lessons


def pipelines(bindings: Sequence[Binding], file: DataFile) -> tuple[Pipeline, ...]:
    """`bindings` for the columns of `file`. DataError or WrongStep for what cannot be."""
    names = tuple(file.fields)
    return tuple(Pipeline(each, chain(each.steps), resolve(each.columns, names, file.name)) for each in bindings)


def read(file: DataFile, needed: Sequence[Pipeline]) -> Source:
    """The columns of `file` that the pipelines begin with, as numbers or texts, as each takes them."""
    columns: dict[str, dict[str, None]] = {"numbers": {}, "images": {}, "texts": {}}
    for pipeline in needed:
        resolve([Column(name) for name in pipeline.columns], tuple(file.fields), file.name)
        if pipeline.chain.takes == "images" and not file.slow:
            problem = "is no image, `resize` and `grey` take the images of a folder"
            advice = "for paths of images write `image(height, width)`; arrays need neither"
            raise DataError("no-images", problem, advice, file=file.name, column=pipeline.columns[0])
        columns[pipeline.chain.takes].update(dict.fromkeys(pipeline.columns))
    return file.load(tuple(columns["numbers"] | columns["images"]), tuple(columns["texts"]))


def _gather(source: Source, pipeline: Pipeline) -> Value:
    names, alone = pipeline.columns, pipeline.alone
    if pipeline.chain.takes == "texts":
        texts = [source.texts[name] for name in names]
        whole = [text for text in texts if not isinstance(text, Sequence)]
        return whole[0] if whole else Texts(tuple(text for text in texts if isinstance(text, Sequence)), alone)
    if source.images is not None:
        return source.images
    arrays = [source.numbers[name] for name in names]
    if alone:
        return arrays[0]
    for name, array in zip(names, arrays, strict=True):
        if array.ndim > 1 and len(arrays) > 1:
            problem = f"found rows of shape {array.shape[1:]}, several arrays in one binding have one number in each"
            raise DataError("wrong-shape", problem, "bind it alone", file=source.file, column=name)
    return np.stack(arrays, axis=-1) if arrays[0].ndim == 1 else arrays[0]


def _pixels(value: Value) -> Value:
    """Images as numbers; all else as it is."""
    if not isinstance(value, Images):
        return value
    from .pillow import pixels  # only folders of images need it

    return pixels(value)


def _rows(value: Value, rows: np.ndarray | None) -> Value:
    if rows is None:
        return value
    if isinstance(value, Texts):
        return Texts(tuple([column[row] for row in rows] for column in value.columns), value.alone)
    assert isinstance(value, np.ndarray)
    return np.take(value, rows, axis=0)
