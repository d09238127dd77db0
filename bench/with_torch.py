"""A network in PyTorch as a contender: eager, with channels last, or compiled, each with fused Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from .by_hand import networks
from .job import Arrays, Given, Job

Batch: TypeAlias = Mapping[str, Tensor]


class Network(Protocol):
    """What a network must give to be trained: functions of a batch by name, and its gradients in a spec's layout."""

    module: nn.Module

    def loss(self, rows: int) -> Callable[[Batch], Tensor]: ...

    def outputs(self, rows: int) -> Callable[[Batch], dict[str, Tensor]]: ...

    def gradients(self) -> Arrays: ...


class WithTorch:
    """A contender: `torch`, `torch-channels-last` or `torch-compile`."""

    def __init__(self, job: Job, given: Given) -> None:
        torch.set_num_threads(job.threads)
        weights, states, batch = given
        last = job.contender != "torch"
        self.network = _network(job, weights, states)
        if last:
            _images_last(self.network.module)
        self.batch = {name: _laid(torch.from_numpy(array), last=last) for name, array in batch.items()}
        trained = [p for p in self.network.module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=1e-3, fused=True)
        self.wrapped: Callable[[Any], Any] = torch.compile if job.contender == "torch-compile" else lambda f: f
        self.loss = self.wrapped(self.network.loss(job.rows))
        self.outputs: dict[int, Any] = {}

    def train(self) -> float:
        loss = self._backward()
        self.optimizer.step()
        return float(loss)

    def predict(self, rows: int) -> Arrays:
        self.network.module.eval()
        if rows not in self.outputs:
            self.outputs[rows] = self.wrapped(self.network.outputs(rows))
        with torch.inference_mode():
            found = self.outputs[rows]({name: array[:rows] for name, array in self.batch.items()})
        return {name: tensor.numpy() for name, tensor in found.items()}

    def gradients(self) -> tuple[float, Arrays]:
        return float(self._backward()), self.network.gradients()

    def _backward(self) -> Tensor:
        self.network.module.train()
        self.optimizer.zero_grad()
        loss: Tensor = self.loss(self.batch)
        loss.backward()
        return loss.detach()


def make(job: Job, given: Given) -> WithTorch:
    return WithTorch(job, given)


def _network(job: Job, weights: Arrays, states: Arrays) -> Network:
    if "torch" in job.peers:
        made: Network = networks(job.peers["torch"]).network(job.spec, weights, states)
        return made
    from ..specification import check
    from .torch_graph import FromGraph

    return FromGraph(check(job.spec, overrides=job.overrides, sizes=job.sizes), job.sizes, weights, states)


def _images_last(module: nn.Module) -> None:
    """Weights of convolutions with their channels last in memory."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _laid(tensor: Tensor, *, last: bool) -> Tensor:
    """A batch of images whose memory has the channels where the contender wants them; the shape has them last."""
    if last or tensor.ndim != 4:
        return tensor
    return tensor.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
