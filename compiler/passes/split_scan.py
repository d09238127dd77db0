"""Graph to graph whose loops do only what needs the step before.

Out of a scan's body move: what is the same at each step; products of slices, before the loop, as one product over
all steps; products that only feed stacks, after the loop, as one product; and carries that only add up products or
sums, as one product or sum over all steps. What moves is computed from sequences, or from new stacks. Carries,
stacks, slices and constants that are then without use go.

Elementwise work stays in the loop unless a product needs it: there its operands are still in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..ir.dims import Size
from ..ir.graph import Builder, Graph, Input, Item, Node
from ..ir.rewrite import rewrite
from ..ops.elementwise import Add, Sub
from ..ops.layout import Expand
from ..ops.scan import Scan, is_product, over_time, time_axis
from ..ops.scan_gradient import ancestors
from .accumulate import Total, total_of
from .apart import Kind, apart, kinds
from .lift import Operands, can_lift, lift
from .sequence import everywhere
from .unused import drop_unused


@everywhere
def split_scan(graph: Graph) -> Graph:
    """Each scan of the graph, until none changes: what one scan reads no more, an earlier one need not stack."""
    graph = drop_unused(graph)
    while (after := _once(graph)) is not graph:
        graph = after
    return graph


def _once(graph: Graph) -> Graph:
    """Each scan once; one from which nothing moves and nothing goes stays as it is."""
    read: dict[Node, set[int]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Item):
            read.setdefault(node.inputs[0], set()).add(node.op.index)
    found: dict[Node, dict[int, Node]] = {}

    def rule(b: Builder, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        if isinstance(node.op, Scan):
            plan = Plan(apart(node.op), read[node])
            if plan.changes:
                found[node] = Outside(b, plan, inputs).results()
                return inputs[0]
        if isinstance(node.op, Item) and node.inputs[0] in found:
            return found[node.inputs[0]][node.op.index]
        return None

    return drop_unused(rewrite(graph, rule))


class Plan:
    """What moves out of a scan of which the results `read` are read."""

    def __init__(self, op: Scan, read: set[int]) -> None:
        self.op, self.read = op, read
        self.carries = op.body.inputs[: op.carries]
        self.slices = op.body.inputs[op.carries : op.carries + op.slices]
        self.ends = tuple(n for _, n in op.body.results)
        self.steps: Size = 2  # a number that no size of a body is tied to: rules do not depend on it
        self.live = self._live()
        self.kind = kinds(op)
        self.able, self.early = self._early()
        self.totals = self._totals()
        self.early |= self._needed_for((n for _, t in self.totals.values() for n in t.operands), self.able)
        self.stepped = [i for i, n in enumerate(self.carries) if n in self.live and i not in self.totals]
        self.late = self._late()
        self.crossing = self._crossing()

    @property
    def changes(self) -> bool:
        """Whether anything moves or goes."""
        op = self.op
        whole = len(self.stepped) == op.carries and len(self.read | set(range(op.carries))) == len(self.ends)
        idle = [n for n in op.body.inputs[op.carries :] if n not in self.live]
        counting = len(self.slices) == 1 and idle == [self.slices[0]]  # the only one says how many steps there are
        stacked = {self.ends[i] for i in self.read if i >= op.carries}
        moved = self.early or self.late or stacked - set(self.crossing) or any(map(self.is_hoisted, op.body.nodes))
        return bool(moved or not whole or (idle and not counting))

    def is_hoisted(self, node: Node) -> bool:
        """Whether a node is the same at each step, and worth to be taken out."""
        plain = not isinstance(node.op, Input) and node.op.merges and len(node.types) == 1
        return node in self.live and self.kind[node] is Kind.CONSTANT and plain

    def is_outside(self, node: Node) -> bool:
        """Whether a node is computed before the loop."""
        return node in self.early or self.is_hoisted(node)

    def _live(self) -> set[Node]:
        """The nodes that what is read depends on, through carries too."""
        live: set[Node] = set()
        ends = {self.ends[i] for i in self.read}
        while not ends <= live:
            live |= ends
            for node in reversed(self.op.body.nodes):
                if node in live:
                    live.update(node.inputs)
            ends = {self.ends[i] for i, n in enumerate(self.carries) if n in live}
        return live | {self.carries[i] for i in self.read if i < self.op.carries}

    def _can_lift(self, node: Node) -> bool:
        return len(node.types) == 1 and can_lift(node, [self.kind[n] >= Kind.SLICES for n in node.inputs], self.steps)

    def _early(self) -> tuple[set[Node], set[Node]]:
        """What depends on slices and can be done for all steps at once; and the products among it, with what they
        need."""
        able = set(self.slices)
        early: set[Node] = set()
        for node in self.op.body.nodes:
            sliced = node in self.live and self.kind[node] is Kind.SLICES and not isinstance(node.op, Input)
            if sliced and all(n in able or self.kind[n] < Kind.SLICES for n in node.inputs) and self._can_lift(node):
                able.add(node)
                if is_product(node):
                    early.add(node)
        return able, self._needed_for(early, able)

    def _needed_for(self, wanted: Iterable[Node], able: set[Node]) -> set[Node]:
        """Those of the nodes wanted that can be done for all steps at once, and what of the body that takes."""
        found = {n for n in wanted if n in able}
        for node in reversed(self.op.body.nodes):
            if node in found:
                found.update(n for n in node.inputs if self.kind[n] is Kind.SLICES)
        return found.difference(self.slices)

    def _totals(self) -> dict[int, tuple[bool, Total]]:
        """The carries that only add up: whether they subtract, and what the sum over all steps is."""
        users = self._users()
        found: dict[int, tuple[bool, Total]] = {}
        for i, carry in enumerate(self.carries):
            end = self.ends[i]
            alone = carry in self.live and users[carry] == [end] and self.ends.count(end) == 1 and not users[end]
            if not alone or not isinstance(end.op, Add | Sub) or carry not in end.inputs:
                continue
            subtracts = isinstance(end.op, Sub)
            added = end.inputs[1] if end.inputs[0] is carry else end.inputs[0]
            total = total_of(added, lambda n: self.kind[n] >= Kind.SLICES)
            if total is not None and added.type == carry.type and not (subtracts and end.inputs[0] is not carry):
                found[i] = subtracts, total
        products = {n for _, total in found.values() if total.has_product for n in total.operands}
        known = products | self.early | set(self.slices) | {self.ends[i] for i in self.read if i >= self.op.carries}
        return {i: pair for i, pair in found.items() if known.issuperset(pair[1].operands)}

    def _users(self) -> dict[Node, list[Node]]:
        users: dict[Node, list[Node]] = {n: [] for n in self.op.body.nodes}
        for node in self.op.body.nodes:
            if node in self.live:
                for n in node.inputs:
                    users[n].append(node)
        return users

    def _late(self) -> set[Node]:
        """Products that only stacks depend on, and what is done with them."""
        kept = ancestors(self.op.body.nodes, (self.ends[i] for i in self.stepped))
        sums = {self.ends[i] for i in self.totals} | {n for _, total in self.totals.values() for n in total.nodes}
        users = self._users()
        able: set[Node] = set()
        for node in reversed(self.op.body.nodes):
            carried = node in self.live and node not in kept and node not in sums and self.kind[node] is Kind.CARRIES
            free = carried and all(user in able or user in sums for user in users[node])
            if free and not isinstance(node.op, Input) and self._can_lift(node):
                able.add(node)
        late: set[Node] = set()
        for node in self.op.body.nodes:
            if node in able and (is_product(node) or not late.isdisjoint(node.inputs)):
                late.add(node)
        wanted = {self.ends[i] for i in self.read} | {n for _, t in self.totals.values() for n in t.operands}
        return late & ancestors(self.op.body.nodes, wanted)

    def _crossing(self) -> list[Node]:
        """The values of the loop that are read outside of it, in order."""
        wanted = {self.ends[i] for i in self.read if i >= self.op.carries}
        wanted |= {n for node in self.late for n in node.inputs}
        wanted |= {n for _, total in self.totals.values() for n in total.operands}
        outside = self.late | self.early | set(self.slices)
        return [n for n in self.op.body.nodes if n in wanted - outside and self.kind[n] >= Kind.SLICES]


class Outside:
    """The values of a body's nodes outside of the loop, made as they are asked for."""

    def __init__(self, b: Builder, plan: Plan, inputs: Sequence[Node]) -> None:
        self.b, self.plan = b, plan
        op = plan.op
        self.values = dict(zip(op.body.inputs, inputs, strict=True))
        first = self.values[plan.slices[0]]
        self.steps = first.shape[time_axis(len(first.shape))]

    def results(self) -> dict[int, Node]:
        """The value of each result that is read, by its number."""
        plan, found = self.plan, dict[int, Node]()
        body = _Body(plan)
        if plan.stepped or plan.crossing:
            scan = Scan(body.graph, len(plan.stepped), len(body.slices), plan.op.reverse, plan.op.truncate)
            firsts = [self.values[plan.carries[i]] for i in plan.stepped]
            outer = [self.value(n) for n in (*body.slices, *body.constants)]
            made = self.b.many(scan, *firsts, *outer)
            found |= dict(zip(plan.stepped, made, strict=False))
            self.values |= dict(zip(plan.crossing, made[len(plan.stepped) :], strict=True))
        for i, (subtracts, total) in plan.totals.items():
            first = self.values[plan.carries[i]]
            found[i] = self.b.add(Sub() if subtracts else Add(), first, total.build(self.b, self.value))
        for i in plan.read:
            if i not in found:
                found[i] = self._stack(plan.ends[i])
        return found

    def _stack(self, node: Node) -> Node:
        """A node at all steps, also if it is the same at each."""
        value = self.value(node)
        if self.plan.kind[node] >= Kind.SLICES:
            return value
        every = Operands([value], [False], self.steps).aligned(self.b, 0, len(node.shape))
        return self.b.add(Expand(over_time(node.tensor, self.steps).shape), every)

    def value(self, node: Node) -> Node:
        """A node of the body: for all steps, or as it is where it is the same at each."""
        pending = [node]
        while pending:
            top = pending[-1]
            missing = [n for n in top.inputs if n not in self.values]
            if top in self.values or not missing:
                pending.pop()
                if top not in self.values:
                    self.values[top] = self._made(top)
            else:
                pending += missing
        return self.values[node]

    def _made(self, node: Node) -> Node:
        timed = [self.plan.kind[n] >= Kind.SLICES for n in node.inputs]
        with self.b.at(node.place):
            inputs = [self.values[n] for n in node.inputs]
            if not any(timed):
                return self.b.add(node.op, *inputs, name=node.name)
            made = lift(self.b, node, Operands(inputs, timed, self.steps))
        assert made is not None, node
        return made


class _Body:
    """What is left of a scan's body, under names that say their place only, so that equal loops are equal."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        body = plan.op.body
        ends = [plan.ends[i] for i in plan.stepped] + plan.crossing
        left = ancestors(body.nodes, ends, plan.is_outside)
        slices = [n for n in body.nodes if n in left and (n in plan.slices or n in plan.early)]
        self.slices = slices or list(plan.slices[:1])
        carried = [plan.carries[i] for i in plan.stepped]
        self.constants = [
            n
            for n in body.nodes
            if n in left
            and n not in self.slices
            and n not in carried
            and (isinstance(n.op, Input) or plan.is_hoisted(n))
        ]
        b = Builder(plan.op.body.nodes[0].place)
        new: dict[Node, Node] = {}
        for word, nodes in (("carry", carried), ("slice", self.slices), ("constant", self.constants)):
            for i, n in enumerate(nodes):
                new[n] = b.input(f"{word}.{i}", "data", n.tensor)
        for n in body.nodes:
            if n in left and n not in new:
                with b.at(n.place):
                    new[n] = b.add(n.op, *(new[i] for i in n.inputs), name=n.name)
        for guard in body.guards:
            b.guard(guard.left, guard.right, guard.place)
        names = [f"carry.{i}" for i in range(len(carried))] + [f"stack.{i}" for i in range(len(plan.crossing))]
        self.graph = b.graph({name: new[n] for name, n in zip(names, ends, strict=True)})
