"""A program and the data of its spec to a trained program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from .compiler.training import schedules
from .compiler.training.settings import Training
from .program import Program
from .runtime.data.dataset import Dataset, load
from .runtime.errors import InputError
from .runtime.run import RunFolder
from .runtime.trainer import History, Observer, Plateau, Settings, Stop
from .runtime.trainer import fit as run_training
from .saving import metadata

MakeFolder = Callable[[Mapping[str, str]], RunFolder]


def dataset(program: Program) -> Dataset:
    """The data of the spec, read and prepared. Raises DataError where they are at fault."""
    recipe = program.specification.recipe
    if recipe is None:
        advice = "add a `data` section, or call train_step with batches of your own"
        raise InputError("no-data", "the spec has no data to train on", advice)
    return load(recipe, program.specification.folder, allowed=program.specification.allowed)


def fit(
    program: Program, *, folder: MakeFolder | None = None, observer: Observer | None = None, resume: bool = False
) -> History:
    """Trains as the spec's `train` section says; `folder` makes the folder of the run, given the texts of its files.

    With `resume` it opens that of an earlier run, which is gone on with: the result is that of a run never interrupted.
    Raises DataError, Diverged, and KeyboardInterrupt after the step under way was finished and written.
    """
    data = program.data = dataset(program)
    settings = program.specification.training
    run = folder(metadata(program, data)) if folder else None
    wanted = Settings(
        epochs=None if settings.steps else settings.epochs,
        steps=settings.steps or None,
        stop=Stop(settings.monitor, settings.patience) if settings.patience else None,
        plateau=_plateau(settings),
        seed=program.seed,
    )
    try:
        if run and not resume:
            _describe(program, run)
        return run_training(program, data, wanted, run=run, observer=observer, resume=resume)
    finally:
        if run:
            run.close()


def _plateau(settings: Training) -> Plateau | None:
    """What the training loop is to watch where the schedule leaves that to it."""
    match settings.schedule:
        case schedules.Plateau(gamma, patience, low):
            return Plateau(gamma, patience, low)
        case _:
            return None


def _describe(program: Program, run: RunFolder) -> None:
    from . import __version__
    from .spec.write_axon import write

    specification = program.specification
    assert specification.recipe is not None
    data = specification.folder / specification.recipe.source
    name, threads = program.backend.name, program.backend.target.threads
    text = write(specification.rendered)
    run.describe(
        text,
        version=__version__,
        seed=program.seed,
        data=data,
        allowed=specification.allowed,
        backend=name,
        threads=threads,
    )


def folder_again(path: Path) -> MakeFolder:
    """Opens the folder of an earlier run."""
    return lambda texts: RunFolder.reopen(path, texts)


def folder_at(out: Path | None, name: str) -> MakeFolder:
    """Makes the folder `out`, or the next free one below `runs`."""
    if out is None:
        return lambda texts: RunFolder.numbered(Path("runs"), name, texts)
    return lambda texts: RunFolder.new(out, texts)
