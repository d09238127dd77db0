"""What one contender is asked to run, as plain data that goes to its process, and what every contender can do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple, Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]
Given = tuple[Arrays, Arrays, Arrays]  # weights, states and the batch by name
WEIGHT, STATE, BATCH = "weight/", "state/", "batch/"


class Kind(NamedTuple):
    """A contender: the module here that runs it, the package that it needs, whether it trains, and whether a second
    process that begins from what the first one kept is worth its time."""

    module: str
    package: str
    trains: bool = True
    keeps: bool = False


KINDS = {
    "native": Kind("own", "numpy", keeps=True),
    "numpy": Kind("own", "numpy", keeps=True),
    "torch": Kind("with_torch", "torch"),
    "torch-channels-last": Kind("with_torch", "torch"),
    "torch-compile": Kind("with_torch", "torch"),
    "jax": Kind("with_jax", "jax"),
    "onnxruntime": Kind("with_onnxruntime", "onnxruntime", trains=False),
}


@dataclass(frozen=True)
class Job:
    """One contender on one spec. `arrays` is the file of weights, states and the batch that all contenders begin with.

    `rows` are the samples of a training step. `peers` are files of networks written by hand, by the package that they
    are for; where there is none, the network is made from the graph of the spec. `clock` is `wall`, or `processor`:
    the time that the process and those it started computed, which on a busy machine says more of a single thread.
    """

    contender: str
    spec: str
    overrides: Mapping[str, str]
    sizes: Mapping[str, int]
    rows: int
    threads: int
    arrays: str
    peers: Mapping[str, str]
    clock: str = "wall"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Job:
        return Job(**json.loads(text))

    @property
    def kind(self) -> Kind:
        return KINDS[self.contender]

    def read(self) -> Given:
        """What the contender begins with."""
        with np.load(self.arrays) as file:
            weights, states, batch = (
                {n.removeprefix(kind): file[n] for n in file.files if n.startswith(kind)}
                for kind in (WEIGHT, STATE, BATCH)
            )
        return weights, states, batch


class Contender(Protocol):
    """A spec that one framework runs, from given weights on, always on the same batch."""

    def train(self) -> float:
        """One training step; the loss before it, as a number."""

    def predict(self, rows: int) -> Arrays:
        """The outputs for the first samples of the batch."""

    def gradients(self) -> tuple[float, Arrays]:
        """The loss and its gradient by each weight, by the names and in the layout of the spec."""
