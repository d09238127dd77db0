"""Rules of views: index maps that are nothing, or one instead of several. Each rule's docstring is its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ir.dims import Size
from ..ir.graph import Builder, Node
from ..ir.op import Op
from ..ir.types import Shape
from ..ops.elementwise import Add
from ..ops.layout import Concat, Expand, Flip, Pad, Reshape, Slice, Transpose
from .algebra import Rule, single, stretched


def before_stretching(b: Builder, node: Node) -> Node | None:
    """Arithmetic on what was stretched is done before it is stretched, on fewer elements, or stretches by itself."""
    sources = tuple(x.inputs[0] if isinstance(x.op, Expand) and fits(x.inputs[0], x) else x for x in node.inputs)
    if sources == node.inputs or joint(sources) is None:
        return None
    return stretched(b, b.add(node.op, *sources), node)


def before_reshaping(b: Builder, node: Node) -> Node | None:
    """Arithmetic on what was reshaped is done before it is reshaped, so that it meets the same arithmetic there: with
    numbers, with vectors along a last axis that stays, and with what was reshaped alike."""
    reshaped = [x for x in node.inputs if isinstance(x.op, Reshape) and x.shape == node.shape and single(x) is None]
    if not reshaped:
        return None
    (source,) = reshaped[0].inputs
    sources = []
    for x in node.inputs:
        alike = x in reshaped and x.inputs[0].shape == source.shape
        kept = bool(source.shape) and x.shape in ((1,), source.shape[-1:]) and source.shape[-1] == node.shape[-1]
        if not alike and x.shape != () and not kept:
            return None
        sources.append(x.inputs[0] if alike else x)
    return b.add(Reshape(node.shape), b.add(node.op, *sources))


def fits(x: Node, wide: Node) -> bool:
    """Whether each axis of x is 1, or written as the same size in the wider node."""
    own = wide.shape[len(wide.shape) - len(x.shape) :]
    return all(a in (1, z) for a, z in zip(x.shape, own, strict=True))


def joint(nodes: Sequence[Node]) -> Shape | None:
    """The shape that nodes broadcast to, if that is plain without a guard."""
    rank = max(len(n.shape) for n in nodes)
    padded = [(1,) * (rank - len(n.shape)) + n.shape for n in nodes]
    columns = [{size for size in column if size != 1} for column in zip(*padded, strict=True)]
    if any(len(sizes) > 1 for sizes in columns):
        return None
    return tuple(next(iter(sizes), 1) for sizes in columns)


def same_shape(b: Builder, node: Node) -> Node | None:
    """A reshape or a stretch to the shape it has is nothing."""
    (x,) = node.inputs
    return x if x.shape == node.shape else None


def reshaped_twice(b: Builder, node: Node) -> Node | None:
    """Only the last of several reshapes counts."""
    (x,) = node.inputs
    return b.add(node.op, x.inputs[0]) if isinstance(x.op, Reshape) else None


def stretched_by_nothing(b: Builder, node: Node) -> Node | None:
    """A stretch that only adds axes of size 1 is a reshape."""
    (x,) = node.inputs
    if single(x) is not None or [s for s in x.shape if s != 1] != [s for s in node.shape if s != 1]:
        return None
    return b.add(Reshape(node.shape), x)


def stretched_twice(b: Builder, node: Node) -> Node | None:
    """Only the last of several stretches counts; axes of size 1 in front come by themselves."""
    (x,) = node.inputs
    if isinstance(x.op, Expand):
        return b.add(node.op, x.inputs[0])
    if isinstance(x.op, Reshape):
        lead = len(x.shape) - len(x.inputs[0].shape)
        if lead > 0 and x.shape == (1,) * lead + x.inputs[0].shape:
            return b.add(node.op, x.inputs[0])
    return None


def moved_number(b: Builder, node: Node) -> Node | None:
    """One scalar everywhere stays that under every index map."""
    (x,) = node.inputs
    scalar = single(x)
    return stretched(b, scalar, node) if scalar is not None and x.shape else None


def transposed_twice(b: Builder, node: Node) -> Node | None:
    """Two orders of axes are one."""
    (x,) = node.inputs
    if not isinstance(x.op, Transpose) or not isinstance(node.op, Transpose):
        return None
    return b.add(Transpose(tuple(x.op.order[i] for i in node.op.order)), x.inputs[0])


def transposed_in_place(b: Builder, node: Node) -> Node | None:
    """Moving axes of size 1 past others moves no element: it is a reshape, or nothing."""
    (x,) = node.inputs
    assert isinstance(node.op, Transpose)
    moved = [i for i in node.op.order if x.shape[i] != 1]
    return b.add(Reshape(node.shape), x) if moved == sorted(moved) else None


def whole_slice(b: Builder, node: Node) -> Node | None:
    """A slice of everything is nothing."""
    (x,) = node.inputs
    assert isinstance(node.op, Slice)
    forward = all(step == 1 for step in node.op.steps)
    return x if forward and not any(node.op.starts) and node.op.stops == x.shape else None


def sliced_twice(b: Builder, node: Node) -> Node | None:
    """A slice of a slice is one slice."""
    (x,) = node.inputs
    if not isinstance(node.op, Slice) or not isinstance(x.op, Slice) or min(*node.op.steps, *x.op.steps) < 1:
        return None
    rows = tuple(zip(x.op.starts, x.op.steps, node.op.starts, node.op.steps, node.shape, strict=True))
    starts = tuple(outer + skip * inner for outer, skip, inner, _, _ in rows)
    steps = tuple(skip * step for _, skip, _, step, _ in rows)
    stops = tuple(
        start if count == 0 else start + (count - 1) * step + 1
        for start, step, count in zip(starts, steps, node.shape, strict=True)
    )
    return b.add(Slice(starts, stops, steps), x.inputs[0])


def slice_inside(b: Builder, node: Node) -> Node | None:
    """A slice that meets only one part of what was joined or padded is a slice of that part."""
    (x,) = node.inputs
    assert isinstance(node.op, Slice)
    if min(node.op.steps, default=1) < 1:
        return None
    if isinstance(x.op, Pad) and not any(x.op.between):
        return _slice_at(b, node.op, x.inputs[0], x.op.before)
    if not isinstance(x.op, Concat):
        return None
    axis = x.op.axis % len(x.shape)
    start: Size = 0
    for part in x.inputs:
        offsets: list[Size] = [0] * len(x.shape)
        offsets[axis] = start
        found = _slice_at(b, node.op, part, offsets)
        if found is not None:
            return found
        start = start + part.shape[axis]
    return None


def _slice_at(b: Builder, op: Slice, part: Node, offsets: Sequence[Size]) -> Node | None:
    """The slice of a part that begins at `offsets`, if it lies inside of it."""
    starts = tuple(a - offset for a, offset in zip(op.starts, offsets, strict=True))
    stops = tuple(z - offset for z, offset in zip(op.stops, offsets, strict=True))
    inside = all(_within(*row) for row in zip(starts, stops, part.shape, strict=True))
    return b.add(Slice(starts, stops, op.steps), part) if inside else None


def _within(start: Size, stop: Size, size: Size) -> bool:
    """Whether 0 <= start and stop <= size, as far as arithmetic knows."""
    left = size - stop
    return isinstance(left, int) and left >= 0 and isinstance(start, int) and start >= 0


def no_padding(b: Builder, node: Node) -> Node | None:
    """Padding by nothing is nothing."""
    (x,) = node.inputs
    assert isinstance(node.op, Pad)
    return None if any(node.op.before) or any(node.op.after) or any(node.op.between) else x


def padded_twice(b: Builder, node: Node) -> Node | None:
    """Padding with the same value twice is padding once by more."""
    (x,) = node.inputs
    if not isinstance(node.op, Pad) or not isinstance(x.op, Pad) or node.op.value != x.op.value:
        return None
    if any(node.op.between):
        return None
    before = tuple(a + z for a, z in zip(node.op.before, x.op.before, strict=True))
    after = tuple(a + z for a, z in zip(node.op.after, x.op.after, strict=True))
    return b.add(Pad(before, after, x.op.value, x.op.between), x.inputs[0])


def sum_of_padded(b: Builder, node: Node) -> Node | None:
    """What was padded with zeros to lie side by side, and added, is joined: the gradient of a split."""
    left, right = map(_zero_padded, node.inputs)
    if left is None or right is None or node.inputs[0].shape != node.inputs[1].shape:
        return None
    if (left.before, left.after) == (right.before, right.after):
        return b.add(left, b.add(Add(), *(x.inputs[0] for x in node.inputs)))
    return _side_by_side(b, *node.inputs) or _side_by_side(b, *reversed(node.inputs))


def _side_by_side(b: Builder, first: Node, second: Node) -> Node | None:
    """One padded join of two zero-padded values, where the second begins at the end of the first along one axis."""
    (x,), (y,) = first.inputs, second.inputs
    a, z = _zero_padded(first), _zero_padded(second)
    assert a is not None
    assert z is not None
    rank = range(len(x.shape))
    differ = [i for i in rank if (a.before[i], a.after[i]) != (z.before[i], z.after[i])]
    if len(differ) != 1 or a.before[differ[0]] + x.shape[differ[0]] != z.before[differ[0]]:
        return None
    after = tuple(z.after[i] if i in differ else a.after[i] for i in rank)
    return b.add(Pad(a.before, after), b.add(Concat(differ[0]), x, y))


def _zero_padded(node: Node) -> Pad | None:
    return node.op if isinstance(node.op, Pad) and node.op.value == 0 and not any(node.op.between) else None


def turned(b: Builder, node: Node) -> Node | None:
    """Turning round twice is nothing, and so is turning an axis of size 1."""
    (x,) = node.inputs
    assert isinstance(node.op, Flip)
    over = {axis % len(x.shape) for axis in node.op.over}
    left = {i for i in over if x.shape[i] != 1}
    if isinstance(x.op, Flip):
        (source,) = x.inputs
        left ^= {axis % len(x.shape) for axis in x.op.over}
        return b.add(Flip(tuple(sorted(left))), source)
    if not left:
        return x
    return b.add(Flip(tuple(sorted(left))), x) if left != over else None


def joined_parts(b: Builder, node: Node) -> Node | None:
    """Empty parts add nothing, and what is joined from one part is that part."""
    assert isinstance(node.op, Concat)
    axis = node.op.axis % len(node.shape)
    parts = [x for x in node.inputs if x.shape[axis] != 0]
    if len(parts) == 1:
        return stretched(b, parts[0], node)
    return b.add(node.op, *parts) if parts and len(parts) < len(node.inputs) else None


def joined_slices(b: Builder, node: Node) -> Node | None:
    """Slices that continue each other are one slice."""
    assert isinstance(node.op, Concat)
    axis = node.op.axis % len(node.shape)
    parts: list[Node] = [node.inputs[0]]
    for x in node.inputs[1:]:
        longer = _continued(b, parts[-1], x, axis)
        parts[-1:] = [longer] if longer is not None else [parts[-1], x]
    return b.add(node.op, *parts) if len(parts) < len(node.inputs) else None


def _continued(b: Builder, first: Node, second: Node, axis: int) -> Node | None:
    """One slice for two of the same source, where the second begins at the end of the first."""
    a, z = first.op, second.op
    if not isinstance(a, Slice) or not isinstance(z, Slice) or first.inputs != second.inputs or a.steps != z.steps:
        return None
    others = [i for i in range(len(a.starts)) if i != axis]
    if any((a.starts[i], a.stops[i]) != (z.starts[i], z.stops[i]) for i in others):
        return None
    if a.stops[axis] != z.starts[axis] or a.steps[axis] != 1:
        return None
    stops = tuple(z.stops[i] if i == axis else a.stops[i] for i in range(len(a.stops)))
    return b.add(Slice(a.starts, stops, a.steps), first.inputs[0])


ELEMENTWISE: tuple[Rule, ...] = (before_stretching, before_reshaping)

RULES: Mapping[type[Op], tuple[Rule, ...]] = {
    Reshape: (same_shape, reshaped_twice, moved_number),
    Expand: (same_shape, stretched_twice, stretched_by_nothing),
    Transpose: (moved_number, transposed_twice, transposed_in_place),
    Slice: (whole_slice, moved_number, sliced_twice, slice_inside),
    Pad: (no_padding, padded_twice),
    Flip: (moved_number, turned),
    Concat: (joined_parts, joined_slices),
    Add: (sum_of_padded,),
}
