"""Contenders on one case, in turn: times, ratios of each round, first steps, memory, and whether they agree."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .case import Case
from .job import Job
from .peak import Meter, meter
from .process import Failed, Process

OUTPUTS = "outputs.npz"
STARTS = 5  # of processes with what an earlier one kept
STEPS = 3  # whose losses must agree
REST = 0.15  # seconds before each measurement: threads of who ran before spin for more work, ONNX Runtime's for 60 ms
TOLERANCE = 1e-2  # of their losses, and of the outputs of first weights in terms of the largest


@dataclass(frozen=True)
class Effort:
    """How long is measured: rounds, and seconds of each contender in each."""

    rounds: int = 7
    seconds: float = 0.3


@dataclass(frozen=True)
class Spread:
    """The median of a figure, and its quartiles."""

    median: float
    low: float
    high: float


@dataclass
class Findings:
    """What was found of one contender; None is what was not measured.

    `step` and `predict` are seconds, `against` and `predict_against` the same over those of the first contender in
    each round. `share` is what a step computes over what this machine added up just before and after. `first` are the
    seconds of the first step after imports with nothing kept, `kept` with what an earlier process left, `process`
    those of a whole process up to its first step, with what was kept if anything is; the last two are medians.
    """

    contender: str
    imports: float | None = None
    first: float | None = None
    kept: float | None = None
    process: float | None = None
    memory: int | None = None
    step: Spread | None = None
    against: Spread | None = None
    share: Spread | None = None
    predict: dict[int, Spread] = field(default_factory=dict)
    predict_against: dict[int, Spread] = field(default_factory=dict)
    left_out: str = ""


def measure(
    case: Case, contenders: Sequence[str], threads: int, effort: Effort, peers: Mapping[str, str], clock: str = "wall"
) -> list[Findings]:
    """The findings of each contender, in order; the first is what others are compared with."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        arrays = Path(folder, "arrays.npz")
        case.write(arrays)
        contests = []
        for name in contenders:
            job = Job(name, case.path, case.overrides, case.sizes, case.rows, threads, str(arrays), dict(peers), clock)
            contests.append(Contest(case, job, Path(folder, name)))
            ends.callback(contests[-1].end)
        running = [c for c in contests if c.tried(c.begin)]
        running = [c for c in running if c.agrees(c.losses_differ(running[0]))]
        if case.trains:
            top = meter(threads) if clock == "wall" else None
            _train_in_turn([c for c in running if c.trains], effort, case.flops, top)
        running = [c for c in running if c.tried(c.remember)]
        running = [c for c in running if c.agrees(c.outputs_differ(running[0]))]
        for rows in dict.fromkeys((1, case.rows)):
            _predict_in_turn(running, effort, rows)
        return [c.found for c in contests]


class Contest:
    """A contender in a process of its own, with what was found of it."""

    def __init__(self, case: Case, job: Job, folder: Path) -> None:
        self.case, self.job, self.folder = case, job, folder
        self.found = Findings(job.contender)
        self.trains = case.trains and job.kind.trains
        self.process: Process | None = None
        self.losses: list[float] = []

    def tried(self, what: Callable[[], object]) -> bool:
        """Whether something was done; a contender that ends meanwhile is left out."""
        try:
            what()
        except Failed as failure:
            self.leave_out(str(failure))
            return False
        return True

    def agrees(self, difference: str) -> bool:
        """Whether there is no difference to the first contender; who computes other numbers is left out."""
        if difference:
            self.leave_out(difference)
        return not difference

    def leave_out(self, reason: str) -> None:
        self.found = Findings(self.job.contender, left_out=reason)
        self.end()

    def begin(self) -> None:
        """Its first steps with nothing kept; where it keeps something for later processes, those of another too."""
        self.folder.mkdir()
        self.process = Process(self.job, self.folder)
        self.found.first = self._first()
        whole = [self._whole()]
        self.losses = self.process.ask("losses", STEPS) if self.trains else []
        if self.job.kind.keeps:
            kept, whole = map(list, zip(*(self._again() for _ in range(STARTS)), strict=True))
            self.found.kept = statistics.median(kept)
        self.found.process = statistics.median(whole)
        self.found.imports = self.process.imports

    def _again(self) -> tuple[float, float]:
        """The seconds of the first step and of the whole of another process."""
        self.end()
        self.process = Process(self.job, self.folder)
        return self._first(), self._whole()

    def _whole(self) -> float:
        """The seconds of the process so far."""
        assert self.process is not None
        spent: float = self.process.ask("spent") if self.job.clock == "processor" else self.process.age
        return spent

    def _first(self) -> float:
        seconds: float = self.ask("begin") if self.trains else self.ask("predict", self.case.rows)
        return seconds

    def losses_differ(self, leader: Contest) -> str:
        """How its losses differ from the leader's, if they do; random draws of training are other ones everywhere."""
        if self.case.draws:
            return ""
        for step, (own, wanted) in enumerate(zip(self.losses, leader.losses, strict=False), 1):
            if not math.isclose(own, wanted, rel_tol=TOLERANCE, abs_tol=TOLERANCE / 10):
                return f"its loss at step {step} is {own:.6g}, that of {leader.job.contender} {wanted:.6g}"
        return ""

    def outputs_differ(self, leader: Contest) -> str:
        """How its outputs with first weights differ from the leader's, if they do."""
        with np.load(self.folder / OUTPUTS) as own, np.load(leader.folder / OUTPUTS) as wanted:
            for name in wanted.files:
                a, b = (np.asarray(file[name], np.float64) for file in (own, wanted))
                if a.shape != b.shape or np.abs(a - b).max() > TOLERANCE * max(np.abs(b).max(), 1e-6):
                    return f"its output {name} is not that of {leader.job.contender}"
        return ""

    def remember(self) -> None:
        """Takes down the memory of training, and the outputs with first weights."""
        if self.trains:
            self.found.memory = self.ask("memory")
        self.ask("outputs", str(self.folder / OUTPUTS))

    def ask(self, name: str, *arguments: Any) -> Any:
        assert self.process is not None
        return self.process.ask(name, *arguments)

    def end(self) -> None:
        if self.process:
            self.process.close()
            self.process = None


def _train_in_turn(contests: Sequence[Contest], effort: Effort, flops: int, top: Meter | None) -> None:
    """Measures steps, and beside them what this machine does at most."""
    peaks: list[float] = []
    times = _rounds(contests, "train", effort, (), lambda: peaks.append(top.flops()) if top else None)
    for i, (contest, own) in enumerate(zip(contests, times, strict=True)):
        contest.found.step, contest.found.against = _spreads(own, times[0])
        if top:
            around = zip(peaks[i :: len(contests)], peaks[i + 1 :: len(contests)], strict=False)
            most = [(before + after) / 2 for before, after in around]
            contest.found.share = spread([flops / (rate * seconds) for rate, seconds in zip(most, own, strict=True)])


def _predict_in_turn(contests: Sequence[Contest], effort: Effort, rows: int) -> None:
    times = _rounds(contests, "predict", effort, (rows,))
    for contest, own in zip(contests, times, strict=True):
        contest.found.predict[rows], contest.found.predict_against[rows] = _spreads(own, times[0])


def _rounds(
    contests: Sequence[Contest],
    what: str,
    effort: Effort,
    before: tuple[int, ...],
    between: Callable[[], object] = lambda: None,
) -> list[list[float]]:
    """The times of contenders, A B A B; `between` is called before each and at the end."""
    for contest in contests:
        contest.ask(what, *before)
    times: list[list[float]] = [[] for _ in contests]
    for _ in range(effort.rounds):
        for contest, own in zip(contests, times, strict=True):
            time.sleep(REST)
            between()
            own.append(contest.ask(what, *before, effort.seconds))
    between()
    return times


def _spreads(own: Sequence[float], first: Sequence[float]) -> tuple[Spread, Spread]:
    """Times, and what they are times those of the first contender."""
    return spread(own), spread([a / b for a, b in zip(own, first, strict=True)])


def spread(values: Sequence[float]) -> Spread:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)
