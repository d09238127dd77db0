"""Lives and sizes to offsets: the lowest bytes that nothing needs in a stretch of time.

Two lives meet where one is under way when the other begins, or begins while the other is under way. Both questions
are asked of trees over time whose nodes hold ranges of bytes, so that what lives elsewhere is never looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import cycle


class Ranges:
    """Ranges of bytes in order, joined where they touch."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        low, high = bisect_left(self.ends, start), bisect_right(self.starts, end)
        if low < high:
            start, end = min(start, self.starts[low]), max(end, self.ends[high - 1])
        self.starts[low:high] = (start,)
        self.ends[low:high] = (end,)

    def free(self, size: int, least: int) -> int:
        """The lowest `size` bytes, from `least` on, that no range meets."""
        starts, ends = self.starts, self.ends
        i = bisect_right(ends, least)
        while i < len(starts) and starts[i] < least + size:
            least = ends[i]
            i += 1
        return least


class Occupation:
    """Which bytes are taken when; `starts` are all moments at which a life may begin."""

    def __init__(self, starts: Iterable[int]) -> None:
        self.moments = sorted(set(starts))
        self.alive: dict[int, Ranges] = {}  # what lives through all moments of a node of the tree
        self.begun: dict[int, Ranges] = {}  # what begins at one of them

    def take(self, size: int, start: int, end: int) -> int:
        """The lowest `size` bytes that nothing taken before needs from `start` to `end`, which are taken."""
        first, last = bisect_left(self.moments, start), bisect_right(self.moments, end)
        through, above = list(self._covering(first, last)), list(self._above(first))
        later = self._covering(first + 1, last)
        met = [*self._found(self.alive, above), *self._found(self.begun, later)]
        offset = _lowest(met, size)
        if size:
            for tree, nodes in ((self.alive, through), (self.begun, above)):
                for node in nodes:
                    tree.setdefault(node, Ranges()).add(offset, offset + size)
        return offset

    def _found(self, tree: dict[int, Ranges], nodes: Iterable[int]) -> Iterator[Ranges]:
        return (tree[node] for node in nodes if node in tree)

    def _above(self, moment: int) -> Iterator[int]:
        """The nodes over a moment: its leaf, and what halves it again and again down to the root, node 1."""
        node = moment + len(self.moments)
        while node:
            yield node
            node //= 2

    def _covering(self, first: int, last: int) -> Iterator[int]:
        """The fewest nodes that cover the moments from `first` up to `last`, without it."""
        low, high = first + len(self.moments), last + len(self.moments)
        while low < high:
            if low % 2:
                yield low
                low += 1
            if high % 2:
                high -= 1
                yield high
            low, high = low // 2, high // 2


def _lowest(met: list[Ranges], size: int) -> int:
    """The lowest `size` bytes that are free in all."""
    offset, agree = 0, 0  # how many have said in turn that it is free there
    for ranges in cycle(met):
        found = ranges.free(size, offset)
        offset, agree = found, agree + 1 if found == offset else 1
        if agree == len(met):
            break
    return offset
