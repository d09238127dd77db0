"""`axonc evaluate`: the model of a run and its data -> losses and metrics of one part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import backend_options, chosen_backend, examples, machine_option

if TYPE_CHECKING:
    from ..backends import Backend
    from ..program import Program


@click.command(
    epilog=examples(
        "axonc evaluate runs/digits-1",
        "axonc evaluate runs/digits-1 --part validation --json",
        "axonc evaluate runs/digits-1 --data ~/moved",
    )
)
@click.argument("run")
@click.option("--part", type=click.Choice(("train", "validation", "test")), help="Default: test, if there is one.")
@click.option(
    "--data", type=click.Path(file_okay=False), help="The folder that the data file is in now, if it was moved."
)
@backend_options
@machine_option
def command(
    run: str, part: str | None, data: str | None, backend: str | None, threads: int | None, machine: bool
) -> None:
    """Measure the best model of a run on one part of its data.

    RUN is the folder of a training. The losses and metrics are those of the spec, over the whole part; the parts are
    divided as in training.
    """
    from ..runtime.metrics import Totals
    from ..training import dataset
    from .failure import finite, print_json

    program = _program(Path(run), Path(data) if data else None, chosen_backend(backend, threads))
    found = dataset(program)
    chosen = part or next(name for name in ("test", "validation", "train") if name in found.parts)
    if chosen not in found.parts:
        raise click.UsageError(f"the data have no part {chosen!r}; they have {', '.join(found.parts)}")
    totals = Totals()
    for number, batch in enumerate(found.batches(chosen)):
        totals.add(program.evaluate_batch(batch, number))
    values = totals.finish()
    tables = {"tables": found_tables} if (found_tables := totals.tables()) else {}
    count = found.parts[chosen].count
    name = program.specification.name
    if machine:
        print_json(finite({"ok": True, "name": name, "part": chosen, "samples": count, "metrics": values, **tables}))
        return
    _show(name, chosen, count, values)
    _show_tables(totals.tables())


def _show(name: str, part: str, count: int, values: dict[str, float]) -> None:
    from ..spec.render import escape
    from .screen import table

    click.echo(escape(f"{name}: {count:,} samples of the {part} part"))
    for line in table(("", ""), [(metric, f"{value:.6g}") for metric, value in values.items()])[1:]:
        click.echo(line)


def _show_tables(tables: dict[str, list[list[int]]]) -> None:
    from .screen import table

    for name, rows in tables.items():
        click.echo(f"{name}: a row for each class, a column for what it was called")
        headings = ("", *map(str, range(len(rows))))
        for line in table(headings, [(str(i), *map(str, row)) for i, row in enumerate(rows)]):
            click.echo(line)


def _program(run: Path, data: Path | None, backend: Backend | None) -> Program:
    """The program of a run with its best weights."""
    from ..runtime import archive
    from .saved import program_of, weights_file

    program = program_of(run, data, backend)
    program.restore(archive.read(weights_file(run))[0])
    return program
