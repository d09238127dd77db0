"""A model's gradients -> how far finite differences of its loss agree with them, weight by weight, in f64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from .ir.evaluate import evaluate
from .ir.graph import CONTROL, DATA, TARGET, Graph, Input, numpy_name
from .parameters import Range
from .passes.precision import in_double
from .passes.unused import drop_unused
from .phases import LOSS, Phases

Arrays: TypeAlias = Mapping[str, np.ndarray]
STEPS = (1e-5, 1e-6, 1e-7)  # along a direction of length 1; the smaller ones pass by kinks, such as that of relu
TOLERANCE = 1e-5
NOTHING = 1e-9  # a derivative that is 0 but for rounding
SPREAD = 0.05  # of the noise that takes weights away from where they begin, which is often a corner


@dataclass(frozen=True)
class Agreement:
    """The derivative of the loss by one weight along a random direction of length 1, found in two ways."""

    parameter: str
    size: int
    derivative: float
    difference: float

    @property
    def error(self) -> float:
        """Relative to the larger of the two; 0 where both are nothing."""
        largest = max(abs(self.derivative), abs(self.difference))
        return 0.0 if largest < NOTHING else abs(self.derivative - self.difference) / largest

    @property
    def agrees(self) -> bool:
        return self.error < TOLERANCE


def agreements(phases: Phases, inputs: Arrays, *, seed: int = 0) -> Iterator[Agreement]:
    """One for each weight that is trained.

    `inputs` are those of the graph of gradients: data, ranges of weights (moved a little, in place of zeros and other
    corners), states, key, step and epoch.
    """
    random = np.random.default_rng(seed)
    gradients = in_double(phases.exact.gradients)
    loss = _loss_alone(gradients)
    point = {name: _moved(name, array, phases.ranges, random) for name, array in inputs.items()}
    found = evaluate(gradients, point)
    for r in phases.trained:
        gradient, start = found[f"gradient.{r.name}"], 0
        for piece in r.pieces:
            size = int(np.prod([_whole(n) for n in piece.shape]))
            direction = np.zeros_like(point[r.name])
            direction[start : start + size] = _unit(random, size)
            derivative = float(gradient @ direction)
            yield _best(loss, point, r.name, direction, Agreement(piece.name, size, derivative, float("nan")))
            start += size


def _best(loss: Graph, point: Arrays, name: str, direction: np.ndarray, one: Agreement) -> Agreement:
    """The agreement at the first length of step that shows it, or at the one that comes nearest."""
    tried = []
    for step in STEPS:
        up, down = (
            float(evaluate(loss, {**point, name: point[name] + sign * step * direction})[LOSS]) for sign in (1, -1)
        )
        tried.append(replace(one, difference=(up - down) / (2 * step)))
        if tried[-1].agrees:
            return tried[-1]
    return min(tried, key=lambda each: each.error)


def _loss_alone(graph: Graph) -> Graph:
    return drop_unused(replace(graph, results=((LOSS, graph.result(LOSS)),), updates=()))


def _moved(name: str, array: np.ndarray, ranges: tuple[Range, ...], random: np.random.Generator) -> np.ndarray:
    if not any(r.name == name for r in ranges):
        return array
    return array.astype(np.float64) + SPREAD * random.standard_normal(array.shape)


def _unit(random: np.random.Generator, size: int) -> np.ndarray:
    direction = random.standard_normal(size)
    return direction / np.linalg.norm(direction)


def _whole(size: object) -> int:
    assert isinstance(size, int), size
    return size


def random_data(graph: Graph, sizes: Mapping[str, int], entries: Mapping[str, int], *, seed: int = 0) -> Arrays:
    """Arrays for the data and targets of a graph: normal numbers, truths, and whole numbers below those of `entries`
    that the model chooses from (2 where it does not say)."""
    random = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for node in graph.inputs:
        assert isinstance(node.op, Input)
        if node.op.role not in (DATA, TARGET):
            continue
        shape = tuple(_whole(s) for s in node.tensor.substitute(sizes).shape)
        if node.dtype.is_float:
            found[node.op.name] = random.standard_normal(shape)
        else:
            most = entries.get(node.op.name, 2) if node.dtype.is_integer else 2
            found[node.op.name] = random.integers(0, most, shape).astype(numpy_name(node.dtype))
    return found


def controls(graph: Graph, seed: int = 0) -> Arrays:
    """What a step is told besides its data: the key of random numbers, the step and the epoch."""
    values = {"key": np.array([seed, 0], np.uint32), "step": np.array(1), "epoch": np.array(1)}
    return {n.op.name: values[n.op.name] for n in graph.inputs if isinstance(n.op, Input) and n.op.role == CONTROL}
