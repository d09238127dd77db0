"""Sums of products written with letters."""

from __future__ import annotations

from typing import Any

from ..ops.einsum import einsum as sum_of_products
from ..trace.kinds import Tensor, Text
from ..trace.use import Use, one_type
from ..trace.words import word


@word
def einsum(u: Use, *xs: Tensor, equation: Text) -> Any:
    """The products of the operands, summed over the letters that the result lacks: `'nqd,nkd->nqk'`."""
    return u.well(sum_of_products(u.b, equation, *one_type(u, *xs)))
