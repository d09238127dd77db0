"""How convolutions and pools are said in ONNX, whose images have their channels first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..ir.dims import Size
from ..ir.graph import Node
from ..ops import convolution, pool

if TYPE_CHECKING:
    from .onnx import Writer


def channels_first(w: Writer, x: str, rank: int) -> str:
    return w.transpose(x, (0, rank - 1, *range(1, rank - 1)))


def channels_last(w: Writer, x: str, rank: int) -> str:
    return w.transpose(x, (0, *range(2, rank), 1))


def kernel(w: Writer, x: str, rank: int) -> str:
    """Weights [kernel..., in, out] as [out, in, kernel...]."""
    return w.transpose(x, (rank - 1, rank - 2, *range(rank - 2)))


def _slides(op: convolution.Convolution) -> dict[str, Any]:
    return {"strides": op.stride, "dilations": op.dilation, "group": op.groups, "pads": _pads(op.padding)}


def _pads(padding: Sequence[tuple[Size, Size]]) -> list[Size]:
    return [low for low, _ in padding] + [high for _, high in padding]


def conv(w: Writer, node: Node, x: str, weight: str, *bias: str) -> str:
    assert isinstance(node.op, convolution.Conv)
    rank = len(node.shape)
    first = channels_first(w, x, rank)
    return channels_last(w, w.add("Conv", first, kernel(w, weight, rank), *bias, **_slides(node.op)), rank)


def conv_input(w: Writer, node: Node, y: str, weight: str) -> str:
    op, rank = node.op, len(node.shape)
    assert isinstance(op, convolution.ConvInput)
    sizes, taps = node.inputs[0].shape[1:-1], node.inputs[1].shape[:-2]
    rows = zip(op.size, sizes, taps, op.stride, op.padding, op.dilation, strict=True)
    more = [want - ((n - 1) * step + gap * (tap - 1) + 1 - low - high) for want, n, tap, step, (low, high), gap in rows]
    assert all(isinstance(n, int) for n in more), more
    first = channels_first(w, y, rank)
    made = w.add("ConvTranspose", first, kernel(w, weight, rank), output_padding=more, **_slides(op))
    return channels_last(w, made, rank)


def max_pool(w: Writer, node: Node, x: str) -> str:
    op, rank = node.op, len(node.shape)
    assert isinstance(op, pool.MaxPool)
    settings = {"kernel_shape": op.size, "strides": op.stride, "pads": _pads(op.padding)}
    return channels_last(w, w.add("MaxPool", channels_first(w, x, rank), **settings), rank)


def average_pool(w: Writer, node: Node, x: str) -> str:
    op, rank = node.op, len(node.shape)
    assert isinstance(op, pool.AveragePool)
    settings = {"kernel_shape": op.size, "strides": op.stride, "pads": _pads(op.padding)}
    counted = int(op.count_padding)
    made = w.add("AveragePool", channels_first(w, x, rank), count_include_pad=counted, **settings)
    return channels_last(w, made, rank)
