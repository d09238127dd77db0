"""The first NVIDIA GPU as a device, by way of CuPy: two streams, modules compiled from text, and graphs of launches."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from ctypes import CDLL
from functools import cache, partial
from typing import Any

import numpy as np

from ..arrays import Array, Call
from ..plan import THREADS, Unit
from .cublas import Cublas, Functions, functions_of
from .device import Argument, Kernel, Multiply
from .errors import LittleMemory, NoDevice

OPTIONS = ("--std=c++17",)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
INSTALL = "install axonc[cuda12] or axonc[cuda13], whichever is not newer than what `nvidia-smi` shows"


class Block:
    """Zeroed memory on the device, outside of CuPy's pool."""

    def __init__(self, cupy: Any, size: int, stream: Any) -> None:
        self._memory = cupy.cuda.Memory(size)
        cupy.cuda.runtime.memsetAsync(self._memory.ptr, 0, size, stream.ptr)

    @property
    def address(self) -> int:
        return int(self._memory.ptr)


class Nvidia:
    """The current device of CuPy. What is sent goes by a stream of its own. `cublas` loads the functions of cuBLAS."""

    def __init__(self, cupy: Any, cublas: Callable[[], Functions]) -> None:
        self.cupy = cupy
        self.runtime = cupy.cuda.runtime
        self.work = cupy.cuda.Stream(non_blocking=True)
        self.sending = cupy.cuda.Stream(non_blocking=True)
        self._kernels: dict[str, Kernel] = {}
        self._products = cache(lambda: Cublas(cublas(), self.work.ptr).multiply)

    def free(self) -> int:
        free, _ = self.runtime.memGetInfo()
        return int(free)

    def memory(self, size: int) -> Block:
        try:
            made = Block(self.cupy, size, self.work)
        except self.cupy.cuda.memory.OutOfMemoryError:
            raise LittleMemory.of(size, self.free(), 0) from None
        except self.runtime.CUDARuntimeError:
            raise LittleMemory.of(size, self.free(), 0) from None
        self.taken()  # what is sent there comes after the zeros
        return made

    def pinned(self, size: int) -> Array:
        from cupyx import empty_pinned

        array: Array = empty_pinned(size, np.uint8)
        array.fill(0)
        return array

    def kernels(self, units: Sequence[Unit]) -> Mapping[str, Kernel]:
        """Compiled by NVRTC and kept on disk by CuPy, by their text; comments, which name lines of a spec, are not part
        of it."""
        for unit in units:
            if not self._kernels.keys() >= set(unit.kernels):
                module = self.cupy.RawModule(code=COMMENT.sub("", unit.text), options=OPTIONS)
                self._kernels |= {name: partial(self._launch, module.get_function(name)) for name in unit.kernels}
        return self._kernels

    def _launch(self, function: Any, blocks: int, arguments: Sequence[Argument]) -> None:
        given = tuple((np.int64 if wide else np.int32)(value) for value, wide in arguments)
        with self.work:
            function((blocks,), (THREADS,), given)

    def products(self) -> Multiply:
        return self._products()

    def send(self, to: int, array: Array) -> None:
        kind = self.runtime.memcpyHostToDevice
        self.runtime.memcpyAsync(to, array.ctypes.data, array.nbytes, kind, self.sending.ptr)

    def sent(self) -> None:
        self.work.wait_event(self.sending.record())

    def taken(self) -> None:
        self.sending.wait_event(self.work.record())

    def copy(self, to: int, source: int, size: int) -> None:
        self.runtime.memcpyAsync(to, source, size, self.runtime.memcpyDeviceToDevice, self.work.ptr)

    def fetch(self, array: Array, source: int) -> None:
        kind = self.runtime.memcpyDeviceToHost
        self.runtime.memcpyAsync(array.ctypes.data, source, array.nbytes, kind, self.work.ptr)

    def wait(self) -> None:
        self.work.synchronize()

    def kept(self, calls: Sequence[Call]) -> Call:
        """The calls as a CUDA graph."""
        with self.work:
            self.work.begin_capture()
            for call in calls:
                call()
            graph = self.work.end_capture()
        launch: Call = partial(graph.launch, self.work)
        return launch


def cublas() -> Functions:
    """The functions of the cuBLAS that CuPy uses. Raises NoDevice."""
    from cuda import pathfinder  # part of CuPy

    try:
        found = pathfinder.load_nvidia_dynamic_lib("cublas")
    except pathfinder.DynamicLibNotFoundError as refusal:
        raise NoDevice("no-cublas", f"cuBLAS cannot be loaded: {first_line(refusal)}", INSTALL) from None
    return functions_of(CDLL(found.abs_path))


@cache
def nvidia() -> Nvidia:
    """The device, found once in a process. Raises NoDevice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about libraries that nothing here asks for
        try:
            import cupy
        except ImportError as refusal:
            raise NoDevice("no-cupy", f"CuPy cannot be loaded: {first_line(refusal)}", INSTALL) from None
    try:
        cupy.cuda.Device().use()
        return Nvidia(cupy, cublas)
    except cupy.cuda.runtime.CUDARuntimeError as refusal:
        advice = "see whether `nvidia-smi` shows a GPU; without one, `--backend native` is the fastest"
        raise NoDevice("no-gpu", f"CuPy finds no GPU that it can use: {first_line(refusal)}", advice) from None


def first_line(refusal: Exception) -> str:
    """The beginning of what a library says."""
    lines = str(refusal).strip().splitlines()
    return lines[0] if lines else type(refusal).__name__
