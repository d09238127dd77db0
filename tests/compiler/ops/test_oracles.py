"""The definitions against implementations that others wrote."""

import numpy as np
import pytest

from .graphs import define
from .oracles import ORACLES, WITHOUT
from .samples import SAMPLES, WORDS


def test_every_operation_has_an_oracle_or_a_test_of_its_own() -> None:
    assert sorted([*ORACLES, *WITHOUT]) == WORDS


@pytest.mark.parametrize("word", sorted(ORACLES))
def test_definition_agrees_with_another_implementation(word: str) -> None:
    for sample in SAMPLES[word]:
        arrays = [a.astype(np.float32) if a.dtype == np.float64 else a for a in sample.arrays]
        expected = ORACLES[word](sample.op, *arrays)
        found = define(sample.op, *arrays)
        assert found.shape == expected.shape, sample
        if found.dtype.kind == "f":
            tolerance = 2e-3 if np.float16 in [a.dtype for a in arrays] else 3e-6
            np.testing.assert_allclose(found, expected, tolerance, tolerance, err_msg=str(sample))
        else:
            np.testing.assert_array_equal(found, expected, str(sample))
