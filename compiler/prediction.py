"""A graph and a GPU to the time of its step: a roofline for each kernel of the schedule. A prediction, not a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Literal, NamedTuple, Protocol, TypeAlias

from ..runtime.plan import Launch, Unit
from ..spec.source import Place
from .cuda.columns import in_columns
from .cuda.fragments import FLOPS, loads_of, parts_of, suits_tensor_cores
from .cuda.gemm import call_of, product_of, turn_of
from .cuda.plan import laid_out, plan_of
from .devices import Device
from .garbage import without_collection
from .ir.dims import Size
from .ir.graph import Graph
from .ir.rewrite import bind
from .ir.types import F32, F64, WORDS
from .memory import NotAffine
from .occupancy import WARP, resident
from .ops.contract import Matmul
from .passes.sequence import run
from .pipeline import CUPY, graph_passes, schedule_passes
from .schedule import cost
from .schedule.group import group
from .schedule.kernel import Attention, Call, Library, Repeat, Schedule, Window, fresh

Bound: TypeAlias = Literal["bandwidth", "arithmetic", "launch"]

# What is assumed of every device, and printed with every prediction.
ARITHMETIC = 0.7  # share of the peak that is reached
BANDWIDTH = 0.8  # share of the bandwidth
ENOUGH = 0.5  # share of the warps that a processor can hold, from which on that bandwidth is reached
START = 2e-6  # seconds from the end of a kernel to the work of the next one
TILE = 128 * 128  # elements of a product that a block computes, adding up at most so many
DEPTH = 1024
BLOCK = 1024  # elements of anything else
RESERVE = 500 * 10**6  # bytes that driver and libraries take
MOST = 1 << 20  # samples beyond which nobody asks whether they fit
STEPS = 2  # the phase of what runs at each step
ASSUMPTIONS = (
    "every kernel of the schedule is one launch; operands are read and results written once, in device memory",
    f"arithmetic reaches {ARITHMETIC:.0%} of the peak for its type, memory {BANDWIDTH:.0%} of the bandwidth",
    "tensor cores multiply f16, bf16 and TF32 for cuBLAS, and f16 and bf16 in attention; nothing else runs there",
    "attention multiplies there as fast as a processor loads operands, and without tensor cores at half of its peak",
    f"a block computes 128 x 128 elements of a product, {DEPTH} terms each, or {BLOCK} elements of anything else",
    "fewer blocks than processors leave the others idle, and so does the last round of blocks of a product",
    f"{START * 1e6:g} us from the end of one kernel to the beginning of the next",
    "the clock is that of the published peak; input is there when a step begins",
    f"driver and libraries take {RESERVE // 10**6} MB of the memory",
)
HELD = (
    f"memory reaches its share where a processor holds {ENOUGH:.0%} of the warps that it can, and less in proportion "
    "with fewer; how many it holds follows from the registers and the shared memory of each kernel, "
)
OCCUPANCY = f"{HELD}as NVRTC compiles it; of cuBLAS it holds enough"
UNKNOWN = f"{HELD}but NVRTC, which would say them, is not installed: it holds enough of all"


class Taken(Protocol):
    """What a kernel takes: registers of each thread, and bytes of shared memory of each block."""

    @property
    def registers(self) -> int: ...

    @property
    def shared(self) -> int: ...


# Texts of kernels and a compute capability to what each kernel takes.
Compiler: TypeAlias = "Callable[[Sequence[Unit], str], Mapping[str, Taken]]"


@dataclass(frozen=True)
class Forecast:
    """One kernel, all its turns together: what it computes and moves, how long that takes, and what decides it.

    `least` is the time at the published peaks, which nothing can undercut; `blocks` are those of one launch, and
    `warps` those that a processor holds at once, if a compiler said what they take.
    """

    formula: str
    place: Place
    flops: int
    bytes: int
    turns: int
    blocks: int
    warps: int | None
    least: float
    seconds: float
    bound: Bound


@dataclass(frozen=True)
class Prediction:
    """A step for `rows` samples on a device. `memory` is that of the plan with what the driver takes; `fits` samples
    are the most that fit, 0 for none, or a large number of which nobody asked whether it `is_most`."""

    device: Device
    rows: int
    kernels: tuple[Forecast, ...]
    memory: int
    fits: int
    is_most: bool
    is_compiled: bool = False

    @property
    def assumptions(self) -> tuple[str, ...]:
        return (*ASSUMPTIONS, OCCUPANCY if self.is_compiled else UNKNOWN)

    @property
    def seconds(self) -> float:
        return sum(k.seconds for k in self.kernels)

    @property
    def least(self) -> float:
        """What the step takes at the published peaks."""
        return sum(k.least for k in self.kernels)


@without_collection()
def predict(
    graph: Graph, device: Device, rows: int, *, tf32: bool = False, compiler: Compiler | None = None
) -> Prediction:
    """The prediction for a graph whose sizes are numbers but for N, with products of f32 in TF32 if asked for.

    `compiler` says what kernels take as machine code; without one nobody knows how many warps a processor holds.
    """
    schedule = _schedule(bind(graph, {"N": rows}), rows)
    warps = _warps(schedule, device, rows, compiler, tf32=tf32) if compiler else {}
    calls = [(i, *found) for i, found in enumerate(cost.with_loops(schedule.items)) if found[0].phase == STEPS]
    kernels = tuple(forecast(call, loops, device, tf32=tf32, warps=warps.get(i)) for i, call, loops in calls)
    memory = _memory(graph, tf32=tf32)
    fits, is_most = _largest(memory, device.memory, rows)
    return Prediction(device, rows, kernels, memory(rows), fits, is_most, compiler is not None)


def _warps(schedule: Schedule, device: Device, rows: int, compiler: Compiler, *, tf32: bool) -> dict[int, int]:
    """How many warps a processor holds of each call's kernels, by the number of the call: of several the fewest."""
    plan = plan_of(schedule, rows, tf32=tf32)
    taken = compiler(plan.units, device.architecture.capability)
    found: dict[int, int] = {}
    for step in plan.walk():
        if isinstance(step.launch, Launch):
            use = taken[step.launch.kernel]
            held = resident(use.registers, use.shared, device.architecture)
            found[step.note] = min(found.get(step.note, held), held)
    return found


def _schedule(graph: Graph, rows: int) -> Schedule:
    """What a GPU runs, for at most `rows` samples."""
    return run(group(run(graph, graph_passes(CUPY)), CUPY.row), schedule_passes(CUPY, rows))


def _memory(graph: Graph, *, tf32: bool) -> Callable[[int], int]:
    """What gives the bytes of a plan that takes so many samples at once: its arena, what is named, the inputs once more
    while the next ones come, and what the driver takes."""

    def of_plan(schedule: Schedule, rows: int) -> int:
        _, plan, _ = laid_out(schedule, rows, tf32=tf32)
        named = sum(b.size * WORDS[b.dtype].bytes for b in plan.buffers if b.home == "named")
        given = [w for _, w in schedule.inputs if w.buffer.home == "input"]
        return plan.arena + named + sum(cost.at(cost.covered(w), {"N": rows}) for w in given) + RESERVE

    schedule = _schedule(graph, 0)

    @cache
    def memory(rows: int) -> int:
        try:
            return of_plan(schedule, rows)
        except NotAffine:
            return of_plan(_schedule(bind(graph, {"N": rows}), rows), rows)

    return memory


def forecast(
    call: Call, loops: tuple[Repeat, ...], device: Device, *, tf32: bool = False, warps: int | None = None
) -> Forecast:
    """One kernel with all turns of the loops around it, or all that a product by cuBLAS takes. A processor holds so
    many of its warps, if that is known."""
    form, library = call.kernel.form, _by_cublas(call, loops, tf32=tf32)
    sizes = (1, cost.flops(call), cost.moved(call) + (2 * library.columns if library else 0))
    turns, flops, moved = (cost.over_turns(size, loops, {}) for size in sizes)
    is_product = isinstance(form, Library) and form.op.precision == "half"
    peak = _peak(call, device, by_cublas=library is not None, tf32=tf32)
    products = _by_fragments(call, loops, device)
    computing = (flops - products.flops) / peak
    blocks, busy = _blocks(call, flops / turns, device, is_product=is_product)
    arithmetic = (computing + products.seconds) / turns / (ARITHMETIC * busy)
    enough = 1.0 if warps is None else min(1.0, warps / (ENOUGH * device.architecture.warps))
    bandwidth = moved / turns / (device.bandwidth * BANDWIDTH * busy * enough)
    start = START * (library.starts if library else 1)
    slowest: list[tuple[float, Bound]] = [(arithmetic, "arithmetic"), (bandwidth, "bandwidth"), (start, "launch")]
    seconds = turns * (start + max(arithmetic, bandwidth))
    least = max(computing + products.least, moved / device.bandwidth)
    return Forecast(call.formula, call.place, flops, moved, turns, blocks, warps, least, seconds, max(slowest)[1])


class _Library(NamedTuple):
    """A product by cuBLAS: the bytes of what is laid side by side for it, and how many kernels are started."""

    columns: Size = 0
    starts: int = 1


def _by_cublas(call: Call, loops: tuple[Repeat, ...], *, tf32: bool) -> _Library | None:
    """How cuBLAS computes a call; None for kernels of ours."""
    form, lengths = call.kernel.form, {loop.length: loop.chunk for loop in loops}
    if not isinstance(form, Library):
        return None

    def most(size: Size) -> int:
        return cost.at(size, lengths)

    out, reads = call.writes[0], tuple(r for r in call.reads if isinstance(r, Window))
    product = product_of(form.op, out, reads)
    if product is not None:
        axis = turn_of(product, most)
        if axis is not None:
            return _Library(starts=most(out.shape[axis]))
        return _Library() if call_of(*product, most) else None
    made = in_columns(form.op, out, reads, lambda t, name: fresh(name, t), tf32=tf32)
    return _Library(cost.covered(made.columns), 2) if made and call_of(*made.product, most) else None


class _Fragments(NamedTuple):
    """Operations of products on tensor cores in a kernel of ours, of all turns, and what they take: at the published
    peak, and as fast as operands are loaded."""

    flops: int = 0
    least: float = 0.0
    seconds: float = 0.0


def _by_fragments(call: Call, loops: tuple[Repeat, ...], device: Device) -> _Fragments:
    """The products of attention in halves.

    Without tensor cores for a type lanes exchange what they multiply, once for each two multiplications."""
    parts = parts_of(call) if isinstance(call.kernel.form, Attention) else None
    if parts is None or not suits_tensor_cores(parts):
        return _Fragments()
    flops = cost.over_turns(cost.flops(call, Matmul), loops, {})
    peak, scalar, held = device.products[parts.out.dtype], device.scalar[F32], device.architecture
    loaded = scalar / (2 * held.adding) * held.loading * FLOPS / (loads_of(parts) * WARP)
    return _Fragments(flops, flops / peak, flops / (min(peak, loaded) if peak > scalar else scalar / 2))


def _peak(call: Call, device: Device, *, by_cublas: bool, tf32: bool) -> float:
    """FLOP/s for the widest type of a call: halves are computed in f32, but for products of the library."""
    dtypes = {w.dtype for w in (*call.writes, *call.reads) if isinstance(w, Window) and w.dtype.is_float}
    if by_cublas:
        widest = max(dtypes, key=lambda d: d.bytes)
        return device.tf32 if tf32 and widest is F32 else device.products[widest]
    return device.scalar[F64 if F64 in dtypes else F32]


def _blocks(call: Call, flops: float, device: Device, *, is_product: bool) -> tuple[int, float]:
    """The blocks of one launch, and the share of the processors that they keep busy."""
    if is_product:
        tiles = ceil(cost.at(call.writes[0].type.size, {}) / TILE)
        blocks = max(tiles, ceil(flops / (2 * TILE * DEPTH)), 1)
        return blocks, blocks / (ceil(blocks / device.processors) * device.processors)
    sizes = (cost.at(w.type.size, {}) for w in (*call.writes, *call.reads) if isinstance(w, Window))
    blocks = max(ceil(max(sizes, default=1) / BLOCK), 1)
    return blocks, min(1.0, blocks / device.processors)


def _largest(memory: Callable[[int], int], limit: int, start: int) -> tuple[int, bool]:
    """The largest number of samples whose bytes are within a limit, 0 if one sample is not; false beyond MOST.

    Memory grows about evenly with samples, so each guess is where a line through what is known meets the limit.
    """
    low, high = 0, start
    while memory(high) <= limit:
        low = high
        if low >= MOST:
            return low, False
        each = max((memory(low) - RESERVE) // low, 1)
        high = max(2 * low, low + (limit - memory(low)) // each)
    while high - low > 1:
        before = memory(low) if low else RESERVE
        guess = low + (limit - before) * (high - low) // max(memory(high) - before, 1)
        guess = min(max(guess, low + 1), high - 1)
        low, high = _within(memory, limit, low, high, guess)
        if low == guess and guess + 1 < high:
            low, high = _within(memory, limit, low, high, guess + 1)
    return low, True


def _within(memory: Callable[[int], int], limit: int, low: int, high: int, guess: int) -> tuple[int, int]:
    """The closer bounds that a guess gives."""
    return (guess, high) if memory(guess) <= limit else (low, guess)
