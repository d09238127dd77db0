"""The list: every pass from a traced graph to a plan, in order, each with what it takes and what it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from ..runtime.plan import Plan
from .emit.library import RULES
from .emit.numpy import emit
from .garbage import without_collection
from .ir.graph import Graph
from .ir.rewrite import bind
from .memory import lay_out
from .passes.duplicates import merge_duplicates
from .passes.expand import expand_composites
from .passes.factors import factor_sums
from .passes.fold import fold
from .passes.halves import compute_but_products_in_single, compute_in_single
from .passes.joins import join_at_once
from .passes.products import absorb_into_products
from .passes.sequence import run
from .passes.simplify import simplify
from .passes.slices import slice_operands
from .passes.split_scan import split_scan
from .passes.stops import drop_stops
from .passes.triangles import see_triangles
from .passes.unused import drop_unused
from .schedule.attention import FuseAttention
from .schedule.blocks import Blocks
from .schedule.destination import place_values
from .schedule.group import group
from .schedule.kernel import Schedule
from .schedule.sums import AbsorbSums
from .schedule.sweep import Sweep
from .schedule.target import CUPY as CUPY
from .schedule.target import Target as Target

NUMPY = Target()
Watch: TypeAlias = Callable[[str, Any, float], None]


GRAPH_PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_stops,
    expand_composites,
    merge_duplicates,
    simplify,
    fold,
    absorb_into_products,
    factor_sums,
    join_at_once,
    split_scan,
    simplify,
    merge_duplicates,
    compute_in_single,
    drop_unused,
)


def graph_passes(target: Target) -> tuple[Callable[[Graph], Graph], ...]:
    """The passes over a graph for a target: where arithmetic is one loop, slices of it cost no calls, and tiles of
    products can leave out a triangle; where a device multiplies halves itself, they are left to it."""
    if target.name == "cupy":
        own = tuple(compute_but_products_in_single if p is compute_in_single else p for p in GRAPH_PASSES)
        return (*own, see_triangles)
    if target.name == "native":
        return (*GRAPH_PASSES, slice_operands, merge_duplicates, see_triangles)
    return GRAPH_PASSES


def schedule_passes(target: Target, rows: int) -> tuple[Callable[[Schedule], Schedule], ...]:
    """The passes over a schedule for a target and at most `rows` samples."""
    if target.name == "native":
        return Sweep(target.sweep, rows, 1, target.threads), AbsorbSums(target.row, target.threads)
    if target.name == "cupy":
        from .cuda.fragments import pays  # as `_cupy`

        return (FuseAttention(target.scores, pays),)
    return Sweep(target.sweep, rows), Blocks(target.block, target.large, rows)


class Stages(NamedTuple):
    """What compiling makes of a graph, stage by stage."""

    graph: Graph
    schedule: Schedule
    plan: Plan


def compile_graph(
    graph: Graph,
    *,
    rows: int = 0,
    target: Target = NUMPY,
    sizes: Mapping[str, int] | None = None,
    watch: Watch | None = None,
) -> Plan:
    """The plan of a graph whose sizes are numbers but for N, which is at most `rows` (0: no N).

    `sizes` gives numbers to other names first. Raises NotAffine where one plan cannot serve every count; then N must
    stand among `sizes`. `watch` is told the name of each pass, what it made, and the seconds it took.
    """
    return compile_stages(graph, rows=rows, target=target, sizes=sizes, watch=watch).plan


@without_collection()
def compile_stages(
    graph: Graph,
    *,
    rows: int = 0,
    target: Target = NUMPY,
    sizes: Mapping[str, int] | None = None,
    watch: Watch | None = None,
) -> Stages:
    """As `compile_graph`, with what lies between. The plan has one note for each call of the schedule, in order."""
    if sizes:
        graph = bind(graph, sizes)
    bare = run(graph, graph_passes(target), watch)
    schedule = run(group(bare, target.row, strided=target.name != "cupy"), schedule_passes(target, rows), watch)
    return Stages(bare, schedule, PLANS[target.name](schedule, target, rows))


def _numpy(schedule: Schedule, target: Target, rows: int) -> Plan:
    return lay_out(place_values(emit(schedule, RULES), max(rows, 1)), rows)


def _native(schedule: Schedule, target: Target, rows: int) -> Plan:
    from .native.plan import plan_of  # thirty modules that NumPy does without

    return plan_of(schedule, target, rows)


def _cupy(schedule: Schedule, target: Target, rows: int) -> Plan:
    from .cuda.plan import plan_of

    return plan_of(schedule, rows, tf32=target.tf32)


PLANS: dict[str, Callable[[Schedule, Target, int], Plan]] = {"numpy": _numpy, "native": _native, "cupy": _cupy}
