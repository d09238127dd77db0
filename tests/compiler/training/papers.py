"""Optimizers as their papers write them, one weight at a time, in f64: what the compiled ones are compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Rule = Callable[[Array, list[Array]], list[Array]]


def sgd(x: Array, gs: list[Array], rate: float, momentum: float = 0.0, nesterov: bool = False) -> list[Array]:
    path, v = [], np.zeros_like(x)
    for g in gs:
        v = momentum * v + g
        x = x - rate * (g + momentum * v if nesterov else v)
        path.append(x)
    return path


def adagrad(x: Array, gs: list[Array], rate: float = 0.01, epsilon: float = 1e-10) -> list[Array]:
    """Duchi, Hazan, Singer 2011: the diagonal of G_t = Σ g g'."""
    path, squares = [], np.zeros_like(x)
    for g in gs:
        squares = squares + g**2
        x = x - rate * g / (np.sqrt(squares) + epsilon)
        path.append(x)
    return path


def rmsprop(x: Array, gs: list[Array], rate: float, momentum: float = 0.0) -> list[Array]:
    """Tieleman & Hinton 2012, slide 29: MeanSquare(t) = 0.9 MeanSquare(t-1) + 0.1 g²."""
    path, square, v = [], np.zeros_like(x), np.zeros_like(x)
    for g in gs:
        square = 0.9 * square + 0.1 * g**2
        v = momentum * v + g / (np.sqrt(square) + 1e-8)
        x = x - rate * v
        path.append(x)
    return path


def adadelta(x: Array, gs: list[Array], rate: float = 1.0, rho: float = 0.95, epsilon: float = 1e-6) -> list[Array]:
    """Zeiler 2012, algorithm 1."""
    path, eg, ed = [], np.zeros_like(x), np.zeros_like(x)
    for g in gs:
        eg = rho * eg + (1 - rho) * g**2
        delta = -np.sqrt(ed + epsilon) / np.sqrt(eg + epsilon) * g
        ed = rho * ed + (1 - rho) * delta**2
        x = x + rate * delta
        path.append(x)
    return path


def adam(
    x: Array, gs: list[Array], rate: float, beta1: float = 0.9, beta2: float = 0.999, decay: float = 0.0
) -> list[Array]:
    """Kingma & Ba 2015, algorithm 1; with `decay`, Loshchilov & Hutter 2019, algorithm 2."""
    path, m, v = [], np.zeros_like(x), np.zeros_like(x)
    for t, g in enumerate(gs, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        step = rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)
        x = x - step - rate * decay * x
        path.append(x)
    return path


def nadam(x: Array, gs: list[Array], rate: float) -> list[Array]:
    """Dozat 2016, algorithm 2, with the schedule of momentum of its section 3: μ_t = 0.9 (1 - 0.5 · 0.96^(t/250))."""
    path, m, n = [], np.zeros_like(x), np.zeros_like(x)

    def mu(t: int) -> float:
        return 0.9 * (1 - 0.5 * 0.96 ** (t / 250))

    for t, g in enumerate(gs, 1):
        product = np.prod([mu(i) for i in range(1, t + 1)])
        m = 0.9 * m + 0.1 * g
        n = 0.999 * n + 0.001 * g**2
        ahead = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        x = x - rate * ahead / (np.sqrt(n / (1 - 0.999**t)) + 1e-8)
        path.append(x)
    return path


def adamax(x: Array, gs: list[Array], rate: float) -> list[Array]:
    """Kingma & Ba 2015, algorithm 2; the entry without gradients stays."""
    path, m, u = [], np.zeros_like(x), np.zeros_like(x)
    for t, g in enumerate(gs, 1):
        m = 0.9 * m + 0.1 * g
        u = np.maximum(0.999 * u, np.abs(g))
        x = x - np.divide(rate / (1 - 0.9**t) * m, u, out=np.zeros_like(x), where=u > 0)
        path.append(x)
    return path


def radam(x: Array, gs: list[Array], rate: float, beta2: float = 0.999) -> list[Array]:
    """Liu et al. 2020, algorithm 2."""
    path, m, v = [], np.zeros_like(x), np.zeros_like(x)
    most = 2 / (1 - beta2) - 1
    for t, g in enumerate(gs, 1):
        v = beta2 * v + (1 - beta2) * g**2
        m = 0.9 * m + 0.1 * g
        hat = m / (1 - 0.9**t)
        rho = most - 2 * t * beta2**t / (1 - beta2**t)
        if rho > 4:
            r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
            x = x - rate * r * hat * np.sqrt(1 - beta2**t) / (np.sqrt(v) + 1e-8)
        else:
            x = x - rate * hat
        path.append(x)
    return path


def lion(x: Array, gs: list[Array], rate: float, decay: float = 0.0) -> list[Array]:
    """Chen et al. 2023, program 1."""
    path, m = [], np.zeros_like(x)
    for g in gs:
        update = np.sign(0.9 * m + 0.1 * g)
        m = 0.99 * m + 0.01 * g
        x = x - rate * (update + decay * x)
        path.append(x)
    return path


def lamb(x: Array, gs: list[Array], rate: float, decay: float) -> list[Array]:
    """You et al. 2020, algorithm 2, for one layer."""
    path, m, v = [], np.zeros_like(x), np.zeros_like(x)
    for t, g in enumerate(gs, 1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        r = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6)
        u = r + decay * x
        x = x - rate * np.linalg.norm(x) / np.linalg.norm(u) * u
        path.append(x)
    return path
