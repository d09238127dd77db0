"""What a step of a plan works on, as its rule sees it: element types and extents, without memory."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .machine import BadPlan
from .plan import Affine, Extent

DType: TypeAlias = "np.dtype[Any]"


class Array(NamedTuple):
    """An operand in memory; `least` and `most` are the bounds of its extents."""

    dtype: DType
    shape: tuple[Extent, ...]
    least: tuple[int, ...]
    most: tuple[int, ...]


class Number(NamedTuple):
    """An operand that the plan says, or that is affine in its symbols: between two numbers."""

    least: float
    most: float


Operand: TypeAlias = "Array | Number"


def need(holds: object, expected: str, found: object) -> None:
    """Raises BadPlan, which says what was expected, unless it holds."""
    if not holds:
        shown = repr(found)
        raise BadPlan(f"expected {expected}, found {shown[:60] + '…' * (len(shown) > 60)}")


def canonical(extent: Extent) -> Extent:
    """Equal extents in one form."""
    if isinstance(extent, int):
        return extent
    terms = tuple(sorted(term for term in extent.terms if term[1]))
    return Affine(extent.constant, terms) if terms else extent.constant
