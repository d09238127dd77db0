"""The process of one contender: `python -m axonc.bench.worker JOB` answers each line of stdin with one of stdout.

A request is the name of what to do and its arguments, as JSON; so is an answer. The first answer comes unasked: the
seconds that importing took.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .job import Contender, Job


class Worker:
    """One contender, made when it is first asked for something."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.now = {"wall": time.perf_counter, "processor": processor}[job.clock]
        if job.contender == "jax":  # it makes a thread for each core that it may use, and has no other switch
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job.threads])
        self.module = import_module(f".{job.kind.module}", __package__)
        self.contender: Contender | None = None
        self.first = 0.0

    @property
    def made(self) -> Contender:
        if self.contender is None:
            made: Contender = self.module.make(self.job, self.job.read())
            self.contender = made
        return self.contender

    def train(self, seconds: float = 0.0) -> float:
        """The mean seconds of a training step over about so many seconds."""
        return self.mean(self.made.train, seconds)

    def begin(self) -> float:
        """The seconds of the first training step, with all that it needs but data."""
        given = self.job.read()
        start = self.now()
        self.contender = self.module.make(self.job, given)
        self.first = self.made.train()
        return self.now() - start

    def losses(self, count: int) -> list[float]:
        """The losses of the first steps, of which one was taken."""
        return [self.first, *(self.made.train() for _ in range(count - 1))]

    def predict(self, rows: int, seconds: float = 0.0) -> float:
        """The mean seconds of predicting so many samples."""
        return self.mean(lambda: self.made.predict(rows), seconds)

    def outputs(self, path: str) -> None:
        """Writes the outputs for the batch with the given weights, which the contender has again from now on."""
        self.contender = None
        np.savez(path, **dict(self.made.predict(self.job.rows)))  # type: ignore[arg-type]

    def spent(self) -> float:
        """The processor time of this process and those it started, all in all."""
        return processor()

    def mean(self, run: Callable[[], object], seconds: float) -> float:
        """The mean seconds of a run, once at least, over about so many seconds."""
        start, count, block = self.now(), 0, 1
        while True:
            for _ in range(block):
                run()
            count += block
            spent = self.now() - start
            if spent >= seconds:
                return spent / count
            block = max(1, min(count, int((seconds - spent) / spent * count)))

    def memory(self) -> int:
        """The most bytes that this process has had in memory."""
        (line,) = (text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


def processor() -> float:
    """Seconds that this process and those it started have computed."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    start = time.perf_counter()
    worker = Worker(Job.from_json(sys.argv[1]))
    print(json.dumps(time.perf_counter() - start), file=answers, flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        answer: Any = getattr(worker, name)(*arguments)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
