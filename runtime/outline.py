"""What running a model needs to know of its spec besides plans: flat arrays, what lies in them, how they begin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .initialise import fill
from .machine import dtype_name
from .memory import present


class Weight(NamedTuple):
    """A weight or a state: where it lies in its flat array, and what it begins with.

    `word` is an initialiser with its `numbers`, `stream` the number of the stream that it draws from.
    """

    name: str
    offset: int
    shape: tuple[int, ...]
    word: str
    numbers: tuple[float, ...]
    stream: int


class Flat(NamedTuple):
    """One named array of a plan with what lies in it; `average` names the array of averages, if there is one."""

    name: str
    dtype: str
    total: int
    weights: tuple[Weight, ...]
    average: str = ""

    def first(self, seed: int) -> np.ndarray:
        """The first values."""
        dtype = np.dtype(dtype_name(self.dtype))
        flat: np.ndarray = present(self.total * dtype.itemsize).view(dtype)
        for w in self.weights:
            place = flat[w.offset : w.offset + math.prod(w.shape)]
            fill(place, w.word, w.numbers, w.shape, w.stream, seed)
        return flat


class Outline(NamedTuple):
    """The ranges of weights, the states, the seed, and how many samples a step takes where nobody says otherwise.

    With `pretrained` some weights come from files, which only the spec names.
    """

    seed: int
    batch: int
    ranges: tuple[Flat, ...]
    states: tuple[Flat, ...]
    pretrained: bool = False


def views(
    memory: Mapping[str, np.ndarray], flats: tuple[Flat, ...], *, averages: bool = False
) -> dict[str, np.ndarray]:
    """What lies in flat arrays by name, as views; with `averages` what lies in those of the averages."""
    found: dict[str, np.ndarray] = {}
    for flat in flats:
        array = memory[flat.average if averages else flat.name]
        found |= {w.name: array[w.offset : w.offset + math.prod(w.shape)].reshape(w.shape) for w in flat.weights}
    return found


def from_data(data: Any) -> Outline:
    """The outline of what JSON made of one. Raises ValueError or TypeError where it is none."""
    seed, batch, ranges, states, pretrained = data
    return Outline(int(seed), int(batch), _flats(ranges), _flats(states), bool(pretrained))


def _flats(data: Any) -> tuple[Flat, ...]:
    found = []
    for name, dtype, total, weights, average in data:
        parts = tuple(
            Weight(str(n), int(offset), tuple(map(int, shape)), str(word), tuple(map(float, numbers)), int(stream))
            for n, offset, shape, word, numbers, stream in weights
        )
        if any(w.offset < 0 or w.offset + math.prod(w.shape) > total for w in parts):
            raise ValueError(f"a weight does not lie in {name!r}")
        found.append(Flat(str(name), str(dtype), int(total), parts, str(average)))
    return tuple(found)
