"""`axonc gradcheck`: the gradients of a spec's whole loss -> a table of how far finite differences agree."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .options import allow_option, examples, machine_option, set_option, size_option

if TYPE_CHECKING:
    from ..compiler.finite_differences import Agreement
    from ..program import Program

FREE = 3  # the number of a dimension that neither data nor the command line give


@click.command(epilog=examples("axonc gradcheck net.axon", "axonc gradcheck net.axon --samples 8 --set hidden=5"))
@click.argument("spec")
@click.option(
    "--samples", type=click.IntRange(1), default=4, show_default=True, help="How many samples the loss is taken over."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of weights, data and directions.")
@set_option
@allow_option
@size_option
@machine_option
def command(
    spec: str,
    samples: int,
    seed: int,
    overrides: dict[str, str],
    allowed: tuple[str, ...],
    sizes: dict[str, int],
    machine: bool,
) -> int:
    """Compare gradients with finite differences of the loss.

    For each weight that is trained, the derivative of the loss along a random direction is taken twice: from the
    graph of gradients, and from the loss a little to both sides. Everything is computed in f64 by the definition of
    each operation, on the first samples of the spec's data, or on random ones where there are none. The exit code
    is 1 if any weight disagrees.
    """
    from ..compiler.finite_differences import agreements
    from ..program import Program
    from ..specification import check
    from .failure import SPEC, WELL

    specification = check(spec, overrides=overrides, sizes=sizes, allowed=allowed)
    free = _free_sizes(specification.phases.gradients)
    if free:
        bound = {**sizes, **dict.fromkeys(free, FREE)}
        specification = check(spec, overrides=overrides, sizes=bound, allowed=allowed)
    program = Program(specification, seed=seed)
    data, origin = _data(program, samples, seed)
    inputs = {**_memory(program), **data}
    found = list(agreements(specification.phases, inputs, seed=seed))
    show = _print_json if machine else _print_table
    show(program, found, origin, dict.fromkeys(free, FREE))
    return WELL if all(a.agrees for a in found) else SPEC


def _free_sizes(graph: Any) -> list[str]:
    from .plan import free_sizes

    return free_sizes(graph)


def _data(program: Program, samples: int, seed: int) -> tuple[Mapping[str, Any], str]:
    """A batch, and where it is from: the spec's data if they are there, else random numbers of the right ranges."""
    from ..compiler.finite_differences import random_data
    from ..recipes import index_entries

    specification = program.specification
    graph = specification.phases.gradients
    if specification.recipe is not None and specification.problem is None:
        from ..training import dataset

        batch = next(iter(dataset(program).batches("train", epoch=1, seed=seed)))
        return {n: a[:samples] for n, a in batch.items()}, "the first samples of the data"
    from .plan import batch_of

    known = {n: c for phase in specification.phases.traced.values() for n, c in index_entries(phase).items()}
    return random_data(graph, {batch_of(graph): samples}, known, seed=seed), "random data"


def _memory(program: Program) -> Mapping[str, Any]:
    """Ranges of weights, states and controls, as the graph of gradients takes them."""
    import numpy as np

    from ..compiler.finite_differences import controls

    weights = program.parameters
    flat = {
        r.name: np.concatenate([weights[p.name].reshape(-1) for p in r.pieces]) for r in program.specification.ranges
    }
    return {**flat, **program.states, **controls(program.specification.phases.gradients, program.seed)}


def _print_table(program: Program, found: list[Agreement], origin: str, free: Mapping[str, int]) -> None:
    from ..spec.render import escape
    from . import screen

    colour = screen.is_colourful(sys.stdout)
    given = "".join(f", {name} = {number}" for name, number in free.items())
    click.echo(
        escape(f"{program.specification.name}: derivatives of the loss along random directions, {origin}{given}")
    )
    rows = [
        (a.parameter, f"{a.size:,}", f"{a.derivative:.6g}", f"{a.difference:.6g}", f"{a.error:.1e}", _verdict(a))
        for a in found
    ]
    head = ("weight", "size", "gradient", "difference", "relative error", "")
    for line, each in zip(screen.table(head, rows), [None, *found], strict=True):
        style = "dim" if each is None else "good" if each.agrees else "bad"
        click.echo(screen.painted(line, style, colour=colour) if each is None or not each.agrees else line)
    wrong = sum(not a.agrees for a in found)
    click.echo(f"{wrong} of {len(found)} weights disagree" if wrong else f"all {len(found)} weights agree")
    if wrong and _is_cut(program):
        click.echo("the spec uses stop_gradient, which finite differences do not see")


def _verdict(a: Agreement) -> str:
    return "agrees" if a.agrees else "DIFFERS"


def _is_cut(program: Program) -> bool:
    return any(n.op.word == "stop_gradient" for n in program.specification.phases.gradients.nodes)


def _print_json(program: Program, found: list[Agreement], origin: str, free: Mapping[str, int]) -> None:
    from .failure import print_json

    weights = [
        {
            "name": a.parameter,
            "size": a.size,
            "gradient": a.derivative,
            "difference": a.difference,
            "error": a.error,
            "agrees": a.agrees,
        }
        for a in found
    ]
    ok = all(a.agrees for a in found)
    print_json({"ok": ok, "name": program.specification.name, "data": origin, "sizes": dict(free), "weights": weights})
