"""A network in JAX as a contender: one jitted step over a dictionary of weights, which it may overwrite."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .by_hand import networks
from .job import Arrays, Given, Job

Tensors = Mapping[str, Array]
RATE, FIRST, SECOND, EPSILON = 1e-3, 0.9, 0.999, 1e-8  # Adam


class Network(Protocol):
    """What a network must give to be trained: functions of weights, states and a batch by name."""

    def loss(self, p: Tensors, states: Tensors, batch: Tensors) -> tuple[Array, Tensors]: ...

    def outputs(self, p: Tensors, states: Tensors, batch: Tensors) -> dict[str, Array]: ...


class WithJax:
    """The contender `jax`."""

    def __init__(self, job: Job, given: Given) -> None:
        weights, self.states, self.batch = (jax.device_put(dict(arrays)) for arrays in given)
        network = _network(job)
        self.memory = (weights, *(jax.tree.map(jnp.zeros_like, weights) for _ in range(2)), jnp.zeros((), jnp.float32))
        self.step = jax.jit(partial(_step, network), donate_argnums=(0, 1))
        self.outputs = jax.jit(network.outputs)
        self.pull = jax.jit(jax.value_and_grad(network.loss, has_aux=True))

    def train(self) -> float:
        self.memory, self.states, loss = self.step(self.memory, self.states, self.batch)
        return float(loss)

    def predict(self, rows: int) -> Arrays:
        some = {name: array[:rows] for name, array in self.batch.items()}
        return {name: np.asarray(a) for name, a in self.outputs(self.memory[0], self.states, some).items()}

    def gradients(self) -> tuple[float, Arrays]:
        (loss, _), found = self.pull(self.memory[0], self.states, self.batch)
        return float(loss), {name: np.asarray(gradient) for name, gradient in found.items()}


def _step(network: Network, memory: Any, states: Tensors, batch: Tensors) -> tuple[Any, Tensors, Array]:
    """A step of Adam."""
    p, first, second, count = memory
    (loss, states), g = jax.value_and_grad(network.loss, has_aux=True)(p, states, batch)
    count = count + 1
    first = jax.tree.map(lambda m, g: FIRST * m + (1 - FIRST) * g, first, g)
    second = jax.tree.map(lambda v, g: SECOND * v + (1 - SECOND) * g * g, second, g)
    rate, wide = RATE / (1 - FIRST**count), 1 / (1 - SECOND**count)
    p = jax.tree.map(lambda x, m, v: x - rate * m / (jnp.sqrt(v * wide) + EPSILON), p, first, second)
    return (p, first, second, count), states, loss


def make(job: Job, given: Given) -> WithJax:
    return WithJax(job, given)


def _network(job: Job) -> Network:
    if "jax" in job.peers:
        made: Network = networks(job.peers["jax"]).network(job.spec)
        return made
    from ..specification import check
    from .jax_graph import FromGraph

    return FromGraph(check(job.spec, overrides=job.overrides, sizes=job.sizes), job.sizes)
