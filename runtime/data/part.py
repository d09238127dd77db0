"""The samples of one part of a data set, and batches of them without new memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

Batch: TypeAlias = Mapping[str, np.ndarray]
Change: TypeAlias = Callable[[Batch, np.ndarray], None]


@dataclass(frozen=True, slots=True)
class Samples:
    """What one input is made of: contiguous `rows`, axis 0 counting them.

    Sample i is row i or, with a `window`, that many rows from row i * `every`.
    """

    rows: np.ndarray
    window: int = 0
    every: int = 1

    def __len__(self) -> int:
        return max(0, (len(self.rows) - self.window) // self.every + 1) if self.window else len(self.rows)

    def shape(self, count: int) -> tuple[int, ...]:
        """The shape of `count` samples."""
        return (count, self.window, *self.rows.shape[1:]) if self.window else (count, *self.rows.shape[1:])

    def first(self, count: int) -> np.ndarray:
        """The first `count` samples: a view, or new memory for windows."""
        if not self.window:
            return self.rows[:count]
        out = np.empty(self.shape(count), self.rows.dtype)
        self.fill(out, np.arange(count), np.empty((count, self.window), np.int64), np.arange(self.window))
        return out

    def fill(self, out: np.ndarray, which: np.ndarray, index: np.ndarray, steps: np.ndarray) -> None:
        """Put the samples `which` into `out`; `index`, i64[samples, window], is scratch, `steps` counts to `window`."""
        if not self.window:
            np.take(self.rows, which, axis=0, out=out, mode="clip")
            return
        np.multiply(which[:, None], self.every, out=index)
        np.add(index, steps, out=index)
        np.take(self.rows, index, axis=0, out=out, mode="clip")


class _Memory:
    """What one pass over a part works in: the order of samples, a batch, and the rows that its windows read."""

    def __init__(self, samples: Mapping[str, Samples], count: int, size: int) -> None:
        self.order = np.empty(count, np.int64)
        self.counting = np.arange(count)
        self.batch = {name: np.empty(s.shape(size), s.rows.dtype) for name, s in samples.items()}
        self.index = {name: np.empty((size, s.window), np.int64) for name, s in samples.items()}
        self.steps = {name: np.arange(s.window) for name, s in samples.items()}


@dataclass(frozen=True)
class Part:
    """`count` samples of each input."""

    samples: Mapping[str, Samples]
    count: int
    _free: dict[int, list[_Memory]] = field(default_factory=dict, repr=False, compare=False)

    def arrays(self) -> dict[str, np.ndarray]:
        """All samples of every input."""
        return {name: samples.first(self.count) for name, samples in self.samples.items()}

    def batches(
        self, size: int, generator: np.random.Generator | None = None, changes: Sequence[Change] = ()
    ) -> Iterator[Batch]:
        """All samples, `size` at a time, the last batch shorter, shuffled by `generator` if there is one.

        Each of `changes` is called with a batch and the numbers of its samples. The next batch overwrites the arrays of
        the one before. A later pass works in the memory of a finished one.
        """
        size = min(size, self.count)
        free = self._free.setdefault(size, [])
        memory = free.pop() if free else _Memory(self.samples, self.count, size)
        try:
            np.copyto(memory.order, memory.counting)
            if generator:
                generator.shuffle(memory.order)
            for start in range(0, self.count, size):
                which = memory.order[start : start + size]
                batch = self._batch(memory, which, size)
                for change in changes:
                    change(batch, which)
                yield batch
        finally:
            free.append(memory)

    def _batch(self, memory: _Memory, which: np.ndarray, size: int) -> Batch:
        count = len(which)
        batch = memory.batch
        if count < size:
            batch = {name: array[:count] for name, array in batch.items()}
        for name, samples in self.samples.items():
            samples.fill(batch[name], which, memory.index[name][:count], memory.steps[name])
        return batch
