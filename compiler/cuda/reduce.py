"""Reductions as CUDA kernels: some threads for each result, whose parts are combined in an order that is fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...runtime.plan import THREADS
from ..ir import dims
from ..ir.dims import Size
from ..ir.types import BOOL, DType
from ..native.arithmetic import local, stored
from ..native.loops import Axis, Pointers, axes_of
from ..native.nest import loaded
from ..native.reduce import LAWS
from ..schedule.kernel import Window
from .kernel import Kernel, decoded, visited

WARP = 32
FEW = 8  # elements that one thread combines by itself
MANY = 1 << 16  # results that keep a device busy with one thread each


class Reduce(NamedTuple):
    """The elements of the read along axes, combined; the write has the other axes.

    With more than one of `parts` the write has one more axis in front: each has the result of a stretch of what is
    combined.
    """

    law: str
    along: tuple[int, ...]
    parts: int = 1

    def print(self, f: Kernel, writes: tuple[Window, ...], reads: tuple[Window, ...]) -> None:
        (out,), (x,) = writes, reads
        kept_axes = [i for i in range(len(x.shape)) if i not in self.along]
        strides = [out.strides[len(out.strides) - len(kept_axes) :], tuple(x.strides[i] for i in kept_axes)]
        kept = axes_of(tuple(x.shape[i] for i in kept_axes), strides)
        added = axes_of(tuple(x.shape[i] for i in self.along), [tuple(x.strides[i] for i in self.along)])
        added = [Axis(a.size, (0, *a.steps)) for a in added]
        if self.parts > 1:
            kept = [Axis(self.parts, (out.strides[0], 0)), *kept]
        pointers = Pointers(f, [f.pointer(out, write=True), f.pointer(x)])
        across = bool(kept) and kept[-1].steps[1] == 1 and not (added and added[-1].steps[1] == 1)
        print_reduction(
            f,
            self.law,
            x.dtype,
            out.dtype,
            kept,
            added,
            pointers,
            lambda *_: loaded(x, pointers.at(1)),
            across=across,
            parts=self.parts,
        )


def print_reduction(
    f: Kernel,
    law: str,
    dtype: DType,
    result: DType,
    kept: Sequence[Axis],
    added: Sequence[Axis],
    pointers: Pointers,
    element: Callable[[Sequence[str], Sequence[str]], str],
    *,
    across: bool,
    parts: int = 1,
) -> None:
    """A kernel that stores at pointer 0, for each place of the kept axes, what the elements along the others make,
    which are combined as `dtype` and stored as `result`.

    `element` gives the text of one where the pointers stand, given the places along kept and other axes. Results that
    lie next to each other in what is read go to neighbouring threads if it goes `across` them. With `parts` the first
    kept axis numbers stretches.
    """
    kind = "int" if dtype is BOOL else local(dtype)
    combine = combination(law, dtype)
    results, count = dims.product(a.size for a in kept), dims.product(a.size for a in added)
    lanes = lanes_of(f, results, count, parts, across=across)
    each = THREADS // lanes
    f.stretches(results, each)
    t = "(int)threadIdx.x"
    f.let("lane", f"{t} / {each}" if across else f"{t} % {lanes}")
    f.let("r", f"({f.integer})blockIdx.x * {each} + {t} {f'% {each}' if across else f'/ {lanes}'}")
    f.line(f"{kind} total = {LAWS[law].first(dtype)};")
    with f.block(f"if (r < {f.size(results)})"):
        kept_at = decoded(f, "r", [a.size for a in kept])
        start, end = "0", f.size(count)
        if parts > 1:
            start, end = (f"(long){f.size(count)} * ({kept_at[0]} + {i}) / {parts}" for i in (0, 1))
        f.let("end", end)
        with visited(kept, kept_at, pointers), f.loop("j", "end", f"{start} + lane", step=lanes):
            added_at = decoded(f, "j", [a.size for a in added])
            with visited(added, added_at, pointers):
                f.line(f"const {kind} x = {element(kept_at, added_at)};")
                f.line(f"total = {combine.format(a='total', x='x')};")
    if across:
        _tree(f, kind, combine, each)
    else:
        _shuffles(f, kind, combine, lanes)
    with f.block(f"if (lane == 0 && r < {f.size(results)})"):
        kept_at = decoded(f, "r", [a.size for a in kept])
        with visited(kept, kept_at, pointers):
            f.line(f"{pointers.at(0)} = {stored(result, 'total')};")


def lanes_of(f: Kernel, results: Size, count: Size, parts: int, *, across: bool) -> int:
    """Threads for each result: a power of two."""
    most = f.most(count) // parts
    if most <= FEW or (across and f.most(results) >= MANY):
        return 1
    limit = WARP if across or f.most(results) >= MANY else THREADS
    return min(limit, 1 << (most // 2).bit_length())


def combination(law: str, dtype: DType) -> str:
    """The C of combining; of floats a NaN stays whatever else there is."""
    text = LAWS[law].combine
    return f"{{a}} != {{a}} || {text}" if law in ("max", "min") and dtype.is_float else text


def _tree(f: Kernel, kind: str, combine: str, each: int) -> None:
    """Adds up lanes that are far from each other, by halves, in shared memory."""
    if each == THREADS:
        return
    f.line(f"AX_SHARED({kind}, parts, {THREADS});")
    f.line("parts[threadIdx.x] = total;")
    f.line("__syncthreads();")
    with f.block(f"for (int s = {THREADS // each // 2}; s > 0; s /= 2)"):
        other = combine.format(a="parts[threadIdx.x]", x=f"parts[threadIdx.x + s * {each}]")
        f.line(f"if (lane < s) parts[threadIdx.x] = {other};")
        f.line("__syncthreads();")
    f.line("total = parts[threadIdx.x];")


def _shuffles(f: Kernel, kind: str, combine: str, lanes: int) -> None:
    """Adds up neighbouring lanes: within a warp by exchange, of several warps in shared memory."""
    width = min(lanes, WARP)
    if width == 1:
        return
    with f.block(f"for (int s = {width // 2}; s > 0; s /= 2)"):
        f.line(f"const {kind} x = __shfl_down_sync(0xffffffffu, total, s, {width});")
        f.line(f"total = {combine.format(a='total', x='x')};")
    if lanes == width:
        return
    f.line(f"AX_SHARED({kind}, parts, {THREADS // WARP});")
    f.line(f"if (threadIdx.x % {WARP} == 0) parts[threadIdx.x / {WARP}] = total;")
    f.line("__syncthreads();")
    with f.block(f"if (lane == 0) for (int w = 1; w < {lanes // WARP}; w++)"):
        f.line(f"const {kind} x = parts[threadIdx.x / {WARP} + w];")
        f.line(f"total = {combine.format(a='total', x='x')};")
