"""Named memory that lives on a device: the host sees it by name, and copies go only where somebody looked or wrote."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

import numpy as np

from ..arrays import Array
from .device import Address, Device, Memory


class DeviceMemory(MutableMapping[str, Array]):
    """Arrays by name, flat, shared by all machines of a program on one device.

    An array that is asked for has what the last run left in it. What is written to it before the next run counts;
    after that run it has to be asked for again.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._host: dict[str, Array] = {}
        self._there: dict[str, Memory] = {}
        self._newer: set[str] = set()  # on the device
        self._seen: set[str] = set()  # by somebody who may have written to it since

    def __getitem__(self, name: str) -> Array:
        array = self._host[name]
        if name in self._newer:
            self.device.fetch(array, self._there[name].address)
            self.device.wait()
            self._newer.discard(name)
        self._seen.add(name)
        return array

    def __setitem__(self, name: str, array: Array) -> None:
        known = self._host.get(name)
        if known is not None and known.nbytes != array.nbytes:
            self._there.pop(name, None)
        self._host[name] = array
        self._newer.discard(name)
        self._seen.add(name)

    def __delitem__(self, name: str) -> None:
        del self._host[name]
        self._there.pop(name, None)
        self._newer.discard(name)
        self._seen.discard(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._host)

    def __len__(self) -> int:
        return len(self._host)

    def bytes_missing(self, sizes: dict[str, int]) -> int:
        """How much of these has no memory on the device yet."""
        return sum(size for name, size in sizes.items() if name not in self._there)

    def address(self, name: str, dtype: np.dtype[np.generic], size: int) -> Address:
        """Where the array lies on the device; one that is new is made, of zeros."""
        if name not in self._host:
            self._host[name] = np.zeros(size, dtype)
            self._newer.add(name)
        if name not in self._there:
            self._there[name] = self.device.memory(max(self._host[name].nbytes, 1))
            if name not in self._newer:
                self._seen.add(name)
        return self._there[name].address

    def described(self, name: str) -> tuple[np.dtype[np.generic], int] | None:
        """The dtype and size of an array, without looking at what is in it."""
        array = self._host.get(name)
        return None if array is None else (array.dtype, array.size)

    def send(self, names: frozenset[str]) -> bool:
        """Brings what the host may have written to the device; whether there was anything."""
        wanted = self._seen & names
        for name in wanted:
            self.device.send(self._there[name].address, self._host[name])
        self._seen -= wanted
        return bool(wanted)

    def written(self, names: frozenset[str]) -> None:
        """Says that a run wrote these on the device."""
        self._newer |= names
