"""Philox against the published answers, and the distributions made of it against their formulas."""

import numpy as np
import pytest
import scipy.stats
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.types import F32, F64
from axonc.compiler.ops.random import Bernoulli, Normal, RandomBits, Uniform, philox, stream_number

from .graphs import define

KEY = np.array([7, 11], np.uint32)
MANY = (200, 500)

# Known answers of Random123 1.14, kat_vectors: counter, key, result of philox4x32-10
ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def step(number: int) -> np.ndarray:
    return np.asarray(number, np.int64)


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS)
def test_philox_gives_the_published_answers(counter: str, key: str, answer: str) -> None:
    blocks = tuple(np.array([w], np.uint64) for w in words(counter))
    found = philox(blocks, (words(key)[0], words(key)[1]))
    assert [int(w[0]) for w in found] == words(answer)


def test_element_takes_its_word_of_the_block_that_index_step_and_stream_count() -> None:
    far = 5 + (3 << 32)
    bits = define(RandomBits("a.b", (3, 5)), KEY, step(far)).ravel()
    for i, found in enumerate(bits):
        counter = (i // 4, 5, 3, stream_number("a.b"))
        block = philox(tuple(np.array([n], np.uint64) for n in counter), (7, 11))
        assert found == block[i % 4][0]


def test_smaller_batch_draws_the_same_numbers() -> None:
    whole, part = (define(RandomBits("s", (n, 6)), KEY, step(1)) for n in (8, 3))
    np.testing.assert_array_equal(part, whole[:3])


def test_stream_step_and_key_each_change_the_numbers() -> None:
    drawn = [
        define(RandomBits(stream, (8,)), np.array([key, 0], np.uint32), step(n)).tobytes()
        for stream in ("a", "b")
        for key in (0, 1)
        for n in (0, 1, 1 << 32)
    ]
    assert len(set(drawn)) == len(drawn)


def test_number_of_a_stream_never_changes() -> None:
    assert stream_number("encoder.3.dropout") == 2620544266


@pytest.mark.parametrize("dtype", [F32, F64])
def test_uniform_numbers_are_uniform(dtype: object) -> None:
    x = define(Uniform("u", MANY, dtype), KEY, step(0)).ravel()
    assert x.min() >= 0
    assert x.max() < 1
    assert scipy.stats.kstest(x, "uniform").pvalue > 0.01


@pytest.mark.parametrize("dtype", [F32, F64])
def test_normal_numbers_are_normal_and_finite(dtype: object) -> None:
    x = define(Normal("n", MANY, dtype), KEY, step(0)).ravel()
    assert np.isfinite(x).all()
    assert scipy.stats.kstest(x, "norm").pvalue > 0.01


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_truths_come_at_their_rate(rate: float) -> None:
    count = int(define(Bernoulli("b", MANY, rate), KEY, step(0)).sum())
    assert scipy.stats.binomtest(count, 100_000, rate).pvalue > 0.001


@pytest.mark.parametrize("op", [RandomBits("s", (2, 3)), Bernoulli("s", (2, 3), 0.5)], ids=str)
def test_unsigned_steps_count_as_the_others_do(op: Op) -> None:
    np.testing.assert_array_equal(define(op, KEY, np.asarray(9, np.uint32)), define(op, KEY, step(9)))
