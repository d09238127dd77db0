"""Philox 4x32-10, the counter-based generator of Salmon et al. (SC 2011), in place over 64-bit scratch.

The two words that are multiplied lie in the low halves of a [2, n] array of 64-bit integers, whose product has the
high words in its odd and the low words in its even 32-bit halves: a round is one product and two exclusive ors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ROUNDS = 10
WORDS = 4
CHUNK = 2048  # blocks at a time: scratch stays in the cache
SCRATCH = 6  # i64 of scratch for each block of a chunk
_MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], np.uint64)
_KEY_STEPS = np.array([[0x9E3779B9], [0xBB67AE85]], np.uint64)
_LOW, _HIGH = 0xFFFFFFFF, 32

Array = Any


class Philox:
    """Fills `out` (u32, row-major) with the words of one stream; `scratch` is at least `SCRATCH · min(blocks, CHUNK)`.

    Word i is word i mod 4 of the block whose counter is (i div 4, step low, step high, stream).
    """

    def __init__(self, out: Array, scratch: Array, key: Array, step: Array, stream: int) -> None:
        self.key, self.step, self.stream = key, step, stream
        self.words = out.reshape(-1)
        self.blocks = -(-self.words.size // WORDS)
        self.scratch = scratch.view(np.uint64)
        self.numbers = np.arange(min(self.blocks, CHUNK), dtype=np.uint64)
        self.counter = np.zeros((2, 1), np.uint32)
        self.keys = np.zeros((ROUNDS, 2, 1), np.uint32)
        self.rounds = np.arange(ROUNDS, dtype=np.uint64).reshape(-1, 1, 1) * _KEY_STEPS
        self.chunks = [self._chunk(start, min(CHUNK, self.blocks - start)) for start in range(0, self.blocks, CHUNK)]

    def fill(self) -> None:
        step = int(self.step)
        self.counter[:, 0] = step & _LOW, self.stream
        self.keys[...] = (self.rounds + self.key.astype(np.uint64).reshape(2, 1)) & np.uint64(_LOW)
        for start, state, products, outs in self.chunks:
            np.add(self.numbers[: state.shape[1]], np.uint64(start), state[0])
            state[1] = step >> _HIGH & _LOW
            self._rounds(state, products)
            for out, word in outs:
                np.copyto(out, word)

    def _rounds(self, state: Array, products: tuple[Array, Array]) -> None:
        low = state.view(np.uint32)[:, ::2]
        before: Array = self.counter
        for r in range(ROUNDS):
            product = products[r % 2]
            np.multiply(state, _MULTIPLIERS, product)
            halves = product[::-1].view(np.uint32)
            np.bitwise_xor(halves[:, 1::2], before, low)
            np.bitwise_xor(low, self.keys[r], low)
            before = halves[:, ::2]

    def _chunk(self, start: int, count: int) -> tuple[int, Array, tuple[Array, Array], list[tuple[Array, Array]]]:
        state, even, odd = self.scratch[: SCRATCH * count].reshape(3, 2, count)
        first, second = state.view(np.uint32)[:, ::2], odd[::-1].view(np.uint32)[:, ::2]
        outs = []
        for i, word in enumerate((first[0], second[0], first[1], second[1])):
            out = self.words[start * WORDS + i : (start + count) * WORDS : WORDS]
            outs.append((out, word[: out.size]))
        return start, state, (even, odd), outs
