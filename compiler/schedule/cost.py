"""What calls move and compute: the numbers by which passes choose."""

from __future__ import annotations

from ..ir import dims
from ..ir.dims import Size
from ..ops.convolution import Conv, ConvInput, ConvWeight
from .kernel import Call, Library, Window


def sample_bytes(call: Call, batch: Size) -> int:
    """Bytes that a call touches for each sample, the windows that a convolution lays side by side included."""
    total = sum(_bytes(w, batch) for w in (*call.reads, *call.writes) if isinstance(w, Window))
    form = call.kernel.form
    return total + (_columns(form.op, call, batch) if isinstance(form, Library) else 0)


def shared_bytes(call: Call, batch: Size) -> int:
    """Bytes of a call's windows that do not grow with the batch."""
    windows = [w for w in (*call.reads, *call.writes) if isinstance(w, Window)]
    return sum(w.type.size * w.dtype.bytes for w in windows if isinstance(w.type.size, int))


def _bytes(window: Window, batch: Size) -> int:
    return _per_sample(window.type.size, batch) * window.dtype.bytes


def _per_sample(size: Size, batch: Size) -> int:
    """What a size grows by with each sample; 0 for what does not grow."""
    if isinstance(size, int):
        return 0
    each = dims.floor_divide(size, batch)
    return each if isinstance(each, int) else 0


def _columns(op: object, call: Call, batch: Size) -> int:
    """The copy of all windows side by side."""
    x, w = (r for r in call.reads if isinstance(r, Window)) if len(call.reads) == 2 else (None, None)
    if x is None or w is None:
        return 0
    match op:
        case Conv():
            rows, taps = call.writes[0].shape[:-1], w.shape[:-1]
        case ConvInput():
            rows, taps = call.writes[0].shape[:-1], (*w.shape[:-2], w.shape[-1])
        case ConvWeight():
            rows, taps = w.shape[:-1], call.writes[0].shape[:-1]
        case _:
            return 0
    return _per_sample(dims.product((*rows, *taps)), batch) * x.dtype.bytes
