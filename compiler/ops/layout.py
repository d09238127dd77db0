"""Operations that only move elements: index maps, joining, padding, and shapes built from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..ir import dims
from ..ir.check import Check
from ..ir.dims import Size
from ..ir.graph import Builder, Node, located
from ..ir.op import Array, Axes, Axis, Op
from ..ir.types import Shape, Tensor, Unknown


class Reshape(Op):
    """The elements of x in the same order under another shape of equal size."""

    view: ClassVar[bool] = True
    shape: Shape

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        found, wanted = x.size, dims.product(self.shape)
        detail = f"{found} elements do not fill {wanted}"
        c.same(found, wanted, f"`reshape` cannot give {x} the shape {list(self.shape)}", found=f"{x}", detail=detail)
        return x.with_shape(self.shape)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.reshape(arrays[0], self.shape)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        return [g[0] and b.add(Reshape(node.inputs[0].shape), g[0])]

    def axes(self, *types: Tensor) -> Axes:
        before, after = types[0].shape, self.shape
        ends = _matching(before, after)
        inputs = tuple(Axis(ends[0].get(i, f"x{i}"), "point" if i in ends[0] else "whole") for i in range(len(before)))
        return Axes((inputs,), (tuple(ends[1].get(i, f"y{i}") for i in range(len(after))),))

    def formula(self, *names: str) -> str:
        return f"{names[0]} as {list(self.shape)}"


def _matching(before: Shape, after: Shape) -> tuple[dict[int, str], dict[int, str]]:
    """Names of the equal axes at the front of two shapes of equal size, and at the back, by position."""
    front = 0
    while front < min(len(before), len(after)) and before[front] == after[front]:
        front += 1
    back, most = 0, min(len(before), len(after)) - front
    while back < most and before[-1 - back] == after[-1 - back]:
        back += 1
    old, new = ({i: f"a{i}" for i in range(front)} for _ in range(2))
    old |= {len(before) - 1 - i: f"b{i}" for i in range(back)}
    new |= {len(after) - 1 - i: f"b{i}" for i in range(back)}
    return old, new


class Transpose(Op):
    """x with its axes in another order: axis `order[i]` of x becomes axis i."""

    view: ClassVar[bool] = True
    order: tuple[int, ...]

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        if sorted(self.order) != list(range(x.rank)):
            detail = f"every axis from 0 to {x.rank - 1} must stand in it once"
            c.shape(f"`transpose` cannot put the axes of {x} in the order {list(self.order)}", f"{x}", detail)
        return x.with_shape(tuple(x.shape[i] for i in self.order))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.permute_dims(arrays[0], self.order)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        back = tuple(self.order.index(i) for i in range(len(self.order)))
        return [g[0] and b.add(Transpose(back), g[0])]

    def axes(self, *types: Tensor) -> Axes:
        names = tuple(f"a{i}" for i in range(types[0].rank))
        return Axes((tuple(map(Axis, names)),), (tuple(names[i] for i in self.order),))

    def formula(self, *names: str) -> str:
        return f"{names[0]}ᵀ" if self.order == (1, 0) else f"{names[0]} with axes {list(self.order)}"


class Expand(Op):
    """x stretched to a shape that it broadcasts to, aligned at the right."""

    view: ClassVar[bool] = True
    shape: Shape

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        problem = f"`expand` cannot stretch {x} to {list(self.shape)}"
        advice = "only axes of size 1 stretch, aligned at the right"
        if x.rank > len(self.shape):
            c.shape(problem, f"{x}", advice=advice)
        for size, wanted in zip(x.shape, self.shape[len(self.shape) - x.rank :], strict=True):
            if size != 1:
                c.same(size, wanted, problem, found=f"{x}", detail=f"{size} meets {wanted}", advice=advice)
        return x.with_shape(self.shape)

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.broadcast_to(arrays[0], self.shape)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        return [g[0]]

    def axes(self, *types: Tensor) -> Axes:
        (x,) = types
        lead = len(self.shape) - x.rank
        names = tuple(f"a{i}" for i in range(len(self.shape)))
        stretched = [x.shape[i] == 1 and self.shape[i + lead] != 1 for i in range(x.rank)]
        inputs = tuple(Axis("" if stretched[i] else names[i + lead]) for i in range(x.rank))
        return Axes((inputs,), (names,))

    def formula(self, *names: str) -> str:
        return f"{names[0]} over {list(self.shape)}"


class Concat(Op):
    """The inputs one after the other along `axis`; they agree in every other axis."""

    moves: ClassVar[bool] = True
    axis: int

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        first = types[0]
        shown = " and ".join(map(str, types))
        axis = c.axis(self.word, self.axis, first.rank)
        shape = list(first.shape)
        for t in types[1:]:
            if t.rank != first.rank:
                c.shape("`concat` joins tensors of different rank", shown)
            for i in set(range(first.rank)) - {axis}:
                problem = f"`concat` along axis {axis} needs the other axes equal"
                detail = f"axis {i} is {shape[i]} here and {t.shape[i]} there"
                shape[i] = c.same(shape[i], t.shape[i], problem, found=shown, detail=detail)
            shape[axis] = shape[axis] + t.shape[axis]
        return Tensor(c.one_dtype(self.word, *types), tuple(shape))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.concat(arrays, axis=self.axis)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None] * len(node.inputs)
        axis = self.axis % len(node.shape)
        return list(split(b, g[0], axis, tuple(x.shape[axis] for x in node.inputs)))

    def axes(self, *types: Tensor) -> Axes:
        axis = self.axis % types[0].rank
        names = tuple(f"a{i}" if i != axis else "joined" for i in range(types[0].rank))
        inputs = tuple(
            tuple(Axis(n) if n != "joined" else Axis(f"part{k}", "whole") for n in names) for k in range(len(types))
        )
        return Axes(inputs, (names,))

    def formula(self, *names: str) -> str:
        return f"[{'; '.join(names)}]"


class Slice(Op):
    """x from `starts` to `stops` (exclusive) in `steps`, one of each for every axis.

    Starts and stops count from the left and are not negative; with a negative step the first index is `starts`,
    and a stop of -1 stands before index 0.
    """

    view: ClassVar[bool] = True
    starts: tuple[Size, ...]
    stops: tuple[Size, ...]
    steps: tuple[int, ...]

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        if not len(self.starts) == len(self.stops) == len(self.steps) == x.rank:
            c.shape(f"`slice` needs a range for each axis of {x}", f"{len(self.starts)} ranges")
        for i, (size, start, stop) in enumerate(zip(x.shape, self.starts, self.stops, strict=True)):
            outside = _below(start, 0) or _below(stop, -1) or _below(size, start) or _below(size, stop)
            if outside or (self.steps[i] < 0 and _below(size - 1, start)) or self.steps[i] == 0:
                shown = f"{start}:{stop}:{self.steps[i]}"
                c.shape(f"`slice` leaves the tensor in axis {i}", f"{x}", f"{shown} lies not inside 0:{size}")
        return x.with_shape(tuple(map(_length, self.starts, self.stops, self.steps)))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        ranges = zip(self.starts, self.stops, self.steps, strict=True)
        return arrays[0][tuple(slice(a, None if z == -1 else z, step) for a, z, step in ranges)]

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        turned = tuple(i for i, step in enumerate(self.steps) if step < 0)
        flow = b.add(Flip(turned), g[0]) if turned else g[0]
        before, after = [], []
        for size, start, step, count in zip(node.inputs[0].shape, self.starts, self.steps, node.shape, strict=True):
            last = start + (count - 1) * step
            low, high = (start, last) if step > 0 else (last, start)
            empty = count == 0
            before.append(0 if empty else low)
            after.append(size if empty else size - 1 - high)
        between = tuple(abs(step) - 1 for step in self.steps)
        return [b.add(Pad(tuple(before), tuple(after), 0, between), flow)]

    def axes(self, *types: Tensor) -> Axes:
        (x,) = types
        ranges = zip(x.shape, self.starts, self.stops, self.steps, strict=True)
        whole = [(start, stop, step) == (0, size, 1) for size, start, stop, step in ranges]
        inputs = tuple(Axis(f"a{i}") if w else Axis(f"x{i}", "whole") for i, w in enumerate(whole))
        return Axes((inputs,), (tuple(f"a{i}" if w else f"y{i}" for i, w in enumerate(whole)),))

    def formula(self, *names: str) -> str:
        ranges = [f"{a}:{z}" + f":{s}" * (s != 1) for a, z, s in zip(self.starts, self.stops, self.steps, strict=True)]
        return f"{names[0]}[{', '.join(ranges)}]"


def _below(a: Size, b: Size) -> bool:
    """Whether a < b, as far as arithmetic knows."""
    gap = a - b
    return isinstance(gap, int) and gap < 0


def _length(start: Size, stop: Size, step: int) -> Size:
    length = dims.ceil_divide(stop - start, step) if step > 0 else dims.ceil_divide(start - stop, -step)
    return max(length, 0) if isinstance(length, int) else length


class Pad(Op):
    """x with `value` around it, and `between` of them from each element to the next; one of each for every axis.

    It undoes a slice: what a slice of step s left out is put back as `value` with `between = s - 1`.
    """

    moves: ClassVar[bool] = True
    before: tuple[Size, ...]
    after: tuple[Size, ...]
    value: int | float | bool = 0
    between: tuple[int, ...] = ()

    def _gaps(self) -> tuple[int, ...]:
        return self.between or (0,) * len(self.before)

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        (x,) = types
        if not len(self.before) == len(self.after) == len(self._gaps()) == x.rank:
            c.shape(f"`pad` needs two numbers for each axis of {x}", f"{list(self.before)} and {list(self.after)}")
        if any(_below(n, 0) for n in (*self.before, *self.after, *self._gaps())):
            c.shape("`pad` cannot add less than nothing", f"{list(self.before)} and {list(self.after)}")
        rows = zip(x.shape, self.before, self.after, self._gaps(), strict=True)
        return x.with_shape(tuple(low + high + (n + (n - 1) * gap if n != 0 else 0) for n, low, high, gap in rows))

    def eval(self, xp: Array, *arrays: Array) -> Array:
        (x,) = arrays
        rows = tuple(zip(x.shape, self.before, self.after, self._gaps(), strict=True))
        shape = tuple(low + high + max(n + (n - 1) * gap, 0) for n, low, high, gap in rows)
        result = xp.full(shape, self.value, dtype=x.dtype)
        result[tuple(slice(low, low + max(n + (n - 1) * gap, 0), gap + 1) for n, low, _, gap in rows)] = x
        return result

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        if g[0] is None:
            return [None]
        x, steps = node.inputs[0].shape, tuple(gap + 1 for gap in self._gaps())
        rows = zip(x, self.before, steps, strict=True)
        stops = tuple(low + (n - 1) * step + 1 if n != 0 else low for n, low, step in rows)
        return [b.add(Slice(self.before, stops, steps), g[0])]

    def axes(self, *types: Tensor) -> Axes:
        rows = zip(self.before, self.after, self._gaps(), strict=True)
        plain = [row == (0, 0, 0) for row in rows]
        inputs = tuple(Axis(f"a{i}") if p else Axis(f"x{i}", "whole") for i, p in enumerate(plain))
        return Axes((inputs,), (tuple(f"a{i}" if p else f"y{i}" for i, p in enumerate(plain)),))

    def formula(self, *names: str) -> str:
        return f"{names[0]} padded by {list(zip(self.before, self.after, strict=True))} of {self.value}"


class Flip(Op):
    """x with the elements along the axes of `over` in reverse order."""

    view: ClassVar[bool] = True
    over: tuple[int, ...]

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        for axis in self.over:
            c.axis(self.word, axis, types[0].rank)
        return types[0]

    def eval(self, xp: Array, *arrays: Array) -> Array:
        return xp.flip(arrays[0], axis=self.over)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        return [g[0] and b.add(self, g[0])]

    def axes(self, *types: Tensor) -> Axes:
        rank = types[0].rank
        turned = {axis % rank for axis in self.over}
        inputs = tuple(Axis(f"x{i}", "whole") if i in turned else Axis(f"a{i}") for i in range(rank))
        return Axes((inputs,), (tuple(f"y{i}" if i in turned else f"a{i}" for i in range(rank)),))


def reshaped(b: Builder, x: Node, shape: Shape) -> Node:
    """x under a shape of equal size: x itself if it has that shape."""
    return x if isinstance(x.type, Tensor) and x.shape == shape else b.add(Reshape(shape), x)


@located
def unsqueeze(b: Builder, x: Node, axis: int) -> Node:
    """x with a new axis of size 1 that becomes `axis` of the result."""
    axis = Check().axis("unsqueeze", axis, len(x.shape) + 1)
    return b.add(Reshape((*x.shape[:axis], 1, *x.shape[axis:])), x)


@located
def squeeze(b: Builder, x: Node, axis: int) -> Node:
    """x without `axis`, whose size must be 1."""
    c = Check()
    axis = c.axis("squeeze", axis, len(x.shape))
    if x.shape[axis] != 1:
        c.shape(f"`squeeze` removes axes of size 1, and axis {axis} is {x.shape[axis]}", f"{x.type}")
    return b.add(Reshape((*x.shape[:axis], *x.shape[axis + 1 :])), x)


@located
def stack(b: Builder, nodes: Sequence[Node], axis: int) -> Node:
    """Tensors of one shape side by side along a new `axis` of the result."""
    axis = Check().axis("stack", axis, len(nodes[0].shape) + 1)
    return b.add(Concat(axis), *(unsqueeze(b, n, axis) for n in nodes))


@located
def tile(b: Builder, x: Node, repeats: Sequence[Size]) -> Node:
    """x repeated as a whole, so many times along each axis."""
    if len(repeats) != len(x.shape):
        Check().shape(f"`tile` needs a number for each axis of {x.type}", f"{len(repeats)} numbers")
    pairs = list(zip(repeats, x.shape, strict=True))
    rows = b.add(Reshape(tuple(n for _, size in pairs for n in (1, size))), x)
    wide = b.add(Expand(tuple(n for pair in pairs for n in pair)), rows)
    return b.add(Reshape(tuple(times * size for times, size in pairs)), wide)


@located
def roll(b: Builder, x: Node, shift: int, axis: int) -> Node:
    """x moved by `shift` places towards the end of `axis`; what leaves at one end comes in at the other."""
    axis = Check().axis("roll", axis, len(x.shape))
    size = x.shape[axis]
    moved: Size = shift % size if isinstance(size, int) and size else shift if shift >= 0 else size + shift
    first, second = split(b, x, axis, (size - moved, moved))
    return b.add(Concat(axis), second, first)


def split(b: Builder, x: Node, axis: int, sizes: Sequence[Size]) -> tuple[Node, ...]:
    """x cut along `axis` into parts of the given sizes, which fill the axis; `axis` counts from the left."""
    if isinstance(x.type, Unknown):
        return tuple(b.unknown() for _ in sizes)
    assert 0 <= axis < len(x.shape)
    parts: list[Node] = []
    start: Size = 0
    starts: list[Size] = [0] * len(x.shape)
    stops, steps = list(x.shape), (1,) * len(x.shape)
    for size in sizes:
        starts[axis], stops[axis] = start, start + size
        start = start + size
        parts.append(b.add(Slice(tuple(starts), tuple(stops), steps), x))
    return tuple(parts)
