"""What a machine asks of a device: memory, copies in order, kernels, and a sequence of launches kept as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from ..arrays import Array, Call
from ..plan import Unit

Address: TypeAlias = int
Argument: TypeAlias = "tuple[int, bool]"  # an address or a size, and whether it has 64 bits, else 32
Kernel: TypeAlias = "Callable[[int, Sequence[Argument]], None]"  # of so many blocks


class Operand(NamedTuple):
    """Matrices on a device, as cuBLAS takes them: `leading` elements between columns, `step` between matrices."""

    address: Address
    dtype: str
    leading: int
    step: int
    turned: bool


class Product(NamedTuple):
    """`c = a @ b`, [m, k] by [k, n], `batch` times, in a workspace of so many bytes; with `tf32` of numbers that may be
    rounded to 11 bits."""

    m: int
    n: int
    k: int
    a: Operand
    b: Operand
    c: Operand
    batch: int
    workspace: Address
    bytes: int
    tf32: bool = False


Multiply: TypeAlias = "Callable[[Product], None]"


class Memory(Protocol):
    """Zeroed memory on a device, as long as this lives."""

    @property
    def address(self) -> Address:
        """Of its first byte: a multiple of 256."""


class Device(Protocol):
    """A device with two queues: work is done in the order in which it is asked for, `send` beside it.

    Nothing but `memory`, `pinned`, `kernels`, `products` and `kept` takes memory.
    """

    def free(self) -> int:
        """Bytes that are not in use."""

    def memory(self, size: int) -> Memory:
        """New memory, zeroed. Raises LittleMemory."""

    def pinned(self, size: int) -> Array:
        """Bytes of the host that the device reads and writes by itself."""

    def kernels(self, units: Sequence[Unit]) -> Mapping[str, Kernel]:
        """The kernels of some texts by name, compiled and loaded."""

    def products(self) -> Multiply:
        """What multiplies matrices; the library is loaded when this is first asked for. Raises NoDevice."""

    def send(self, to: Address, array: Array) -> None:
        """Copies from the host, beside the work under way."""

    def sent(self) -> None:
        """Work that is asked for from now on waits for what was sent."""

    def taken(self) -> None:
        """What is sent from now on waits for the work so far."""

    def copy(self, to: Address, source: Address, size: int) -> None:
        """Copies within the device."""

    def fetch(self, array: Array, source: Address) -> None:
        """Copies to the host; there after `wait`."""

    def wait(self) -> None:
        """Until all work is done."""

    def kept(self, calls: Sequence[Call]) -> Call:
        """The launches of some calls as one, which were run once before."""
