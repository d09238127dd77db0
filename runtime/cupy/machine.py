"""Runs a plan on a device: memory that is taken once, launches with addresses, and a step that is kept as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from time import perf_counter

import numpy as np

from ..arrays import Array, Call
from ..machine import BadPlan, Binding, Machine, dtype_name, stretches
from ..memory import ALIGNMENT
from ..places import OutOfRange
from ..plan import COUNT, Buffer, Gemm, Launch, Loop, Matrix, Plan, Port, Step, View, extent_at
from .device import Device, Operand, Product
from .errors import LittleMemory
from .memory import DeviceMemory

FAULT = np.zeros(4, np.int64)  # `struct ax_run` of the kernels: taken, note, value, limit
FIXED = 4096  # bytes of a machine beyond its arena and its staging of inputs


class DeviceMachine(Machine):
    """One plan with its own arena on the device of `memory`.

    Inputs are written to pinned memory and go to the device beside the work under way; results come back the same
    way. Making one raises LittleMemory where the plan needs more than there is.
    """

    memory: DeviceMemory

    def __init__(self, plan: Plan, memory: DeviceMemory, *, bindings: int = 8) -> None:
        if any(step.launch is None for step in plan.walk()):
            raise BadPlan("the plan has steps that no device can run")
        self.device: Device = memory.device
        self._kernels = self.device.kernels(plan.units)
        products = any(isinstance(step.launch, Gemm) for step in plan.walk())
        self._multiply = self.device.products() if products else None
        super().__init__(plan, memory, bindings=bindings)

    def _allocate(self) -> None:
        """Takes all memory that any run needs."""
        plan, device = self.plan, self.device
        named = {b.name: b for b in plan.buffers if b.home == "named"}
        for b in named.values():
            self._check(b)
        bytes_of = {b.name: b.size * np.dtype(dtype_name(b.dtype)).itemsize for b in named.values()}
        needed = needed_bytes(plan) + self.memory.bytes_missing(bytes_of)
        if needed > device.free():
            raise LittleMemory.of(needed, device.free(), plan.rows)
        self._space = device.memory(max(plan.arena, 1))
        self._fault = device.memory(FAULT.nbytes)
        places = {n: self.memory.address(n, np.dtype(dtype_name(b.dtype)), b.size) for n, b in named.items()}
        self._addresses = [
            places[b.name] if b.home == "named" else self._space.address + b.offset for b in plan.buffers
        ]
        self._fed = fed(plan)
        self._inputs = {p.name: _Staged(device, self._bytes(p)) for p in self._fed}
        self._results = {p.name: device.pinned(self._bytes(p)) for p in plan.results}
        self._found = device.pinned(FAULT.nbytes).view(np.int64)
        self._names = frozenset(named)
        self._written = frozenset(
            plan.buffers[v.buffer].name
            for step in plan.walk()
            for v in step.writes
            if plan.buffers[v.buffer].home == "named"
        )
        self._refuses = any(isinstance(step.launch, Launch) and step.launch.refuses for step in plan.walk())
        self._graphs: dict[int, Call | None] = {}

    def measure(self, count: int | None = None, repeats: int = 5) -> list[tuple[Step, float]]:
        """The steps of a run with the least seconds that each took, with the start of its kernel and waiting for it."""
        with self._lock:
            binding = self.binding(count)
            self._run(binding)
            steps = list(self._launches(self.plan.steps, {COUNT: binding.samples}))
            least = [float("inf")] * len(steps)
            for _ in range(repeats):
                for i, (_, call) in enumerate(steps):
                    start = perf_counter()
                    call()
                    self.device.wait()
                    least[i] = min(least[i], perf_counter() - start)
        return [(step, seconds) for (step, _), seconds in zip(steps, least, strict=True)]

    def _check(self, b: Buffer) -> None:
        """Refuses named memory that is not what the plan says."""
        known = self.memory.described(b.name)
        if known is not None and known != (np.dtype(dtype_name(b.dtype)), b.size):
            raise BadPlan(f"the memory {b.name!r} holds {known[1]} of {known[0]}, not {b.size} {b.dtype}")

    def _bytes(self, port: Port) -> int:
        """The bytes of a port for the most samples."""
        count = int(np.prod([extent_at(e, {COUNT: self.plan.rows}) for e in port.view.shape], dtype=np.int64))
        return count * np.dtype(dtype_name(port.dtype)).itemsize

    def _bind(self, count: int) -> Binding:
        plan, values = self.plan, {COUNT: count}
        self._graphs.pop(count, None)
        return Binding(
            count,
            tuple(call for _, call in self._launches(plan.sizes, values)),
            tuple(call for _, call in self._launches(plan.prepare, values)),
            tuple(call for _, call in self._launches(plan.steps, values)),
            {p.name: _shaped(self._inputs[p.name].pinned, p, values) for p in self._fed},
            {p.name: _shaped(self._results[p.name], p, values) for p in plan.results},
        )

    def _launches(self, items: tuple[Step | Loop, ...], values: Mapping[str, int]) -> Iterator[tuple[Step, Call]]:
        """Each step with its launch, as often as the loops around it go; one without blocks is none."""
        for item in items:
            if isinstance(item, Loop):
                for start, length in stretches(item, values):
                    yield from self._launches(item.body, {**values, item.start: start, item.length: length})
                continue
            launch = item.launch
            assert launch is not None
            if isinstance(launch, Gemm):
                call = self._product(launch, values)
            else:
                call = self._kernel(launch, item.note, values)
            if call is not None:
                yield item, call

    def _kernel(self, launch: Launch, note: int, values: Mapping[str, int]) -> Call | None:
        blocks = launch.blocks(values)
        given = [(self._address(v, values), True) for v in launch.views]
        given += [(extent_at(e, values), launch.wide) for e in launch.sizes]
        given += [(self._fault.address, True), (note, True)] if launch.refuses else []
        return partial(self._kernels[launch.kernel], blocks, given) if blocks else None

    def _product(self, gemm: Gemm, values: Mapping[str, int]) -> Call | None:
        m, n, k, batch, room = (
            extent_at(e, values) for e in (gemm.m, gemm.n, gemm.k, gemm.batch, *gemm.workspace.shape)
        )
        a, b, c = (self._matrix(x, values) for x in (gemm.a, gemm.b, gemm.c))
        product = Product(m, n, k, a, b, c, batch, self._address(gemm.workspace, values), room, gemm.tf32)
        assert self._multiply is not None
        return partial(self._multiply, product) if m and n and batch else None

    def _matrix(self, x: Matrix, values: Mapping[str, int]) -> Operand:
        dtype = self.plan.buffers[x.view.buffer].dtype
        leading, step = (extent_at(e, values) for e in (x.leading, x.step))
        return Operand(self._address(x.view, values), dtype, leading, step, x.turned)

    def _address(self, view: View, values: Mapping[str, int]) -> int:
        item = np.dtype(dtype_name(self.plan.buffers[view.buffer].dtype)).itemsize
        return self._addresses[view.buffer] + item * extent_at(view.offset, values)

    def _run(self, binding: Binding) -> None:
        if self.memory.send(self._names):
            self._prepared = False
        self._feed(binding)
        if self._sized != binding.samples:
            _call_all(binding.sizes)
            self._sized = binding.samples
            self._prepared = False
        if not self._prepared:
            _call_all(binding.prepare)
            self._prepared = True
        self._step(binding)
        self.memory.written(self._written)
        self._return(binding)

    def _step(self, binding: Binding) -> None:
        """The first run of a count launches kernel by kernel, every later one the sequence that was kept."""
        if binding.samples not in self._graphs:
            _call_all(binding.steps)
            self._graphs[binding.samples] = None
            return
        graph = self._graphs[binding.samples]
        if graph is None:
            graph = self._graphs[binding.samples] = self.device.kept(binding.steps)
        graph()

    def _feed(self, binding: Binding) -> None:
        """Brings the inputs to memory of their own, beside the work under way, and from there into the arena."""
        device, values = self.device, {COUNT: binding.samples}
        for port in self._fed:
            device.send(self._inputs[port.name].memory.address, binding.inputs[port.name])
        device.sent()
        for port in self._fed:
            place = self._address(port.view, values)
            device.copy(place, self._inputs[port.name].memory.address, binding.inputs[port.name].nbytes)
        device.taken()

    def _return(self, binding: Binding) -> None:
        """Brings the results to the host, and raises what a kernel refused."""
        device, values = self.device, {COUNT: binding.samples}
        for port in self.plan.results:
            device.fetch(binding.results[port.name], self._address(port.view, values))
        if self._refuses:
            device.fetch(self._found, self._fault.address)
        device.wait()
        if self._refuses and self._found[0]:
            _, note, value, limit = map(int, self._found)
            device.send(self._fault.address, FAULT)
            device.sent()
            raise OutOfRange.at(self.plan.notes[note].place if note >= 0 else "", value, limit)


class _Staged:
    """An input on its way: pinned memory of the host, and as much on the device."""

    def __init__(self, device: Device, size: int) -> None:
        self.pinned = device.pinned(size)
        self.memory = device.memory(max(size, 1))


def fed(plan: Plan) -> tuple[Port, ...]:
    """The inputs that are given at each run; others lie in named memory."""
    return tuple(p for p in plan.inputs if plan.buffers[p.view.buffer].home != "named")


def needed_bytes(plan: Plan) -> int:
    """What a plan takes on a device besides named memory: its arena, its inputs once more, and a fixed remainder."""
    values = {COUNT: plan.rows}
    inputs = 0
    for p in fed(plan):
        count = int(np.prod([extent_at(e, values) for e in p.view.shape], dtype=np.int64))
        inputs += -(-count * np.dtype(dtype_name(p.dtype)).itemsize // ALIGNMENT) * ALIGNMENT
    return plan.arena + inputs + FIXED


def _shaped(memory: Array, port: Port, values: Mapping[str, int]) -> Array:
    """The array of a port in pinned memory, in row-major order."""
    shape = tuple(extent_at(e, values) for e in port.view.shape)
    dtype = np.dtype(dtype_name(port.dtype))
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return memory[:size].view(dtype).reshape(shape)


def _call_all(calls: tuple[Call, ...]) -> None:
    for call in calls:
        call()
