"""`axonc predict`: a trained model and new data -> a file of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import backend_options, chosen_backend, examples

if TYPE_CHECKING:
    import numpy as np

    from ..backends import Backend
    from .saved import Preparation


@click.command(
    epilog=examples(
        "axonc predict runs/iris-1 --input new.csv --output predictions.csv",
        "axonc predict model.safetensors --input new.npz --output predictions.npz",
    )
)
@click.argument("run")
@click.option(
    "--input", "source", required=True, metavar="FILE", help="New data: csv, tsv, npz, txt, or a folder of images."
)
@click.option("--output", "target", required=True, metavar="FILE", help="Where predictions go: csv, tsv or npz.")
@backend_options
def command(run: str, source: str, target: str, backend: str | None, threads: int | None) -> None:
    """Predict with a trained model.

    RUN is the folder of a training, or a model file. The new data have the columns that the model was trained on, in
    any order; targets may be missing. They are prepared as in training. An output that is called like a target, or
    like its column, is written as it stands in data: names of classes, numbers in their own units. Where the new data
    are a folder of images, a column `file` says of which each prediction is.
    """
    from ..runtime.data.inputs import read_inputs, write_outputs
    from ..spec.render import escape
    from .saved import preparation, weights_file

    if Path(source).exists() and Path(target).exists() and Path(target).samefile(source):
        raise click.BadParameter("it is the input, which would be lost", param_hint="--output")
    weights = weights_file(Path(run))
    prepared = preparation(weights)
    inputs = read_inputs(prepared.recipe, prepared.learned, Path(source))
    outputs = _outputs(Path(run), weights, inputs, chosen_backend(backend, threads))
    readable = {name: _readable(prepared, name, array) for name, array in outputs.items()}
    write_outputs(Path(target), _files(Path(source)) | readable)
    count = len(next(iter(readable.values())))
    noun = "prediction" if count == 1 else "predictions"
    click.echo(escape(f"{count:,} {noun} of {', '.join(readable)} in {target}"))


def _files(source: Path) -> dict[str, np.ndarray]:
    """The column that says of which image a prediction is, where the data are a folder of them."""
    import numpy as np

    from ..runtime.data.folder import files

    if not source.is_dir():
        return {}
    return {"file": np.array([str(file.relative_to(source)) for file in files(source)])}


def _outputs(run: Path, weights: Path, inputs: dict[str, np.ndarray], backend: Backend | None) -> dict[str, np.ndarray]:
    """What the model makes of inputs: the saved one, which needs no compiler, or one compiled for native code."""
    from ..runtime.model import load
    from .saved import needs_folder, trained

    needs_folder(run, backend)
    if backend is not None and backend.name == "native":
        return trained(run, backend).predict(inputs)
    model = load(weights)
    return model({name: inputs[name] for name in model.inputs})


def _readable(prepared: Preparation, name: str, array: np.ndarray) -> np.ndarray:
    """An output as its target stands in data, where it is one and there is a way back."""
    from ..runtime.data.inputs import invert

    binding = _target(prepared.recipe, prepared.learned, name)
    if binding is None or not _same_kind(prepared.learned[binding], array):
        return array
    found = invert(prepared.recipe, prepared.learned, binding, array)
    return array if found is None else found


def _target(recipe: Any, learned: Mapping[str, Any], name: str) -> str | None:
    """The target that an output predicts: the one of its name, or the one whose only column has its name."""
    targets = [b.name for b in recipe.bindings if b.target]
    by_column = [t for t in targets if list(learned[t]["columns"]) == [name]]
    return name if name in targets else by_column[0] if by_column else None


def _same_kind(lesson: Mapping[str, Any], array: np.ndarray) -> bool:
    """Whether an output has whole numbers where the target has (classes), or fractions where it has."""
    return (array.dtype.kind in "iu") == (str(lesson["dtype"])[0] in "iu")
