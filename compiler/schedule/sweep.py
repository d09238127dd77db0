"""Schedule to schedule in which runs of convolutions and what surrounds them go over the batch a few samples at a time.

What one call leaves in the cache the next one finds there, and what only the run needs is as small as its stretch of
the batch. Legal by the axes of each operation: every value of the run has the batch as its outermost axis, or is a
sum over it, which is added up from turn to turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ...spec.record import Record
from ...spec.source import Place
from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import DATA, Builder, Graph, Literal
from ..ir.rewrite import bind
from ..ir.types import Tensor
from ..ops.convolution import Convolution
from ..ops.layout import Expand
from ..ops.pool import Pool
from ..ops.reduce import Sum
from ..ops.scan import Scan
from .cost import sample_bytes, shared_bytes
from .kernel import (
    THREAD,
    Attention,
    Buffer,
    Call,
    Item,
    Kernel,
    Library,
    Nest,
    Number,
    Operand,
    Repeat,
    Schedule,
    Window,
    fresh,
)

N = dims.name("N")
SHARE = 4  # what every turn reads again, weights and sums, may fill this part of the cache


class Batched(NamedTuple):
    """Where the batch stands in each window of a call; `sums` are the writes that add up over it."""

    reads: tuple[int | None, ...]
    writes: tuple[int | None, ...]

    @property
    def sums(self) -> tuple[int, ...]:
        return tuple(i for i, axis in enumerate(self.writes) if axis is None)


class Sweep(Record):
    """The pass for caches of `cache` bytes and at most `rows` samples; `most` of them a turn, if that is not 0.

    With several `threads`, each adds up sums of its own.
    """

    cache: int
    rows: int
    most: int = 0
    threads: int = 1

    def __call__(self, schedule: Schedule) -> Schedule:
        uses = _uses(schedule)
        items: list[Item] = []
        for before, run in self._runs(schedule.items):
            items += before
            chunk = self._chunk(run)
            if chunk:
                items += _swept(run, chunk, uses, f"n{len(items)}", self.threads)
            else:
                items += [call for call, _ in run]
        return schedule.with_items(tuple(items))

    def _chunk(self, run: list[tuple[Call, Batched]]) -> int:
        """As many samples as the call that needs most of the cache leaves room for; 0 where stretches do not pay."""
        if not any(_slides(call) for call, _ in run):
            return 0
        each = max(sample_bytes(call, N) for call, _ in run)
        if self.rows * each <= self.cache:
            return 0
        fitting = max(1, self.cache // each)
        return min(self.rows, fitting, self.most or fitting)

    def _runs(self, items: tuple[Item, ...]) -> Iterator[tuple[list[Item], list[tuple[Call, Batched]]]]:
        """What stands before each run, and the run. Calls that depend on nothing in a run move before it."""
        before: list[Item] = []
        run: list[tuple[Call, Batched]] = []
        written: set[Buffer] = set()
        sums: set[Buffer] = set()
        for item in items:
            read = _read(item)
            if run and isinstance(item, Call) and not read & written and not _is_batched(item):
                before.append(item)
                continue
            batched = self._batched(item)
            if batched is not None and not read & sums and isinstance(item, Call):
                run.append((item, batched))
                written |= {w.buffer for w in item.writes}
                sums |= {item.writes[i].buffer for i in batched.sums}
                continue
            yield before, run
            before, run, written, sums = [item], [], set(), set()
        yield before, run

    def _batched(self, item: Item) -> Batched | None:
        """Where the batch stands in a call that may go sample by sample and does not read much more than samples."""
        if not isinstance(item, Call) or item.phase != 2 or shared_bytes(item, N) > self.cache // SHARE:
            return None
        return _batched(item)


def _read(item: Item) -> set[Buffer]:
    return {w.buffer for w in item.reads if isinstance(w, Window)} if isinstance(item, Call) else set()


def _slides(call: Call) -> bool:
    form = call.kernel.form
    return isinstance(form, Library) and isinstance(form.op, Convolution | Pool)


def _uses(schedule: Schedule) -> dict[Buffer, set[int]]:
    """The calls that touch each buffer, by identity; ports count as one more."""
    found: dict[Buffer, set[int]] = {}
    for call in schedule.calls():
        for window in (*call.writes, *call.reads):
            if isinstance(window, Window):
                found.setdefault(window.buffer, set()).add(id(call))
    for _, window in (*schedule.inputs, *schedule.results):
        found.setdefault(window.buffer, set()).add(0)
    for _, target, value in schedule.updates:
        for window in (target, value):
            found.setdefault(window.buffer, set()).add(0)
    return found


def _is_batched(call: Call) -> bool:
    return any(isinstance(w, Window) and _axis(w) is not None for w in (*call.reads, *call.writes))


def _axis(window: Window) -> int | None:
    """The axis that grows with the batch."""
    return next((i for i, n in enumerate(window.shape) if "N" in dims.names(n)), None)


def _batched(call: Call) -> Batched | None:
    """Where the batch stands in a call that may go sample by sample, else None."""
    form = call.kernel.form
    if isinstance(form, Nest):
        found = _nest(call, form)
    elif isinstance(form, Attention) or isinstance(form.op, Scan | Literal):
        return None
    else:
        found = _library(call, form)
    if found is not None and found.sums and len(found.writes) > 1:
        return None
    if found is None or not all(_outermost(w, axis) for w, axis in zip(call.writes, found.writes, strict=True)):
        return None
    windows = [w for w in call.reads if isinstance(w, Window)]
    return found if all("N" not in dims.names(w.offset) for w in (*windows, *call.writes)) else None


def _outermost(window: Window, axis: int | None) -> bool:
    """Whether each sample is one stretch of the buffer, one after the other."""
    if axis is None:
        return True
    per_sample = dims.floor_divide(window.shape[axis], N) * window.strides[axis]
    return bool(per_sample * N == window.buffer.size)


def _nest(call: Call, nest: Nest) -> Batched | None:
    axes = [i for i, n in enumerate(nest.shape) if "N" in dims.names(n)]
    if len(axes) != 1 or axes[0] >= len(nest.rows) or nest.sums:
        return None
    (axis,) = axes
    reads: list[int | None] = []
    for i, read in enumerate(call.reads):
        shape = read.shape if isinstance(read, Window) else ()
        at = axis - len(nest.rows if i in nest.reads_of_rows else nest.shape) + len(shape)
        reads.append(at if at >= 0 and "N" in dims.names(shape[at]) else None)
    return Batched(tuple(reads), (axis,) * len(call.writes))


def _library(call: Call, form: Library) -> Batched | None:
    """The axes whose name all operands share must be needed point by point, and stand in the results or be added."""
    reads = [r for r in call.reads if isinstance(r, Window)]
    axes = form.op.axes(*(r.type for r in reads))
    names = set()
    found: list[int | None] = []
    for read, operand in zip(reads, axes.inputs, strict=True):
        at = _axis(read)
        found.append(at)
        if at is not None:
            if operand[at].need != "point":
                return None
            names.add(operand[at].name)
    if len(names) != 1:
        return None
    (name,) = names
    writes: list[int | None] = []
    for window, output in zip(call.writes, axes.outputs, strict=True):
        at = output.index(name) if name in output else None
        if at != _axis(window) or (at is None and name not in axes.added):
            return None
        writes.append(at)
    return Batched(tuple(found), tuple(writes))


def _swept(
    run: list[tuple[Call, Batched]], chunk: int, uses: dict[Buffer, set[int]], start: str, threads: int
) -> Iterator[Item]:
    """Zeros for the sums, and the run over stretches of the batch; then the sums of threads become one."""
    turn = Turn(start, chunk, {id(call) for call, _ in run}, uses)
    body: list[Item] = []
    after: list[Item] = []
    for call, batched in run:
        made = turn.call(call, batched)
        if batched.sums:
            (total,) = call.writes
            if threads > 1:
                each = fresh(total.buffer.name, Tensor(total.dtype, (threads, *total.shape)))
                after.append(joined(total, each, call.place))
                yield _zero(each, call.place)
                made = replace(made, writes=(of_thread(each),), adds=True)
            else:
                yield _zero(total, call.place)
                made = replace(made, writes=(total,), adds=True)
        body.append(made)
    yield Repeat(start, turn.length, N, chunk, tuple(body), independent=True)
    yield from after


class Turn:
    """Makes the calls of one turn: windows of the stretch that begins at `start`."""

    def __init__(self, start: str, chunk: int, run: set[int], uses: dict[Buffer, set[int]]) -> None:
        self.start, self.length, self.chunk = start, f"{start}.length", chunk
        self.count: Size = 1 if chunk == 1 else dims.name(self.length)
        self.run, self.uses = run, uses
        self.local: dict[Buffer, Buffer | None] = {}

    def call(self, call: Call, batched: Batched) -> Call:
        reads = tuple(self.operand(r, axis) for r, axis in zip(call.reads, batched.reads, strict=True))
        writes = tuple(self.window(w, axis) for w, axis in zip(call.writes, batched.writes, strict=True))
        return replace(call, kernel=self.kernel(call.kernel), reads=reads, writes=writes)

    def kernel(self, kernel: Kernel) -> Kernel:
        """The same kernel for as many samples as the stretch has."""
        meaning = partial(_bound, kernel, self.count)
        if isinstance(kernel.form, Nest):
            return Kernel(meaning, kernel.form._replace(shape=tuple(map(self.size, kernel.form.shape))))
        assert isinstance(kernel.form, Library)
        return Kernel(meaning, Library(kernel.form.op.map(sizes=self.size)))

    def size(self, size: Size) -> Size:
        return dims.substitute(size, {"N": self.count})

    def operand(self, operand: Window | Number, axis: int | None) -> Operand:
        return self.window(operand, axis) if isinstance(operand, Window) else operand

    def window(self, window: Window, axis: int | None) -> Window:
        if axis is None:
            return window
        shape, strides = tuple(map(self.size, window.shape)), tuple(map(self.size, window.strides))
        each = dims.floor_divide(window.shape[axis], N) * window.strides[axis]
        local = self.shrunk(window.buffer)
        if local is not None:
            return Window(local, window.offset, shape, strides)
        return Window(window.buffer, window.offset + dims.name(self.start) * each, shape, window.strides)

    def shrunk(self, buffer: Buffer) -> Buffer | None:
        """What holds one stretch of a buffer, if nobody outside of the run touches it."""
        if buffer not in self.local:
            local = buffer.home == "arena" and self.uses[buffer] <= self.run
            size = dims.substitute(buffer.size, {"N": self.chunk})
            self.local[buffer] = Buffer(buffer.name, buffer.dtype, size) if local else None
        return self.local[buffer]


def _bound(kernel: Kernel, count: Size) -> Graph:
    return bind(kernel.meaning, {"N": count})


def of_thread(each: Window) -> Window:
    """The sums that the thread at work adds up."""
    offset = each.offset + dims.name(THREAD) * each.strides[0]
    return Window(each.buffer, offset, each.shape[1:], each.strides[1:])


def joined(total: Window, each: Window, place: Place) -> Call:
    """The sums of all threads, added up."""
    op = Sum((0,))

    def meaning() -> Graph:
        b = Builder(place)
        return b.graph({"y0": b.add(op, b.input("x0", DATA, each.type))})

    return Call(Kernel(meaning, Library(op)), (total,), (each,), place, "Σ of the threads")


def _zero(window: Window, place: Place) -> Call:
    zero = Literal(0.0 if window.dtype.is_float else 0, window.dtype)

    def meaning() -> Graph:
        b = Builder(place)
        return b.graph({"y0": b.add(Expand(window.shape), b.add(zero))})

    return Call(Kernel(meaning, Library(zero)), (window,), (), place, "0")
