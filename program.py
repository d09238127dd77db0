"""A spec as something that runs: weights in memory, one plan for each phase and binding of sizes, made when needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from . import backends
from .backends import Backend
from .machines import Machines, Ready, Route, even, samples
from .plans import Origin
from .runtime.errors import OutOfMemory
from .runtime.machine import Memory, as_arrays, put
from .runtime.native.errors import NotNative
from .runtime.outline import views
from .runtime.philox import key_of
from .start import Start, start, start_of, whole

if TYPE_CHECKING:
    from .compiler.ir.graph import Graph
    from .generation import Prompt
    from .runtime.data.dataset import Dataset
    from .runtime.generation.stepper import Stepper
    from .runtime.generation.writing import Written
    from .runtime.metrics import Accumulation
    from .runtime.trainer import History, Observer
    from .specification import Specification

Arrays = Mapping[str, np.ndarray]
ROUTES = 32  # shapes of batches that are remembered


def compile(  # noqa: A001 - the public name is the verb of the field
    spec: str | Path,
    *,
    backend: str = "numpy",
    threads: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    allowed: Sequence[str | Path] = (),
) -> Program:
    """The program of a spec: a path, or the text itself.

    `backend` is 'numpy', 'native' for generated C on so many `threads`, or 'cupy' for an NVIDIA GPU. Where no C
    compiler works, NumPy runs, and `Program.backend.note` says why. `overrides` replace constants of the spec; `sizes`
    give numbers to dimensions that no data binds. Files are read from the folder of the spec and from those that are
    `allowed`. What was compiled once is kept, and found again while neither the spec nor this package changes.
    Raises SpecError with every mistake in the spec, and InputError where the data that it names are at fault.
    """
    chosen = backends.chosen(backend, threads=threads)
    origin = Origin(spec, overrides or {}, sizes or {}, tuple(map(str, allowed)))
    return Program(start(origin), backend=chosen())


class Program:
    """A compiled spec with its weights.

    A program runs one thing at a time: calls from several threads wait for each other. Batches are mappings from the
    names of the spec's inputs to arrays whose first axis counts samples; any number of samples is well, the plan of the
    largest serves the smaller ones.
    """

    def __init__(
        self, specification: Specification | Start, *, seed: int | None = None, backend: Backend = backends.NUMPY
    ) -> None:
        begins = specification if isinstance(specification, Start) else start_of(specification)
        self._check = begins.check
        self._outline = begins.outline
        self.seed = self._outline.seed if seed is None else seed
        self.batch = self._outline.batch
        self._memory = backend.memory()
        self._machines = Machines(backend, self._memory, begins.plans)
        self._routes: dict[tuple[Any, ...], Route] = {}
        self._lock = RLock()
        self._steps = 0
        self._epoch = 1
        self._scale = 1.0
        self._machines.seen_sizes |= begins.sizes
        self.data: Dataset | None = None
        self.steppers: dict[tuple[Any, ...], Stepper] = {}
        self._begin()

    @cached_property
    def specification(self) -> Specification:
        """The spec, checked; where its plans were kept, when it is first asked for."""
        return self._check()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a program is neither copied nor pickled: compile its spec again, or save it and load the model"
        )

    @property
    def backend(self) -> Backend:
        """What steps run on; its `note` says why, where that is another than was asked for."""
        return self._machines.backend

    def fall_back(self, reason: NotNative) -> None:
        """Runs on NumPy from now on, and warns with the reason."""
        self._machines.fall_back(reason)

    @property
    def seen_sizes(self) -> Mapping[str, int]:
        """The numbers of dimensions that no data of the spec bind, from its sizes and the arrays that were met."""
        return self._machines.seen_sizes

    # Weights

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Every weight by name. The arrays are the weights themselves: writing to them changes the model."""
        return self._machines.lending.lent(views(self._memory, self._outline.ranges))

    @property
    def averages(self) -> dict[str, np.ndarray]:
        """The average of each weight over the steps so far, which evaluate and predict use; empty without `average`."""
        averaged = tuple(r for r in self._outline.ranges if r.average)
        return self._machines.lending.lent(views(self._memory, averaged, averages=True))

    def _begin_averages(self) -> None:
        """Before the first step the average is the weights themselves, whoever wrote them."""
        for r in self._outline.ranges:
            if r.average:
                weights = self._memory[r.name]
                np.copyto(self._memory.setdefault(r.average, np.empty_like(weights)), weights)

    @property
    def states(self) -> dict[str, np.ndarray]:
        """What is kept between steps without being trained, such as running statistics, by name."""
        return self._machines.lending.lent(views(self._memory, self._outline.states))

    def _begin(self) -> None:
        """First weights and states, by the initialisers of the spec."""
        flats = (*self._outline.ranges, *self._outline.states)
        try:
            self._memory.update({flat.name: flat.first(self.seed) for flat in flats})
        except (MemoryError, ValueError):
            raise OutOfMemory.of("the weights", 4 * sum(flat.total for flat in flats)) from None
        if self._outline.pretrained:
            self._take_pretrained()
        self._begin_averages()

    def _take_pretrained(self) -> None:
        """The weights that groups of the spec take from files."""
        from .pretrained import pretrained

        arrays = self.parameters | self.states
        for name, array in pretrained(self.specification).items():
            np.copyto(arrays[name], array, casting="same_kind")

    # Phases

    def predict(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """The outputs of the spec for inputs of any number of samples, by name; each call draws the same numbers."""
        arrays = as_arrays(inputs)
        with self._lock:
            return self._predict(arrays)

    def _predict(self, arrays: Arrays) -> dict[str, np.ndarray]:
        key = ("predict", *[(n, a.shape, a.dtype) for n, a in arrays.items()])
        route = self._routes.get(key)
        if route is not None:
            self._follow()
            route.put(arrays)
            return {n: result.copy() for n, result in route.run()}
        graph = self.specification.phases.predict
        count = self._samples(graph, arrays)
        rows = self.batch if self._independent else max(count, self.batch)
        ready = self._machine("predict", graph, arrays, rows)
        parts = [
            self._run(ready, arrays, start, min(rows, count - start), step=piece)
            for piece, start in enumerate(range(0, count, rows))
        ]
        if len(parts) == 1:
            self._keep_route(key, ready, arrays, count, {**self._controls, "step": lambda: 0})
            return parts[0]
        return {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}

    def generate(
        self,
        prompts: Sequence[Prompt] = (),
        inputs: Arrays | None = None,
        *,
        count: int = 1,
        limit: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        beam: int | None = None,
        seed: int | None = None,
    ) -> list[Written]:
        """Texts as the spec's `generate` section says, `count` for each sample; what is given here replaces its keys.

        A sample is one of `prompts`, tokens or a text that the data section encodes, or a row of `inputs`, those that
        do not grow. Equal seeds draw equal tokens. Raises InputError, and SpecError for a model that looks ahead.
        """
        from .generation import generate, vocabulary_of

        asked = {"limit": limit, "temperature": temperature, "top_k": top_k, "top_p": top_p, "beam": beam}
        with self._lock:
            return generate(self, prompts, inputs or {}, vocabulary_of(self), count=count, seed=seed, **asked)

    def memory(self) -> Memory:
        """The flat arrays of all weights and states, by the names that plans have for them, for further machines."""
        if not self._steps:
            self._begin_averages()
        memory = self.backend.memory()
        memory.update(self._machines.lending.lent(self._memory))
        return memory

    def loss_and_gradients(self, batch: Arrays) -> tuple[float, dict[str, np.ndarray]]:
        """The loss of a batch in the training phase, and its gradient by each weight that is trained."""
        arrays = as_arrays(batch)
        graph = self.specification.phases.gradients
        count = self._samples(graph, arrays)
        with self._lock:
            ready = self._machine("gradients", graph, arrays, max(count, self.batch))
            results = self._run(ready, arrays, 0, count)
        gradients = {}
        for r in self.specification.phases.trained:
            flat = results[f"gradient.{r.name}"]
            for piece in r.pieces:
                offset, shape = whole(piece.offset), tuple(map(whole, piece.shape))
                gradients[piece.name] = flat[offset : offset + int(np.prod(shape))].reshape(shape)
        return float(results["loss"]), gradients

    def train_step(self, batch: Arrays) -> dict[str, float]:
        """One step of the optimizer on a batch: the loss before the step, and each of its terms by name."""
        try:
            key = tuple([(n, a.shape, a.dtype) for n, a in batch.items()])
        except AttributeError:  # lists, say
            return self.train_step(as_arrays(batch))
        with self._lock:
            route = self._routes.get(key) or self._route(key, batch)
            route.put(batch)
            self._steps += 1
            results = route.run()
            self._machines.lending.written = True
            return {name: result.item() for name, result in results}

    def evaluate_batch(self, batch: Arrays, number: int = 0) -> dict[str, Accumulation]:
        """What a batch contributes to each loss and metric of the evaluating phase; `loss` is the sum of the losses.

        Batches of one part have a `number` each, so that each draws numbers of its own.
        """
        from .runtime.metrics import Collected, Mean

        def mean(name: str) -> Mean:
            return Mean(float(found[f"{name}.total"]), float(found[f"{name}.count"]))

        arrays = as_arrays(batch)
        phases = self.specification.phases
        count = self._samples(phases.evaluate, arrays)
        with self._lock:
            ready = self._machine("evaluate", phases.evaluate, arrays, max(count, self.batch))
            found = self._run(ready, arrays, 0, count, step=self._steps + number)
        traced = phases.traced["evaluate"]
        losses: dict[str, Mean] = {t.name: mean(t.name) for t in traced.losses}
        total = sum(m.total / m.count for m in losses.values() if m.count)
        gathered: dict[str, Accumulation] = {"loss": Mean(total * count, count), **losses}
        for metric in traced.metrics:
            if metric.kind == "mean":
                gathered[metric.name] = mean(metric.name)
            else:
                gathered[metric.name] = Collected(metric.kind, (found[f"{metric.name}.0"], found[f"{metric.name}.1"]))
        return gathered

    @cached_property
    def _independent(self) -> bool:
        """Whether predict may run samples in pieces."""
        from .compiler.rows import independent

        return independent(self.specification.phases.predict)

    # Machines

    def _samples(self, graph: Graph, arrays: Arrays) -> int:
        return samples(graph, arrays, {i.name.text for i in self.specification.model.inputs})

    def _machine(self, phase: str, graph: Graph, arrays: Arrays, rows: int) -> Ready:
        self._follow()
        tf32 = phase in ("train", "gradients") and self.specification.training.tf32
        return self._machines.ready(phase, graph, arrays, rows, tf32=tf32)

    def _follow(self) -> None:
        """Before a run: what is made of weights is as they are now."""
        if not self._steps:
            self._begin_averages()
        self._machines.follow()

    def _route(self, key: tuple[Any, ...], batch: Arrays) -> Route:
        """What a training step on batches of these shapes does, found once."""
        arrays = as_arrays(batch)
        self._follow()
        count = even(arrays)
        ready = self._machines.known("train", arrays, max(count, self.batch)) if count else None
        if ready is None:
            graph = self.specification.phases.train
            count = self._samples(graph, arrays)
            ready = self._machine("train", graph, arrays, max(count, self.batch))
        return self._keep_route(key, ready, arrays, count, self._controls)

    def _keep_route(
        self, key: tuple[Any, ...], ready: Ready, arrays: Arrays, count: int, controls: Mapping[str, Callable[[], Any]]
    ) -> Route:
        if len(self._routes) >= ROUTES:
            self._routes.clear()
        route = self._routes[key] = Route.of(ready, arrays, count, controls)
        return route

    def _run(self, ready: Ready, arrays: Arrays, start: int, count: int, **controls: int) -> dict[str, np.ndarray]:
        """Copies of the results of the machine on samples from `start`."""
        binding = ready.machine.binding(count)
        for name in ready.data:
            put(name, binding.inputs[name], arrays[name][start : start + count])
        for name in ready.controls:
            binding.inputs[name][...] = controls[name] if name in controls else self._controls[name]()
        return {name: array.copy() for name, array in ready.machine.step(count).results.items()}

    @cached_property
    def _controls(self) -> Mapping[str, Callable[[], Any]]:
        """Where the values of control inputs come from."""
        key = key_of(self.seed)
        return {
            "key": lambda: key,
            "step": lambda: self._steps,
            "epoch": lambda: self._epoch,
            "scale": lambda: self._scale,
        }

    # Training

    def begin_epoch(self, epoch: int) -> None:
        """Says which epoch begins, counted from 1."""
        self._epoch = epoch

    def scale_rate(self, scale: float) -> None:
        """Multiplies the learning rates of all further steps by `scale`, where the schedule is `plateau`."""
        self._scale = scale

    def model_arrays(self) -> dict[str, np.ndarray]:
        """The weights, states and averages by name: what a model file holds."""
        from .runtime.model import AVERAGE

        return self.parameters | self.states | {f"{AVERAGE}{n}": a for n, a in self.averages.items()}

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all weights, states and optimizer states by name, and how many steps were taken."""
        arrays = {n: a.copy() for n, a in self.model_arrays().items()}
        arrays |= {f"optimizer/{n}": self._memory[n].copy() for n in self._remembered() if n in self._memory}
        return arrays | {"optimizer/steps": np.array([self._steps], np.int64)}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Puts a snapshot back."""
        self._steps = int(arrays["optimizer/steps"][0])
        for name, array in self.model_arrays().items():
            np.copyto(array, arrays[name])
        for name in self._remembered():  # made by the first step, of zeros
            kept = arrays.get(f"optimizer/{name}")
            if kept is not None:
                np.copyto(self._memory.setdefault(name, kept.copy()), kept)
            elif name in self._memory:
                self._memory[name].fill(0)
        self._machines.forget()

    def _remembered(self) -> tuple[str, ...]:
        """The names of what training keeps besides weights and states."""
        return self.specification.phases.remembered

    def fit(self, *, out: str | Path | None = None, observer: Observer | None = None) -> History:
        """Trains on the data of the spec, as its `train` section says; `out` is a new folder to keep the run in."""
        from .training import fit, folder_at

        folder = folder_at(Path(out), self.specification.name) if out is not None else None
        return fit(self, folder=folder, observer=observer)

    def save(self, path: str | Path) -> None:
        """Writes the model: weights and the plan of predict, in one file that `axonc.load` reads."""
        from .saving import save

        save(self, Path(path))

    def export(self, path: str | Path) -> None:
        """Writes what `predict` computes as an ONNX file, for other runtimes; this needs the package onnx."""
        from .exporting import export

        export(self, Path(path))
