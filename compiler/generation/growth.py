"""A `generate` section and the model around it to the steps that write: what grows, by how much, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ...spec import tree
from ...spec.source import CompileError, Diagnostic, Place
from ..ir import dims
from ..ir.graph import DATA, TARGET, Graph, Node
from ..parameters import Range, in_ranges
from ..passes.expand import expand_composites
from ..passes.stops import drop_stops
from ..passes.unused import drop_unused
from ..phases import asking_only, closed
from ..rows import independent
from ..trace.errors import TargetInOutput, WrongKind
from ..trace.expression import evaluate
from ..trace.model import Traced
from .causality import check_apart, check_causal
from .demand import Demand, demand
from .increment import incremental
from .section import Generation
from .steps import SCORES, Steps, reaching, recomputed


class ComputedAgain(Diagnostic):
    """Writing that takes longer than it would have to: nothing is wrong."""

    code = "computed-again"
    severity = "warning"
    title = "for each token that is written all positions are computed again"
    label = "{reason}"
    reason: str


@dataclass(frozen=True, eq=False)
class Growth:
    """How a model writes. `graph` has the `scores` [N, length, entries] of all positions of the input `section.input`.

    `length` is the name of the length, None where only one length will do, as where a weight has its size.
    """

    section: Generation
    graph: Graph
    length: str | None

    def steps(self, count: int = 1) -> Steps:
        """What begins a text and goes on with it by so many positions; each is computed once where that is right."""
        wanted = self._wanted
        if self.length and wanted and not wanted.unproven:
            return incremental(self.graph, self.section.input, dims.name(self.length), wanted, count)
        return recomputed(self.graph, self.section.input, count)

    @property
    def repeated(self) -> Place | None:
        """Where something keeps positions from being computed but once."""
        if self._wanted is None:
            return self.section.place
        return self._wanted.unproven[0].place if self._wanted.unproven else None

    @property
    def warning(self) -> ComputedAgain | None:
        """What is to be said where nothing is kept."""
        if self.repeated is None:
            return None
        fixed = "a weight or another input has the length of the text, or it is a number"
        return ComputedAgain(self.repeated, "what came before is looked at as a whole" if self.length else fixed)

    def check(self) -> None:
        """Raises CompileError where a position depends on later ones, other samples, a target, or no token."""
        grown, place = self.section.input, Place(self.section.scores.span)
        if target := next(iter(self.graph.named_inputs(TARGET)), None):
            raise CompileError((TargetInOutput(place, output=place.span.text, target=target),))
        if grown not in self.graph.named_inputs(DATA):
            expected, found = f"a tensor that depends on `{grown}`", str(self.graph.result(SCORES).type)
            raise CompileError((WrongKind(place, subject="the scores", expected=expected, found=found),))
        if self.repeated is not None:
            check_causal(self.graph, grown, self.length, self.repeated)
        if not independent(self.graph):
            check_apart(self.graph, grown, self.section.place)

    @cached_property
    def _wanted(self) -> Demand | None:
        if self.length is None:
            return None
        source = self.graph.input(self.section.input)
        reached = reaching(self.graph, (source,))
        return demand(self.graph, self.graph.result(SCORES), source, reached, dims.name(self.length))


def growth(
    section: Generation, model: tree.Model, trace: Callable[[str | None], Traced], ranges: tuple[Range, ...]
) -> Growth:
    """How a model writes, its weights in `ranges`; `trace` traces its predict phase with the size of that name free."""
    name = _length_name(model, section.input)
    traced = trace(name)
    free = None if traced.reports else _graph(section, traced, ranges)
    if name is None or free is None or name in _fixed(free, traced, section.input):
        return Growth(section, _graph(section, trace(None), ranges), None)
    return Growth(section, free, name)


def _fixed(graph: Graph, traced: Traced, grown: str) -> set[str]:
    """The names of sizes that weights, or inputs which do not grow, have too."""
    others = [n.tensor for name, n in graph.named_inputs(DATA).items() if name != grown]
    kept = (v.type for v in (*traced.parameters.values(), *traced.states.values()))
    return {n for t in (*others, *kept) for s in t.shape for n in dims.names(s)}


def _graph(section: Generation, traced: Traced, ranges: tuple[Range, ...]) -> Graph:
    scores = evaluate(traced.tracer, traced.scope, section.scores)
    assert isinstance(scores, Node)
    graph = asking_only(drop_unused(in_ranges(closed(traced, {SCORES: scores}), ranges)[0]))
    return drop_unused(expand_composites(drop_stops(graph)))


def _length_name(model: tree.Model, grown: str) -> str | None:
    """The name of the second size of an input, where it has one of its own."""
    declared = next(i for i in model.inputs if i.name.text == grown)
    size = declared.type.sizes[1]
    constants = {c.name.text for c in model.constants}
    return size.text if isinstance(size, tree.Name) and size.text not in constants else None
