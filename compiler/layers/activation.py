"""Activations that are operations of their own; the others are written in the language, in `activations.axon`."""

from __future__ import annotations

from typing import Any

from ..ops.elementwise import Relu
from ..ops.normal import LogSoftmax, Softmax
from ..ops.unary import Sigmoid, Tanh
from ..trace.kinds import Position, Tensor
from ..trace.use import Use
from ..trace.words import word


@word
def identity(u: Use, x: Tensor) -> Any:
    """x itself."""
    return x


@word
def relu(u: Use, x: Tensor) -> Any:
    return u.add(Relu(), x)


@word
def sigmoid(u: Use, x: Tensor) -> Any:
    return u.add(Sigmoid(), x)


@word
def tanh(u: Use, x: Tensor) -> Any:
    return u.add(Tanh(), x)


@word
def softmax(u: Use, x: Tensor, *, axis: Position = -1) -> Any:
    return u.add(Softmax(axis), x)


@word
def log_softmax(u: Use, x: Tensor, *, axis: Position = -1) -> Any:
    return u.add(LogSoftmax(axis), x)
