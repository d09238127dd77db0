"""A device that is a processor: kernels compiled as C++ against `standin.h`, queues that do everything at once.

As a program it runs pickled plans under AddressSanitizer, and allows each kernel to touch its windows and nothing else:
`python -m axonc.tests.cuda.standin` reads the name of a JOB from each line, leaves JOB.npz and answers with a line.
"""

from __future__ import annotations

import atexit
import ctypes
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from hashlib import sha256
from os import environ, getpid
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime.arrays import Array, Call
from axonc.runtime.cupy.cublas import Cublas, CublasError
from axonc.runtime.cupy.device import Argument, Kernel, Multiply, Product
from axonc.runtime.cupy.machine import DeviceMachine
from axonc.runtime.cupy.memory import DeviceMemory
from axonc.runtime.machine import dtype_name, stretches
from axonc.runtime.plan import THREADS, Launch, Loop, Plan, Step, Unit, extent_at

from .blas import StandinCublas

HEADER = Path(__file__).with_name("standin.h")
COMPILER = (
    shlex.split(environ.get("CXX", "")) or [found for name in ("g++", "c++") if (found := shutil.which(name))][:1]
)
needs_compiler = pytest.mark.skipif(not COMPILER, reason="there is no C++ compiler here (g++, c++ or $CXX)")
FLAGS = ("-std=c++17", "-shared", "-fPIC", "-fwrapv", "-w")
FOLDER = Path(tempfile.gettempdir())  # `conftest.py` gives one that all processes of a run share
SIGNATURE = re.compile(
    r'extern "C" __global__ void __launch_bounds__\(\d+\) (\w+)\((.*?)\) \{\n(.*?)^\}', re.DOTALL | re.MULTILINE
)
WAITS = re.compile(r"__sync|__shfl")
ALIGNMENT = 256


# Linked into no library: a process that loads one needs the whole sanitizer, which `sanitized` gives it.
SANITIZER = ("-fsanitize=address", "-O0")


class StandinFault(AssertionError):
    """A kernel that no device runs as it should: a race, a barrier that not all reach, a place outside."""


@dataclass
class HostMemory:
    """Zeroed memory of the host, with an address as devices have them."""

    size: int
    raw: Array = field(init=False)

    def __post_init__(self) -> None:
        self.raw = np.zeros(self.size + ALIGNMENT, np.uint8)

    @property
    def address(self) -> int:
        start = int(self.raw.ctypes.data)
        return start + -start % ALIGNMENT


@dataclass
class Standin:
    """A device of so many bytes, which counts. `backwards` runs blocks and threads from the last to the first."""

    size: int = 8 << 30
    backwards: bool = False
    flags: tuple[str, ...] = ("-O0",)  # compiling takes most of the time
    used: int = 0
    pinned_bytes: int = 0
    sent_bytes: int = 0
    launches: int = 0
    graphs: int = 0
    blocks: list[HostMemory] = field(default_factory=list)
    watch: Callable[[int, int], int] | None = None  # what gives the first byte of a run that is poisoned, or 0
    blas: StandinCublas = field(init=False)

    def __post_init__(self) -> None:
        self.blas = StandinCublas(self._touched)
        self._cublas = Cublas(self.blas.functions, 0)

    def free(self) -> int:
        return self.size - self.used

    def memory(self, size: int) -> HostMemory:
        self.used += size
        made = HostMemory(size)
        self.blocks.append(made)
        return made

    def pinned(self, size: int) -> Array:
        self.pinned_bytes += size
        return np.zeros(size, np.uint8)

    def kernels(self, units: Sequence[Unit]) -> dict[str, Kernel]:
        made = library([u.text for u in units], self.flags)
        return {name: partial(self._launch, made, name) for unit in units for name in unit.kernels}

    def products(self) -> Multiply:
        return self._multiply

    def _multiply(self, product: Product) -> None:
        self.launches += 1
        try:
            self._cublas.multiply(product)
        except CublasError as refusal:
            raise StandinFault(str(refusal)) from self.blas.fault

    def _touched(self, address: int, size: int) -> None:
        """Refuses a run of memory that does not lie in one piece, or that a step has no business in."""
        if not any(m.address <= address and address + size <= m.address + m.size for m in self.blocks):
            raise StandinFault(f"{size} bytes outside of the memory of the device")
        if self.watch and size and (found := self.watch(address, size)):
            raise StandinFault(f"{size} bytes of which those from {found - address} on are of others")

    def _launch(self, library: ctypes.CDLL, name: str, blocks: int, arguments: Sequence[Argument]) -> None:
        self.launches += 1
        values = [(ctypes.c_int64 if wide else ctypes.c_int32)(value) for value, wide in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
        library[f"run_{name}"](pointers, ctypes.c_long(blocks), ctypes.c_int(self.backwards))
        message = library.standin_message
        message.restype = ctypes.c_char_p
        if wrong := message():
            raise StandinFault(f"{name}: {wrong.decode()}")

    def send(self, to: int, array: Array) -> None:
        self.sent_bytes += array.nbytes
        ctypes.memmove(to, array.ctypes.data, array.nbytes)

    def sent(self) -> None:
        pass

    def taken(self) -> None:
        pass

    def copy(self, to: int, source: int, size: int) -> None:
        ctypes.memmove(to, source, size)

    def fetch(self, array: Array, source: int) -> None:
        ctypes.memmove(array.ctypes.data, source, array.nbytes)

    def wait(self) -> None:
        pass

    def kept(self, calls: Sequence[Call]) -> Call:
        self.graphs += 1
        return lambda: [call() for call in calls] and None


def library(texts: Sequence[str], flags: tuple[str, ...]) -> ctypes.CDLL:
    """Texts of kernels compiled as C++; equal ones once in a run. Each text has a namespace, since all bring the same
    functions."""
    spaces = (f"namespace u{i} {{\n{text}\n{entries(text)}\n}}" for i, text in enumerate(texts))
    whole = "\n".join((f'#include "{HEADER}"', *spaces))
    path = FOLDER / (sha256(repr((whole, flags)).encode()).hexdigest() + ".so")
    if not path.exists():
        source, made = (path.with_suffix(f".{getpid()}{end}") for end in (".cpp", ".so"))
        source.write_text(whole, encoding="utf-8")
        done = subprocess.run([*COMPILER, *FLAGS, *flags, "-o", str(made), str(source)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:4000]
        made.rename(path)
    return ctypes.CDLL(str(path))


def entries(text: str) -> str:
    """C++ that starts each kernel of a text with arguments that lie behind pointers."""
    found = []
    for name, formals, body in SIGNATURE.findall(text):
        types = [re.sub(r"\w+$", "", formal) for formal in formals.split(", ")]
        given = ", ".join(f"*({t} *)a[{i}]" for i, t in enumerate(types))
        waits = int(bool(WAITS.search(body)))
        found.append(
            f"static void call_{name}(void **a) {{ {name}({given}); }}\n"
            f'extern "C" void run_{name}(void **a, long blocks, int backwards) {{\n'
            f"  standin_launch(call_{name}, a, blocks, {THREADS}, {waits}, backwards);\n}}"
        )
    return "\n".join(found)


class Watched(DeviceMachine):
    """A machine whose kernels find all memory poisoned but the elements of their windows."""

    device: Standin

    def __init__(self, plan: Plan, memory: DeviceMemory) -> None:
        super().__init__(plan, memory)
        self.device.watch = _poisoned

    def _launches(self, items: tuple[Step | Loop, ...], values: Mapping[str, int]) -> Iterator[tuple[Step, Call]]:
        for item in items:
            if isinstance(item, Loop):
                for start, length in stretches(item, values):
                    yield from self._launches(item.body, {**values, item.start: start, item.length: length})
            else:
                for step, call in super()._launches((item,), values):
                    yield step, partial(self._watched, list(self._runs(step, values)), call)

    def _runs(self, step: Step, values: Mapping[str, int]) -> Iterator[tuple[int, int]]:
        """Where the runs of memory begin that a kernel may touch, and how long they are."""
        assert step.launch is not None
        for view in step.launch.views:
            item = np.dtype(dtype_name(self.plan.buffers[view.buffer].dtype)).itemsize
            start = self._address(view, values)
            axes = [
                (extent_at(n, values), item * extent_at(s, values))
                for n, s in zip(view.shape, view.strides, strict=True)
            ]
            low = sum((n - 1) * s for n, s in axes if s < 0)
            axes = sorted(((n, abs(s)) for n, s in axes if n != 1 and s), key=lambda axis: axis[1])
            size = item
            while axes and axes[0][1] <= size:
                n, s = axes.pop(0)
                size = max(size, (n - 1) * s + size)
            for index in np.ndindex(*(n for n, _ in axes)):
                yield start + low + sum(i * s for i, (_, s) in zip(index, axes, strict=True)), size
        if isinstance(step.launch, Launch) and step.launch.refuses:
            yield self._fault.address, 32

    def _watched(self, runs: list[tuple[int, int]], call: Call) -> None:
        everything = [(memory.address, memory.size) for memory in self.device.blocks]
        _mark("poison", everything)
        _mark("unpoison", runs)
        call()
        _mark("unpoison", everything)


def _mark(how: str, runs: list[tuple[int, int]]) -> None:
    function = ctypes.CDLL(None)[f"__asan_{how}_memory_region"]
    for start, size in runs:
        function(ctypes.c_void_p(start), ctypes.c_size_t(size))


def _poisoned(start: int, size: int) -> int:
    """The first poisoned byte of a run, or 0."""
    function = ctypes.CDLL(None)["__asan_region_is_poisoned"]
    function.restype = ctypes.c_void_p
    return int(function(ctypes.c_void_p(start), ctypes.c_size_t(size)) or 0)


def sanitized(
    plan: Plan, inputs: Mapping[str, Array], count: int | None = None, *, backwards: bool = False
) -> dict[str, Array]:
    """The results of a plan that runs in another process, which a touch outside of windows ends."""
    job = Path(tempfile.mkdtemp(dir=FOLDER)) / "job"
    job.write_bytes(pickle.dumps((plan, dict(inputs), count, backwards)))
    worker = _worker()
    if not worker.does(job):
        _worker.cache_clear()
        raise AssertionError(worker.said())
    with np.load(job.with_suffix(".npz")) as found:
        return dict(found)


class Worker:
    """The other process, which does one job after the other: it takes most of a second to start."""

    def __init__(self) -> None:
        asan = subprocess.run([*COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
        options = {"LD_PRELOAD": asan, "ASAN_OPTIONS": "detect_leaks=0", "STANDIN_FOLDER": str(FOLDER)}
        self._errors = Path(tempfile.mkdtemp(dir=FOLDER)) / "errors"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "axonc.tests.cuda.standin"],
                env=environ | options,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        atexit.register(self._process.communicate)

    def does(self, job: Path) -> bool:
        """Whether the job was done; else the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(job, file=self._process.stdin, flush=True)
        return bool(self._process.stdout.readline())

    def said(self) -> str:
        """The end of what it complained about."""
        self._process.wait()
        return self._errors.read_text(encoding="utf-8")[-4000:]


_worker = cache(Worker)


def repeated(machine: DeviceMachine, inputs: Mapping[str, Array], count: int | None = None) -> dict[str, Array]:
    """The results of a run by launches, which later ones, by what is kept of them, must give again."""
    first = machine.run(inputs, count)
    for _ in range(3):
        np.testing.assert_equal(machine.run(inputs, count), first)
    return first


def main() -> None:
    global FOLDER
    FOLDER = Path(environ["STANDIN_FOLDER"])
    for line in sys.stdin:
        job = Path(line.rstrip("\n"))
        plan, inputs, count, backwards = pickle.loads(job.read_bytes())
        machine = Watched(plan, DeviceMemory(Standin(backwards=backwards, flags=SANITIZER)))
        np.savez(job.with_suffix(".npz"), **repeated(machine, inputs, count))
        print("done", flush=True)


if __name__ == "__main__":
    main()
