"""Schedule to schedule in which long arithmetic on large arrays goes over rows a block at a time.

Each instruction of a nest passes over all its operands; in blocks the next one finds them in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ...spec.record import Record
from ..ir import dims
from ..ir.dims import Size
from ..ir.graph import Builder, Graph, Input, Node
from ..ir.rewrite import again
from ..ir.scalar import parts
from .kernel import Call, Item, Kernel, Nest, Number, Operand, Repeat, Schedule, Window

WORTH = 4  # operations; with fewer there is little to find in the cache again


class Blocks(Record):
    """The pass: nests whose arrays are larger than `least` bytes, for at most `rows` samples, go by `block` bytes."""

    block: int
    least: int
    rows: int

    def __call__(self, schedule: Schedule) -> Schedule:
        return schedule.with_items(tuple(self._item(item, i) for i, item in enumerate(schedule.items)))

    def _item(self, item: Item, index: int) -> Item:
        if not isinstance(item, Call) or item.phase != 2 or not isinstance(item.kernel.form, Nest):
            return item
        shape = item.kernel.form.shape
        if not shape or operations(item.kernel.form) < WORTH:
            return item
        item_bytes = max(w.dtype.bytes for w in item.writes)
        row = _at(dims.product(shape[1:]), self.rows) * item_bytes
        if row * _at(shape[0], self.rows) <= self.least:
            return item
        chunk = max(1, self.block // row)
        if chunk >= _at(shape[0], self.rows):
            return item
        return blocked(item, item.kernel.form, chunk, f"r{index}")


def operations(nest: Nest) -> int:
    """How many different operations the stores of a nest have."""
    return sum(bool(x.operands) for x in parts(nest.stores))


def blocked(call: Call, nest: Nest, chunk: int, start: str) -> Repeat:
    """The call for `chunk` rows at a time."""
    length = f"{start}.length"

    def part(operand: Window | Number) -> Operand:
        if not isinstance(operand, Window) or len(operand.shape) < len(nest.shape) or operand.shape[0] == 1:
            return operand
        offset = operand.offset + dims.name(start) * operand.strides[0]
        return operand._replace(offset=offset, shape=(dims.name(length), *operand.shape[1:]))

    writes = tuple(w for w in map(part, call.writes) if isinstance(w, Window))
    reads = tuple(map(part, call.reads))
    form = nest._replace(shape=(dims.name(length), *nest.shape[1:]))
    meaning = partial(_resized, call.kernel, reads)
    body = replace(call, kernel=Kernel(meaning, form), writes=writes, reads=reads)
    return Repeat(start, length, nest.shape[0], chunk, (body,), independent=True)


def _resized(kernel: Kernel, reads: Sequence[Operand]) -> Graph:
    """The same arithmetic on operands of other sizes."""
    meaning = kernel.meaning
    b = Builder(meaning.nodes[0].place)
    given = (r.type for r in reads if isinstance(r, Window))
    new: dict[Node, Node] = {}
    for node in meaning.nodes:
        if isinstance(node.op, Input):
            new[node] = b.input(node.op.name, node.op.role, next(given))
        else:
            new[node] = again(b, node, tuple(new[n] for n in node.inputs))
    return b.graph({name: new[n] for name, n in meaning.results})


def _at(size: Size, rows: int) -> int:
    found = dims.substitute(size, {"N": rows})
    assert isinstance(found, int)
    return found
