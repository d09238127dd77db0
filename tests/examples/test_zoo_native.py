"""Models of the zoo as generated C have the loss and the gradients that they have on NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.backends import NUMPY, Backend, backend
from axonc.program import Program
from axonc.specification import check

from ..compiler.native.compiled import needs_compiler
from .test_zoo import SMALL, made, small

pytestmark = needs_compiler
FEW, SEVERAL = 1, 2  # threads, in turn, since each means compiling anew


@pytest.mark.parametrize(("number", "name"), list(enumerate(SMALL)), ids=list(SMALL))
def test_a_model_in_c_agrees_with_numpy(number: int, name: str) -> None:
    specification = check(small(name), overrides=SMALL[name])
    native = backend("native", threads=(FEW, SEVERAL)[number % 2])
    batch = made(specification.phases.train, SMALL[name])
    (loss, found), (wanted_loss, wanted) = (gradients(name, b, batch) for b in (native, NUMPY))
    assert loss == pytest.approx(wanted_loss, rel=1e-4)
    largest = max(float(np.abs(gradient).max()) for gradient in wanted.values())
    for weight, gradient in wanted.items():
        # a rectifier near zero may switch the other way, and what normalisation makes zero is rounding of large numbers
        tolerance = 2e-3 * float(np.abs(gradient).max()) + 1e-4 * largest
        assert np.abs(found[weight] - gradient).max() <= tolerance, weight


def gradients(name: str, chosen: Backend, batch: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    program = Program(check(small(name), overrides=SMALL[name]), seed=1, backend=chosen)
    assert program.backend.name == chosen.name
    return program.loss_and_gradients(batch)
