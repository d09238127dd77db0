"""Arrays that are handed out are the memory itself, and tell as long as anybody can write to them."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from axonc.runtime.lending import Lending


def test_what_is_lent_is_the_memory_itself() -> None:
    memory = np.arange(6, dtype=np.float32).reshape(2, 3)
    lent = Lending().lent({"w": memory[:, 1:]})["w"]
    lent[1, 0] = 70
    assert memory[1, 1] == 70
    assert lent.dtype == memory.dtype
    assert lent.shape == (2, 2)


def test_nothing_is_touched_that_was_never_lent() -> None:
    assert not Lending().touched()


def test_what_was_lent_and_given_back_is_touched_once() -> None:
    lending = Lending()
    lending.lent({"w": np.zeros(3)})
    gc.collect()
    assert lending.touched()
    assert not lending.touched()


@pytest.mark.parametrize(
    "view", [lambda a: a, lambda a: a[1:], lambda a: a.reshape(3, 1)[:2].T, lambda a: a.view("i8")]
)
def test_a_view_of_what_was_lent_counts_as_long_as_it_lives(view) -> None:  # type: ignore[no-untyped-def]
    lending, memory = Lending(), np.zeros(3)
    held = view(lending.lent({"w": memory})["w"])
    gc.collect()
    assert lending.touched()
    assert lending.touched()
    held[...] = 1
    del held
    gc.collect()
    assert not lending.touched()
    assert memory.any()


def test_memory_outlives_whoever_lent_it() -> None:
    held = Lending().lent({"w": np.full(1000, 7.0)})["w"]
    gc.collect()
    np.testing.assert_array_equal(held, np.full(1000, 7.0))


def test_memory_of_no_elements_can_be_lent() -> None:
    assert Lending().lent({"w": np.zeros((0, 3))})["w"].shape == (0, 3)
