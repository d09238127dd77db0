"""Graph to schedule: index maps become windows, runs of elementwise operations one nest, everything else one call."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...spec.source import Place
from ..ir import dims
from ..ir.graph import DATA, Builder, Graph, Input, Item, Literal, Node
from ..ir.op import Elementwise
from ..ir.scalar import Expr, Expressions, Value
from ..ir.types import Tensor
from ..ops.contract import Matmul
from ..ops.index import AddAt, Pick
from ..ops.layout import Expand, Reshape, Transpose
from ..ops.reduce import Reduction
from ..ops.scan import Scan, time_axis
from ..ops.state import Barrier, Part
from ..passes.stages import Stage, stages
from ..passes.triangles import triangles
from . import diagonal, layout
from .cluster import Cluster, Clusters, Space, units
from .kernel import Buffer, Call, Kernel, Library, Nest, Number, Operand, Repeat, Schedule, Window, contiguous, fresh
from .kernel import Item as ScheduleItem

PHASES = {Stage.CONSTANT: 0, Stage.COUNT: 0, Stage.PREPARED: 1, Stage.STEP: 2}


def group(graph: Graph, row: int = 0, *, strided: bool = False) -> Schedule:
    """The schedule of a graph without composite operations; reductions along rows of up to `row` bytes are computed
    with the arithmetic around them. Products that may be `strided` are written as their readers want them to lie."""
    lowering = Lowering(graph, row, strided=strided)
    inputs = []
    for node in graph.inputs:
        assert isinstance(node.op, Input)
        inputs.append((node.op.name, lowering.bind_input(node)))
    lowering.run()
    updated = dict(inputs)
    results = tuple((name, lowering.window(node)) for name, node in graph.results)
    updates = tuple((name, updated[name], lowering.window(node)) for name, node in graph.updates)
    return Schedule(tuple(inputs), results, updates, tuple(lowering.items))


class Lowering:
    """Makes the calls of one graph, in its order. A value is a window, or a number that all its elements are."""

    def __init__(
        self, graph: Graph, row: int, early: list[ScheduleItem] | None = None, depth: int = 0, *, strided: bool
    ) -> None:
        self.graph = graph
        self.row = row
        self.strided = strided
        self.depth = depth
        self.items: list[ScheduleItem] = []
        self.early = self.items if early is None else early
        self.values: dict[Node, Window] = {}
        self.several: dict[Node, tuple[Window, ...]] = {}
        self.numbers: dict[Node, Number] = {}
        self.phase = {node: PHASES[stage] for node, stage in stages(graph).items()}
        self.clusters = Clusters(graph, self.phase, row).of
        self.triangles = triangles(graph) if row else None
        self.ends = set(graph.ends)

    def bind_input(self, node: Node) -> Window:
        """The window of an input: named memory for parameters and states, else a place that is written before."""
        op = node.op
        assert isinstance(op, Input)
        home = "named" if op.role in ("parameter", "state") else "input"
        window = contiguous(Buffer(op.name, node.dtype, node.tensor.size, home), node.shape)  # type: ignore[arg-type]
        self.values[node] = window
        return window

    def run(self) -> None:
        for members in units(self.graph, self.clusters):
            node = members[0]
            if node in self.clusters:
                self._nest(self.clusters[node])
            elif node not in self.values:
                self._lower(node)

    def _lower(self, node: Node) -> None:
        match node.op:
            case Literal(value):
                self.numbers[node] = value
            case Item(index):
                self.values[node] = self.several[node.inputs[0]][index]
            case Scan():
                self._scan(node)
            case op if op.view:
                self._view(node)
            case _:
                self._library(node)

    def _view(self, node: Node) -> None:
        source = node.inputs[0]
        if source in self.numbers:
            self.numbers[node] = self.numbers[source]
            return
        x = self.values[source]
        if isinstance(node.op, Barrier):
            self.values[node] = x
            return
        if isinstance(node.op, Part):
            self.values[node] = x._replace(offset=x.offset + node.op.offset, shape=(node.tensor.size,))
            self.values[node] = contiguous(x.buffer, node.shape, x.offset + node.op.offset)
            return
        window = layout.view(node.op, x, node.shape)
        if window is None:
            window = layout.view(node.op, self._copied(node, source, x), node.shape)
            assert window is not None, node
        self.values[node] = window

    def _copied(self, node: Node, source: Node, x: Window) -> Window:
        """A copy of x in row-major order."""
        out = fresh(source.name or "copy", source.tensor)
        self._copy(out, x, node.place, self.phase[node])
        return out

    def _copy(self, out: Window, x: Window, place: Place, phase: int = 2) -> None:
        same = Reshape(x.shape)
        kernel = Kernel(partial(_meaning, (x,), same, place), Library(same))
        self.items.append(Call(kernel, (out,), (x,), place, "", phase))

    def _scan(self, node: Node) -> None:
        """A repeat over time: carries have memory that each step reads and then writes, slices and stacks are windows
        that move on."""
        op = node.op
        assert isinstance(op, Scan)
        given = [self.window(n) for n in node.inputs]
        first = op.carries + op.slices
        time = time_symbol(self.depth)
        steps = node.inputs[op.carries].shape[time_axis(len(node.inputs[op.carries].shape))]
        carried = []
        for start in given[: op.carries]:
            carried.append(fresh("carry", start.type))
            self._copy(carried[-1], start, node.place, self.phase[node])
        stacks = [fresh("stack", t) for t in node.types[op.carries :]]
        body = Lowering(op.body, self.row, self.early, self.depth + 1, strided=self.strided)
        slices = [at_time(x, time) for x in given[op.carries : first]]
        body.values.update(zip(op.body.inputs, (*carried, *slices, *given[first:]), strict=True))
        stacked = [at_time(stack, time) for stack in stacks]
        kept = list(zip([n for _, n in op.body.results][op.carries :], stacked, strict=True))
        body.stack([(node, stack) for node, stack in kept if node in body.values])
        body.run()
        body.stack([(node, stack) for node, stack in kept if node not in op.body.inputs])
        body.hand_on(op, carried)
        items = tuple(body.items)
        self.items.append(Repeat(time, f"{time}.length", steps, 1, items, op.reverse, self.phase[node]))
        self.several[node] = (*carried, *stacks)

    def stack(self, kept: list[tuple[Node, Window]]) -> None:
        """Copies what a step gives to its place in what all steps give."""
        for node, stack in kept:
            self._copy(stack, self.window(node), node.place)

    def hand_on(self, op: Scan, carried: list[Window]) -> None:
        """Leaves the values of a step that the next one begins with where that looks for them."""
        ends = [n for _, n in op.body.results][: op.carries]
        values = [self.window(n) for n in ends]
        memory = {c.buffer for c in carried}
        moved = [v != c for v, c in zip(values, carried, strict=True)]
        for i, value in enumerate(values):
            if moved[i] and value.buffer in memory:  # another carry, which may be overwritten before it is read
                values[i] = self._copied(ends[i], ends[i], value)
        for node, value, carry in zip(ends, values, carried, strict=True):
            if value != carry:
                self._copy(carry, value, node.place)

    def _library(self, node: Node) -> None:
        reads = tuple(self.window(n) for n in node.inputs)
        writes = self._written(node)
        if len(writes) == 1:
            self.values[node] = writes[0]
        else:
            self.several[node] = writes
        kernel = Kernel(partial(_meaning, reads, node.op, node.place), Library(node.op))
        formula = node.op.formula(*(_label(n) for n in node.inputs))
        self.items.append(Call(kernel, writes, reads, node.place, formula, self.phase[node]))

    def _written(self, node: Node) -> tuple[Window, ...]:
        """Memory of its own for each result."""
        name, order = node.name or node.op.word, self._order(node)
        if order is None:
            return tuple(fresh(name, t) for t in node.types)
        lying = fresh(name, Tensor(node.dtype, tuple(node.shape[i] for i in order)))
        return (layout.transpose(lying, tuple(map(order.index, range(len(order))))),)

    def _order(self, node: Node) -> tuple[int, ...] | None:
        """The order of the axes of a product in which a reader merges some of them; its rows stay rows."""
        if not self.strided or not isinstance(node.op, Matmul):
            return None
        last = len(node.shape) - 1
        for reader in self.graph.readers.get(node, ()):
            merged = any(isinstance(r.op, Reshape) for r in self.graph.readers.get(reader, ()))
            if isinstance(reader.op, Transpose) and reader.op.order[-1] == last and merged:
                return reader.op.order
        return None

    def _nest(self, cluster: Cluster) -> None:
        members, inside = cluster.members, frozenset(cluster.members)
        body = Arithmetic(self, cluster.space)
        for node in members:
            body.compute(node, inside)
        stored = [n for n in members if n in self.ends or any(r not in inside for r in self.graph.readers.get(n, ()))]
        bases = list(dict.fromkeys(_base(n, inside) for n in stored))
        for node in bases:
            self.values[node] = fresh(node.name or node.op.word, node.tensor)
        writes = tuple(self.values[n] for n in bases)
        for node in stored:
            if node not in self.values:
                self._view(node)
        masks = diagonal.masks(cluster, bases, self.triangles, body.places) if self.triangles else None
        form = Nest(cluster.space.shape, tuple(body.known[n] for n in bases), cluster.space.row, masks=masks)
        kernel = Kernel(partial(_meaning_of, members, bases), form)
        last = members[-1]
        formula = "; ".join(n.op.formula(*map(_label, n.inputs)) for n in members if not n.op.view)
        self.items.append(Call(kernel, writes, tuple(body.reads), last.place, formula, self.phase[last]))

    def window(self, node: Node) -> Window:
        """The memory of a value; a number gets a scalar's, stretched."""
        if node not in self.values:
            number = self.numbers[node]
            scalar = fresh("number", Tensor(node.dtype, ()))
            literal = Literal(number, node.dtype)
            kernel = Kernel(partial(_meaning, (), literal, node.place), Library(literal))
            self.early.append(Call(kernel, (scalar,), (), node.place, f"{number}", 0))
            self.values[node] = layout.expand(scalar, node.shape)
        return self.values[node]


class Arithmetic:
    """The expressions of a cluster's members, and the operands that they load."""

    def __init__(self, lowering: Lowering, space: Space) -> None:
        self.lowering, self.space = lowering, space
        self.e = Expressions()
        self.reads: list[Operand] = []
        self.known: dict[Node, Expr] = {}
        self.places: dict[Node, int] = {}

    def compute(self, node: Node, inside: frozenset[Node]) -> None:
        """Adds the expression of a node after those of its operands."""
        operands = [
            self.known[n] if n in inside else self._load(n, of_row=self._is_of_row(n, node, i))
            for i, n in enumerate(node.inputs)
        ]
        value = self._value(node, operands)
        assert isinstance(value, Expr)
        self.known[node] = value

    def _value(self, node: Node, x: list[Expr]) -> Value:
        e = self.e
        match node.op:
            case Reduction(law=law):
                return e.fold(law, x[0])
            case Pick():
                return e.picked(x[0], self._position(x[1]))
            case AddAt():
                return e.where(e.eq(e.place(), self._position(x[1])), x[0] + x[2], x[0])
            case Elementwise():
                operands = (_widened(e, v, node, n) for v, n in zip(x, node.inputs, strict=True))
                return node.op.scalar(e, *operands)
        return x[0]

    def _position(self, x: Expr) -> Expr:
        length = self.space.shape[-1]
        assert isinstance(length, int)
        return self.e.position(x, length)

    def _is_of_row(self, source: Node, reader: Node, operand: int) -> bool:
        """Whether an operand has one element for each row, and no axis of rows."""
        if isinstance(reader.op, Pick | AddAt):
            return operand > 0
        return self.space.row > 0 and reader.shape == self.space.rows == source.shape

    def _load(self, source: Node, *, of_row: bool) -> Expr:
        if source in self.lowering.numbers:
            return self.e.constant(self.lowering.numbers[source], source.dtype)
        if source not in self.places:
            self.places[source] = len(self.reads)
            self.reads.append(self.lowering.values[source])
        at = self.places[source]
        return (self.e.of_row if of_row else self.e.load)(at, source.dtype)


def _base(node: Node, inside: frozenset[Node]) -> Node:
    """The value of a cluster that a node is a view of; itself where it is none."""
    while node.op.view and node.inputs[0] in inside:
        node = node.inputs[0]
    return node


def time_symbol(depth: int) -> str:
    """The symbol of the step of a loop inside `depth` others."""
    return f"t{depth}" if depth else "t"


def at_time(x: Window, time: str) -> Window:
    """One step of a sequence or stack."""
    axis = time_axis(len(x.shape))
    shape, strides = (v[:axis] + v[axis + 1 :] for v in (x.shape, x.strides))
    return Window(x.buffer, x.offset + dims.name(time) * x.strides[axis], shape, strides)


def _widened(e: Expressions, x: Value, node: Node, source: Node) -> Value:
    """Integers of different width meet in the wider one."""
    kinds = {n.dtype for n in node.inputs if n.dtype.is_integer}
    if len(kinds) < 2 or not source.dtype.is_integer:
        return x
    return e.cast(x, max(kinds, key=lambda d: d.bytes))


def _label(node: Node) -> str:
    return node.name or (node.op.formula() if isinstance(node.op, Literal | Input) else node.op.word)


def _meaning(reads: tuple[Window, ...], op: object, place: Place) -> Graph:
    """The graph that is one operation."""
    b = Builder(place)
    inputs = [b.input(f"x{i}", DATA, x.type) for i, x in enumerate(reads)]
    node = b.add(op, *inputs)  # type: ignore[arg-type]
    ends = (node,) if len(node.types) == 1 else tuple(b.add(Item(i), node) for i in range(len(node.types)))
    return b.graph({f"y{i}": n for i, n in enumerate(ends)})


def _meaning_of(members: Sequence[Node], stored: Sequence[Node]) -> Graph:
    """The graph that is a cluster; inputs in the order of their first use, literals inside."""
    b = Builder(members[0].place)
    new: dict[Node, Node] = {}
    inside = set(members)
    for node in members:
        for source in node.inputs:
            if source in new:
                continue
            if source not in inside:
                constant = _constant_below(source)
                if constant is None:
                    new[source] = b.input(f"x{len(b.inputs)}", DATA, source.tensor)
                else:
                    number = b.literal(constant.value, constant.dtype)
                    new[source] = b.add(Expand(source.shape), number) if source.shape else number
        with b.at(node.place):
            new[node] = b.add(node.op, *(new[n] for n in node.inputs))
    return b.graph({f"y{i}": new[n] for i, n in enumerate(stored)})


def _constant_below(node: Node) -> Literal | None:
    """The literal that a value is a view of."""
    while node.op.view and node.inputs:
        node = node.inputs[0]
    return node.op if isinstance(node.op, Literal) else None
