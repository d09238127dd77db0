"""Arrays that are handed out, and whether anybody may have written to one: what was made of them is then made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import numpy as np


class _Loan:
    """What every view of a handed out array ends at; it lives as long as the last of them."""

    __slots__ = ("__array_interface__", "__weakref__", "array")

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__


class Lending:
    """Which memory others can write to."""

    def __init__(self) -> None:
        self._loans: WeakSet[_Loan] = WeakSet()
        self.written = False  # since `touched` was last asked

    def lent(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """The same memory in arrays that tell by being there that it may be written."""
        found = {}
        for name, array in arrays.items():
            loan = _Loan(array)
            self._loans.add(loan)
            found[name] = np.asarray(loan).view(array.dtype)
        self.written = True
        return found

    def touched(self) -> bool:
        """Whether something may have been written since this was last asked: it was said to be, or is lent."""
        touched = self.written or len(self._loans) > 0
        self.written = False
        return touched
