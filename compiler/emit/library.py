"""Operations that are neither arithmetic nor index maps, as NumPy instructions: one rule each, by their type."""

from __future__ import annotations

from typing import TypeAlias

from ...runtime.philox import CHUNK, SCRATCH, WORDS
from ..ir import dims
from ..ir.dims import Size
from ..ir.types import I64, Tensor
from ..ops import index
from ..ops import reduce as reductions
from ..ops.along import AddAlong, Take, TakeAlong
from ..ops.contract import Matmul
from ..ops.convolution import Conv, ConvInput, ConvWeight
from ..ops.index import AddAt, Gather, Iota, Pick, ScatterAdd
from ..ops.order import Argsort
from ..ops.pool import AveragePool, AveragePoolInput, MaxPool, MaxPoolInput, MaxPoolPick
from ..ops.random import RandomBits, stream_number
from ..ops.state import Size as SizeNumber
from ..schedule import layout
from ..schedule.code import Instruction
from ..schedule.kernel import Window
from . import convolution, pool, rearrangement
from .emitter import Rule, Rules
from .numpy import NumpyEmitter

Windows: TypeAlias = tuple[Window, ...]
SHORT = 4096  # words for each sample, up to which draws are made together


def size(e: NumpyEmitter, op: SizeNumber, writes: Windows, reads: Windows) -> None:
    """A size as a number."""
    e.add("copy", writes, (op.dim,))


def iota(e: NumpyEmitter, op: Iota, writes: Windows, reads: Windows) -> None:
    """0, 1, 2 …"""
    e.add("iota", writes, ())


def matmul(e: NumpyEmitter, op: Matmul, writes: Windows, reads: Windows) -> None:
    """One product where the right operand is shared by all leading axes, else one for each of them."""
    (out,) = writes
    a, b = reads
    if len(b.shape) == 2 and len(a.shape) > 2 and not op.transpose_a:
        rows = layout.collapse(a, len(a.shape) - 1) or layout.collapse(e.copied(a), len(a.shape) - 1)
        whole = layout.collapse(out, len(out.shape) - 1)
        assert rows is not None
        assert whole is not None
        a, out = rows, whole
    a = layout.swapped(a) if op.transpose_a else a
    b = layout.swapped(b) if op.transpose_b else b
    e.add("matmul", (out,), (for_product(e, a), for_product(e, b)))


def for_product(e: NumpyEmitter, x: Window) -> Window:
    """The operand as a product takes it: contiguous, transposed or with a leading dimension; else a copy."""
    if len(x.shape) == 1:
        return x if x.strides[0] == 1 else e.copied(x)
    return x if is_matrix(x) else e.copied(x)


def is_matrix(x: Window) -> bool:
    """Whether the last two axes lie as a product takes them."""
    (m, n), (row, column) = x.shape[-2:], x.strides[-2:]
    return (column == 1 and (row != 0 or m == 1) and row != 1) or (row == 1 and column not in (0, 1)) or m == n == 1


def total(e: NumpyEmitter, op: reductions.Sum, writes: Windows, reads: Windows) -> None:
    """A sum; over the first or the last axes of contiguous floats a product with ones, which is faster."""
    (out,), (x,) = writes, reads
    along = op.along(len(x.shape))
    bare = layout.squeeze(out, along) if op.keep else out
    whole = len(along) == len(x.shape)
    if x.dtype.is_float and (not whole or _is_small(x.type.size)) and _with_ones(e, bare, x, along):
        return
    reduce("reduce_sum")(e, op, writes, reads)


FEW = 1 << 16  # elements; beyond it the ones would take memory, and a product is less exact than a sum by halves


def _is_small(size: Size) -> bool:
    """Whether a vector of ones is small change: a bounded number, or a few for each sample."""
    if isinstance(size, int):
        return size <= FEW
    return all(abs(factor) <= 16 for _, factor in size.terms)


def _with_ones(e: NumpyEmitter, out: Window, x: Window, along: tuple[int, ...]) -> bool:
    rank, count = len(x.shape), len(along)
    if not layout.is_contiguous(x) or not layout.is_contiguous(out):
        return False
    if rank == count:
        matrix = layout.reshape(x, (x.type.size,))
        ones_first = True
    elif along == tuple(range(count)):
        matrix = layout.reshape(x, (dims.product(x.shape[:count]), dims.product(x.shape[count:])))
        ones_first = True
    elif along == tuple(range(rank - count, rank)):
        matrix = layout.reshape(x, (dims.product(x.shape[: rank - count]), dims.product(x.shape[rank - count :])))
        ones_first = False
    else:
        return False
    assert matrix is not None
    flat = layout.reshape(out, () if rank == count else (out.type.size,))
    assert flat is not None
    ones = e.filled(1.0, x.dtype, matrix.shape[0 if ones_first else 1])
    e.add("matmul", (flat,), (ones, matrix) if ones_first else (matrix, ones))
    return True


def reduce(instruction: str) -> Rule:
    """The rule of a reduction by one instruction; over no axes it is a copy."""

    def rule(e: NumpyEmitter, op: reductions.Reduction, writes: Windows, reads: Windows) -> None:
        (x,) = reads
        along = op.along(len(x.shape))
        if not along:
            e.add("copy", writes, reads, replaces=(0,))
            return
        e.add(instruction, writes, reads, axes=along)

    return rule


def position(instruction: str) -> Rule:
    """Along the last axis of contiguous memory, since NumPy copies anything else."""

    def rule(e: NumpyEmitter, op: reductions.Position, writes: Windows, reads: Windows) -> None:
        (out,), (x,) = writes, reads
        rank = len(x.shape)
        axis = op.axis % rank
        x = layout.transpose(x, (*(i for i in range(rank) if i != axis), axis))
        x = x if layout.is_contiguous(x) else e.copied(x)
        e.add(instruction, (layout.squeeze(out, (axis,)) if op.keep else out,), (x,), axis=rank - 1)

    return rule


def cumsum(e: NumpyEmitter, op: reductions.Cumsum, writes: Windows, reads: Windows) -> None:
    """Running sums, over reversed windows from the end."""
    (out,), (x,) = writes, reads
    if op.reverse:
        out, x = layout.flip(out, (op.axis,)), layout.flip(x, (op.axis,))
    e.add("cumulative_sum", (out,), (x,), axis=op.axis % len(x.shape))


def index_of(e: NumpyEmitter, index_: Window, limit: Size) -> Window:
    """A checked index as i64 in row-major order."""
    e.add("check_range", (), (index_, limit), where=e.place)
    return index_ if index_.dtype is I64 and layout.is_contiguous(index_) else e.copied(index_, I64)


def gather(e: NumpyEmitter, op: Gather, writes: Windows, reads: Windows) -> None:
    table, rows = reads
    e.add("take", writes, (table, index_of(e, rows, table.shape[0])), axis=0)


def scatter_add(e: NumpyEmitter, op: ScatterAdd, writes: Windows, reads: Windows) -> None:
    rows, values = reads
    e.add("scatter_add", writes, (index_of(e, rows, op.rows), values))


def take(e: NumpyEmitter, op: Take, writes: Windows, reads: Windows) -> None:
    x, index_ = reads
    axis = op.axis % len(x.shape)
    x = x if layout.is_contiguous(x) else e.copied(x)
    e.add("take", writes, (x, index_of(e, index_, x.shape[axis])), axis=axis)


def take_along(e: NumpyEmitter, op: TakeAlong, writes: Windows, reads: Windows) -> None:
    x, index_ = reads
    axis = op.axis % len(x.shape)
    e.add("take_along", writes, (x, index_of(e, index_, x.shape[axis])), axis=axis)


def add_along(e: NumpyEmitter, op: AddAlong, writes: Windows, reads: Windows) -> None:
    index_, values = reads
    e.add("add_along", writes, (index_of(e, index_, op.size), values), axis=op.axis % len(values.shape))


def argsort(e: NumpyEmitter, op: Argsort, writes: Windows, reads: Windows) -> None:
    """Descending, with equal elements in their order: from the end on, read backwards, and counted from the end."""
    (out,), (x,) = writes, reads
    axis = op.axis % len(x.shape)
    if not op.descending:
        e.add("argsort", (out,), (x,), axis=axis)
        return
    e.add("argsort", (layout.flip(out, (axis,)),), (layout.flip(x, (axis,)),), axis=axis)
    e.add("sub", (out,), (x.shape[axis] - 1, out), replaces=(1,))


def pick(e: NumpyEmitter, op: Pick, writes: Windows, reads: Windows) -> None:
    (out,), (x, chosen) = writes, reads
    x = x if layout.is_contiguous(x) else e.copied(x)
    at = positions(e, chosen, x.shape[-1])
    e.add("take", (line_of(out),), (line_of(x), at), axis=0)


def add_at(e: NumpyEmitter, op: AddAt, writes: Windows, reads: Windows) -> None:
    (out,), (x, chosen, values) = writes, reads
    at = positions(e, chosen, x.shape[-1])
    sums = e.scratch(Tensor(x.dtype, at.shape), "sums")
    e.add("copy", (out,), (x,), replaces=(0,))
    e.add("take", (sums,), (line_of(out), at), axis=0)
    line = layout.reshape(values, at.shape)
    e.add("add", (sums,), (sums, e.copied(values) if line is None else line), replaces=(0,))
    e.add("put", (line_of(out),), (line_of(out), at, sums), replaces=(0,), tied=True)


def positions(e: NumpyEmitter, chosen: Window, depth: Size) -> Window:
    """Row-major positions in rows of `depth`: the row's start plus the index. Those of an input are found once."""
    key = ("positions", chosen, depth)
    known = e.known(key) if chosen.buffer.home == "input" else None
    if known is not None:
        return known
    count = chosen.type.size
    flat = layout.reshape(index_of(e, chosen, depth), (count,))
    assert flat is not None
    at = e.scratch(Tensor(I64, (count,)), "at")
    e.add("add", (at,), (flat, row_starts(e, count, depth)), replaces=(0,))
    e.remember(key, at)
    return at


def line_of(x: Window) -> Window:
    """A row-major window as one line."""
    line = layout.reshape(x, (x.type.size,))
    assert line is not None
    return line


def row_starts(e: NumpyEmitter, count: Size, depth: Size) -> Window:
    """0, depth, 2·depth …, made once for each count."""
    return e.made_once("row_starts", Tensor(I64, (count,)), "iota", (depth,))


def random_bits(e: NumpyEmitter, op: RandomBits, writes: Windows, reads: Windows) -> None:
    """Short draws of the same step are one instruction, where the first of them stands: most of their time is the
    start of calls."""
    short = e.bound(writes[0].type.size) <= SHORT and all(r.buffer.home == "input" for r in reads)
    draw = (e.scope, *reads)
    before = e.draws.get(draw) if short else None
    if before is None:
        if short:
            e.draws[draw] = len(e.lines)
        e.add("random_bits", (*writes, words_scratch(e, writes)), reads, streams=(stream_number(op.stream),))
        return
    line = e.lines[before]
    assert isinstance(line, Instruction)
    outs = (*line.writes[:-1], *writes)
    streams = dict(line.attributes)["streams"]
    assert isinstance(streams, tuple)
    together = (("streams", (*streams, stream_number(op.stream))),)
    e.lines[before] = line._replace(writes=(*outs, words_scratch(e, outs)), attributes=together)


def words_scratch(e: NumpyEmitter, outs: Windows) -> Window:
    """Scratch for draws that are made together."""
    blocks = [dims.ceil_divide(w.type.size, WORDS) for w in outs]
    most = sum(n if isinstance(n, int) else CHUNK for n in blocks)
    return e.scratch(Tensor(I64, (SCRATCH * min(max(most, 1), CHUNK),)))


def slice_at(e: NumpyEmitter, op: index.Window, writes: Windows, reads: Windows) -> None:
    """A stretch that begins at a position; one outside is refused."""
    x, start = reads
    axis = op.axis % len(x.shape)
    e.add("check_range", (), (start, x.shape[axis] - op.size + 1), where=e.place)
    e.add("slice_at", writes, reads, axis=axis)


def write_at(e: NumpyEmitter, op: index.Update, writes: Windows, reads: Windows) -> None:
    """In place where the old value dies, as a cache does."""
    x, value, start = reads
    axis = op.axis % len(x.shape)
    e.add("check_range", (), (start, x.shape[axis] - value.shape[axis] + 1), where=e.place)
    e.add("write_at", writes, reads, replaces=(0,), tied=True, axis=axis)


RULES: Rules = {
    **rearrangement.RULES,
    SizeNumber: size,
    Iota: iota,
    Matmul: matmul,
    reductions.Sum: total,
    reductions.ReduceMax: reduce("reduce_max"),
    reductions.ReduceMin: reduce("reduce_min"),
    reductions.Prod: reduce("reduce_prod"),
    reductions.Any: reduce("reduce_any"),
    reductions.All: reduce("reduce_all"),
    reductions.Argmax: position("argmax"),
    reductions.Argmin: position("argmin"),
    reductions.Cumsum: cumsum,
    Gather: gather,
    ScatterAdd: scatter_add,
    Take: take,
    TakeAlong: take_along,
    AddAlong: add_along,
    Argsort: argsort,
    Pick: pick,
    AddAt: add_at,
    index.Window: slice_at,
    index.Update: write_at,
    RandomBits: random_bits,
    Conv: convolution.conv,
    ConvInput: convolution.conv_input,
    ConvWeight: convolution.conv_weight,
    MaxPool: pool.max_pool,
    MaxPoolInput: pool.max_pool_input,
    MaxPoolPick: pool.max_pool_pick,
    AveragePool: pool.average_pool,
    AveragePoolInput: pool.average_pool_input,
}
