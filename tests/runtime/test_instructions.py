"""Instructions that have several ways give the same by each: the extremes of an array and a number, choices by a mask
that repeats, and sums of rows by index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from axonc.runtime import places
from axonc.runtime.arrays import INSTRUCTIONS

SPECIAL = (0.0, -0.0, np.nan, np.inf, -np.inf)
SHAPES = [(), (3,), (2000,), (7, 5, 300), (2, 9, 28, 32), (3, 0), (1 << 17,)]
CHOICES = [(f, n) for f in ("f2", "f4", "f8") for n in (0.0, -0.0, -1e4, np.nan, np.inf)]
CHOICES += [("i4", 0), ("i4", -7), ("i8", -1), ("?", 0), ("?", 1)]


def run(name: str, writes: list[Any], reads: list[Any], **attributes: Any) -> None:
    for call in INSTRUCTIONS[name](writes, reads, attributes):
        call()


def random(*shape: int, dtype: str = "f4") -> np.ndarray:
    values = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    values.reshape(-1)[: len(SPECIAL)] = SPECIAL[: values.size]
    return values


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("transposed", [False, True])
def test_the_extreme_of_an_array_and_a_number_is_that_of_each_element(
    name: str, shape: tuple[int, ...], transposed: bool
) -> None:
    x = random(*shape).T if transposed else random(*shape)
    wanted = (np.maximum if name == "max" else np.minimum)(x, np.float32(0.25))
    out = np.empty_like(wanted)
    run(name, [out], [x, 0.25])
    np.testing.assert_array_equal(out, wanted)
    run(name, [x], [x, 0.25])
    np.testing.assert_array_equal(x, wanted)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_the_extreme_of_an_array_and_a_number_in_memory_follows_that_number(shape: tuple[int, ...]) -> None:
    for x in (np.zeros((), "f4"), np.zeros((3, 400), "f4")):
        number, out = np.zeros(shape, "f4"), np.empty_like(x)
        calls = INSTRUCTIONS["max"]([out], [x, number], {})
        number[...] = 2
        for call in calls:
            call()
        np.testing.assert_array_equal(out, np.full_like(x, 2))


@pytest.mark.parametrize("shape", [(4, 5), (1, 5), (4, 1), ()])
@pytest.mark.parametrize(("dtype", "number"), CHOICES)
def test_a_mask_chooses_bit_by_bit_what_where_chooses(shape: tuple[int, ...], dtype: str, number: float) -> None:
    condition = np.random.default_rng(1).random(shape) < 0.5
    value = random(3, 4, 5, dtype=dtype) if dtype[0] == "f" else np.arange(60).reshape(3, 4, 5).astype(dtype)
    wanted = np.where(condition, value, np.asarray(number, dtype))
    masks = [np.empty(shape, dtype) for _ in range(2)]
    out = np.empty_like(value)
    run("mask", [out, *masks], [condition, value], value=number)
    assert out.tobytes() == wanted.tobytes()
    run("mask", [value, *masks], [condition, value], value=number)
    assert value.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("most", [1 << 15, 10, 7, 2])
@pytest.mark.parametrize("index_type", ["i8", "i4"])
def test_rows_are_added_in_their_order_some_at_a_time(
    most: int, index_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SCATTERED", most)
    index = np.array([[3, 0, 3], [3, 1, 0]], index_type)
    rows = random(2, 3, 5)[..., ::-1].copy()
    wanted, out = np.zeros((4, 5), "f4"), np.full((4, 5), 7, "f4")
    for i in np.ndindex(index.shape):
        wanted[index[i]] += rows[i]
    run("scatter_add", [out], [index, rows])
    np.testing.assert_array_equal(out, wanted)
