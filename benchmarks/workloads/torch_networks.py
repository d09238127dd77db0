"""The workloads as one writes them in PyTorch, with the weights of the specs: the peers of `axonc bench --peers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name in this field


def mlp(*widths: int, activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers[:-1])


def cnn() -> nn.Sequential:
    levels = [(nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)) for a, b in ((1, 32), (32, 64))]
    dense = (Flat(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10))
    return nn.Sequential(Image(), *levels[0], *levels[1], *dense)


class Image(nn.Module):
    """Channels first, as a view: an image with its channels last in memory is PyTorch's `channels_last`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


class Flat(nn.Module):
    """The pixels of an image in a row, channels last."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


def convolution(a: int, b: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias, and batch norm."""
    return nn.Sequential(
        nn.Conv2d(a, b, kernel, stride=stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(b, momentum=0.1)
    )


class Pair(nn.Module):
    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = convolution(a, b, 3, stride), convolution(b, b, 3)
        self.short = convolution(a, b, 1, stride) if a != b else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.short(x) + self.second(F.relu(self.first(x))))


class ResNet20(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter = convolution(3, 16, 3)
        widths = [16] * 4 + [32] * 3 + [64] * 3
        self.pairs = nn.Sequential(*(Pair(a, b, 1 if a == b else 2) for a, b in pairwise(widths)))
        self.leave = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pairs(F.relu(self.enter(x.permute(0, 3, 1, 2))))
        return self.leave(x.mean((2, 3)))


class Block(nn.Module):
    """Pre-normalised attention and two dense layers, each added to its input."""

    def __init__(self, d: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm, self.joint, self.mix = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.norm_2, self.wide, self.narrow = nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        q, k, v = self.joint(self.norm(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.mix(mixed.transpose(1, 2).reshape(n, t, d))
        return x + self.narrow(F.gelu(self.wide(self.norm_2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary: int = 256, context: int = 128, d: int = 128, heads: int = 4, depth: int = 4) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.empty(context, d))
        self.embed = nn.Embedding(vocabulary, d)
        self.blocks = nn.Sequential(*(Block(d, heads, causal=True) for _ in range(depth)))
        self.norm, self.leave = nn.LayerNorm(d), nn.Linear(d, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.leave(self.norm(self.blocks(self.embed(tokens) + self.place)))


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(128, 128, batch_first=True)
        nn.init.zeros_(self.lstm.bias_hh_l0.requires_grad_(False))  # one bias is enough
        self.leave = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        return self.leave(states[:, -1])


def double(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(convolution(a, b, 3), nn.ReLU(), convolution(b, b, 3), nn.ReLU())


class UNet(nn.Module):
    def __init__(self, width: int = 16, depth: int = 3, classes: int = 2) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(depth)]
        self.down = nn.ModuleList(double(a, b) for a, b in pairwise([3, *widths]))
        self.bottom = double(widths[-1], 2 * widths[-1])
        steps = [(nn.ConvTranspose2d(2 * w, w, 2, stride=2), double(2 * w, w)) for w in reversed(widths)]
        self.up = nn.ModuleList(nn.ModuleList(step) for step in steps)
        self.leave = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        x, skips = image.permute(0, 3, 1, 2), []
        for level in self.down:
            skips.append(level(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for (wider, level), skip in zip(self.up, reversed(skips), strict=True):
            x = level(torch.cat((skip, wider(x)), 1))
        return self.leave(x).permute(0, 2, 3, 1)


class ViT(nn.Module):
    def __init__(self, size: int = 32, patch: int = 4, d: int = 128, heads: int = 4, depth: int = 4) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(d))
        self.place = nn.Parameter(torch.empty((size // patch) ** 2 + 1, d))
        self.patches = nn.Conv2d(3, d, patch, stride=patch)
        self.blocks = nn.Sequential(*(Block(d, heads, causal=False) for _ in range(depth)))
        self.norm, self.leave = nn.LayerNorm(d), nn.Linear(d, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(len(x), 1, -1), x), 1) + self.place
        return self.leave(self.norm(self.blocks(x))[:, 0])


NETWORKS = {
    "playground": lambda: mlp(2, 8, 8, 2, activation=nn.Tanh),
    "mlp": lambda: mlp(784, 512, 256, 10, activation=nn.ReLU),
    "cnn": cnn,
    "resnet20": ResNet20,
    "gpt": Gpt,
    "lstm": Lstm,
    "unet": UNet,
    "vit": ViT,
}


class Workload:
    """The network of a workload with the weights and states of its spec, which stand in the same order."""

    def __init__(self, name: str, weights: Mapping[str, np.ndarray], states: Mapping[str, np.ndarray]) -> None:
        self.module = NETWORKS[name]()
        trained = (p for p in self.module.parameters() if p.requires_grad)
        self.trained = dict(zip(weights, trained, strict=True))
        self.turned = transposed(self.module)
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(torch.from_numpy(weights[name].transpose(self.order(parameter))))
            running = [b for name, b in self.module.named_buffers() if "running" in name]
            for buffer, array in zip(running, states.values(), strict=True):
                buffer.copy_(torch.from_numpy(array))

    def order(self, parameter: Tensor) -> tuple[int, ...]:
        """Its axes in terms of the spec's."""
        return self.turned.get(parameter, tuple(range(parameter.ndim)))

    def loss(self, rows: int) -> Callable[[Mapping[str, Tensor]], Tensor]:
        return self._loss

    def outputs(self, rows: int) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
        return self._outputs

    def _loss(self, batch: Mapping[str, Tensor]) -> Tensor:
        x, target = batch.values()
        logits = self.module(x)
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1))

    def _outputs(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"logits": self.module(next(iter(batch.values())))}

    def gradients(self) -> dict[str, np.ndarray]:
        """By the names of the spec, in its order of axes."""
        found = {}
        for name, parameter in self.trained.items():
            assert parameter.grad is not None
            found[name] = parameter.grad.numpy().transpose(np.argsort(self.order(parameter)))
        return found


def network(spec: str, weights: Mapping[str, np.ndarray], states: Mapping[str, np.ndarray]) -> Workload:
    """The network of the workload in the file `spec`."""
    return Workload(Path(spec).stem, weights, states)


def transposed(made: nn.Module) -> dict[Tensor, tuple[int, ...]]:
    """For each weight that PyTorch keeps in another order than a spec does, its axes in terms of the spec's."""
    orders: dict[Tensor, tuple[int, ...]] = {}
    for module in made.modules():
        if isinstance(module, nn.Linear):
            orders[module.weight] = (1, 0)
        elif isinstance(module, nn.Conv2d):
            orders[module.weight] = (3, 2, 0, 1)
        elif isinstance(module, nn.ConvTranspose2d):
            orders[module.weight] = (2, 3, 0, 1)
        elif isinstance(module, nn.LSTM):
            orders |= {module.weight_ih_l0: (1, 0), module.weight_hh_l0: (1, 0)}
    return orders
