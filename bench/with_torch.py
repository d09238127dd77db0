"""A network in PyTorch as a contender: eager, with channels last, or compiled, each with fused Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .job import Arrays, Job


class Network(Protocol):
    """What a network must give to be trained: functions of a batch by name, and its gradients in a spec's layout."""

    module: nn.Module

    def loss(self, batch: Mapping[str, Tensor]) -> Tensor: ...

    def outputs(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]: ...

    def gradients(self) -> Arrays: ...


class WithTorch:
    """A contender: `torch`, `torch-channels-last` or `torch-compile`."""

    def __init__(self, job: Job) -> None:
        torch.set_num_threads(job.threads)
        weights, states, batch = job.read()
        last = job.contender != "torch"
        self.network = _network(job, weights, states)
        if last:
            _images_last(self.network.module)
        self.batch = {name: _laid(torch.from_numpy(array), last=last) for name, array in batch.items()}
        trained = [p for p in self.network.module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=1e-3, fused=True)
        wrap: Callable[[Any], Any] = torch.compile if job.contender == "torch-compile" else lambda function: function
        self.loss, self.outputs = wrap(self.network.loss), wrap(self.network.outputs)

    def train(self) -> float:
        self.network.module.train()
        self.optimizer.zero_grad()
        loss = self.loss(self.batch)
        loss.backward()
        self.optimizer.step()
        return float(loss)

    def predict(self, rows: int) -> Arrays:
        self.network.module.eval()
        with torch.inference_mode():
            found = self.outputs({name: array[:rows] for name, array in self.batch.items()})
        return {name: tensor.numpy() for name, tensor in found.items()}

    def gradients(self) -> tuple[float, Arrays]:
        self.network.module.train()
        self.optimizer.zero_grad()
        loss = self.loss(self.batch)
        loss.backward()
        return float(loss), self.network.gradients()


def make(job: Job) -> WithTorch:
    return WithTorch(job)


def _network(job: Job, weights: Arrays, states: Arrays) -> Network:
    place = spec_from_file_location("networks", job.peers)
    assert place is not None
    assert place.loader is not None
    module = module_from_spec(place)
    place.loader.exec_module(module)
    made: Network = module.network(job.spec, weights, states)
    return made


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
