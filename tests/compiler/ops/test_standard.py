"""The definitions are written in the words of the array-API standard, but for a few that ask NumPy for more."""

from __future__ import annotations

from types import ModuleType

import array_api_strict as standard
import numpy as np
import pytest

from .samples import SAMPLES, Sample

# What a definition asks of NumPy beyond the standard: sums of products by their letters, which say a convolution best,
# and adding at places that may repeat, for which it has no word.
BEYOND = {
    "conv": "einsum",
    "conv_input": "einsum",
    "conv_weight": "einsum",
    "scatter_add": "at",
    "add_along": "indices",
}
LACKING = {"float16"}  # types that the standard does not have


def is_sayable(sample: Sample) -> bool:
    """Whether all types of operands and result are in the standard."""
    with np.errstate(all="ignore"):
        found = {str(a.dtype) for a in (*sample.arrays, *defined(np, sample))}
    return not found & LACKING


def defined(xp: ModuleType, sample: Sample) -> tuple[np.ndarray, ...]:
    """The results of an operation's definition under an array module."""
    found = sample.op.eval(xp, *map(xp.asarray, sample.arrays))
    return tuple(found) if isinstance(found, tuple) else (found,)


SAYABLE = {word: some for word, samples in SAMPLES.items() if (some := [s for s in samples if is_sayable(s)])}


@pytest.mark.parametrize("word", sorted(SAYABLE.keys() - BEYOND))
def test_a_definition_runs_under_a_strict_module_of_the_standard(word: str) -> None:
    for sample in SAYABLE[word]:
        with np.errstate(all="ignore"):
            results, wanted = defined(standard, sample), defined(np, sample)
        for result, value in zip(results, wanted, strict=True):
            assert type(result) is type(standard.asarray(0)), sample
            found = np.asarray(result)
            assert found.dtype == value.dtype, sample
            np.testing.assert_allclose(found, value, rtol=1e-6, atol=1e-12, err_msg=str(sample))


@pytest.mark.parametrize("word", sorted(BEYOND))
def test_a_few_ask_for_more_than_the_standard_has(word: str) -> None:
    for sample in SAYABLE[word]:
        with pytest.raises(AttributeError, match=f"has no attribute '{BEYOND[word]}'"):
            defined(standard, sample)


def test_only_samples_of_halves_are_left_out() -> None:
    assert {word for word, samples in SAMPLES.items() if samples} == SAYABLE.keys()
