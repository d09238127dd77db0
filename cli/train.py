"""`axonc train`: a spec -> a trained model in a folder of its own, its progress on the way."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import allow_option, backend_options, chosen_backend, examples, machine_option, set_option

if TYPE_CHECKING:
    from ..backends import Backend
    from ..program import Program
    from ..runtime.run import RunFolder
    from ..runtime.trainer import History
    from ..specification import Specification


@click.command(
    epilog=examples(
        "axonc train digits.axon",
        "axonc train digits.axon --set hidden=128 --seed 3 --out runs/wide",
        "axonc train digits.axon --quiet --json",
        "axonc train runs/digits-1 --resume",
    )
)
@click.argument("spec")
@set_option
@allow_option
@click.option("--seed", type=click.IntRange(0), help="Of first weights, dropout and the order of samples.")
@click.option("--out", type=click.Path(), help="A new folder for the run; default: the next free one in runs/.")
@backend_options
@click.option("--resume", is_flag=True, help="SPEC is the folder of a run that ended early: go on with it.")
@click.option("--quiet", is_flag=True, help="No progress, only how it ended.")
@machine_option
def command(
    spec: str,
    overrides: dict[str, str],
    allowed: tuple[str, ...],
    seed: int | None,
    out: str | None,
    backend: str | None,
    threads: int | None,
    resume: bool,
    quiet: bool,
    machine: bool,
) -> None:
    """Train what a spec describes, on the data that it names.

    The folder of the run keeps the spec, what it ran on, the metrics line by line, the best weights and the last.
    Ctrl-C ends the training after the step under way; what was reached is in the folder. Two runs with the same spec,
    data and seed on the same machine give the same weights.
    """
    from .. import backends
    from ..training import fit

    if resume and (overrides or allowed or seed is not None or out or backend or threads):
        others = "--set, --allow, --seed, --out, --backend and --threads"
        raise click.UsageError(f"a run goes on as it began: --resume goes without {others}")
    chosen = chosen_backend(backend, threads) or backends.NUMPY
    program, folder = _again(Path(spec)) if resume else _new(spec, overrides, allowed, seed, out, chosen)
    progress = _observer(program, shown=not quiet and not machine)
    if not quiet and not machine:
        _announce(program.specification, program)
    try:
        with progress:
            history = fit(program, folder=folder, observer=progress, resume=resume)
    except KeyboardInterrupt:
        if folder.path is not None:
            advice = f"go on with `axonc train {folder.path} --resume`"
            click.echo(f"what was reached is in {folder.path}; {advice}", err=True)
        raise
    assert folder.path is not None
    (_print_json if machine else _conclude)(program, history, folder.path)


def _new(
    spec: str,
    overrides: dict[str, str],
    allowed: tuple[str, ...],
    seed: int | None,
    out: str | None,
    backend: Backend,
) -> tuple[Program, _Folder]:
    """The program of a spec, and a new folder."""
    from ..program import Program
    from ..specification import check
    from ..training import folder_at

    specification = check(spec, overrides=overrides, allowed=allowed)
    if specification.problem is not None:
        raise specification.problem
    program = Program(specification, seed=seed, backend=backend)
    return program, _Folder(folder_at(Path(out) if out else None, specification.name))


def _again(run: Path) -> tuple[Program, _Folder]:
    """The program of a run, and its folder."""
    from ..training import folder_again
    from .saved import program_of

    return program_of(run), _Folder(folder_again(run))


class _Folder:
    """Makes the folder of the run when its time has come, and remembers where it is."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self.path: Path | None = None

    def __call__(self, texts: Mapping[str, str]) -> RunFolder:
        made: RunFolder = self._make(texts)
        self.path = made.path
        return made


def _observer(program: Program, *, shown: bool) -> Any:
    """Whoever shows the progress: a bar on a terminal, lines elsewhere, or nobody."""
    from . import train_progress as progress
    from .screen import is_terminal

    if not shown:
        return progress.Silent()
    return progress.Bar(program) if is_terminal(sys.stderr) else progress.Lines(program)


def _announce(specification: Specification, program: Program) -> None:
    from ..spec.render import escape
    from .check import summary
    from .failure import show

    show(specification.warnings)
    click.echo(escape(summary(specification)))
    click.echo(f"optimizer {_optimizer(specification)}, seed {program.seed}")
    click.echo()


def _optimizer(specification: Specification) -> str:
    """`adam(rate=0.001, beta1=0.9, …)`, as it is after defaults."""
    optimizer = specification.training.optimizer
    settings = ", ".join(f"{name}={value:g}" for name, value in vars(optimizer).items())
    return f"{type(optimizer).__name__.lower()}({settings})"


def _conclude(program: Program, history: History, path: Path) -> None:
    """How it ended, what the test part says, and where the model is."""
    from ..spec.render import escape
    from .saved import weights_file

    why = {"epochs": "all epochs done", "steps": "all steps done", "stop": "it got no better"}[history.ended]
    best = f", best epoch {history.best}" if history.best is not None else ""
    click.echo(f"\nended: {why}{best}")
    if history.test:
        kept = program.specification.training.patience or history.best == len(history.epochs)
        weights = "" if kept else ", with the last weights"
        values = ", ".join(f"{name} {value:.4g}" for name, value in history.test.items())
        click.echo(escape(f"test{weights}: {values}"))
    click.echo(escape(f"model: {weights_file(path)}"))
    for note in _notes(program, history, path):
        click.echo(escape(f"note: {note}"))


def _notes(program: Program, history: History, path: Path) -> Iterator[str]:
    """What is worth a second look: metrics that nobody measured, a loss that went up."""
    if program.specification.model.metrics and not history.test and not history.epochs[-1].validation:
        yield f"metrics are measured on a validation or test part; for those of the train part: axonc evaluate {path}"
    losses = [epoch.train["loss"] for epoch in history.epochs]
    least, last = min(losses), losses[-1]
    if last > 2 * least > 0 and last - least > (losses[0] - least) / 10:
        after = losses.index(least) + 1
        yield f"the training loss rose from {least:.4g} in epoch {after} to {last:.4g}: lower the learning rate"


def _print_json(program: Program, history: History, path: Path) -> None:
    from dataclasses import asdict

    from .failure import finite, print_json
    from .saved import weights_file

    print_json(
        finite(
            {
                "ok": True,
                "name": program.specification.name,
                "seed": program.seed,
                "folder": str(path),
                "model": str(weights_file(path)),
                "ended": history.ended,
                "best": history.best,
                "test": dict(history.test),
                "epochs": [asdict(epoch) for epoch in history.epochs],
            }
        )
    )
