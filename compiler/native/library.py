"""Operations that are neither arithmetic nor index maps, as C kernels: one rule each, by their type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from ..emit import rearrangement
from ..emit.emitter import Rule, Rules
from ..ir.op import Op
from ..ir.types import I64, Tensor
from ..ops import convolution as ops
from ..ops import index
from ..ops import pool as pools
from ..ops import reduce as reductions
from ..ops.along import AddAlong, Take, TakeAlong
from ..ops.contract import Matmul
from ..ops.index import Iota
from ..ops.order import Argsort
from ..ops.random import RandomBits, stream_number
from ..ops.state import Size as SizeNumber
from ..schedule import layout
from ..schedule.kernel import Window
from . import framing, packing
from . import pool as forms
from .emitter import Form, NativeEmitter
from .index import AddAlong as AddAlongForm
from .index import AddAt, Gather, Pick, ScatterAdd, SliceAt, WriteAt
from .index import Take as TakeForm
from .index import TakeAlong as TakeAlongForm
from .matrices import Triangle
from .numbers import Count, Extent
from .numbers import RandomBits as RandomForm
from .order import Position, RunningSum, Sort
from .reduce import Reduce

Windows: TypeAlias = tuple[Window, ...]


def reduce(e: NativeEmitter, op: reductions.Reduction, writes: Windows, reads: Windows) -> None:
    """A reduction; over no axes it is a copy."""
    (out,), (x,) = writes, reads
    along = op.along(len(x.shape))
    bare = layout.squeeze(out, along) if op.keep else out
    if along:
        e.add(Reduce(op.law, along), (bare,), (x,))
    else:
        e.copy(out, x, replaces=(0,))


def simple(form: Callable[[Any], Form], *, replaces: tuple[int, ...] = ()) -> Rule:
    """The rule of an operation that is one kernel, made from the operation."""

    def rule(e: NativeEmitter, op: Op, writes: Windows, reads: Windows) -> None:
        e.add(form(op), writes, reads, replaces=replaces)

    return rule


def along(form: Callable[[int], Form], *, replaces: tuple[int, ...] = ()) -> Rule:
    """The rule of a kernel along an axis, counted from the front; in place where the operand that it replaces dies."""

    def rule(e: NativeEmitter, op: Any, writes: Windows, reads: Windows) -> None:
        e.add(form(op.axis % len(reads[0].shape)), writes, reads, replaces=replaces)

    return rule


def pool(form: Callable[..., Form]) -> Rule:
    """The rule of a pool, whose form takes the settings of the operation."""

    def rule(e: NativeEmitter, op: Any, writes: Windows, reads: Windows) -> None:
        settings = [getattr(op, name) for name in form._fields[:-1]]  # type: ignore[attr-defined]
        e.add(form(*settings, e.machinery), writes, reads)

    return rule


def position(*, greatest: bool) -> Rule:
    """The rule of finding the greatest or least."""

    def rule(e: NativeEmitter, op: reductions.Position, writes: Windows, reads: Windows) -> None:
        axis = op.axis % len(reads[0].shape)
        out = layout.squeeze(writes[0], (axis,)) if op.keep else writes[0]
        e.add(Position(axis, greatest), (out,), reads)

    return rule


def cumsum(e: NativeEmitter, op: reductions.Cumsum, writes: Windows, reads: Windows) -> None:
    """Running sums, over reversed windows from the end."""
    (out,), (x,) = writes, reads
    if op.reverse:
        out, x = layout.flip(out, (op.axis,)), layout.flip(x, (op.axis,))
    e.add(RunningSum(op.axis % len(x.shape)), (out,), (x,))


def argsort(e: NativeEmitter, op: Argsort, writes: Windows, reads: Windows) -> None:
    """By merging, with room for two orders of each row."""
    (out,), (x,) = writes, reads
    axis = op.axis % len(x.shape)
    rows = tuple(n for i, n in enumerate(x.shape) if i != axis)
    scratch = e.scratch(Tensor(I64, (*rows, 2, x.shape[axis])))
    e.add(Sort(axis, op.descending), (out, scratch), (x,))


def matmul(e: NativeEmitter, op: Matmul, writes: Windows, reads: Windows) -> None:
    """Transposition is a matter of strides."""
    a, b = reads
    a = layout.swapped(a) if op.transpose_a else a
    b = layout.swapped(b) if op.transpose_b else b
    packing.product(e, writes[0], a, b, triangle_of(op))


def triangle_of(op: Matmul) -> Triangle | None:
    """What a product knows of zeros, by the names of its matrices."""
    names: dict[str, Literal["a", "b", "out"]] = {"left": "a", "right": "b", "result": "out"}
    return Triangle(names[op.triangle], op.upper) if op.triangle else None


RULES: Rules = {
    **rearrangement.RULES,
    SizeNumber: simple(lambda op: Extent(op.dim)),
    Iota: simple(lambda op: Count()),
    index.Gather: simple(lambda op: Gather()),
    index.ScatterAdd: simple(lambda op: ScatterAdd()),
    index.Pick: simple(lambda op: Pick()),
    index.AddAt: simple(lambda op: AddAt(), replaces=(0,)),
    index.Window: along(SliceAt),
    index.Update: along(WriteAt, replaces=(0,)),
    Take: along(TakeForm),
    TakeAlong: along(TakeAlongForm),
    AddAlong: along(AddAlongForm),
    Argsort: argsort,
    RandomBits: simple(lambda op: RandomForm(stream_number(op.stream))),
    Matmul: matmul,
    ops.Conv: framing.conv,
    ops.ConvInput: framing.conv_input,
    ops.ConvWeight: framing.conv_weight,
    pools.MaxPool: pool(forms.MaxPool),
    pools.MaxPoolInput: pool(forms.MaxPoolInput),
    pools.MaxPoolPick: pool(forms.MaxPoolPick),
    pools.AveragePool: pool(forms.AveragePool),
    pools.AveragePoolInput: pool(forms.AveragePoolInput),
    reductions.Argmax: position(greatest=True),
    reductions.Argmin: position(greatest=False),
    reductions.Cumsum: cumsum,
    **dict.fromkeys(
        (kind for kind in Op.words.values() if issubclass(kind, reductions.Reduction) and kind.law), reduce
    ),
}

ADDING: frozenset[type[Op]] = frozenset((ops.ConvWeight, Matmul))
