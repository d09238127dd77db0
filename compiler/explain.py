"""A training graph -> its steps as people follow them: what each computes, costs and keeps, forward beside backward."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, TypeAlias

from ..runtime.plan import Plan, extent_at
from ..runtime.plan import Step as Instruction
from ..spec.source import Place
from .ir import dims
from .notation import formulas, number
from .parameters import Range
from .pipeline import Stages
from .schedule import cost
from .schedule.kernel import Buffer, Call, Library, Nest, Operand, Repeat, Schedule, Window

Kind: TypeAlias = Literal["once", "forward", "backward", "update"]


@dataclass(frozen=True)
class Value:
    """What a step writes. `offset` is its first byte in the arena, None where it lies in memory of its own, `home`."""

    name: str
    type: str
    bytes: int
    home: str
    offset: int | None


@dataclass(frozen=True)
class Step:
    """One call of the schedule, numbered from 1 in the order of execution.

    `reads` are the steps whose values it reads; `kept_for` the backward and update steps that read a forward step's;
    `loop` says, outermost first, what repeats it `turns` times. `flops` and `bytes` (read and written) are those of
    all turns for `Explanation.rows` samples. `shape` tells steps apart that compute the same on values of other sizes.
    """

    number: int
    kind: Kind
    formulas: tuple[str, ...]
    results: tuple[Value, ...]
    reads: tuple[int, ...]
    kept_for: tuple[int, ...]
    flops: int
    bytes: int
    place: Place
    loop: tuple[str, ...]
    turns: int
    shape: tuple[object, ...]


@dataclass(frozen=True)
class Group:
    """What one place of the spec comes to: its forward steps, and the backward steps that belong to them."""

    place: Place
    forward: tuple[Step, ...]
    backward: tuple[Step, ...]


@dataclass(frozen=True)
class Explanation:
    """A training step for `rows` samples. `arena` and `named` are bytes: exact, and together the peak.

    `named` holds weights, states and what the optimizer remembers; `once` what is done before the first step.
    """

    rows: int
    groups: tuple[Group, ...]
    update: tuple[Step, ...]
    once: tuple[Step, ...]
    arena: int
    named: int
    instructions: int

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step, in the order of execution."""
        grouped = [s for g in self.groups for s in (*g.forward, *g.backward)]
        return tuple(sorted((*grouped, *self.update, *self.once), key=lambda s: s.number))

    def of(self, kind: Kind) -> tuple[Step, ...]:
        return tuple(s for s in self.steps if s.kind == kind)


def explain(stages: Stages, ranges: Sequence[Range], *, rows: int, update: Place | None) -> Explanation:
    """The steps of a compiled training graph. `update` is the place of everything that the optimizer does."""
    steps = _Reading(stages, ranges, rows, update).steps()
    once, updates = (tuple(s for s in steps if s.kind == kind) for kind in ("once", "update"))
    plan = stages.plan
    named = sum(b.size * _width(b.dtype) for b in plan.buffers if b.home != "arena")
    count = sum(1 for _ in plan.walk())
    return Explanation(rows, _groups(steps, stages.schedule), updates, once, plan.arena, named, count)


class _Reading:
    """One schedule and its plan, read call by call."""

    def __init__(self, stages: Stages, ranges: Sequence[Range], rows: int, update: Place | None) -> None:
        self.schedule, self.plan = stages.schedule, stages.plan
        self.calls = tuple(cost.with_loops(self.schedule.items))
        self.ranges = {r.name: r for r in ranges}
        self.rows = rows
        self.update = update
        self.writers: dict[Buffer, list[int]] = {}
        for i, (call, _) in enumerate(self.calls):
            for w in call.writes:
                self.writers.setdefault(w.buffer, []).append(i)
        self.forward = self._needed_forward()
        self.names = _Names(self.schedule, self.calls, self.ranges, self.forward)
        self.instructions = _by_note(self.plan)

    def steps(self) -> tuple[Step, ...]:
        made = [self._step(i) for i in range(len(self.calls))]
        readers: dict[int, list[int]] = {}
        for step in made:
            if step.kind in ("backward", "update"):
                for source in step.reads:
                    readers.setdefault(source, []).append(step.number)
        return tuple(replace(s, kept_for=tuple(readers.get(s.number, ()))) if s.kind == "forward" else s for s in made)

    def _needed_forward(self) -> set[int]:
        """The calls that losses and the next states depend on."""
        schedule = self.schedule
        ends = [w.buffer for name, w in schedule.results if not name.startswith("gradient.")]
        learned = [n for n, _, _ in schedule.updates if any(n == r or n.endswith(f".{r}") for r in self.ranges)]
        ends += [value.buffer for name, _, value in schedule.updates if name not in learned]
        found: set[int] = set()
        stack = [i for b in ends for i in self.writers.get(b, ())]
        while stack:
            i = stack.pop()
            if i not in found:
                found.add(i)
                reads = (r.buffer for r in self.calls[i][0].reads if isinstance(r, Window))
                stack += [i for b in reads for i in self.writers.get(b, ())]
        return found

    def _step(self, i: int) -> Step:
        call, loops = self.calls[i]
        values = {"N": self.rows}
        results = self._results(i, call, loops)
        windows = [r for r in call.reads if isinstance(r, Window)]
        reads = {self._source(i, r.buffer) + 1 for r in windows if r.buffer in self.writers}
        return Step(
            i + 1,
            self._kind(i, call),
            self.names.formulas(i),
            results,
            tuple(sorted(reads - {i + 1})),
            (),
            cost.over_turns(cost.flops(call), loops, values),
            cost.over_turns(cost.moved(call), loops, values),
            call.place,
            tuple(map(_loop, loops)),
            cost.over_turns(1, loops, values),
            (repr(call.kernel.form), *(v.type for v in results)),
        )

    def _source(self, i: int, buffer: Buffer) -> int:
        """The call whose value call `i` finds in a buffer: the last before it, or that of the turn before."""
        writers = self.writers[buffer]
        return max((w for w in writers if w < i), default=writers[-1])

    def _kind(self, i: int, call: Call) -> Kind:
        if call.phase < 2:
            return "once"
        if i in self.forward:
            return "forward"
        return "update" if self.update and call.place.span == self.update.span else "backward"

    def _results(self, i: int, call: Call, loops: tuple[Repeat, ...]) -> tuple[Value, ...]:
        """What the call writes, each where the plan has put it: where the last instruction writes as many elements."""
        written = [v for step in self.instructions.get(i, ()) for v in step.writes]
        values = {"N": self.rows} | {r.length: min(r.chunk, cost.at(r.extent, {"N": self.rows})) for r in loops}
        found: list[Value] = []
        for window, name in zip(reversed(call.writes), reversed(self.names.of(i)), strict=True):
            type_ = window.type.substitute({n: s for n, s in values.items() if n != "N"})
            size = cost.at(type_.size, values)
            fits = (v for v in reversed(written) if prod(_extent(n, values) for n in v.shape) == size)
            view = next(fits, None)
            home, offset = "arena", None
            if view is not None:
                written.remove(view)
                buffer = self.plan.buffers[view.buffer]
                home = buffer.name if buffer.home == "named" else "arena"
                if buffer.home == "arena":
                    offset = buffer.offset + _extent(view.offset, values) * _width(buffer.dtype)
            found.append(Value(name, str(type_), cost.at(cost.covered(window), values), home, offset))
        return tuple(reversed(found))


class _Names:
    """Names for the values of a schedule: weights by their own, gradients of weights as `∂weight`, results of
    backward steps as `g7`, all others by what makes them and the number of their step."""

    def __init__(
        self,
        schedule: Schedule,
        calls: Sequence[tuple[Call, tuple[Repeat, ...]]],
        ranges: Mapping[str, Range],
        forward: set[int],
    ) -> None:
        self.calls = calls
        self.ranges = ranges
        self.taken: dict[Buffer, str] = {w.buffer: name for name, w in schedule.inputs}
        results = {w.buffer: name for name, w in reversed(schedule.results)}
        updates = {value.buffer: f"{name}'" for name, _, value in schedule.updates}
        gradients = dict(self._gradients())
        for i, (call, _) in enumerate(calls):
            for k, w in enumerate(call.writes):
                mark = "" if len(call.writes) == 1 else "abcdefghijklmnopqrstuvwxyz"[k % 26]
                word = w.buffer.name.rpartition(".")[2] if i in forward or call.phase < 2 else "g"
                found = updates.get(w.buffer) or results.get(w.buffer) or gradients.get(w.buffer)
                self.taken.setdefault(w.buffer, found or f"{word}{i + 1}{mark}")

    def of(self, i: int) -> tuple[str, ...]:
        """The names of what call `i` writes."""
        return tuple(self.taken[w.buffer] for w in self.calls[i][0].writes)

    def formulas(self, i: int) -> tuple[str, ...]:
        call, _ = self.calls[i]
        names, operands = self.of(i), [self.operand(r) for r in call.reads]
        if isinstance(call.kernel.form, Nest):
            return formulas(call.kernel.form.stores, names, operands)
        assert isinstance(call.kernel.form, Library)
        return (f"{', '.join(names)} = {call.kernel.form.op.formula(*operands)}",)

    def operand(self, operand: Operand) -> str:
        """A value that is read: a weight by its name, another by that of its memory."""
        if not isinstance(operand, Window):
            return number(operand)
        r = self.ranges.get(operand.buffer.name) if operand.buffer.home == "named" else None
        if r is not None:
            piece = next((p for p in r.pieces if p.offset == operand.offset), None)
            if piece is not None and dims.product(piece.shape) == operand.type.size:
                return piece.name
        return self.taken.get(operand.buffer, operand.buffer.name)

    def _gradients(self) -> Iterator[tuple[Buffer, str]]:
        """What is joined into the gradient of a range: one operand for each of its pieces, in order."""
        for call, _ in self.calls:
            reads = [r for r in call.reads if isinstance(r, Window)]
            for r in self.ranges.values():
                if len(call.writes) == 1 and call.writes[0].shape == (r.total,) and len(reads) == len(r.pieces) > 1:
                    for piece, read in zip(r.pieces, reads, strict=True):
                        if read.type.size == dims.product(piece.shape):
                            yield read.buffer, f"∂{piece.name}"


def _loop(repeat: Repeat) -> str:
    """`t in 0..T`, `t in T..0`, `n in 0..N by 16`."""
    by = f" by {repeat.chunk}" if repeat.chunk > 1 else ""
    return f"{repeat.start} in " + (f"{repeat.extent}..0" if repeat.reverse else f"0..{repeat.extent}") + by


def _by_note(plan: Plan) -> dict[int, list[Instruction]]:
    """The instructions of each note."""
    found: dict[int, list[Instruction]] = {}
    for step in plan.walk():
        found.setdefault(step.note, []).append(step)
    return found


def _groups(steps: Sequence[Step], schedule: Schedule) -> tuple[Group, ...]:
    """Forward steps by their places, in order; a backward step goes to the forward steps of its own place, or to
    those that were fused with it."""
    calls = tuple(schedule.calls())
    homes: dict[Place, Place] = {}
    forward: dict[Place, list[Step]] = {}
    for step in steps:
        if step.kind == "forward":
            forward.setdefault(step.place, []).append(step)
            homes[step.place] = step.place
    for step in steps:
        if step.kind == "forward":
            for node in calls[step.number - 1].kernel.meaning.nodes:
                homes.setdefault(node.place, step.place)
    backward: dict[Place, list[Step]] = {place: [] for place in forward}
    for step in steps:
        if step.kind == "backward":
            inside = [n.place for n in calls[step.number - 1].kernel.meaning.nodes]
            home = next((homes[p] for p in (step.place, *inside) if p in homes), step.place)
            backward.setdefault(home, []).append(step)
    found = [Group(p, tuple(forward.get(p, ())), tuple(steps)) for p, steps in backward.items()]
    return tuple(sorted(found, key=_middle))


def _middle(group: Group) -> float:
    """When most of a group's forward steps run: a sum that starts with 0 may do so long before the others."""
    numbers = sorted(s.number for s in group.forward)
    return numbers[len(numbers) // 2] if numbers else float("inf")


def _extent(extent: object, values: Mapping[str, int]) -> int:
    """An extent of the plan; symbols of loops count as 0."""
    symbols = Counter[str]()
    symbols.update(values)
    return extent_at(extent, symbols)  # type: ignore[arg-type]


def _width(dtype: str) -> int:
    from .ir.types import WORDS

    return WORDS[dtype].bytes
