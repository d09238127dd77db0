"""What lies in one buffer, found by when it is needed and by which elements it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..ir import dims
from ..ir.dims import Size
from .kernel import Buffer
from .life import Life
from .shift import STILL, Shift

BRANCHES = 8


class Box(NamedTuple):
    """From where to where something reaches: positions, both included, and elements, the last excluded, for one sample
    and for the most. Rows of one pitch that are apart in their columns, from `left` to `right`, do not meet."""

    start: int
    end: int
    low: int
    high: int
    low_of_most: int
    high_of_most: int
    pitch: int = 0
    left: int = 0
    right: int = 0

    def meets(self, other: Box) -> bool:
        if self.start > other.end or other.start > self.end:
            return False
        if self.pitch and self.pitch == other.pitch and (self.left >= other.right or other.left >= self.right):
            return False
        one = self.low < other.high and other.low < self.high
        return one or (self.low_of_most < other.high_of_most and other.low_of_most < self.high_of_most)

    def around(self, other: Box) -> Box:
        """The least box that holds both."""
        return Box(
            min(self.start, other.start),
            max(self.end, other.end),
            min(self.low, other.low),
            max(self.high, other.high),
            min(self.low_of_most, other.low_of_most),
            max(self.high_of_most, other.high_of_most),
            self.pitch if self.pitch == other.pitch else 0,
            min(self.left, other.left),
            max(self.right, other.right),
        )


class Member(NamedTuple):
    """A buffer, or a part of one that is written on its own: when its contents are needed, and where they lie.

    `shift` is the whole buffer's; the part is the `size` elements that `region` shifts.
    """

    buffer: Buffer
    life: Life
    shift: Shift
    region: Shift
    size: Size


def whole(buffer: Buffer, life: Life) -> Member:
    """A buffer where it was made."""
    return Member(buffer, life, STILL, STILL, buffer.size)


class Members:
    """Members in the order in which they came, each `BRANCHES` of them in one box, and boxes in boxes.

    What comes one after the other lies side by side in time or in memory, so that a box tells most of it apart.
    """

    def __init__(self, most: int, members: Iterable[Member]) -> None:
        self.most = most
        self.members: list[Member] = []
        self.levels: list[list[Box]] = [[]]
        for member in members:
            self.add(member, box_of(member, most))

    def __iter__(self) -> Iterator[tuple[Member, Box]]:
        return zip(self.members, self.levels[0], strict=True)

    def __len__(self) -> int:
        return len(self.members)

    def add(self, member: Member, box: Box) -> None:
        at = len(self.members)
        self.members.append(member)
        self.levels[0].append(box)
        for level in self.levels[1:]:
            at //= BRANCHES
            level[at:] = [level[at].around(box) if at < len(level) else box]
        if len(self.levels[-1]) > BRANCHES:
            self.levels.append(_boxes(self.levels[-1]))

    def meeting(self, box: Box) -> Iterator[Member]:
        """The members whose boxes meet a box."""
        found = list(range(len(self.levels[-1])))
        for depth, level in reversed(list(enumerate(self.levels))):
            found = [i for i in found if level[i].meets(box)]
            if depth:
                below = len(self.levels[depth - 1])
                found = [j for i in found for j in range(BRANCHES * i, min(BRANCHES * (i + 1), below))]
        return (self.members[i] for i in found)


def _boxes(boxes: list[Box]) -> list[Box]:
    """One box around each `BRANCHES` of them."""
    found = []
    for first in range(0, len(boxes), BRANCHES):
        around = boxes[first]
        for box in boxes[first + 1 : first + BRANCHES]:
            around = around.around(box)
        found.append(around)
    return found


def box_of(member: Member, most: int) -> Box:
    """The box of a member, for counts up to `most`."""
    region, life = member.region, member.life
    low, high = region.offset, region.offset + _reach(member)
    elements = (number(low, 1), number(high, 1), number(low, most), number(high, most))
    if not region.row:
        return Box(life.start, life.end, *elements)
    column = region.offset - dims.floor_divide(region.offset, region.pitch) * region.pitch
    columns = sorted((number(column, 1), number(column, most)))
    return Box(life.start, life.end, *elements, number(region.pitch, 1), columns[0], columns[1] + number(region.row, 1))


def _reach(member: Member) -> Size:
    """How many elements there are from the first to the last, with the gaps between rows."""
    region = member.region
    return dims.floor_divide(member.size, region.row) * region.pitch if region.row else member.size


def number(size: Size, count: int) -> int:
    """A size for a count; symbols of loops count as 0."""
    if isinstance(size, int):
        return size
    value = dims.substitute(size, dict.fromkeys(size.names, 0) | {"N": count})
    assert isinstance(value, int)
    return value
