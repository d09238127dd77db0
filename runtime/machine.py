"""Runs a plan on NumPy: one arena, memory shared by name, and calls bound once for each number of samples."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping
from contextvars import Context
from threading import Lock
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .arrays import INSTRUCTIONS, Array, Call
from .errors import InputError
from .memory import aligned, present
from .plan import COUNT, Affine, Buffer, Loop, Operand, Plan, Step, View, extent_at

BUFFER = 1920  # elements of at most 8 bytes, a multiple of 16; as fast as NumPy's 8192 or faster
Memory: TypeAlias = MutableMapping[str, Array]


class BadPlan(ValueError):
    """A plan that contradicts itself."""


class Binding(NamedTuple):
    """A plan ready for one number of samples: calls, and the arrays of its inputs and results."""

    samples: int
    sizes: tuple[Call, ...]
    prepare: tuple[Call, ...]
    steps: tuple[Call, ...]
    inputs: Mapping[str, Array]
    results: Mapping[str, Array]


class Machine:
    """One plan with its own arena. `memory` holds the named arrays, flat; what is missing there is made, of zeros.

    A machine runs one thing at a time; `run` holds a lock.
    """

    def __init__(self, plan: Plan, memory: Memory | None = None, *, bindings: int = 8) -> None:
        self.plan = plan
        self.memory: Memory = {} if memory is None else memory
        self._allocate()
        self._bindings: OrderedDict[int, Binding] = OrderedDict()
        self._most = bindings
        self._sized = -1
        self._prepared = False
        self._lock = Lock()
        self._settings = settings()

    def _allocate(self) -> None:
        """Takes the memory of the plan."""
        self._arena = aligned(self.plan.arena)
        self._buffers = [self._buffer(b) for b in self.plan.buffers]

    def run(self, inputs: Mapping[str, Any], count: int | None = None) -> dict[str, Array]:
        """Copies the inputs in, runs the steps, and copies the results out.

        `count` is the number of samples, by default the most.
        """
        with self._lock:
            binding = self.binding(count)
            for name, value in inputs.items():
                put(name, binding.inputs[name], value)
            self._run(binding)
            return {name: array.copy() for name, array in binding.results.items()}

    def step(self, count: int | None = None) -> Binding:
        """Runs on what lies in the input arrays; the results lie in those of the binding until the next run."""
        binding = self.binding(count)
        self.execute(binding)
        return binding

    def execute(self, binding: Binding) -> None:
        """Runs one of this machine's bindings on what lies in its input arrays."""
        with self._lock:
            self._run(binding)

    def measure(self, count: int | None = None, repeats: int = 5) -> list[tuple[Step, float]]:
        """The steps of a run with the least seconds that each took, loops unrolled."""
        with self._lock:
            binding = self.binding(count)
            self._run(binding)
            steps = list(self._bound(self.plan.steps, {COUNT: binding.samples}))
            least = [float("inf")] * len(steps)
            for _ in range(repeats):
                for i, (_, calls) in enumerate(steps):
                    start = perf_counter()
                    self._settings.run(_call_all, calls)
                    least[i] = min(least[i], perf_counter() - start)
        return [(step, seconds) for (step, _), seconds in zip(steps, least, strict=True)]

    def forget(self) -> None:
        """Says that named memory was written from outside, so that what is prepared from it is made again."""
        self._prepared = False

    def binding(self, count: int | None = None) -> Binding:
        """The calls and arrays for `count` samples; the last few are kept."""
        count = self.plan.rows if count is None else count
        found = self._bindings.get(count)
        if found is None:
            if not (count == self.plan.rows or 0 < count < self.plan.rows):
                raise ValueError(f"the plan is for at most {self.plan.rows} samples, not {count}")
            found = self._bindings[count] = self._bind(count)
            if len(self._bindings) > self._most:
                self._bindings.popitem(last=False)
        elif len(self._bindings) > 1:
            self._bindings.move_to_end(count)
        return found

    def _run(self, binding: Binding) -> None:
        if self._sized != binding.samples:
            self._settings.run(_call_all, binding.sizes)
            self._sized = binding.samples
            self._prepared = False
        if not self._prepared:
            self._settings.run(_call_all, binding.prepare)
            self._prepared = True
        self._settings.run(_call_all, binding.steps)

    def _bind(self, count: int) -> Binding:
        plan, values = self.plan, {COUNT: count}
        return Binding(
            count,
            tuple(self._calls(plan.sizes, values)),
            tuple(self._calls(plan.prepare, values)),
            tuple(self._calls(plan.steps, values)),
            {p.name: self._view(p.view, values) for p in plan.inputs},
            {p.name: self._view(p.view, values) for p in plan.results},
        )

    def _calls(self, items: tuple[Step | Loop, ...], values: Mapping[str, int]) -> Iterator[Call]:
        for _, calls in self._bound(items, values):
            yield from calls

    def _bound(
        self, items: tuple[Step | Loop, ...], values: Mapping[str, int]
    ) -> Iterator[tuple[Step, tuple[Call, ...]]]:
        """Each step with its calls, as often as the loops around it go."""
        for item in items:
            if isinstance(item, Loop):
                for start, length in stretches(item, values):
                    yield from self._bound(item.body, {**values, item.start: start, item.length: length})
            else:
                writes = [self._view(v, values) for v in item.writes]
                reads = [self._operand(o, values) for o in item.reads]
                yield item, INSTRUCTIONS[item.instruction](writes, reads, dict(item.attributes))

    def _operand(self, operand: Operand, values: Mapping[str, int]) -> Any:
        if isinstance(operand, View):
            return self._view(operand, values)
        return operand.at(values) if isinstance(operand, Affine) else operand

    def _view(self, view: View, values: Mapping[str, int]) -> Array:
        """The array of a view; NumPy refuses one that does not lie in its buffer."""
        base = self._buffers[view.buffer]
        item = base.itemsize
        shape = tuple(extent_at(e, values) for e in view.shape)
        if 0 in shape:
            return np.empty(shape, base.dtype)
        strides = tuple(item * extent_at(e, values) for e in view.strides)
        try:
            return np.ndarray(shape, base.dtype, base.data, item * extent_at(view.offset, values), strides)
        except (ValueError, TypeError) as refusal:
            raise BadPlan(f"a view does not lie in its buffer {self.plan.buffers[view.buffer].name!r}") from refusal

    def _buffer(self, buffer: Buffer) -> Array:
        dtype = np.dtype(dtype_name(buffer.dtype))
        if buffer.home == "named":
            return self._named(buffer, dtype)
        if buffer.home == "constant":
            return np.ascontiguousarray(self.plan.constants[buffer.name], dtype).reshape(-1)
        end = buffer.offset + buffer.size * dtype.itemsize
        if not 0 <= buffer.offset <= end <= self.plan.arena:
            raise BadPlan(f"the buffer {buffer.name!r} does not lie in the arena")
        return self._arena[buffer.offset : end].view(dtype)

    def _named(self, buffer: Buffer, dtype: np.dtype[Any]) -> Array:
        array = self.memory.get(buffer.name)
        if array is None:
            array = self.memory[buffer.name] = present(buffer.size * dtype.itemsize).view(dtype)
        if array.dtype != dtype or array.size != buffer.size or not array.flags.c_contiguous:
            raise BadPlan(f"the memory {buffer.name!r} holds {array.size} of {array.dtype}, not {buffer.size} {dtype}")
        return array.reshape(-1)


def _call_all(calls: tuple[Call, ...]) -> None:
    for call in calls:
        call()


def settings() -> Context:
    """NumPy's settings for a run: arithmetic as IEEE 754 says, without warnings, and no buffer of 16 KB.

    A context that is entered costs a tenth of `np.errstate`.
    """
    context = Context()
    context.run(np.seterr, all="ignore")
    context.run(np.setbufsize, BUFFER)
    return context


def stretches(loop: Loop, values: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Where each turn of a loop begins, and how much it covers."""
    extent = extent_at(loop.extent, values)
    starts = range(0, extent, loop.chunk)
    for start in reversed(starts) if loop.reverse else starts:
        yield start, min(loop.chunk, extent - start)


def as_arrays(inputs: Mapping[str, Any]) -> dict[str, Array]:
    """What was given for each input as an array. Raises InputError for what is none."""
    if not isinstance(inputs, (dict, Mapping)):  # a dict is seen at once
        problem = f"inputs are a mapping from their names to arrays, found {type(inputs).__name__}"
        raise InputError("no-mapping", problem, 'write `{"NAME": array}`')
    name = ""
    try:
        return {(name := n): np.asarray(value) for n, value in inputs.items()}
    except (ValueError, TypeError) as refusal:
        raise InputError("no-array", f"input `{name}` is no array: {refusal}", "give all its rows one shape") from None


def check_array(name: str, array: np.ndarray, dtype: str, shape: tuple[int | None, ...]) -> None:
    """Refuses an array that is not [samples, *shape] of something that may become `dtype`; None is any size."""
    found = list(array.shape)
    wanted = ["N", *("?" if s is None else s for s in shape)]
    if array.ndim != len(wanted) or any(s is not None and s != n for s, n in zip(shape, found[1:], strict=True)):
        text = ", ".join(map(str, wanted))
        raise InputError("wrong-shape", f"input `{name}` must be {dtype}[{text}], found an array of shape {found}")
    number = np.dtype("float32" if dtype == "bf16" else dtype_name(dtype))  # bf16 comes in as f32
    if not np.can_cast(array.dtype, number, "same_kind"):
        advice = f"convert it with `.astype({number})`"
        raise InputError("wrong-dtype", f"input `{name}` must be {number}, found {array.dtype}", advice)


def put(name: str, place: Array, value: Any) -> None:
    """Copies an input to its place. Raises InputError where numbers are too large for the type of the place."""
    if place.dtype == getattr(value, "dtype", None):
        np.copyto(place, value)
        return
    try:
        with np.errstate(over="raise", invalid="raise"):
            np.copyto(place, value, "same_kind")
    except (FloatingPointError, TypeError):
        raise InputError("wrong-number", f"input `{name}` holds what no {place.dtype} can hold") from None


def dtype_name(word: str) -> str:
    """NumPy's name for the dtype that plans call `f32`, `i64`, `bool` …; of bf16, which it lacks, the bytes."""
    if word == "bf16":
        return "uint16"
    return {"b": "bool", "f": "float", "i": "int", "u": "uint"}[word[0]] + word[1:].removeprefix("ool")
