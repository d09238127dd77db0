"""A program and the data of its spec to a trained program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from .program import Program
from .runtime.data.dataset import Dataset, load
from .runtime.errors import InputError
from .runtime.run import RunFolder
from .runtime.trainer import History, Observer, Settings, Stop
from .runtime.trainer import fit as run_training
from .saving import metadata

MakeFolder = Callable[[Mapping[str, str]], RunFolder]


def dataset(program: Program) -> Dataset:
    """The data of the spec, read and prepared. Raises DataError where they are at fault."""
    recipe = program.specification.recipe
    if recipe is None:
        advice = "add a `data` section, or call train_step with batches of your own"
        raise InputError("no-data", "the spec has no data to train on", advice)
    return load(recipe, program.specification.folder)


def fit(program: Program, *, folder: MakeFolder | None = None, observer: Observer | None = None) -> History:
    """Trains as the spec's `train` section says; `folder` makes the folder of the run, given the texts of its files.

    Raises DataError, Diverged, and KeyboardInterrupt after the step under way was finished and written.
    """
    data = program.data = dataset(program)
    settings = program.specification.training
    run = folder(metadata(program, data)) if folder else None
    wanted = Settings(
        epochs=None if settings.steps else settings.epochs,
        steps=settings.steps or None,
        stop=Stop(settings.monitor, settings.patience) if settings.patience else None,
        seed=program.seed,
    )
    try:
        if run:
            _describe(program, run)
        return run_training(program, data, wanted, run=run, observer=observer)
    finally:
        if run:
            run.close()


def _describe(program: Program, run: RunFolder) -> None:
    from . import __version__
    from .spec.write_axon import write

    specification = program.specification
    assert specification.recipe is not None
    data = specification.folder / specification.recipe.source
    run.describe(write(specification.rendered), version=__version__, seed=program.seed, data=data)


def folder_at(out: Path | None, name: str) -> MakeFolder:
    """Makes the folder `out`, or the next free one below `runs`."""
    if out is None:
        return lambda texts: RunFolder.numbered(Path("runs"), name, texts)
    return lambda texts: RunFolder.new(out, texts)
