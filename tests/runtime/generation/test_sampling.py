"""Tokens are drawn from what temperature, top k and top p leave, as often as their shares say."""

from __future__ import annotations

import numpy as np
import pytest
from axonc.runtime.generation.sampling import Uniforms, draw, log_shares, shares
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

SCORES = st.lists(st.sampled_from([-3.0, -1.0, 0.0, 0.5, 0.5, 1.0, 2.0, 4.0]), min_size=1, max_size=8)


def plain(scores: list[float], temperature: float, top_k: int | None, top_p: float) -> np.ndarray:
    """The definition, one token at a time."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    left = order[:top_k]
    weights = {i: np.exp(scores[i] / temperature) for i in left}
    total = sum(weights.values())
    kept, reached = [], 0.0
    for i in left:
        if kept and reached >= top_p - 1e-12 and top_p < 1:
            break
        kept.append(i)
        reached += weights[i] / total
    total = sum(weights[i] for i in kept)
    return np.array([weights[i] / total if i in kept else 0 for i in range(len(scores))])


@given(SCORES, st.sampled_from([0.3, 1.0, 2.5]), st.none() | st.integers(1, 9), st.sampled_from([0.0, 0.37, 0.81, 1.0]))
def test_temperature_top_k_and_top_p_leave_what_their_definitions_say(
    scores: list[float], temperature: float, top_k: int | None, top_p: float
) -> None:
    found = shares(np.array([scores, scores[::-1]], np.float32), temperature, top_k, top_p)
    np.testing.assert_allclose(found[0], plain(scores, temperature, top_k, top_p), atol=1e-7)
    np.testing.assert_allclose(found[1], plain(scores[::-1], temperature, top_k, top_p), atol=1e-7)


def test_temperature_0_and_top_1_take_the_first_of_the_likeliest() -> None:
    scores = np.array([[1.0, 3.0, 3.0], [2.0, -1.0, 0.0]])
    for found in (shares(scores, 0), shares(scores, 1, 1), shares(scores, 1, None, 0.0)):
        np.testing.assert_array_equal(found, [[0, 1, 0], [1, 0, 0]])


def test_scores_of_any_size_have_shares() -> None:
    scores = np.array([[1e4, -1e4, 0.0, -np.inf]], np.float32)
    np.testing.assert_allclose(shares(scores, 0.1), [[1, 0, 0, 0]])
    np.testing.assert_allclose(log_shares(scores), [[0, -2e4, -1e4, -np.inf]])


def test_log_shares_are_those_of_the_softmax() -> None:
    scores = np.random.default_rng(0).normal(0, 5, (4, 11)).astype(np.float32)
    np.testing.assert_allclose(log_shares(scores), special.log_softmax(scores.astype(float), axis=1), atol=1e-12)


def test_a_draw_is_the_token_at_which_the_running_sum_passes_the_number() -> None:
    found = np.array([[0.25, 0.0, 0.5, 0.25]] * 5)
    np.testing.assert_array_equal(draw(found, np.array([0.1, 0.2499, 0.2501, 0.7499, 0.9999])), [0, 0, 2, 2, 3])


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), [(1.0, None, 1.0), (0.7, 4, 1.0), (1.5, None, 0.8)])
def test_tokens_come_as_often_as_their_shares_say(temperature: float, top_k: int | None, top_p: float) -> None:
    scores = np.random.default_rng(1).normal(0, 1, 9)
    expected = plain(list(scores), temperature, top_k, top_p)
    rows, positions = 500, 40
    uniforms = Uniforms(rows, seed=5)
    found = shares(np.tile(scores, (rows, 1)), temperature, top_k, top_p)
    counts = sum(np.bincount(draw(found, uniforms.at(p)), minlength=9) for p in range(positions))
    possible = expected > 0
    assert (counts[~possible] == 0).all()
    assert stats.chisquare(counts[possible], expected[possible] * rows * positions).pvalue > 1e-3


def test_numbers_depend_on_seed_position_and_row_alone() -> None:
    uniforms = Uniforms(6, seed=1 << 40)
    first, second = uniforms.at(3), uniforms.at(4)
    np.testing.assert_array_equal(Uniforms(6, seed=1 << 40).at(3), first)
    np.testing.assert_array_equal(Uniforms(4, seed=1 << 40).at(3), first[:4])
    assert len({*first, *second, *Uniforms(6, seed=2).at(3)}) == 18
    assert ((first > 0) & (first < 1)).all()
