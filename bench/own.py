"""The spec as axonc runs it, through the public calls of a program."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..program import compile as compile_spec
from .job import Arrays, Given, Job


class Own:
    """A contender whose name is that of a backend."""

    def __init__(self, job: Job, given: Given) -> None:
        weights, states, self.batch = given
        threads = job.threads if job.contender == "native" else None
        self.program = compile_spec(
            job.spec, backend=job.contender, threads=threads, overrides=job.overrides, sizes=job.sizes
        )
        if self.program.backend.name != job.contender:
            raise RuntimeError(self.program.backend.note)
        self.program.batch = job.rows
        held = self.program.parameters | self.program.states
        for name, array in (*weights.items(), *states.items()):
            np.copyto(held[name], array)

    @cached_property
    def inputs(self) -> Arrays:
        """What is predicted from; the specification that knows it is not read before a step is taken."""
        asked = self.program.specification.phases.predict.named_inputs("data")
        return {name: self.batch[name] for name in asked}

    def train(self) -> float:
        return self.program.train_step(self.batch)["loss"]

    def predict(self, rows: int) -> Arrays:
        return self.program.predict({name: array[:rows] for name, array in self.inputs.items()})

    def gradients(self) -> tuple[float, Arrays]:
        return self.program.loss_and_gradients(self.batch)


def make(job: Job, given: Given) -> Own:
    return Own(job, given)
