"""CuPy's words where a processor is the device, so that `nvidia.py` runs as it does on a GPU.

What a stream is asked for is done late: when somebody waits for it. Streams that are `eager` do it at once, as far as
no event holds them. A GPU may do anything between: a copy that no event orders overtakes its reader at one end, and at
the other comes too late.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace, TracebackType
from typing import Any

import numpy as np
from axonc.runtime.arrays import Array
from axonc.runtime.cupy.cublas import Functions
from axonc.runtime.plan import Unit

from .blas import StandinCublas
from .standin import HostMemory, Standin

Work = Callable[[], object]
WORK, SENDING = 1, 2  # the streams of our device, by the order in which it makes them


@dataclass
class Event:
    """A place in a stream: how many works come before it."""

    stream: Stream
    count: int

    @property
    def is_reached(self) -> bool:
        return self.stream.done >= self.count


class Stream:
    """Works in order, of which `done` are done. While `captured` is a list, works go there instead."""

    def __init__(self, host: HostCupy, number: int) -> None:
        self.host, self.ptr = host, number
        self.works: deque[Work | Event] = deque()
        self.done = 0
        self.captured: list[Work] | None = None
        self.outside: Stream | None = None

    def __enter__(self) -> Stream:
        self.outside, self.host.current = self.host.current, self
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.host.current = self.outside

    def add(self, work: Work | Event) -> None:
        if self.captured is not None:
            assert not isinstance(work, Event)
            self.captured.append(work)
            return
        self.works.append(work)
        self.host.go_on()

    def record(self) -> Event:
        return Event(self, self.done + len(self.works))

    def wait_event(self, event: Event) -> None:
        self.add(event)

    def step(self) -> None:
        """Does the next work, after what it waits for."""
        work = self.works[0]
        while isinstance(work, Event) and not work.is_reached:
            work.stream.step()
        self.works.popleft()
        self.done += 1
        if not isinstance(work, Event):
            work()

    @property
    def is_free(self) -> bool:
        """Whether the next work waits for nothing."""
        return not isinstance(self.works[0], Event) or self.works[0].is_reached

    def synchronize(self) -> None:
        while self.works:
            self.step()

    def begin_capture(self) -> None:
        self.captured = []

    def end_capture(self) -> Graph:
        kept, self.captured = self.captured, None
        assert kept is not None
        self.host.graphs += 1
        return Graph(tuple(kept))


@dataclass
class Graph:
    """Launches that were kept."""

    works: tuple[Work, ...]

    def launch(self, stream: Stream) -> None:
        for work in self.works:
            stream.add(work)


@dataclass
class HostCupy:
    """What `nvidia.py` asks of the modules `cupy` and `cupyx`."""

    eager: frozenset[int] = frozenset()
    size: int = 8 << 30
    used: int = 0
    streams: list[Stream] = field(default_factory=list)
    current: Stream | None = None
    pinned: list[Array] = field(default_factory=list)
    graphs: int = 0

    def __post_init__(self) -> None:
        error = type("CUDARuntimeError", (RuntimeError,), {})
        self.runtime = SimpleNamespace(
            CUDARuntimeError=error,
            memGetInfo=lambda: (self.size - self.used, self.size),
            memcpyAsync=self.copy,
            memsetAsync=self.fill,
            memcpyHostToDevice=1,
            memcpyDeviceToHost=2,
            memcpyDeviceToDevice=3,
        )
        memory = SimpleNamespace(OutOfMemoryError=type("OutOfMemoryError", (MemoryError,), {}))
        self.cuda = SimpleNamespace(Stream=self.stream, Memory=self.memory, memory=memory, runtime=self.runtime)
        self.standin = Standin()

    def cublas(self) -> Functions:
        """cuBLAS, which gives its products to the stream that it was told."""
        handle = StandinCublas(lambda *_: None, lambda stream, work: self.streams[stream - 1].add(work))
        return handle.functions

    def stream(self, *, non_blocking: bool) -> Stream:
        assert non_blocking
        self.streams.append(Stream(self, len(self.streams) + 1))
        return self.streams[-1]

    def go_on(self) -> None:
        """Streams that are eager do what they can."""
        while free := [s for s in self.streams if s.ptr in self.eager and s.works and s.is_free]:
            free[0].step()

    def memory(self, size: int) -> Any:
        """Memory with whatever lies in it."""
        self.used += size
        made = HostMemory(size)
        made.raw[:] = 0xA5
        return SimpleNamespace(ptr=made.address, owner=made)

    def empty_pinned(self, size: int, dtype: type) -> Array:
        self.pinned.append(np.empty(size, dtype))
        return self.pinned[-1]

    def fill(self, to: int, value: int, size: int, stream: int) -> None:
        self.streams[stream - 1].add(partial(ctypes.memset, to, value, size))

    def copy(self, to: int, source: int, size: int, kind: int, stream: int) -> None:
        """From and to the host only pinned memory is left to the stream: of other memory CUDA takes a copy at once, or
        waits."""
        queue, kept = self.streams[stream - 1], None
        if kind == 1 and not self._is_pinned(source):
            kept = ctypes.create_string_buffer(ctypes.string_at(source, size), size)
        queue.add(lambda: ctypes.memmove(to, source if kept is None else kept, size))
        if kind == 2 and not self._is_pinned(to):
            queue.synchronize()

    def _is_pinned(self, address: int) -> bool:
        return any(0 <= address - a.ctypes.data < max(a.nbytes, 1) for a in self.pinned)

    def RawModule(self, *, code: str, options: tuple[str, ...]) -> Any:  # noqa: N802
        return SimpleNamespace(get_function=partial(self._function, code))

    def _function(self, code: str, name: str) -> Any:
        """A kernel of a text, which a launch gives to the stream that is current."""
        kernel = self.standin.kernels([Unit(code, (name,))])[name]

        def launch(blocks: tuple[int], threads: tuple[int], given: Sequence[Any]) -> None:
            assert self.current is not None
            arguments = [(int(value), isinstance(value, np.int64)) for value in given]
            self.current.add(partial(kernel, *blocks, arguments))

        return launch
