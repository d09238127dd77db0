"""A traced model to the graphs of its phases: predict, evaluate, gradients and train, over the same flat ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from ..spec.record import Record
from ..spec.record import replace as replace_record
from ..spec.source import CompileError, Place
from .differentiate import dependents, with_gradients
from .garbage import without_collection
from .ir import dims
from .ir.dims import Size as Extent
from .ir.graph import DATA, PARAMETER, TARGET, Builder, Graph, Input, Node
from .ir.rewrite import bind, copy
from .ir.types import F16, F32
from .ops.elementwise import Add, Cast, Mul
from .ops.layout import Concat, Expand, Reshape
from .ops.reduce import Mean, Sum
from .ops.state import size_number
from .parameters import Range, in_ranges
from .passes.mixed import mixed
from .passes.unused import drop_unused
from .trace.errors import NoLoss, NoOutput
from .trace.model import Traced
from .training import scale
from .training.settings import Training
from .training.update import averaged, penalty, update_ranges

LOSS = "loss"
COUNT = "N"  # what graphs call the batch


class Phases(Record):
    """What a model computes in each phase. All graphs share weights and states by name.

    - `predict`: the outputs;
    - `evaluate`: for each loss and mean metric NAME its sum over the batch, `NAME.total`, and how many values it
      sums, `NAME.count`; for a metric over the whole set its values, `NAME.0`, `NAME.1`;
    - `gradients`: `loss`, each loss by name, and the gradient of each range, `gradient.RANGE`;
    - `train`: `loss` and each loss, and as updates the next ranges, states and optimizer states.
    """

    traced: Mapping[str, Traced]
    ranges: tuple[Range, ...]
    training: Training

    @cached_property
    def predict(self) -> Graph:
        traced = self.traced["predict"]
        if not traced.outputs:
            raise CompileError((NoOutput(traced.b.place),))
        return asking_only(drop_unused(in_ranges(closed(traced, dict(traced.outputs)), self.used)[0]))

    @property
    def outputs(self) -> Graph:
        """What predict computes, over weights by their own names."""
        traced = self.traced["predict"]
        if not traced.outputs:
            raise CompileError((NoOutput(traced.b.place),))
        return asking_only(drop_unused(closed(traced, dict(traced.outputs))))

    @cached_property
    def evaluate(self) -> Graph:
        traced = self.traced["evaluate"]
        b, batch = traced.b, batch_of(traced)
        results: dict[str, Node] = {}
        means = [(term.name, term.node, term.place) for term in traced.losses]
        means += [(m.name, m.nodes[0], m.place) for m in traced.metrics if m.kind == "mean"]
        for name, node, place in means:
            with b.at(place):
                results[f"{name}.total"], results[f"{name}.count"] = _summed(b, node, batch)
        for metric in traced.metrics:
            if metric.kind != "mean":
                results |= {f"{metric.name}.{i}": n for i, n in enumerate(metric.nodes)}
        return drop_unused(in_ranges(closed(traced, results), self.used)[0])

    @cached_property
    def forward(self) -> Graph:
        """Training's forward part: `loss`, each loss by name, and the next states."""
        traced = self.traced["train"]
        if not traced.losses:
            raise CompileError((NoLoss(traced.b.place),))
        b = traced.b
        results: dict[str, Node] = {}
        for term in traced.losses:
            with b.at(term.place):
                results[term.name] = _averaged(b, term.node)
        with b.at(traced.losses[0].place):
            total, *rest = results.values()
            for more in rest:
                total = b.add(Add(), total, more)
        return drop_unused(closed(traced, {LOSS: total} | results, dict(traced.state_updates)))

    @property
    def exact(self) -> Phases:
        """The same without halves, as differences need it."""
        return replace_record(self, training=replace_record(self.training, precision=F32))

    @property
    def learns(self) -> bool:
        """Whether the loss depends on a weight that is trained."""
        trained = {piece.name for r in self.trained for piece in r.pieces}
        graph = self.forward
        weights = [n for n in graph.inputs if isinstance(n.op, Input) and n.op.name in trained]
        return graph.result(LOSS) in dependents(graph, weights)

    @property
    def idle(self) -> tuple[str, ...]:
        """The weights that are to be trained and that neither a loss nor an output reads."""
        names = _unread(self.forward, [piece.name for r in self.trained for piece in r.pieces])
        return tuple(_unread(self.outputs, names) if names and self.traced["predict"].outputs else names)

    @cached_property
    def gradients(self) -> Graph:
        return replace(self._backward, updates=())

    @cached_property
    @without_collection()
    def train(self) -> Graph:
        back = self._backward
        b = self._builder(back)
        copy(b, back)
        results = dict(back.results)
        gradients = {r.name: results.pop(_gradient(r)) for r in self.trained}
        return b.graph(results, dict(back.updates) | update_ranges(b, self.training, self.trained, gradients))

    @property
    def remembered(self) -> tuple[str, ...]:
        """What the optimizer keeps for each range, and what becomes of the loss scale, by name."""
        optimizer = self.training.optimizer
        names = tuple(f"{state}.{r.name}" for r in self.trained for state in optimizer.remembered)
        return (*names, *scale.NAMES) if self.training.precision is F16 else names

    @property
    def trained(self) -> tuple[Range, ...]:
        return tuple(r for r in self.ranges if not r.treatment.frozen)

    @property
    def used(self) -> tuple[Range, ...]:
        """The ranges that evaluate and predict read: averages of those that are trained, where training makes them."""
        if not self.training.average:
            return self.ranges
        return tuple(r if r.treatment.frozen else averaged(r) for r in self.ranges)

    @cached_property
    @without_collection()
    def _backward(self) -> Graph:
        """The losses with their penalties and the gradient of each trained range; as updates the next states."""
        precision = self.training.precision
        forward = self.forward if precision is F32 else mixed(self.forward, precision)
        graph, parts = in_ranges(forward, self.ranges)
        wanted = [p.name for r in self.trained for p in r.pieces if p.name in parts]
        b = self._builder(graph)
        factor = scale.scale(b) if precision is F16 else None
        new, flows = with_gradients(b, graph, {LOSS: factor}, [parts[name] for name in wanted])
        by_name = dict(zip(wanted, flows, strict=True))
        results = {name: new[n] for name, n in graph.results}
        if factor is not None:
            results[LOSS] = scale.checked(b, results[LOSS], factor)
        thetas = {n.op.name: n for n in b.inputs if isinstance(n.op, Input)}
        for r in self.trained:
            theta = thetas.get(r.name) or b.input(r.name, PARAMETER, r.type)
            flat = _joined(b, r, by_name)
            flat = flat if factor is None else scale.divided(b, flat, factor)
            cost, results[_gradient(r)] = penalty(b, r, theta, flat)
            if cost is not None:
                results[LOSS] = b.add(Add(), results[LOSS], cost)
        return b.graph(results, {name: new[n] for name, n in graph.updates})

    def _builder(self, graph: Graph) -> Builder:
        """A Builder where training was asked for, with the guards of a graph."""
        b = Builder(self.training.place or Place(graph.nodes[0].place.span))
        for guard in graph.guards:
            b.guard(guard.left, guard.right, guard.place)
        return b


def _unread(graph: Graph, names: Sequence[str]) -> Sequence[str]:
    """Those of the names whose inputs no node of a graph reads."""
    read = {i.op.name for n in graph.nodes for i in n.inputs if isinstance(i.op, Input)}
    return [name for name in names if name not in read]


def _gradient(r: Range) -> str:
    return f"gradient.{r.name}"


def asking_only(graph: Graph) -> Graph:
    """The graph without the inputs that nothing in it reads."""
    read = {i for n in graph.nodes for i in n.inputs} | set(graph.ends)
    inputs = tuple(n for n in graph.inputs if n in read)
    nodes = tuple(n for n in graph.nodes if n in read or not isinstance(n.op, Input))
    return replace(graph, inputs=inputs, nodes=nodes)


def _joined(b: Builder, r: Range, gradients: Mapping[str, Node]) -> Node:
    """The gradient of a range: those of its pieces, one after another, each computed in its place."""
    flat = []
    for piece in r.pieces:
        size = dims.product(piece.shape)
        if piece.name in gradients:
            g = gradients[piece.name]
            with b.at(g.place):
                flat.append(b.add(Reshape((size,)), g))
        else:
            flat.append(_zeros(b, size))
    return flat[0] if len(flat) == 1 else b.add(Concat(0), *flat)


def _zeros(b: Builder, size: Extent) -> Node:
    return b.add(Expand((size,)), b.literal(0.0, F32))


def _averaged(b: Builder, node: Node) -> Node:
    """A loss that is no scalar is averaged."""
    return b.add(Mean(tuple(range(node.tensor.rank)), False), node) if node.tensor.rank else node


def _summed(b: Builder, node: Node, batch: Extent) -> tuple[Node, Node]:
    """The sum of the values of a batch and their number; a scalar stands for every sample."""
    value = node if node.dtype.is_float else b.add(Cast(F32), node)
    if not value.tensor.rank:
        count = size_number(b, batch, F32)
        return b.add(Mul(), value, count), count
    return b.add(Sum(tuple(range(value.tensor.rank)), False), value), size_number(b, value.tensor.size, F32)


def closed(traced: Traced, results: Mapping[str, Node], updates: Mapping[str, Node] | None = None) -> Graph:
    """The graph of a phase, in which the batch is called N whatever the spec calls it."""
    graph = traced.b.graph(results, updates or {})
    batch = str(batch_of(traced))
    if batch == COUNT or not dims.names(batch_of(traced)):
        return graph
    return bind(graph, {batch: dims.name(COUNT), COUNT: dims.name(f"{COUNT}_")})


def batch_of(traced: Traced) -> Extent:
    """The batch: the first dimension of every input."""
    inputs = (n for n in traced.b.inputs if isinstance(n.op, Input) and n.op.role in (DATA, TARGET))
    sizes = [n.shape[0] for n in inputs if n.shape]
    return sizes[0] if sizes else 1
