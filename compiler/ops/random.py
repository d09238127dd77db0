"""Random numbers that are a function of a key, a step, a stream and the element's index: Philox 4x32-10.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011). Element i takes word i mod 4 of
the block whose counter is (i div 4, low half of the step, high half of the step, number of the stream). So the
numbers depend neither on the size of the batch nor on how the work is divided.
"""

from __future__ import annotations

import math

from ..ir import dims
from ..ir.check import Check
from ..ir.graph import Builder, Node, numpy_name
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import BOOL, F32, F64, I64, U32, DType, Shape, Tensor
from .elementwise import Cast, FloorDiv, Lt, Mul, Sub, converted
from .unary import Cos, Log, Sqrt

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
WORD = 0xFFFFFFFF


def stream_number(stream: str) -> int:
    """The 32-bit number of a stream, from its path."""
    from hashlib import blake2s  # loaded where numbers are drawn, which checking a spec does not

    return int.from_bytes(blake2s(stream.encode(), digest_size=4).digest(), "little")


def philox(counter: tuple[Array, ...], key: tuple[int, int]) -> tuple[Array, ...]:
    """Four words for each counter of four words; counters are u64 arrays of 32-bit values."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        first, second = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b = (second >> 32) ^ b ^ k0, second & WORD
        c, d = (first >> 32) ^ d ^ k1, first & WORD
        k0, k1 = (k0 + KEY_STEPS[0]) & WORD, (k1 + KEY_STEPS[1]) & WORD
    return a, b, c, d


class Draw(Op, abstract=True):
    """Numbers of a `stream` (a path that stays) in a `shape`: inputs are the key u32[2] and the step, an integer."""

    stream: str
    shape: Shape

    def check(self, c: Check, *types: Tensor) -> None:
        """Refuses what is no key and step."""
        key, step = types
        problem = f"`{self.word}` needs a key of two words, u32[2]"
        if key.dtype is not U32 or key.rank != 1:
            c.dtype(problem, f"{key}")
        c.same(key.shape[0], 2, problem, found=f"{key}")
        if step.rank or step.dtype not in (U32, I64):
            c.dtype(f"`{self.word}` needs a step", f"{step}", advice="a step is a scalar, u32 or i64")

    def axes(self, *types: Tensor) -> Axes:
        return Axes(((Axis("key", "whole"),), ()), (tuple(f"y{i}" for i in range(len(self.shape))),))

    def formula(self, *names: str) -> str:
        return f"{self.word} of {self.stream}"


class RandomBits(Draw):
    """32 random bits for each element, u32."""

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        self.check(c, *types)
        return Tensor(U32, self.shape)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        key, step = [int(k) for k in arrays[0]], int(arrays[1])
        size = dims.product(self.shape)
        blocks = xp.arange(-(-size // 4), dtype=xp.uint64)
        same = (step & WORD, step >> 32 & WORD, stream_number(self.stream))
        words = philox((blocks, *(xp.full_like(blocks, n) for n in same)), (key[0], key[1]))
        bits = xp.reshape(xp.stack(words, axis=-1), (-1,))[:size]
        return xp.astype(xp.reshape(bits, self.shape), xp.uint32)


class Uniform(Draw):
    """Numbers in [0, 1), each a multiple of 2⁻²⁴ (f64: 2⁻³²)."""

    dtype: DType

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        self.check(c, *types)
        return Tensor(self.dtype, self.shape)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        bits = RandomBits(self.stream, self.shape).eval(xp, *arrays)
        if self.dtype is F64:
            return xp.astype(bits, xp.float64) * 2.0**-32
        return xp.astype(xp.astype(bits // 256, xp.float32) * 2.0**-24, getattr(xp, numpy_name(self.dtype)))

    def expand(self, b: Builder, *inputs: Node) -> Node:
        bits = b.add(RandomBits(self.stream, self.shape), *inputs)
        if self.dtype is F64:
            return b.add(Mul(), b.add(Cast(F64), bits), b.literal(2.0**-32, F64))
        whole = b.add(Cast(F32), b.add(FloorDiv(), bits, b.literal(256, U32)))
        value = b.add(Mul(), whole, b.literal(2.0**-24, F32))
        return converted(b, value, self.dtype)


class Normal(Draw):
    """Numbers of mean 0 and deviation 1, as √(-2 log(1 - u)) · cos(2π v) of two uniform streams.

    Box, Muller: A note on the generation of random normal deviates (1958).
    """

    dtype: DType

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        self.check(c, *types)
        return Tensor(self.dtype, self.shape)

    def _streams(self) -> tuple[Uniform, Uniform]:
        wide = F64 if self.dtype is F64 else F32
        return Uniform(f"{self.stream}.radius", self.shape, wide), Uniform(f"{self.stream}.angle", self.shape, wide)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        u, v = (stream.eval(xp, *arrays) for stream in self._streams())
        value = xp.sqrt(xp.log(1 - u) * -2.0) * xp.cos(v * (2 * math.pi))
        return xp.astype(value, getattr(xp, numpy_name(self.dtype)))

    def expand(self, b: Builder, *inputs: Node) -> Node:
        u, v = (b.add(stream, *inputs) for stream in self._streams())
        one, minus_two, turn = (b.literal(n, u.dtype) for n in (1.0, -2.0, 2 * math.pi))
        radius = b.add(Sqrt(), b.add(Mul(), b.add(Log(), b.add(Sub(), one, u)), minus_two))
        value = b.add(Mul(), radius, b.add(Cos(), b.add(Mul(), v, turn)))
        return converted(b, value, self.dtype)


class Bernoulli(Draw):
    """True with probability `rate`, to 2⁻³²."""

    rate: float

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        self.check(c, *types)
        if not 0 <= self.rate <= 1:
            c.shape("`bernoulli` needs a probability", f"{self.rate}", "it lies between 0 and 1")
        return Tensor(BOOL, self.shape)

    def _bound(self) -> int:
        return min(round(self.rate * 2**32), WORD)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return RandomBits(self.stream, self.shape).eval(xp, *arrays) < self._bound()

    def expand(self, b: Builder, *inputs: Node) -> Node:
        bits = b.add(RandomBits(self.stream, self.shape), *inputs)
        return b.add(Lt(), bits, b.literal(self._bound(), U32))
