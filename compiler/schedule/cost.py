"""What calls move and compute: the numbers by which passes choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..ir import dims
from ..ir.dims import Size
from ..ir.op import Op
from ..ops.convolution import Conv, ConvInput, ConvWeight
from .kernel import Call, Item, Library, Repeat, Window


def with_loops(items: Sequence[Item], loops: tuple[Repeat, ...] = ()) -> Iterator[tuple[Call, tuple[Repeat, ...]]]:
    """Every call with the loops around it, outermost first."""
    for item in items:
        if isinstance(item, Repeat):
            yield from with_loops(item.body, (*loops, item))
        else:
            yield item, loops


def flops(call: Call, of: type[Op] = Op) -> Size:
    """Floating-point operations of one turn of a call, or of some operations in it."""
    nodes = (n for n in call.kernel.meaning.nodes if n.inputs and isinstance(n.op, of))
    return sum((n.op.flops(*(x.tensor for x in n.inputs)) for n in nodes), 0)


def moved(call: Call) -> Size:
    """Bytes that one turn of a call reads and writes."""
    return sum((covered(w) for w in (*call.writes, *call.reads) if isinstance(w, Window)), 0)


def covered(window: Window) -> Size:
    """The memory that a window covers; a stretched axis counts once."""
    kept = [n for n, s in zip(window.shape, window.strides, strict=True) if s != 0]
    return dims.product(tuple(kept)) * window.dtype.bytes


def over_turns(size: Size, loops: tuple[Repeat, ...], values: Mapping[str, int]) -> int:
    """A size that each turn of the loops adds; the last turn may be shorter. `values` has the count of samples."""
    if not loops:
        return at(size, values)
    loop, *inner = loops
    full, rest = divmod(at(loop.extent, values), loop.chunk)
    total = full and full * over_turns(size, tuple(inner), {**values, loop.length: loop.chunk})
    return total + (rest and over_turns(size, tuple(inner), {**values, loop.length: rest}))


def at(size: Size, values: Mapping[str, int]) -> int:
    """A size for these values; symbols of loops that have none count as 0."""
    known: dict[str, Size] = dict.fromkeys(dims.names(size), 0)
    value = dims.substitute(size, {**known, **values})
    assert isinstance(value, int), size
    return value


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
