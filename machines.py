"""Graphs to machines: one for each phase and binding of sizes, made when first needed."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .backends import Backend, instead
from .plans import Kept, Plans
from .runtime.cupy.errors import LittleMemory
from .runtime.errors import InputError
from .runtime.lending import Lending
from .runtime.machine import Binding, Machine, Memory, check_array, dtype_name, put
from .runtime.native.errors import NotNative
from .runtime.plan import Plan

if TYPE_CHECKING:  # imported where something is compiled: with kept plans nothing is
    from .compiler.ir.graph import Graph, Node

Arrays = Mapping[str, np.ndarray]


class BackendNote(UserWarning):
    """Something runs on another backend than was asked for, and why."""


class Ready(NamedTuple):
    """A machine of one phase, for at most `rows` samples, and the inputs that it is fed."""

    machine: Machine
    rows: int
    data: tuple[str, ...]
    controls: tuple[str, ...]


class Route(NamedTuple):
    """A phase on arrays of certain shapes: where data and controls are put, and where results lie."""

    machine: Machine
    binding: Binding
    data: tuple[tuple[str, np.ndarray, Callable[[np.ndarray, Any], None]], ...]
    controls: tuple[tuple[np.ndarray, Callable[[], Any]], ...]
    results: tuple[tuple[str, np.ndarray], ...]

    @classmethod
    def of(cls, ready: Ready, arrays: Arrays, count: int, controls: Mapping[str, Callable[[], Any]]) -> Route:
        """The route of arrays like these, whose control inputs come from `controls`."""
        binding = ready.machine.binding(count)
        return cls(
            ready.machine,
            binding,
            tuple((n, place, _copier(n, place, arrays[n])) for n in ready.data for place in [binding.inputs[n]]),
            tuple((binding.inputs[n], controls[n]) for n in ready.controls),
            tuple(binding.results.items()),
        )

    def put(self, arrays: Arrays) -> None:
        """Copies data to their places. Raises InputError."""
        for name, place, copy in self.data:
            copy(place, arrays[name])

    def run(self) -> tuple[tuple[str, np.ndarray], ...]:
        """Runs the phase; the results lie in the machine's memory until its next run."""
        for place, read in self.controls:
            place[...] = read()
        self.machine.execute(self.binding)
        return self.results


def _copier(name: str, place: np.ndarray, given: np.ndarray) -> Callable[[np.ndarray, Any], None]:
    """How arrays like the given one are put in their place: with a look at their numbers where the type is another."""
    return np.copyto if given.dtype == place.dtype else partial(put, name)


class Machines:
    """The machines of one program on a backend, all over the same memory; `plans` keeps what is compiled for them."""

    def __init__(self, backend: Backend, memory: Memory, plans: Plans | None = None) -> None:
        self.backend = backend
        self.memory = memory
        self.plans = None if backend.name == "cupy" else plans  # files know no launches
        self.lending = Lending()
        self.seen_sizes: dict[str, int] = {}
        self._ready: dict[tuple[Any, ...], Ready] = {}
        if backend.note:
            warnings.warn(backend.note, BackendNote, stacklevel=4)

    def forget(self) -> None:
        """Says that weights were written from outside."""
        for ready in self._ready.values():
            ready.machine.forget()

    def follow(self) -> None:
        """Makes again what was made of weights, if somebody may have written to them."""
        if self.lending.touched():
            self.forget()

    def known(self, phase: str, arrays: Arrays, rows: int) -> Ready | None:
        """The machine of a phase for arrays like these, if it is there, or its plan was kept by any process."""
        known = self._ready.get(_key(phase, arrays))
        if known is not None and known.rows >= rows and _takes(known.machine.plan, arrays):
            return known
        found = self.plans.read(phase, arrays, rows, self.backend.target) if self.plans else None
        if found is None or not _takes(found.plan, arrays):
            return None
        try:
            machine = self.backend.machine(found.plan, self.memory)
        except NotNative as reason:
            self.fall_back(reason)
            return None
        self.seen_sizes |= found.sizes
        ready = self._ready[_key(phase, arrays)] = Ready(machine, rows, found.data, found.controls)
        return ready

    def ready(self, phase: str, graph: Graph, arrays: Arrays, rows: int, *, tf32: bool = False) -> Ready:
        """The machine of a phase for arrays like these and at most `rows` samples, with products in `tf32` where the
        backend has them."""
        from .compiler.ir.evaluate import read_shape
        from .compiler.ir.graph import CONTROL, DATA, TARGET
        from .compiler.memory import NotAffine

        wanted = graph.named_inputs(DATA, TARGET)
        arrays = {name: arrays[name] for name in wanted}
        count = len(arrays[next(iter(wanted))]) if wanted else rows
        key = _key(phase, arrays)
        known = self._ready.get((*key, count)) or self.known(phase, arrays, rows)
        if known is not None:
            return known
        sizes: dict[str, int] = {}
        for name, n in wanted.items():
            sizes |= read_shape(n.shape[1:], arrays[name].shape[1:])
        _check_sizes(wanted, arrays, sizes)
        self.seen_sizes |= sizes
        controls = tuple(graph.named_inputs(CONTROL))
        try:
            plan, machine = self._compiled(graph, rows, sizes, tf32=tf32)
            if self.plans is not None:
                self.plans.keep(phase, arrays, rows, self.backend.target, Kept(plan, sizes, tuple(wanted), controls))
        except NotAffine:  # samples meet each other: a plan for every count
            key = (*key, count)
            _, machine = self._compiled(graph, count, sizes | {"N": count}, tf32=tf32)
        ready = self._ready[key] = Ready(machine, rows, tuple(wanted), controls)
        return ready

    def _compiled(self, graph: Graph, rows: int, sizes: Mapping[str, int], *, tf32: bool) -> tuple[Plan, Machine]:
        """A graph, compiled and bound to memory; on NumPy from now on where its C cannot be compiled."""
        from .compiler.pipeline import compile_graph

        try:
            target = self.backend.target._replace(tf32=tf32)
            plan = compile_graph(graph, rows=rows, sizes=sizes, target=target)
            return plan, self.backend.machine(plan, self.memory)
        except NotNative as reason:
            self.fall_back(reason)
            return self._compiled(graph, rows, sizes, tf32=tf32)
        except LittleMemory as refusal:
            raise refusal.with_largest(self._largest(graph, rows, sizes, refusal)) from None

    def _largest(self, graph: Graph, rows: int, sizes: Mapping[str, int], refusal: LittleMemory) -> int:
        """The most samples for which a graph fits into the memory that is free; 0 where not even one does."""
        from .compiler.pipeline import compile_graph
        from .runtime.cupy.machine import needed_bytes

        def needed(count: int) -> int:
            exact = {"N": count} if "N" in sizes else {}
            return needed_bytes(compile_graph(graph, rows=count, sizes={**sizes, **exact}, target=self.backend.target))

        besides = refusal.needed - needed(rows)
        return bisect_right(range(1, rows), refusal.free, key=lambda count: besides + needed(count))

    def fall_back(self, reason: NotNative) -> None:
        """From now on NumPy runs, and a note says why."""
        self.backend = instead(reason)
        warnings.warn(self.backend.note, BackendNote, stacklevel=6)


def even(arrays: Arrays) -> int:
    """The number of samples in arrays that all have one; else 0."""
    counts = {a.shape[0] if a.ndim else 0 for a in arrays.values()}
    return counts.pop() if len(counts) == 1 else 0


def samples(graph: Graph, arrays: Arrays, names: Collection[str]) -> int:
    """The number of samples, after everything that can be wrong with arrays was looked for; `names` are all inputs.

    Raises InputError.
    """
    from .compiler.ir.graph import DATA, TARGET

    wanted = graph.named_inputs(DATA, TARGET)
    counts: dict[str, int] = {}
    for name, node in wanted.items():
        if name not in arrays:
            raise InputError("missing-input", f"input `{name}` is missing", f"it is {node.type}")
        shape = tuple(s if isinstance(s, int) else None for s in node.shape[1:])
        check_array(name, arrays[name], str(node.dtype), shape)
        counts[name] = len(arrays[name])
    unknown = next((n for n in arrays if n not in names), None)
    if unknown is not None:
        raise InputError("unknown-input", f"the model has no input `{unknown}`", f"its inputs are {', '.join(wanted)}")
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{n} has {c}" for n, c in counts.items())
        raise InputError("uneven-inputs", f"inputs must have the same number of samples: {found}")
    count = next(iter(counts.values()), 1)
    if count == 0:
        raise InputError("no-samples", "the inputs have no samples", "give at least one row")
    return count


def _key(phase: str, arrays: Arrays) -> tuple[Any, ...]:
    return (phase, *sorted((name, a.shape[1:]) for name, a in arrays.items()))


def _takes(plan: Plan, arrays: Arrays) -> bool:
    """Whether the inputs of a plan take numbers like those of the arrays."""
    places = {p.name: dtype_name(p.dtype) for p in plan.inputs}
    return all(np.can_cast(a.dtype, places[name], "same_kind") for name, a in arrays.items() if name in places)


def _check_sizes(wanted: Mapping[str, Node], arrays: Arrays, sizes: Mapping[str, int]) -> None:
    """Refuses arrays whose sizes no numbers of the spec's dimensions explain. Raises InputError."""
    from .compiler.ir import dims

    for name, node in wanted.items():
        shape = tuple(dims.substitute(s, sizes) for s in node.shape[1:])
        if shape != arrays[name].shape[1:]:
            found = ", ".join(f"{n} = {number}" for n, number in sizes.items())
            problem = f"input `{name}` must be {node.type}, found an array of shape {list(arrays[name].shape)}"
            raise InputError("wrong-shape", problem, f"with {found}, taken from the inputs, this does not fit")
