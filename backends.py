"""Names of backends to what they compile for and run on; where C cannot be compiled, NumPy, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from .compiler.schedule.target import CUPY, Machinery, Target, native
from .runtime.machine import Machine, Memory
from .runtime.native.errors import NotNative
from .runtime.native.store import user_store
from .runtime.plan import Plan

if TYPE_CHECKING:
    from .runtime.cupy.device import Device

Name: TypeAlias = Literal["numpy", "native", "cupy"]
NAMES: tuple[Name, ...] = ("numpy", "native", "cupy")


class Backend(NamedTuple):
    """A way to run plans. `note` says why it is another than was asked for; `memory` makes what machines share."""

    name: Name
    target: Target
    machine: Callable[[Plan, Any], Machine]
    note: str = ""
    memory: Callable[[], Memory] = dict


NUMPY = Backend("numpy", Target(), Machine)


def chosen(name: str, *, threads: int | None = None) -> Callable[[], Backend]:
    """As `backend`, for a caller who has something else to do first: C compilers are asked what they can meanwhile.

    Raises what `backend` raises at once; what is returned waits for the compiler.
    """
    if name != "native":
        found = backend(name, threads=threads)
        return lambda: found
    with suppress(NotNative):
        user_store()  # remembered before there are two threads, each of which would make one
    asking = Thread(target=_ask_compiler, args=(threads or 1,), daemon=True)
    asking.start()

    def wait() -> Backend:
        asking.join()
        return backend(name, threads=threads)

    return wait


def _ask_compiler(threads: int) -> None:
    """Finds a compiler, which is remembered, or that there is none; and compiles what threads need in any program."""
    from .runtime.native.objects import user_objects
    from .runtime.native.pool import pool

    with suppress(NotNative):
        found = user_objects()
        if threads > 1:
            pool(found)


def backend(name: str, *, threads: int | None = None) -> Backend:
    """The backend called `name`; native code runs on `threads`, by default one: more pay where steps are long and
    cores are free.

    Without a C compiler that works, `native` gives NumPy and a note. Raises ValueError for an unknown name, and for
    threads of others: NumPy's library chooses its own. Raises NoDevice where `cupy` has no GPU to run on.
    """
    if name not in NAMES:
        raise ValueError(f"there is no backend {name!r}; there are {', '.join(map(repr, NAMES))}")
    if name == "native":
        return _native(threads or 1)
    if threads not in (None, 1):
        raise ValueError("threads are for the native backend")
    return _cupy() if name == "cupy" else NUMPY


def instead(reason: NotNative) -> Backend:
    """NumPy, where C cannot be compiled or run."""
    first = str(reason).splitlines()[0].rstrip(":")
    return NUMPY._replace(note=f"{first}; NumPy runs instead")


def _cupy() -> Backend:
    from .runtime.cupy.nvidia import nvidia

    return on_device(nvidia())


def on_device(device: Device) -> Backend:
    """What runs on a device."""
    from .runtime.cupy.machine import DeviceMachine
    from .runtime.cupy.memory import DeviceMemory

    return Backend("cupy", CUPY, DeviceMachine, memory=partial(DeviceMemory, device))


def _native(threads: int) -> Backend:
    from .runtime.native.machine import NativeMachine
    from .runtime.native.objects import user_objects

    try:
        found = user_objects().toolchain
    except NotNative as reason:
        return instead(reason)
    machinery = Machinery(found.lanes, found.registers, found.first_cache, found.second_cache)
    return Backend("native", native(machinery, threads), NativeMachine)
