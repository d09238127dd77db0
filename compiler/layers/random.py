"""Random numbers: their stream is the path of the word that draws them, so edits elsewhere do not change them."""

from __future__ import annotations

from typing import Any

from ..ir.graph import Node
from ..ir.types import F32, Shape
from ..ops.elementwise import Add, Mul
from ..ops.order import permutation
from ..ops.random import Bernoulli, Normal, Uniform
from ..trace import errors
from ..trace.kinds import Number, Sizes
from ..trace.use import Use
from ..trace.words import word


@word
def random_normal(u: Use, *sizes: Sizes) -> Any:
    """Draws of mean 0 and deviation 1."""
    return u.add(Normal(u.path, sizes, F32), *u.t.random())


@word
def random_uniform(u: Use, *sizes: Sizes, low: Number = 0.0, high: Number = 1.0) -> Any:
    """Draws between low and high."""
    drawn = u.add(Uniform(u.path, sizes, F32), *u.t.random())
    return u.add(Add(), u.add(Mul(), drawn, u.literal(high - low, F32)), u.literal(low, F32))


@word
def random_bernoulli(u: Use, *sizes: Sizes, rate: Number) -> Any:
    """True with probability `rate`."""
    return bernoulli(u, sizes, rate)


@word
def random_permutation(u: Use, *sizes: Sizes) -> Any:
    """The whole numbers below the last size in random order, as i64; one order for each index of the other axes."""
    if not sizes:
        u.wrong(errors.MissingArgument, word=u.word, name="sizes", signature="random_permutation(n)")
    return u.well(permutation(u.b, u.path, sizes, *u.t.random()))


def bernoulli(u: Use, shape: Shape, rate: float) -> Node:
    """True with probability `rate`."""
    return u.add(Bernoulli(u.path, shape, rate), *u.t.random())
