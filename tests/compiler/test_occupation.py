"""Every life gets the lowest bytes that are free, as by looking at all others."""

from __future__ import annotations

from axonc.compiler.occupation import Occupation
from hypothesis import given
from hypothesis import strategies as st

MOMENTS = st.integers(-1, 20)
LIVES = st.lists(st.tuples(st.sampled_from((0, 64, 128, 192, 640)), MOMENTS, MOMENTS), max_size=40)


@given(LIVES)
def test_each_life_gets_the_lowest_bytes_that_nothing_else_needs_at_its_time(lives: list[tuple[int, int, int]]) -> None:
    lives = [(size, min(a, b), max(a, b)) for size, a, b in lives]
    occupation = Occupation(start for _, start, _ in lives)
    placed: list[tuple[int, int, int, int]] = []
    for size, start, end in lives:
        taken = [(low, high) for low, high, first, last in placed if first <= end and start <= last]
        candidates = [0, *(high for _, high in taken)]
        wanted = min(c for c in candidates if all(high <= c or c + size <= low for low, high in taken))
        assert occupation.take(size, start, end) == wanted
        placed.append((wanted, wanted + size, start, end))
