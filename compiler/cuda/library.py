"""Operations that are neither arithmetic nor index maps, as CUDA kernels: one rule each, by their type."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from ..emit import rearrangement
from ..emit.emitter import Rule, Rules
from ..ir import dims
from ..ir.dims import Size
from ..ir.op import Op
from ..ir.types import F32, Tensor
from ..native import library as c
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
from ..schedule import kernel as schedule
from ..schedule import layout
from ..schedule.code import Block
from ..schedule.kernel import Window
from . import pool as forms
from .attention import Attention
from .columns import in_columns
from .convolution import Conv, ConvInput, ConvWeight, Slide
from .emitter import CudaEmitter, Form
from .gemm import WORKSPACE, Gemm, call_of, operands, product_of, turn, turn_of
from .index import AddAlong as AddAlongForm
from .index import AddAt, Gather, ScatterAdd, SliceAt, WriteAt
from .index import Take as TakeForm
from .numbers import Count, Extent
from .numbers import RandomBits as RandomForm
from .product import Product
from .reduce import Reduce

Windows: TypeAlias = tuple[Window, ...]
LONG = 4096  # elements that are added up to one result, from which on stretches of them are added up side by side
PARTS = 32  # such stretches
BUSY = 1 << 14  # results from which on a device is busy with one block for some of them


def in_parts(
    e: CudaEmitter, out: Window, form: Callable[[int], Form], reads: Windows, results: Size, count: Size
) -> None:
    """What adds up so many elements for each result: where results are few, in stretches that are added up later."""
    parts = parts_of(e.most(results), e.most(count))
    if parts == 1:
        e.add(form(1), (out,), reads)
        return
    dtype = F32 if out.dtype.is_half else out.dtype
    some = e.scratch(Tensor(dtype, (parts, *out.shape)), "parts")
    e.add(form(parts), (some,), reads)
    e.add(Reduce("sum", (0,)), (out,), (some,))


def parts_of(results: int, count: int) -> int:
    """How many stretches: a power of two, each long enough."""
    if results >= BUSY or count < LONG:
        return 1
    return int(min(PARTS, BUSY // max(results, 1), 1 << (count // 1024).bit_length() - 1)) or 1


def reduce(law: str) -> Rule:
    """The rule of a reduction; over no axes it is a copy."""

    def rule(e: CudaEmitter, op: reductions.Reduction, writes: Windows, reads: Windows) -> None:
        (out,), (x,) = writes, reads
        over = op.along(len(x.shape))
        bare = layout.squeeze(out, over) if op.keep else out
        if not over:
            e.copy(out, x, replaces=(0,))
        elif law == "sum":
            count = dims.product(x.shape[i] for i in over)
            in_parts(e, bare, lambda parts: Reduce(law, over, parts), (x,), bare.type.size, count)
        else:
            e.add(Reduce(law, over), (bare,), (x,))

    return rule


def matmul(e: CudaEmitter, op: Matmul, writes: Windows, reads: Windows) -> None:
    """Transposition is a matter of strides; halves are multiplied as they come and added up in f32. What cuBLAS
    computes beside a triangle is zero, or not read."""
    if not by_cublas(e, op, writes[0], reads):
        a, b = operands(op, reads)
        form = partial(Product, triangle=c.triangle_of(op))
        in_parts(e, writes[0], form, (a, b), writes[0].type.size, a.shape[-1])


def by_cublas(e: CudaEmitter, op: Op, out: Window, reads: Windows) -> bool:
    """Appends a product that cuBLAS computes; whether it is one."""
    product = product_of(op, out, reads)
    made = in_columns(op, out, reads, e.scratch, tf32=e.tf32) if product is None else None
    product = made.product if made else product
    if product is None:
        return False
    axis = turn_of(product, e.most)
    if axis is not None:
        in_turns(e, product, axis)
        return True
    if call_of(*product, e.most) is None:
        return False
    if made and made.turned:
        e.copy(*made.turned)
    if made:
        e.add(made.form, (made.columns,), (made.source,))
    gemm(e, product)
    return True


def gemm(e: CudaEmitter, product: tuple[Window, Window, Window]) -> None:
    out, a, b = product
    e.add(Gemm(), (out, e.scratch(WORKSPACE, "workspace")), (a, b))


def in_turns(e: CudaEmitter, product: tuple[Window, Window, Window], axis: int) -> None:
    """A product for each place of an axis."""
    start = f"turn{len(e.forms)}"
    gemm(e, turn(product, axis, dims.name(start)))
    size = product[0].shape[axis]
    e.lines.append(Block(start, f"{start}.length", size, 1, (e.lines.pop(),), independent=True))


def conv(e: CudaEmitter, op: ops.Conv, writes: Windows, reads: Windows) -> None:
    if not by_cublas(e, op, writes[0], reads):
        e.add(Conv(Slide.of(op)), writes, reads)


def conv_input(e: CudaEmitter, op: ops.ConvInput, writes: Windows, reads: Windows) -> None:
    if not by_cublas(e, op, writes[0], reads):
        e.add(ConvInput(Slide.of(op)), writes, reads)


def conv_weight(e: CudaEmitter, op: ops.ConvWeight, writes: Windows, reads: Windows) -> None:
    (out,), (_, y) = writes, reads
    if not by_cublas(e, op, out, reads):
        pixels = dims.product(y.shape[:-1])
        in_parts(e, out, lambda parts: ConvWeight(Slide.of(op), parts), reads, out.type.size, pixels)


def pool(form: Callable[..., Form]) -> Rule:
    """The rule of a pool, whose form takes the settings of the operation."""

    def rule(e: CudaEmitter, op: pools.Pool, writes: Windows, reads: Windows) -> None:
        e.add(form(*(getattr(op, name) for name in form._fields)), writes, reads)  # type: ignore[attr-defined]

    return rule


def scatter_add(e: CudaEmitter, op: index.ScatterAdd, writes: Windows, reads: Windows) -> None:
    """Zeros, and rows added to them."""
    e.fill(writes[0], 0)
    e.add(ScatterAdd(), writes, reads)


# Those of C whose forms go over rows or elements as each machine does.
SHARED = (index.Pick, TakeAlong, Argsort, reductions.Argmax, reductions.Argmin, reductions.Cumsum)

RULES: Rules = {
    **rearrangement.RULES,
    **{op: c.RULES[op] for op in SHARED},
    SizeNumber: c.simple(lambda op: Extent(op.dim)),
    Iota: c.simple(lambda op: Count()),
    index.Gather: c.simple(lambda op: Gather()),
    index.ScatterAdd: scatter_add,
    index.AddAt: c.simple(lambda op: AddAt(), replaces=(0,)),
    index.Window: c.along(SliceAt),
    index.Update: c.along(WriteAt, replaces=(0,)),
    Take: c.along(TakeForm),
    AddAlong: c.along(AddAlongForm),
    RandomBits: c.simple(lambda op: RandomForm(stream_number(op.stream))),
    Matmul: matmul,
    schedule.Attention: c.simple(Attention),
    ops.Conv: conv,
    ops.ConvInput: conv_input,
    ops.ConvWeight: conv_weight,
    pools.MaxPool: pool(forms.MaxPool),
    pools.MaxPoolInput: pool(forms.MaxPoolInput),
    pools.MaxPoolPick: pool(forms.MaxPoolPick),
    pools.AveragePool: pool(forms.AveragePool),
    pools.AveragePoolInput: pool(forms.AveragePoolInput),
    reductions.Sum: reduce("sum"),
    reductions.ReduceMax: reduce("max"),
    reductions.ReduceMin: reduce("min"),
    reductions.Prod: reduce("prod"),
    reductions.Any: reduce("any"),
    reductions.All: reduce("all"),
}
