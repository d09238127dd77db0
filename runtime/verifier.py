"""A plan that a file brought: whether every run of it is possible, decided before the first.

Shapes agree as formulas of the symbols, so they do for every number of samples. Where a view ends is affine in the
turns of the loops around it, and convex in the number of samples for any turn, so it is farthest at the ends of both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .machine import BadPlan, dtype_name
from .operands import Array, Number, canonical, need
from .plan import COUNT, Affine, Buffer, Extent, Loop, Operand, Plan, Port, Step, View, extent_at
from .rules import RULES

TURNS = 1 << 24  # of all loops around a step
ELEMENTS = 1 << 48
CONTROLS: Mapping[str, tuple[str, tuple[Extent, ...]]] = {
    "key": ("u32", (2,)),
    "step": ("i64", ()),
    "position": ("i64", ()),
}


def verified(plan: Plan) -> Plan:
    """The plan, if it can be run for any number of samples up to its most. Raises BadPlan, which says what cannot."""
    need(plan.rows > 0, "room for a sample", plan.rows)
    for buffer in plan.buffers:
        _check_buffer(plan, buffer)
    region = Region(plan.rows)
    verifier = _Verifier(plan)
    for port in (*plan.inputs, *plan.results):
        verifier.port(port, region)
    for step, around in _steps((*plan.sizes, *plan.prepare, *plan.steps), region):
        try:
            verifier.step(step, around)
        except BadPlan as fault:
            place = plan.notes[step.note].place if step.note >= 0 else ""
            raise BadPlan(f"the instruction {step.instruction} {place}: {fault}") from None
    return plan


def have_inputs(plan: Plan, wanted: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """Whether a plan takes inputs of such types, and such shapes of each sample, and its controls are controls.

    Raises BadPlan.
    """
    found = {port.name: (port.dtype, port.view.shape) for port in plan.inputs}
    for name, kind in CONTROLS.items():
        need(found.get(name, kind) == kind or name in wanted, f"{kind} for {name}", found.get(name))
    for name, (dtype, shape) in wanted.items():
        sizes: tuple[Extent, ...] = (Affine(0, ((COUNT, 1),)), *shape)
        need(found.get(name) == ("f32" if dtype == "bf16" else dtype, sizes), f"the input {name} of the plan", sizes)


class Turns(NamedTuple):
    """The symbols of a loop, how many turns it has at most, and the outermost of what the symbols are together."""

    start: str
    length: str
    turns: int
    corners: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, loop: Loop, extent: int) -> Turns:
        longest = min(loop.chunk, extent)
        corners = (0, 1), (extent - 1, 1), (0, longest), (extent - longest, longest)
        return cls(loop.start, loop.length, -(-extent // loop.chunk), corners)


class Region(NamedTuple):
    """What the symbols are together: the number of samples from 1 to `rows`, and the turns of the loops around."""

    rows: int
    loops: tuple[Turns, ...] = ()

    def span(self, form: Mapping[str, int], count: int) -> tuple[int, int]:
        """The least and the greatest that a form, factors by symbol, is with so many samples."""
        low = high = form[""] + form[COUNT] * count
        for loop in self.loops:
            a, b = form[loop.start], form[loop.length]
            if a or b:
                ends = [a * i + b * n for i, n in loop.corners]
                low, high = low + min(ends), high + max(ends)
        return low, high

    def reach(self, extent: Extent) -> tuple[int, int]:
        """The least and the greatest that an extent is."""
        if isinstance(extent, int):
            return extent, extent
        form = defaultdict[str, int](int)
        _add(form, extent, 1)
        (a, b), (c, d) = (self.span(form, count) for count in (1, self.rows))
        return min(a, c), max(b, d)

    def inside(self, loop: Loop) -> Region:
        """The region of a loop's body."""
        loops = (*self.loops, Turns.of(loop, max(self.reach(loop.extent)[1], 1)))
        need(prod(each.turns for each in loops) <= TURNS, f"at most {TURNS} turns", loop.extent)
        return Region(self.rows, loops)


def _steps(items: tuple[Step | Loop, ...], region: Region) -> Iterator[tuple[Step, Region]]:
    for item in items:
        if isinstance(item, Loop):
            yield from _steps(item.body, region.inside(item))
        else:
            yield item, region


def _check_buffer(plan: Plan, buffer: Buffer) -> None:
    dtype = np.dtype(dtype_name(buffer.dtype))
    need(buffer.offset % dtype.itemsize == 0, f"the buffer {buffer.name!r} at a multiple of {dtype.itemsize}", buffer)
    if buffer.home == "constant":
        array: Any = plan.constants[buffer.name]
        holds = array.size == buffer.size and np.can_cast(array.dtype, dtype, "same_kind")
        need(holds, f"a constant of {buffer.size} {buffer.dtype}", f"{array.size} {array.dtype}")


class _Verifier:
    """Looks at views and steps of one plan; at each view once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.view = cache(self._view)

    def port(self, port: Port, region: Region) -> None:
        buffer = self.plan.buffers[port.view.buffer]
        self.view(port.view, region)
        need(port.dtype == buffer.dtype and buffer.home != "constant", f"memory of {port.dtype}", buffer)

    def step(self, step: Step, region: Region) -> None:
        rule, attributes = RULES[step.instruction], dict(step.attributes)
        writes = [self.written(v, region) for v in step.writes]
        reads = [self.operand(o, region) for o in step.reads]
        need(set(rule.needs) <= attributes.keys(), f"the attributes {', '.join(rule.needs)}", sorted(attributes))
        need(len(writes) in rule.writes, f"{rule.writes[0]} writes", len(writes))
        need(len(reads) in rule.reads, f"{rule.reads[0]} operands", len(reads))
        rule.check(writes, reads, attributes)

    def operand(self, operand: Operand, region: Region) -> Array | Number:
        match operand:
            case View():
                return self.view(operand, region)
            case Affine():
                return Number(*region.reach(operand))
        return Number(operand, operand)

    def written(self, view: View, region: Region) -> Array:
        """A view of memory that may be written, with a place of its own for each element."""
        array, buffer = self.view(view, region), self.plan.buffers[view.buffer]
        need(buffer.home != "constant" and prod(array.most) <= buffer.size, "a place for each result", view)
        return array

    def _view(self, view: View, region: Region) -> Array:
        """What lies there. Its elements are elements of its buffer, in any turn for any number of samples."""
        buffer = self.plan.buffers[view.buffer]
        shape = tuple(map(canonical, view.shape))
        reaches = [region.reach(extent) for extent in shape]
        least, most = tuple(low for low, _ in reaches), tuple(high for _, high in reaches)
        need(len(shape) <= 32 and min(least, default=0) >= 0 and prod(most) < ELEMENTS, "sizes of an array", view)
        if 0 not in shape:
            for count in {1, region.rows}:
                first, last = self._ends(view, region, count)
                need(
                    first >= 0 and last < buffer.size, f"a view of the {buffer.size} elements of {buffer.name!r}", view
                )
        return Array(np.dtype(dtype_name(buffer.dtype)), shape, least, most)

    def _ends(self, view: View, region: Region, count: int) -> tuple[int, int]:
        """The first and the last element that a view reaches with so many samples."""
        low, high = defaultdict[str, int](int), defaultdict[str, int](int)
        for form in (low, high):
            _add(form, view.offset, 1)
        for extent, stride in zip(view.shape, view.strides, strict=True):
            if isinstance(stride, Affine):
                _check_stride(stride, extent)
            if isinstance(extent, int):
                form = low if isinstance(stride, int) and stride < 0 else high
                _add(form, stride, extent - 1)
            else:
                step = extent_at(stride, {COUNT: count})
                form = low if step < 0 else high
                _add(form, extent, step)
                form[""] -= step
        return region.span(low, count)[0], region.span(high, count)[1]


def _check_stride(stride: Affine, extent: Extent) -> None:
    """A stride that is no number is positive, and along an axis that is none both grow with the samples alone."""
    holds = stride.constant >= 0 and all(f >= 0 for _, f in stride.terms)
    if isinstance(extent, Affine):
        holds = holds and all(s == COUNT for s, _ in stride.terms) and dict(extent.terms).get(COUNT, 0) >= 0
    need(holds, "a stride that only grows", stride)


def _add(form: defaultdict[str, int], extent: Extent, factor: int) -> None:
    """Adds an extent so many times; the constant stands under no name."""
    if isinstance(extent, int):
        form[""] += extent * factor
        return
    form[""] += extent.constant * factor
    for symbol, each in extent.terms:
        form[symbol] += each * factor
