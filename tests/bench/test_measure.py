"""Times of contenders in turn, and what they are of what the machine does at most in the same moments."""

from __future__ import annotations

from typing import Any

import pytest
from axonc.bench.measure import Contest, Effort, Spread, _train_in_turn
from axonc.bench.peak import Meter, meter


class Timed(Contest):
    """A contender that takes the seconds it is given, round by round, and tells when it ran."""

    def __init__(self, seconds: list[float], order: list[Any]) -> None:
        from axonc.bench.measure import Findings

        self.found, self.seconds, self.order = Findings("timed"), [0.0, *seconds], order

    def ask(self, name: str, *arguments: Any) -> Any:
        self.order.append(self)
        return self.seconds.pop(0)


class Machine(Meter):
    """One that does so many operations a second, each time it is asked."""

    def __init__(self, rates: list[float], order: list[Any]) -> None:
        self.rates, self.order = rates, order

    def flops(self, runs: int = 10) -> float:
        self.order.append(self)
        return self.rates.pop(0)


def test_a_share_is_of_what_the_machine_did_just_before_and_after() -> None:
    order: list[Any] = []
    fast, slow = Timed([1.0, 2.0, 1.0], order), Timed([4.0, 4.0, 2.0], order)
    top = Machine([10.0, 30.0, 10.0, 30.0, 10.0, 30.0, 10.0], order)
    _train_in_turn([fast, slow], Effort(3, 0.1), 10, top)
    assert order == [fast, slow, *[top, fast, top, slow] * 3, top]
    assert fast.found.share == Spread(0.5, 0.375, 0.5)  # 10 operations of 20 in a second, in 1, 2 and 1 seconds
    assert slow.found.share == Spread(0.125, 0.125, 0.1875)
    assert slow.found.against == Spread(2.0, 2.0, 3.0)


def test_without_a_compiler_there_is_no_share() -> None:
    order: list[Any] = []
    alone = Timed([1.0, 2.0], order)
    _train_in_turn([alone], Effort(2, 0.1), 10, None)
    assert alone.found.share is None
    assert alone.found.step == Spread(1.5, 1.25, 1.75)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_machine_does_at_most_what_it_does_at_best(threads: int) -> None:
    found = meter(threads)
    if found is None:
        pytest.skip("there is no C compiler")
    best = found.peak(runs=5)
    assert 1e9 < found.flops(runs=2) < 1.5 * best.flops
    assert best.bytes > 1e8
