"""Graphs to machines: one for each phase and binding of sizes, made when first needed."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backends import Backend, instead
from .compiler.ir import dims
from .compiler.ir.evaluate import read_shape
from .compiler.ir.graph import CONTROL, DATA, TARGET, Graph, Node
from .compiler.memory import NotAffine
from .compiler.pipeline import compile_graph
from .runtime.cupy.errors import LittleMemory
from .runtime.errors import InputError
from .runtime.machine import Machine, Memory
from .runtime.model import check_array
from .runtime.native.errors import NotNative

Arrays = Mapping[str, np.ndarray]


class BackendNote(UserWarning):
    """Something runs on another backend than was asked for, and why."""


@dataclass(frozen=True)
class Ready:
    """A machine of one phase, for at most `rows` samples, and the inputs that it is fed."""

    machine: Machine
    rows: int
    data: tuple[str, ...]
    controls: tuple[str, ...]


class Machines:
    """The machines of one program on a backend, all over the same memory."""

    def __init__(self, backend: Backend, memory: Memory) -> None:
        self.backend = backend
        self.memory = memory
        self.seen_sizes: dict[str, int] = {}
        self._ready: dict[tuple[Any, ...], Ready] = {}
        if backend.note:
            warnings.warn(backend.note, BackendNote, stacklevel=4)

    def forget(self) -> None:
        """Says that weights were written from outside."""
        for ready in self._ready.values():
            ready.machine.forget()

    def ready(self, phase: str, graph: Graph, arrays: Arrays, rows: int) -> Ready:
        """The machine of a phase for arrays like these and at most `rows` samples."""
        wanted = graph.named_inputs(DATA, TARGET)
        key: tuple[Any, ...] = (phase, *(arrays[name].shape[1:] for name in wanted))
        count = len(arrays[next(iter(wanted))]) if wanted else rows
        known = self._ready.get((*key, count)) or self._ready.get(key)
        if known is not None and known.rows >= rows:
            known.machine.forget()  # weights may have been written since
            return known
        sizes: dict[str, int] = {}
        for name, n in wanted.items():
            sizes |= read_shape(n.shape[1:], arrays[name].shape[1:])
        _check_sizes(wanted, arrays, sizes)
        self.seen_sizes |= sizes
        try:
            machine = self.machine(graph, rows, sizes)
        except NotAffine:  # samples meet each other: a plan for every count
            key = (*key, count)
            machine = self.machine(graph, count, sizes | {"N": count})
        ready = Ready(machine, rows, tuple(wanted), tuple(graph.named_inputs(CONTROL)))
        self._ready[key] = ready
        return ready

    def machine(self, graph: Graph, rows: int, sizes: Mapping[str, int]) -> Machine:
        """A graph, compiled and bound to memory; on NumPy from now on where its C cannot be compiled."""
        try:
            plan = compile_graph(graph, rows=rows, sizes=sizes, target=self.backend.target)
            return self.backend.machine(plan, self.memory)
        except NotNative as reason:
            self.fall_back(reason)
            return self.machine(graph, rows, sizes)
        except LittleMemory as refusal:
            raise refusal.with_largest(self._largest(graph, rows, sizes, refusal)) from None

    def _largest(self, graph: Graph, rows: int, sizes: Mapping[str, int], refusal: LittleMemory) -> int:
        """The most samples for which a graph fits into the memory that is free; 0 where not even one does."""
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


def samples(graph: Graph, arrays: Arrays, names: Collection[str]) -> int:
    """The number of samples, after everything that can be wrong with arrays was looked for; `names` are all inputs.

    Raises InputError.
    """
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


def _check_sizes(wanted: Mapping[str, Node], arrays: Arrays, sizes: Mapping[str, int]) -> None:
    """Refuses arrays whose sizes no numbers of the spec's dimensions explain. Raises InputError."""
    for name, node in wanted.items():
        shape = tuple(dims.substitute(s, sizes) for s in node.shape[1:])
        if shape != arrays[name].shape[1:]:
            found = ", ".join(f"{n} = {number}" for n, number in sizes.items())
            problem = f"input `{name}` must be {node.type}, found an array of shape {list(arrays[name].shape)}"
            raise InputError("wrong-shape", problem, f"with {found}, taken from the inputs, this does not fit")
