"""Runs a plan as C: a machine each of whose phases is one call."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial

import numpy as np

from ..arrays import Array
from ..machine import BadPlan, Binding, Machine, Memory
from ..places import OutOfRange
from ..plan import COUNT, Plan, Step, each_step
from .errors import NoThreads
from .objects import Objects, header, user_objects
from .pool import pool

STEPS = 2  # the phase
NO_THREADS = -1
PROFILE = "#define AX_PROFILE\n"


class Run(ctypes.Structure):
    """`struct ax_run` of run.h, and the arrays that it points to."""

    kept: tuple[Array, ...]

    _fields_ = (
        ("arena", ctypes.c_void_p),
        ("named", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("threads", ctypes.c_int64),
        ("fault", ctypes.c_int64 * 4),
        ("times", ctypes.c_void_p),
        ("since", ctypes.c_double),
        ("parallel", ctypes.c_void_p),
        ("gap0", ctypes.c_char * 64),
        ("arrived", ctypes.c_uint32),
        ("gap1", ctypes.c_char * 64),
        ("turn", ctypes.c_uint32),
        ("gap2", ctypes.c_char * 64),
    )


class NativeMachine(Machine):
    """A machine whose plan has code. `objects` compile it, by default those of the user.

    Making one raises NotNative where the code cannot be compiled or run here.
    """

    def __init__(
        self, plan: Plan, memory: Memory | None = None, *, bindings: int = 8, objects: Objects | None = None
    ) -> None:
        if plan.code is None:
            raise BadPlan("the plan has no code")
        self._code = plan.code
        self._objects = objects or user_objects()
        phase = self._compiled("").ax_phase
        parallel = pool(self._objects).address(plan.code.threads) if plan.code.threads > 1 else None
        super().__init__(plan, memory, bindings=bindings)
        self._names = [b.name for b in plan.buffers if b.home == "named"]
        self._table = np.zeros(sum(b.home != "arena" for b in plan.buffers), np.uintp)
        self._state = Run(address(self._arena), address(self._table), -1, plan.code.threads, parallel=parallel)
        self._seen: list[Array] | None = None
        self._follow()
        self._size, self._ready, self._go = (partial(phase, ctypes.byref(self._state), i) for i in range(3))

    def measure(self, count: int | None = None, repeats: int = 5) -> list[tuple[Step, float]]:
        """The steps of a run with the least seconds that each took, all turns of a loop together."""
        steps = list(each_step(self.plan.steps))
        if not steps:
            raise BadPlan("a plan that was kept does not say its steps")
        times, least = np.zeros(len(steps)), np.full(len(steps), np.inf)
        go = partial(self._compiled(PROFILE).ax_phase, ctypes.byref(self._state), STEPS)
        with self._lock:
            self._run(self.binding(count))
            self._state.times = address(times)
            for _ in range(repeats):
                times.fill(0)
                self._call(go)
                np.minimum(least, times, out=least)
        return list(zip(steps, least.tolist(), strict=True))

    def forget(self) -> None:
        with self._lock:  # running code may use the arrays that are let go
            super().forget()
            self._follow()

    def _compiled(self, before: str) -> ctypes.CDLL:
        return self._objects.library(self._code.units, before + header() + self._code.driver, self._code.light)

    def _follow(self) -> None:
        """Points the code to the arrays that are in memory now."""
        found = [self.memory.get(name) for name in self._names]
        if self._seen is not None and all(a is b for a, b in zip(found, self._seen, strict=True)):
            return
        self._buffers = [self._buffer(b) for b in self.plan.buffers]
        self._bindings.clear()
        outside = [array for array, b in zip(self._buffers, self.plan.buffers, strict=True) if b.home != "arena"]
        self._table[:] = [address(array) for array in outside]
        self._state.kept = (self._arena, self._table, *outside)
        self._seen = [self.memory[name] for name in self._names]

    def _bind(self, count: int) -> Binding:
        values = {COUNT: count}
        inputs = {p.name: self._view(p.view, values) for p in self.plan.inputs}
        results = {p.name: self._view(p.view, values) for p in self.plan.results}
        return Binding(count, (self._size,), (self._ready,), (self._go,), inputs, results)

    def _run(self, binding: Binding) -> None:
        if self._sized != binding.samples:
            self._sized = -1
            self._state.count = binding.samples
            self._call(self._size)
            self._sized = binding.samples
            self._prepared = False
        if not self._prepared:
            self._call(self._ready)
            self._prepared = True
        if self._go():
            self._refuse()

    def _call(self, call: Callable[[], int]) -> None:
        if call():
            self._refuse()

    def _refuse(self) -> None:
        """Raises what the code says went wrong."""
        note, value, limit, _ = self._state.fault
        self._state.fault[:] = (0, 0, 0, 0)
        assert note != 0, "a phase failed and says nothing"
        if note == NO_THREADS:
            raise NoThreads(f"the system does not start {self._code.threads} threads")
        raise OutOfRange.at(self.plan.notes[note - 1].place if note > 0 else "", value, limit)


def address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
