"""A saved model: its weights and the plan of predict, run with NumPy alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from . import archive
from .codec import from_json
from .errors import FileError, InputError
from .machine import Machine, as_arrays, check_array, dtype_name
from .operands import need
from .philox import key_of
from .plan import COUNT, Affine, Plan
from .verifier import have_inputs, verified

if TYPE_CHECKING:
    from .generation.request import Prompt
    from .generation.saved import SavedWriter
    from .generation.vocabulary import Vocabulary
    from .generation.writing import Written

FORMAT = "1"
AVERAGE = "average/"  # stands before the name of a weight where the file holds its average besides


def load(path: str | Path) -> Model:
    """The model in a file that `Program.save` or a training run wrote. Raises FileError where it is none."""
    path = Path(path)
    if path.is_dir():
        path = path / "best.safetensors"
    arrays, texts = archive.read(path)
    if texts.get("axonc") != FORMAT or "plan" not in texts:
        problem = "holds no model that this version can run"
        raise FileError("no-model", problem, "save one with `Program.save` or `axonc train`", path=path)
    try:
        facts = json.loads(texts["model"])
        data = json.loads(texts["data"]) if "data" in texts else None
        writing = {name: text for name, text in texts.items() if name.partition(".")[0] == "generate"}
        plan = verified(from_json(texts["plan"]))
        _check_facts(facts, plan)
        return Model(plan, _memory(facts, arrays), facts, data, writing)
    except (ValueError, TypeError, LookupError, AttributeError) as fault:
        raise FileError("bad-model", f"is damaged: {fault}", "save it again", path=path) from None


def _check_facts(facts: Mapping[str, Any], plan: Plan) -> None:
    """Refuses facts that do not fit the plan, which `Model` takes for granted."""
    samples = Affine(0, ((COUNT, 1),))
    have_inputs(plan, {name: (dtype, tuple(shape)) for name, dtype, shape in facts["inputs"]})
    need(facts["outputs"] == [port.name for port in plan.results], "the outputs of the plan", facts["outputs"])
    shapes = [port.view.shape for port in plan.results]
    apart = all(shape and shape[0] == samples for shape in shapes)
    need(apart or facts["independent"] is False, "samples in each output", shapes)
    need(type(facts.get("seed", 0)) is int, "a seed", facts.get("seed"))


def _memory(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The flat arrays that the plan names, from the weights and states by name."""
    memory = {}
    for name, dtype, total, pieces in facts["ranges"]:
        flat = memory[name] = np.zeros(total, dtype_name(dtype))
        for piece, offset, shape in pieces:
            array = arrays[piece]
            if list(array.shape) != shape:
                raise ValueError(f"weight {piece} has shape {list(array.shape)}, expected {shape}")
            flat[offset : offset + array.size] = array.reshape(-1)
    for name in facts["states"]:
        memory[name] = arrays[name].reshape(-1)
    return memory


class Model:
    """Something to call: `model({"image": pixels})` gives the outputs by name.

    Any number of samples is well; where samples are independent they are run at most `rows` at a time. Calls from
    several threads wait for each other; `clone` gives one more that shares the weights and runs beside this one.
    """

    def __init__(
        self,
        plan: Plan,
        memory: dict[str, np.ndarray],
        facts: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
        writing: Mapping[str, str] | None = None,
    ) -> None:
        self._plan = plan
        self._memory = memory
        self._machine = Machine(plan, memory)
        self._lock = Lock()
        self.facts = facts
        self._data = data
        self._writing = writing or {}

    @property
    def inputs(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """The dtype and the shape of one sample of each input."""
        return {n: (dtype, tuple(shape)) for n, dtype, shape in self.facts["inputs"]}

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The weights by name, as views of what the model computes with."""
        found = {}
        for name, _, _, pieces in self.facts["ranges"]:
            for piece, offset, shape in pieces:
                found[piece.removeprefix(AVERAGE)] = self._memory[name][offset : offset + int(np.prod(shape))].reshape(
                    shape
                )
        return found

    def clone(self) -> Model:
        """A model with the same weights and memory of its own for what lies between."""
        return Model(self._plan, self._memory, self.facts, self._data, self._writing)

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is copied and pickled, for other processes."""
        return Model, (self._plan, self._memory, self.facts, self._data, self._writing)

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The outputs for any number of samples. Raises InputError for arrays that the model does not take."""
        arrays = as_arrays(inputs)
        count, rows = self._count(arrays), self._plan.rows or 1
        if count > rows and not self.facts["independent"]:
            raise InputError(
                "too-many-rows", f"this model mixes samples and takes at most {rows} at once, found {count}"
            )
        with self._lock:
            parts = [
                self._machine.run(_rows(arrays, start, start + rows) | self._controls(piece), min(rows, count - start))
                for piece, start in enumerate(range(0, count, rows))
            ]
        return {n: np.concatenate([p[n] for p in parts]) if len(parts) > 1 else parts[0][n] for n in parts[0]}

    def _controls(self, piece: int) -> dict[str, Any]:
        """What a piece of the samples draws by: as in a Program of the same seed and batch."""
        values = {"key": np.array(key_of(self.facts.get("seed", 0)), np.uint32), "step": np.int64(piece)}
        asked = {place.name for place in self._plan.inputs}
        return {name: value for name, value in values.items() if name in asked}

    def predict(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The same as calling it, under the name that a Program has for it."""
        return self(inputs)

    def generate(
        self,
        prompts: Sequence[Prompt] = (),
        inputs: Mapping[str, Any] | None = None,
        *,
        count: int = 1,
        limit: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        beam: int | None = None,
        seed: int | None = None,
    ) -> list[Written]:
        """Texts as the spec's `generate` section says, `count` for each sample: as `Program.generate`."""
        from .generation.request import Request

        asked = {"limit": limit, "temperature": temperature, "top_k": top_k, "top_p": top_p, "beam": beam}
        request = Request.of(prompts, inputs, count, self._writer.seed if seed is None else seed, asked)
        with self._lock:
            return self._writer.texts(request, self.vocabulary)

    @property
    def grown(self) -> str:
        """The input that grows when the model writes. Raises InputError where it does not."""
        return self._writer.grown

    @cached_property
    def _writer(self) -> SavedWriter:
        from .generation.saved import SavedWriter

        if not self._writing:
            raise InputError("no-generation", "the spec of this model does not say how it writes")
        try:
            return SavedWriter(self._writing, self._memory)
        except (ValueError, TypeError, LookupError, AttributeError) as fault:
            raise InputError("bad-model", f"what lets the model write is damaged: {fault}", "save it again") from None

    @cached_property
    def vocabulary(self) -> Vocabulary | None:
        """What the data section makes of the texts that the model writes; None where its tokens are no texts."""
        from .data.recipe import from_json as recipe_from_json
        from .generation.vocabulary import vocabulary

        if self._data is None:
            return None
        return vocabulary(recipe_from_json(self._data["recipe"]), self._data["learned"], self.grown)

    def prepare(self, data: str | Path | Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The inputs of samples as data has them, a file or arrays by column, prepared as in training.

        Raises DataError or FileError for what is at fault, and InputError where the model was trained without data.
        """
        from .data.inputs import read_inputs
        from .data.recipe import from_json as recipe_from_json

        if self._data is None:
            raise InputError("no-data", "this model was not trained on a `data` section", "call it with its inputs")
        source = Path(data) if isinstance(data, str | Path) else {n: np.asarray(a) for n, a in data.items()}
        found = read_inputs(recipe_from_json(self._data["recipe"]), self._data["learned"], source)
        return {name: found[name] for name in self.inputs}

    def _count(self, arrays: Mapping[str, np.ndarray]) -> int:
        counts = set()
        for name, (dtype, shape) in self.inputs.items():
            if name not in arrays:
                raise InputError(
                    "missing-input", f"input `{name}` is missing", f"it is {dtype}{list(shape)} for each sample"
                )
            check_array(name, arrays[name], dtype, shape)
            counts.add(len(arrays[name]))
        unknown = next((n for n in arrays if n not in self.inputs), None)
        if unknown is not None:
            advice = f"its inputs are {', '.join(self.inputs)}"
            raise InputError("unknown-input", f"the model has no input `{unknown}`", advice)
        if len(counts) != 1:
            found = ", ".join(map(str, sorted(counts)))
            raise InputError("uneven-inputs", f"inputs must have the same number of samples, found {found}")
        if counts == {0}:
            raise InputError("no-samples", "the inputs have no samples", "give at least one row")
        return counts.pop()


def _rows(arrays: Mapping[str, np.ndarray], start: int, stop: int) -> dict[str, np.ndarray]:
    return {n: a[start:stop] for n, a in arrays.items()}
