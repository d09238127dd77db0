"""Models of the zoo as the kernels that a GPU runs have the loss and the gradients that they have on NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.backends import NUMPY, on_device
from axonc.runtime.cupy.device import Device
from axonc.specification import check

from ..examples.test_zoo import SMALL, made, small
from ..examples.test_zoo_native import gradients


@pytest.mark.parametrize("name", SMALL)
def test_a_model_in_cuda_agrees_with_numpy(name: str, device: Device) -> None:
    specification = check(small(name), overrides=SMALL[name])
    batch = made(specification.phases.train, SMALL[name])
    (loss, found), (wanted_loss, wanted) = (gradients(name, b, batch) for b in (on_device(device), NUMPY))
    assert loss == pytest.approx(wanted_loss, rel=1e-4)
    largest = max(float(np.abs(gradient).max()) for gradient in wanted.values())
    for weight, gradient in wanted.items():
        # a rectifier near zero may switch the other way, and what normalisation makes zero is rounding of large numbers
        tolerance = 2e-3 * float(np.abs(gradient).max()) + 1e-4 * largest
        assert np.abs(found[weight] - gradient).max() <= tolerance, weight
