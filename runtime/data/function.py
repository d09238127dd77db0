"""What every preparing function is: its arguments as fields, its rules as methods."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .values import Field, Origin, Value

Learned = Any  # what JSON can say


class Function:
    """The base of preparing functions, frozen dataclasses whose fields are the arguments, in the order of a call.

    `takes` and `gives` are kinds of values: `numbers`, `texts`, `tokens`, `images`. `learns` says that `learn` must
    see the training rows first; what it returns is saved with the model and given to `apply` and `invert`. A wrong
    argument is a ValueError of `__post_init__`, whose text goes into the diagnostic.
    """

    takes: ClassVar[str]
    gives: ClassVar[str]
    learns: ClassVar[bool] = False

    def learn(self, value: Value, origin: Origin) -> Learned:
        """What to remember of the training rows."""
        raise AssertionError(f"{type(self).__name__} learns nothing")

    def apply(self, value: Value, learned: Learned, origin: Origin) -> Value:
        """The prepared value: as many rows as `value` has."""
        raise NotImplementedError

    def infer(self, field: Field) -> Field | None:
        """What `apply` gives for `field`, or None if that depends on the data."""
        return None

    def count(self, learned: Learned) -> int | None:
        """The number of different indices that `apply` gives, if it gives indices."""
        return None

    def invert(self, array: np.ndarray, learned: Learned) -> np.ndarray | None:
        """What `array`, a prediction of prepared values, was before preparation; None if there is no way back."""
        return None
