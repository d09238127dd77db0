"""Graph to clusters: which nodes one nest computes, element by element or row by row, and in which order they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from ..ir import dims
from ..ir.graph import Graph, Node
from ..ir.op import Elementwise
from ..ir.types import Shape
from ..ops.index import AddAt, Pick
from ..ops.layout import Expand, Reshape
from ..ops.reduce import Reduction

SHORTEST = 8  # elements of a row at least: shorter ones make no vectors
SIGHT = 256  # nodes that are looked at before something counts as waiting


class Space(NamedTuple):
    """What a cluster goes over: elements of `shape`, of which the last `row` axes are a row; 0 where nothing asks for
    rows."""

    shape: Shape
    row: int = 0

    @property
    def rows(self) -> Shape:
        return self.shape[: len(self.shape) - self.row]

    def holds(self, shape: Shape) -> bool:
        """Whether a value of this shape is one for each element, or one for each row with or without its axes."""
        return shape == self.shape or (self.row > 0 and shape in (self.kept, self.rows))

    @property
    def kept(self) -> Shape:
        """The shape of values of rows whose axes stay."""
        return (*self.rows, *(1,) * self.row)


@dataclass(frozen=True, eq=False)
class Cluster:
    """Nodes of one phase that run as one nest, in order."""

    space: Space
    members: tuple[Node, ...]


class Clusters:
    """The clusters of a graph; rows of up to `row` bytes are kept together, with 0 none are.

    A node joins the clusters of its operands where it fits their elements, and where nothing else that it needs waits
    for them. All that fits is one cluster, since what it hands on then never leaves the registers.
    """

    def __init__(self, graph: Graph, phase: Mapping[Node, int], row: int) -> None:
        self.phase, self.row = phase, row
        self.index = {node: i for i, node in enumerate(graph.nodes)}
        self.of: dict[Node, Cluster] = {}
        for node in graph.nodes:
            alone = self._alone(node)
            if alone is not None:
                self._settle(alone, node)
        self._join_readers(graph.readers)
        self._hand_down(graph, graph.readers)
        self._drop_bare()
        while circle := _circle(graph, self.of):
            self._part(max((self.of[n] for n in circle if n in self.of), key=lambda c: len(c.members)))

    def _alone(self, node: Node) -> Cluster | None:
        """The cluster that is only this node, or None for what no nest computes."""
        if isinstance(node.op, Elementwise):
            return Cluster(Space(node.shape), (node,))
        if not self.row:
            return None
        if isinstance(node.op, Reduction) and node.op.law:
            x = node.inputs[0].shape
            along = node.op.along(len(x))
            trailing = along == tuple(range(len(x) - len(along), len(x)))
            return Cluster(Space(x, len(along)), (node,)) if along and trailing and self._suits(x, len(along)) else None
        if isinstance(node.op, Pick | AddAt) and self._suits(node.inputs[0].shape, 1):
            return Cluster(Space(node.inputs[0].shape, 1), (node,))
        return Cluster(Space(node.shape), (node,)) if _passes_on(node) else None

    def _suits(self, shape: Shape, row: int) -> bool:
        """Whether rows are long enough to be vectors and short enough to stay in the cache."""
        size = dims.product(shape[len(shape) - row :])
        return isinstance(size, int) and SHORTEST <= size <= self.row // 4

    def _settle(self, cluster: Cluster, node: Node) -> None:
        """The cluster of a node, with as many clusters of its operands as fit."""
        sources = {id(c): c for n in node.inputs if (c := self.of.get(n)) is not None}
        for other in sorted(sources.values(), key=lambda c: -len(c.members)):
            cluster = self._merged(other, cluster) or cluster
        if len(cluster.members) > 1 or not _passes_on(node):
            self.of |= dict.fromkeys(cluster.members, cluster)

    def _merged(self, a: Cluster, b: Cluster) -> Cluster | None:
        space = self._joined(a.space, b.space)
        if space is None or self.phase[a.members[0]] != self.phase[b.members[0]]:
            return None
        members = tuple(sorted({*a.members, *b.members}, key=self.index.__getitem__))
        inside = frozenset(members)
        is_next = len(b.members) == 1 and b.members[0] not in self.of  # nothing reads it yet
        changed = b.members if is_next and space == a.space else members
        if not all(_is_at_hand(space, n, inside) for n in changed):
            return None
        return None if self._waits(b.members if is_next else members, inside) else Cluster(space, members)

    def _joined(self, a: Space, b: Space) -> Space | None:
        """What goes over the elements of both: the same, or the values of rows beside the elements of these."""
        if a.shape == b.shape:
            return Space(a.shape, max(a.row, b.row)) if a.row == b.row or 0 in (a.row, b.row) else None
        for wide, narrow in ((a, b), (b, a)):
            row = wide.row or _stretched(narrow.shape, wide.shape)
            space = Space(wide.shape, row)
            if row and not narrow.row and space.holds(narrow.shape) and self.row and self._suits(wide.shape, row):
                return space
        return None

    def _waits(self, nodes: tuple[Node, ...], inside: frozenset[Node]) -> bool:
        """Whether something outside that some nodes need, needs one of those inside.

        What stands before all of them is not looked at; where it needs them through a cluster that began before and
        goes on after them, a circle is found in the end.
        """
        first = min(map(self.index.__getitem__, inside))
        stack = [s for n in nodes for s in n.inputs if s not in inside]
        seen: set[Node] = set()
        while stack:
            node = stack.pop()
            together = self._together(node)
            if not inside.isdisjoint(together):
                return True
            if node not in seen and self.index[together[-1]] > first:
                seen.update(together)
                stack += [s for n in together for s in n.inputs]
                if len(seen) > SIGHT:
                    return True
        return False

    def _together(self, node: Node) -> tuple[Node, ...]:
        return self.of[node].members if node in self.of else (node,)

    def _join_readers(self, readers: Mapping[Node, list[Node]]) -> None:
        """Clusters that read the same are one, where neither waits for the other: it is loaded once."""
        for node, found in readers.items():
            home = self.of.get(node)
            joined: Cluster | None = None
            for reader in found:
                cluster = self.of.get(reader)
                if cluster in (None, joined, home) or node.shape != cluster.space.shape:
                    continue
                made = joined and self._merged(joined, cluster)
                if made:
                    self.of |= dict.fromkeys(made.members, made)
                joined = made or cluster

    def _hand_down(self, graph: Graph, readers: Mapping[Node, list[Node]]) -> None:
        """What only a later cluster needs is computed there, where that leaves fewer elements to be stored."""
        ends = set(graph.ends)
        for home in sorted(set(self.of.values()), key=lambda c: -self.index[c.members[-1]]):
            takers = {id(c): c for n in home.members for r in readers.get(n, ()) if (c := self.of.get(r)) is not None}
            for taker in sorted(takers.values(), key=lambda c: self.index[c.members[0]]):
                now = self.of[home.members[0]]
                if taker is not now and taker.members == self.of[taker.members[0]].members:
                    self._move(now, taker, readers, ends)

    def _move(self, home: Cluster, taker: Cluster, readers: Mapping[Node, list[Node]], ends: set[Node]) -> None:
        """Moves to `taker` what nothing else needs."""
        there, moved = frozenset(taker.members), set()
        for n in reversed(home.members):
            if n not in ends and readers.get(n) and all(r in there or r in moved for r in readers[n]):
                moved.add(n)
        left = [n for n in home.members if n not in moved]
        members = tuple(sorted({*taker.members, *moved}, key=self.index.__getitem__))
        alike = self.phase[home.members[0]] == self.phase[taker.members[0]]
        if not (left and moved and alike) or not all(_is_at_hand(taker.space, n, frozenset(members)) for n in members):
            return

        def stored(inside: Iterable[Node]) -> int:
            """How many nodes with all elements are read outside."""
            own = frozenset(inside)
            read = (n for n in own if n in ends or any(r not in own for r in readers.get(n, ())))
            return sum(n.shape == home.space.shape for n in read)

        if stored(left) < stored(home.members):
            self.of |= dict.fromkeys(left, Cluster(home.space, tuple(left)))
            self.of |= dict.fromkeys(members, Cluster(taker.space, members))

    def _part(self, cluster: Cluster) -> None:
        """Its members each by itself again."""
        for node in cluster.members:
            del self.of[node]
            if isinstance(node.op, Elementwise):
                self.of[node] = Cluster(Space(node.shape), (node,))

    def _drop_bare(self) -> None:
        """A reduction with nothing around it is left to kernels that make more of it."""
        for node in [n for n, c in self.of.items() if not any(isinstance(m.op, Elementwise) for m in c.members)]:
            del self.of[node]


def _passes_on(node: Node) -> bool:
    """Whether the node may be a value of a row under another shape."""
    return isinstance(node.op, Reshape | Expand)


def _stretched(narrow: Shape, wide: Shape) -> int:
    """How many of the last axes are 1 in one shape and stretched to those of the other; 0 if the rest differs."""
    if len(narrow) != len(wide):
        return 0
    row = sum(a != b for a, b in zip(narrow, wide, strict=True))
    return row if narrow == (*wide[: len(wide) - row], *(1,) * row) else 0


def _is_at_hand(space: Space, node: Node, inside: frozenset[Node]) -> bool:
    """Whether what a node reads of the cluster is there where it is computed, and the rest can be loaded there."""
    given = [n.shape for n in node.inputs if n in inside]
    match node.op:
        case Reduction():
            return node.inputs[0].shape == space.shape
        case Pick() | AddAt():
            return node.inputs[0].shape == space.shape and space.row == 1
        case Reshape():
            return len(given) == 1 and all(s in (space.kept, space.rows) for s in (*given, node.shape))
        case Expand():
            return given in ([space.kept], [node.shape]) and node.shape in (space.shape, space.kept)
    if node.shape == space.shape:
        return all(s in (space.shape, space.kept) for s in given)
    if node.shape == space.kept:
        return all(s == space.kept for s in given)
    outside = (n.shape for n in node.inputs if n not in inside)
    return all(s == space.rows for s in given) and all(s in ((), space.rows) for s in outside)


def _circle(graph: Graph, clusters: Mapping[Node, Cluster]) -> list[Node]:
    """Nodes whose clusters wait for each other in turn; none where all can be put in order."""
    done = {n for members in units(graph, clusters) for n in members}
    waiting = next((n for n in graph.nodes if n not in done), None)
    path: dict[Cluster | Node, Node] = {}
    while waiting is not None:
        unit = clusters.get(waiting, waiting)
        if unit in path:
            return list(path.values())[list(path).index(unit) :]
        path[unit] = waiting
        members = clusters[waiting].members if waiting in clusters else (waiting,)
        waiting = next(s for n in members for s in n.inputs if s not in done and s not in members)
    return []


def units(graph: Graph, clusters: Mapping[Node, Cluster]) -> Iterator[tuple[Node, ...]]:
    """The nodes in an order in which a cluster's members stand together, as early as its first one stood if what they
    need is there."""
    index = {node: i for i, node in enumerate(graph.nodes)}
    groups = {node: clusters[node].members if node in clusters else (node,) for node in graph.nodes}
    readers: dict[Node, set[Node]] = {}  # by the last member, which stands for all
    missing: dict[Node, int] = {}
    for last in dict.fromkeys(members[-1] for members in groups.values()):
        needs = {groups[s][-1] for n in groups[last] for s in n.inputs} - {last}
        missing[last] = len(needs)
        for need in needs:
            readers.setdefault(need, set()).add(last)
    ready = [(index[groups[last][0]], index[last]) for last, count in missing.items() if not count]
    heapify(ready)
    while ready:
        last = graph.nodes[heappop(ready)[1]]
        yield groups[last]
        for reader in readers.get(last, ()):
            missing[reader] -= 1
            if not missing[reader]:
                heappush(ready, (index[groups[reader][0]], index[reader]))
