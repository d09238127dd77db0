"""Schedule to schedule in which what is summed over rows is added up by the nest that has it at hand.

A bias's gradient is the sum over all rows of what another kernel computes or loads anyway. That one adds up each row
as it goes; each thread has sums of its own, which become one afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ...spec.record import Record
from ..ir import dims
from ..ir.graph import Builder, Graph
from ..ir.rewrite import copy
from ..ir.types import Tensor
from ..ops.reduce import Sum
from . import cluster, layout
from .kernel import Call, Item, Kernel, Library, Nest, Positions, Schedule, Window, fresh, positions
from .sweep import joined, of_thread


class Place(NamedTuple):
    """Where a nest has what is summed: in a store, or in a read."""

    stored: bool
    at: int


class AbsorbSums(Record):
    """The pass for rows of up to `row` bytes; with 0 nothing changes."""

    row: int
    threads: int = 1

    def __call__(self, schedule: Schedule) -> Schedule:
        items: list[Item | None] = list(schedule.items) if self.row else []
        after: dict[int, list[Item]] = {}
        reads, writes = positions(items, written=False), positions(items, written=True)
        for at, call in enumerate(items):
            if not isinstance(call, Call) or not _sums_rows(call):
                continue
            found = self._host(items, at, call, reads, writes)
            if found is not None:
                host, place, position = found
                items[position], total = self._absorbed(host, place, call)
                after.setdefault(position, []).extend(total)
                items[at] = None
        if not after:
            return schedule
        order = (i for at, item in enumerate(items) for i in (item, *after.get(at, ())) if i is not None)
        return _without_unread(schedule.with_items(tuple(order)))

    def _host(
        self, items: list[Item | None], at: int, call: Call, reads: Positions, writes: Positions
    ) -> tuple[Call, Place, int] | None:
        """The nest that has what a call sums, with its position: the one that computes it, or one that loads it before
        the sum is read."""
        (x,), (total,) = call.reads, call.writes
        assert isinstance(x, Window)
        made = writes.get(x.buffer, [])
        if len(made) > 1:
            return None
        end = next((i for i in reads.get(total.buffer, ()) if i > at), len(items))
        for i in (*made, *(i for i in reads[x.buffer] if max(made, default=-1) < i < end and i != at)):
            host = items[i]
            place = self._place(host, call) if isinstance(host, Call) else None
            if isinstance(host, Call) and place is not None:
                return host, place, i
        return None

    def _place(self, item: Call, call: Call) -> Place | None:
        """Where a nest has what a call sums, if it goes by such rows or may."""
        if not isinstance(item.kernel.form, Nest) or item.phase != call.phase:
            return None
        nest, x = item.kernel.form, call.reads[0]
        assert isinstance(x, Window)
        if nest.masks is not None:  # what is above the diagonal is not loaded
            return None
        row = len(x.shape) - len(_along(call))
        if x.shape == nest.shape and (nest.row or row) == row and self._suits(nest, row):
            reads = [i for i, r in enumerate(item.reads) if r == x and i not in nest.reads_of_rows]
        elif nest.row and row == 0 and x.shape == nest.rows:
            reads = []
        else:
            return None
        stores = [i for i, w in enumerate(item.writes) if w == x and i not in nest.sums]
        if stores:
            return Place(True, stores[0])
        return Place(False, reads[0]) if reads else None

    def _suits(self, nest: Nest, row: int) -> bool:
        size = dims.product(nest.shape[len(nest.shape) - row :])
        return row > 0 and isinstance(size, int) and cluster.SHORTEST <= size <= self.row // 4

    def _absorbed(self, host: Call, place: Place, call: Call) -> tuple[Call, list[Item]]:
        """The nest with the sum, and what makes one of the sums of threads."""
        nest, x = host.kernel.form, call.reads[0]
        assert isinstance(nest, Nest)
        assert isinstance(x, Window)
        along = _along(call)
        total = layout.squeeze(call.writes[0], along) if len(call.writes[0].shape) == len(x.shape) else call.writes[0]
        value = nest.stores[place.at] if place.stored else nest.stores[0].e.load(place.at, x.dtype)
        row = len(x.shape) - len(along) or nest.row
        form = nest._replace(stores=(*nest.stores, value), row=row, sums=(*nest.sums, len(nest.stores)))
        write = total
        after: list[Item] = []
        if self.threads > 1:
            each = fresh(total.buffer.name, Tensor(total.dtype, (self.threads, *total.shape)))
            write = of_thread(each)
            after.append(joined(total, each, call.place))
        kernel = Kernel(partial(_with_sum, host.kernel, place, along), form)
        formula = f"{host.formula}; {call.formula}"
        return replace(host, kernel=kernel, writes=(*host.writes, write), formula=formula), after


def _sums_rows(call: Call) -> bool:
    """Whether a call sums over all of its first axes, and not to what is there."""
    form = call.kernel.form
    if not isinstance(form, Library) or not isinstance(form.op, Sum) or call.adds or call.phase != 2:
        return False
    (x,) = call.reads
    assert isinstance(x, Window)
    return _along(call) == tuple(range(len(_along(call)))) and bool(_along(call)) and not x.dtype.is_half


def _along(call: Call) -> tuple[int, ...]:
    form, x = call.kernel.form, call.reads[0]
    assert isinstance(form, Library)
    assert isinstance(form.op, Sum)
    assert isinstance(x, Window)
    return form.op.along(len(x.shape))


def _with_sum(kernel: Kernel, place: Place, along: tuple[int, ...]) -> Graph:
    """The meaning of a kernel and a sum of one of its values."""
    b = Builder(kernel.meaning.nodes[0].place)
    new = copy(b, kernel.meaning)
    results = [new[n] for _, n in kernel.meaning.results]
    x = results[place.at] if place.stored else new[kernel.meaning.inputs[place.at]]
    results.append(b.add(Sum(along), x))
    return b.graph({f"y{i}": n for i, n in enumerate(results)})


def _without_unread(schedule: Schedule) -> Schedule:
    """The schedule whose nests store nothing that nobody reads."""
    ends = [w for _, w in schedule.results] + [w for _, *both in schedule.updates for w in both]
    read = {w.buffer for w in ends}
    read |= {r.buffer for call in schedule.calls() for r in call.reads if isinstance(r, Window)}

    def slim(items: tuple[Item, ...]) -> Iterator[Item]:
        for item in items:
            if isinstance(item, Call) and isinstance(item.kernel.form, Nest) and item.kernel.form.sums:
                kept = tuple(i for i, w in enumerate(item.writes) if w.buffer in read)
                yield _with_writes(item, item.kernel.form, kept) if len(kept) < len(item.writes) else item
            else:
                yield item

    return schedule.with_items(tuple(slim(schedule.items)))


def _with_writes(call: Call, nest: Nest, kept: tuple[int, ...]) -> Call:
    """The call with some of its writes."""
    sums = tuple(kept.index(i) for i in nest.sums if i in kept)
    form = nest._replace(stores=tuple(nest.stores[i] for i in kept), sums=sums)
    writes = tuple(call.writes[i] for i in kept)
    return replace(call, kernel=Kernel(partial(_fewer, call.kernel, kept), form), writes=writes)


def _fewer(kernel: Kernel, kept: tuple[int, ...]) -> Graph:
    meaning = kernel.meaning
    return replace(meaning, results=tuple((f"y{n}", meaning.results[i][1]) for n, i in enumerate(kept)))
