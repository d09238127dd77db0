"""The optimizers that a spec may name."""

from __future__ import annotations

from .adam import Adam, Adamax, Adamw, Lamb, Nadam, Radam
from .descent import Adadelta, Adagrad, Lion, Rmsprop, Sgd
from .optimizer import Optimizer

OPTIMIZERS: dict[str, type[Optimizer]] = {
    c.__name__.lower(): c for c in (Sgd, Adam, Adamw, Adagrad, Rmsprop, Adadelta, Nadam, Adamax, Radam, Lion, Lamb)
}
