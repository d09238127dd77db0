"""Philox 4x32-10, the counter-based generator of Salmon et al. (SC 2011), on 64-bit scratch.

Each of the four words has an array of 64-bit integers below 2³²; every operation is over one contiguous array, which
NumPy starts fastest and vectorises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

ROUNDS = 10
WORDS = 4
CHUNK = 4096  # blocks of four words at a time: scratch stays in the cache
SCRATCH = 6  # i64 of scratch for each block of a chunk
_MULTIPLIERS = np.array(0xD2511F53, np.uint64), np.array(0xCD9E8D57, np.uint64)
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_LOW, _WIDTH = np.array(0xFFFFFFFF, np.uint64), np.array(32, np.uint64)

Array = Any
Call = Callable[[], object]


def key_of(seed: int) -> tuple[int, int]:
    """The two words of the key of a seed."""
    return seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF


class Segment(NamedTuple):
    """Blocks of one stream that are computed together with others: `blocks` of them from `first` on."""

    words: Array
    stream: int
    first: int
    blocks: int


class Philox:
    """Fills arrays (u32, row-major) with the words of their streams.

    Word i of a stream is word i mod 4 of the block whose counter is (i div 4, step low, step high, stream). `scratch`
    has `SCRATCH` integers for each block, or for `CHUNK` blocks where there are more.
    """

    def __init__(self, outs: Sequence[Array], streams: Sequence[int], scratch: Array, key: Array, step: Array) -> None:
        self.key, self.step = key, step
        self.scratch = scratch.view(np.uint64)
        self.counter = np.zeros(2, np.uint64)
        self.keys = np.zeros((ROUNDS, 2), np.uint64)
        segments = [Segment(o.reshape(-1), s, 0, -(-o.size // WORDS)) for o, s in zip(outs, streams, strict=True)]
        self.numbers = np.arange(min(CHUNK, max((s.blocks for s in segments), default=0)), dtype=np.uint64)
        self.calls = tuple(call for chunk in chunks(segments) for call in self._chunk(chunk))

    def fill(self) -> None:
        step = int(self.step)
        self.counter[:] = step & int(_LOW), step >> 32 & int(_LOW)
        k0, k1 = int(self.key[0]), int(self.key[1])
        for r in range(ROUNDS):
            self.keys[r] = (k0 + r * _KEY_STEPS[0]) & int(_LOW), (k1 + r * _KEY_STEPS[1]) & int(_LOW)
        for call in self.calls:
            call()

    def _chunk(self, segments: Sequence[Segment]) -> Iterator[Call]:
        total = sum(s.blocks for s in segments)
        a, b, c, d, p, q = self.scratch[: SCRATCH * total].reshape(SCRATCH, total)
        yield partial(np.copyto, b, self.counter[0:1].reshape(()))
        yield partial(np.copyto, c, self.counter[1:2].reshape(()))
        places = list(_places(segments))
        for segment, place in places:
            numbers = self.numbers[: segment.blocks]
            yield partial(np.add, numbers, np.array(segment.first, np.uint64), a[place])
            yield partial(d[place].fill, segment.stream)
        for r in range(ROUNDS):
            yield from self._round(r, a, b, c, d, p, q)
        for segment, place in places:
            for i, word in enumerate((a, b, c, d)):
                out = segment.words[segment.first * WORDS + i : (segment.first + segment.blocks) * WORDS : WORDS]
                yield partial(np.copyto, out, word[place].view(np.uint32)[::2][: out.size])

    def _round(self, r: int, a: Array, b: Array, c: Array, d: Array, p: Array, q: Array) -> Iterator[Call]:
        k0, k1 = (self.keys[r, i : i + 1].reshape(()) for i in range(2))
        yield partial(np.multiply, a, _MULTIPLIERS[0], p)
        yield partial(np.multiply, c, _MULTIPLIERS[1], q)
        for product, first, second, key in ((q, a, b, k0), (p, c, d, k1)):
            yield partial(np.right_shift, product, _WIDTH, first)
            yield partial(np.bitwise_xor, first, second, first)
            yield partial(np.bitwise_xor, first, key, first)
            yield partial(np.bitwise_and, product, _LOW, second)


def chunks(segments: Sequence[Segment]) -> Iterator[tuple[Segment, ...]]:
    """All streams at once where they are short, else each by itself, some blocks at a time."""
    if sum(s.blocks for s in segments) <= CHUNK:
        yield tuple(s for s in segments if s.blocks)
        return
    for s in segments:
        for first in range(0, s.blocks, CHUNK):
            yield (s._replace(first=first, blocks=min(CHUNK, s.blocks - first)),)


def _places(segments: Sequence[Segment]) -> Iterator[tuple[Segment, slice]]:
    start = 0
    for segment in segments:
        yield segment, slice(start, start + segment.blocks)
        start += segment.blocks
