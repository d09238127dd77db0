"""Schedule to schedule in which two products and the nest by rows between them are one kernel: attention, and its
gradient.

Scores, made for some rows at once, are gone through and multiplied again where they are, and never lie in memory.
Neither do the weights that a nest makes of them, unless something else reads them, as the gradient does: to store and
read a weight twice takes a GPU about as long as to make it again twice, from 64 or 128 products.

Only products of one matrix for each leading position are joined. A matrix that all share, as weights of a layer are,
would be read again for each few rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple, TypeGuard

from ...spec.record import Record
from ..ir.graph import DATA, Builder, Graph, Input, Node
from ..ir.rewrite import copy
from ..ir.scalar import PICKED, parts
from ..ir.types import BF16, F16, F32
from ..ops.contract import Matmul
from .kernel import Attention, Call, Item, Kernel, Library, Nest, Positions, Schedule, Window, positions
from .rounds import moving, rounds

DTYPES = (F32, F16, BF16)  # whose products are added up in f32


class Trio(NamedTuple):
    """Where the three calls stand, and which read and store of the nest lie between them."""

    first: int
    nest: int
    second: int
    scores: int
    weights: int


class FuseAttention(Record):
    """The pass, for rows of at most `longest` scores, where a kernel `pays`."""

    longest: int
    pays: Callable[[Call], bool]

    def __call__(self, schedule: Schedule) -> Schedule:
        items: list[Item | None] = list(schedule.items)
        reads, writes = positions(schedule.items, written=False), positions(schedule.items, written=True)
        for w in (*(w for _, w in schedule.results), *(w for _, *both in schedule.updates for w in both)):
            reads.setdefault(w.buffer, []).append(len(items))
        for at in range(len(items)):
            trio = self._trio(items, at, reads, writes)
            fused = trio and _fused(items, trio, reads)
            if trio and fused and self.pays(fused):
                items[trio.second] = fused
                items[trio.first] = items[at] = None
        return schedule.with_items(tuple(item for item in items if item is not None))

    def _trio(self, items: list[Item | None], at: int, reads: Positions, writes: Positions) -> Trio | None:
        call = items[at]
        if not isinstance(call, Call) or not isinstance(call.kernel.form, Nest) or not self._suits(call.kernel.form):
            return None
        nest = call.kernel.form
        for i, r in enumerate(call.reads):
            if not isinstance(r, Window) or r.shape != nest.shape or i in nest.reads_of_rows:
                continue
            made = writes.get(r.buffer, [])
            if len(made) != 1 or reads[r.buffer] != [at] or call.reads.count(r) != 1:
                continue
            found = (Trio(made[0], at, to, i, j) for j, w in enumerate(call.writes) for to in reads.get(w.buffer, ()))
            for trio in found:
                if _is_joined(items, trio) and _is_free(items, trio, reads, writes):
                    return trio
        return None

    def _suits(self, nest: Nest) -> bool:
        if nest.row != 1 or len(nest.shape) < 3 or nest.sums or any(x.word == PICKED for x in parts(nest.stores)):
            return False
        size = nest.shape[-1]
        return isinstance(size, int) and size <= self.longest


def _is_joined(items: list[Item | None], trio: Trio) -> bool:
    """Whether both products are such, the second takes the weights as they are, and nothing needs the scores after
    these took their place."""
    first, call, second = (items[i] if i < len(items) else None for i in trio[:3])
    assert isinstance(call, Call)
    if not (_is_product(first, call) and _is_product(second, call)):
        return False
    nest, weights = call.kernel.form, call.writes[trio.weights]
    assert isinstance(nest, Nest)
    if first.writes[0] != call.reads[trio.scores] or second.writes[0].shape[:-1] != nest.shape[:-1]:
        return False
    if second.reads[0] != weights or weights.shape != nest.shape or _product(second).transpose_a:
        return False
    found = rounds(nest, moving(nest, tuple(r for r in call.reads if isinstance(r, Window))), keeps=False)
    return found.last_load(trio.scores) <= found.of[nest.stores[trio.weights]]


def _product(call: Call) -> Matmul:
    form = call.kernel.form
    assert isinstance(form, Library)
    assert isinstance(form.op, Matmul)
    return form.op


def _is_product(call: Item | None, beside: Call) -> TypeGuard[Call]:
    """Whether an item is a product of one matrix for each leading position, in the phase of another call."""
    if not isinstance(call, Call) or call.adds or call.phase != beside.phase:
        return False
    if not isinstance(call.kernel.form, Library) or not isinstance(call.kernel.form.op, Matmul):
        return False
    windows = [w for w in (*call.writes, *call.reads) if isinstance(w, Window)]
    lead = windows[0].shape[:-2]
    return len(lead) > 0 and all(w.shape[:-2] == lead and w.dtype in DTYPES for w in windows)


def _is_free(items: list[Item | None], trio: Trio, reads: Positions, writes: Positions) -> bool:
    """Whether all may be done where the second product stands: before, nothing reads what is made, or overwrites what
    is read."""
    for at in (trio.first, trio.nest):
        call, later = items[at], range(at + 1, trio.second)
        assert isinstance(call, Call)
        given = [r.buffer for r in call.reads if isinstance(r, Window)]
        if any(to in later for buffer in given for to in writes.get(buffer, ())):
            return False
        if any(to in later and to != trio.nest for w in call.writes for to in reads.get(w.buffer, ())):
            return False
    return True


def _fused(items: list[Item | None], trio: Trio, reads: Positions) -> Call:
    """The kernel of three calls."""
    first, middle, second = (items[i] for i in trio[:3])
    assert isinstance(first, Call)
    assert isinstance(middle, Call)
    assert isinstance(second, Call)
    nest = middle.kernel.form
    assert isinstance(nest, Nest)
    unread = reads[middle.writes[trio.weights].buffer] == [trio.second] and second.reads.count(second.reads[0]) == 1
    kept = tuple(i for i in range(len(nest.stores)) if i != trio.weights or not unread)
    form = Attention(nest, _product(first), _product(second), trio.scores, trio.weights, kept)
    make = partial(_meaning, (first.kernel, middle.kernel, second.kernel), form)
    return Call(
        Kernel(make, form),
        (*(middle.writes[i] for i in kept), *second.writes),
        (*first.reads, second.reads[1], *(r for i, r in enumerate(middle.reads) if i != trio.scores)),
        middle.place,
        "; ".join(c.formula for c in (first, middle, second)),
        middle.phase,
    )


def _meaning(kernels: tuple[Kernel, Kernel, Kernel], form: Attention) -> Graph:
    """The graph of three kernels, whose inputs are in the order of the reads."""
    first, middle, second = (k.meaning for k in kernels)
    b = Builder(middle.nodes[0].place)
    others = [x for i, x in enumerate(middle.inputs) if i != form.scores]
    given = [b.input(f"x{i}", DATA, x.tensor) for i, x in enumerate((*first.inputs, second.inputs[1], *others))]
    scores = _within(b, first, given[:2])
    rest = iter(given[3:])
    values = _within(b, middle, [scores[0] if i == form.scores else next(rest) for i in range(len(middle.inputs))])
    (out,) = _within(b, second, [values[form.weights], given[2]])
    return b.graph({f"y{i}": n for i, n in enumerate((*(values[i] for i in form.kept), out))})


def _within(b: Builder, graph: Graph, given: Iterable[Node]) -> list[Node]:
    """The results of a graph on other inputs."""
    inputs = dict(zip(graph.inputs, given, strict=True))

    def rule(b: Builder, node: Node, operands: tuple[Node, ...]) -> Node | None:
        return inputs[node] if isinstance(node.op, Input) else None

    new = copy(b, graph, rule)
    return [new[n] for _, n in graph.results]
