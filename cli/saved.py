"""A run's folder or a model file -> what was saved there: the model, how its data are prepared, the spec."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiler.ir.graph import DATA, TARGET
from ..runtime import archive
from ..runtime.data.recipe import Recipe, from_json
from ..runtime.errors import FileError
from ..runtime.run import FACTS, SPEC, digest

if TYPE_CHECKING:
    from ..backends import Backend
    from ..program import Program
    from ..specification import Specification

BEST, LAST = "best.safetensors", "last.safetensors"


@dataclass(frozen=True)
class Preparation:
    """How the data of a model are prepared: the recipe, and what was learned from the training part."""

    recipe: Recipe
    learned: dict[str, Any]


def weights_file(path: Path) -> Path:
    """The weights of a run: the best, or the last where no epoch was judged; a file is itself."""
    if not path.exists():
        raise FileError("no-such-file", "does not exist", "give the folder of a run, or a model file", path=path)
    if not path.is_dir():
        return path
    found = next((path / name for name in (BEST, LAST) if (path / name).exists()), None)
    if found is None:
        raise FileError("no-model", "holds no weights of a run", "`axonc train` makes such folders", path=path)
    return found


def preparation(weights: Path) -> Preparation:
    """How the model in a file wants its data. Raises FileError where it does not say."""
    texts = archive.read(weights)[1]
    if "data" not in texts:
        problem = "says nothing of data, since the model was not trained on a `data` section"
        raise FileError("no-data", problem, "call it from Python with arrays", path=weights)
    try:
        found = json.loads(texts["data"])
        return Preparation(from_json(found["recipe"]), found["learned"])
    except (ValueError, KeyError, TypeError) as fault:
        raise FileError("bad-model", f"is damaged: {fault}", path=weights) from None


def program_of(run: Path, data: Path | None = None, backend: Backend | None = None) -> Program:
    """What was trained into a run's folder, with first weights, on the backend of the training if none is given.

    `data` is where the data file lies now, if it was moved. Raises FileError where it is another file.
    """
    from .. import backends
    from ..program import Program
    from ..specification import check

    _check_run(run)
    facts = json.loads((run / FACTS).read_text(encoding="utf-8"))
    specification = check(run / SPEC, folder=data or _home(run, facts), allowed=facts.get("allowed", ()))
    if specification.problem is not None:
        raise specification.problem
    _check_data(specification, facts["data"]["sha256"])
    backend = backend or backends.backend(facts.get("backend", "numpy"), threads=facts.get("threads"))
    return Program(specification, seed=facts["seed"], backend=backend)


def trained(run: Path, backend: Backend | None = None) -> Program:
    """What was trained into a run's folder, with its best weights, on a backend, NumPy if none is given; its data need
    not be there any more."""

    from .. import backends
    from ..compiler.ir.evaluate import read_shape
    from ..compiler.trace.model import declare
    from ..program import Program
    from ..spec.load import load
    from ..spec.record import replace
    from ..specification import check_model

    _check_run(run)
    weights = weights_file(run)
    model, learned = load(run / SPEC), preparation(weights).learned
    sizes: dict[str, int] = {}
    for name, node in declare(model)[0].b.graph({}).named_inputs(DATA, TARGET).items():
        if name in learned:
            sizes |= read_shape(node.shape[1:], tuple(learned[name]["shape"]))
    specification = check_model(model, run, sizes=sizes)
    facts = json.loads((run / FACTS).read_text(encoding="utf-8"))
    program = Program(replace(specification, origins={}), seed=facts["seed"], backend=backend or backends.NUMPY)
    program.restore(archive.read(weights)[0])
    return program


def needs_folder(path: Path, backend: Backend | None) -> None:
    """Refuses native code for a model file, which holds a plan for NumPy alone."""
    if backend is not None and backend.name == "native" and path.is_file():
        problem = "is a model file, which runs on NumPy"
        raise FileError("no-run", problem, "give the folder of the training for native code", path=path)


def _check_run(run: Path) -> None:
    if not (run / SPEC).exists() or not (run / FACTS).exists():
        raise FileError("no-run", "is no folder of a run", "`axonc train` makes such folders", path=run)


def _check_data(specification: Specification, sha256: str) -> None:
    """Refuses other rows than those of the training: they would be divided anew, some of the trained into the test."""
    assert specification.recipe is not None
    file = specification.folder / specification.recipe.source
    if digest(file) != sha256:
        problem = "is not the file that was trained on, so its rows would be divided into other parts"
        advice = "train again, or look at new rows with `axonc predict`"
        raise FileError("data-changed", problem, advice, path=file)


def _home(run: Path, facts: dict[str, Any]) -> Path:
    """The folder of the spec that was trained: where its data file lies, less the path that the spec gives it."""
    source, file = Path(preparation(weights_file(run)).recipe.source), Path(facts["data"]["file"])
    return file.parent if source.is_absolute() else file.parents[len(source.parts) - 1]
