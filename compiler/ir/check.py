"""What type rules ask while they infer: are two sizes equal, do shapes broadcast. Open questions become guards."""

from __future__ import annotations

from typing import Any, NoReturn

from ...spec.record import Record
from ...spec.source import Diagnostic, Place
from . import dims
from .dims import Size
from .types import DType, Shape, Tensor


class Mismatch(Exception):
    """A type rule's refusal: the kind of diagnostic and its fields, to which the Builder adds the place."""

    def __init__(self, kind: type[Diagnostic], **values: object) -> None:
        super().__init__(kind.code)
        self.kind = kind
        self.values: dict[str, Any] = values


class Guard(Record):
    """Two sizes that must be equal once numbers are known, and the line that needs it."""

    left: Size
    right: Size
    place: Place


class ShapeMismatch(Diagnostic):
    """Shapes that do not go together."""

    code = "shape-mismatch"
    title = "{problem}"
    label = "{found}"
    notes = ("{detail}",)
    help = "{advice}"
    problem: str
    found: str = ""
    detail: str = ""
    advice: str = ""


class TypeMismatch(Diagnostic):
    """Element types that do not go together."""

    code = "type-mismatch"
    title = "{problem}"
    label = "{found}"
    notes = ("{detail}",)
    help = "{advice}"
    problem: str
    found: str = ""
    detail: str = ""
    advice: str = ""


class Check:
    """Collects the guards of one inference; refuses by raising Mismatch."""

    def __init__(self) -> None:
        self.open: list[tuple[Size, Size]] = []

    def shape(self, problem: str, found: str = "", detail: str = "", advice: str = "") -> NoReturn:
        raise Mismatch(ShapeMismatch, problem=problem, found=found, detail=detail, advice=advice)

    def dtype(self, problem: str, found: str = "", detail: str = "", advice: str = "") -> NoReturn:
        raise Mismatch(TypeMismatch, problem=problem, found=found, detail=detail, advice=advice)

    def same(self, a: Size, b: Size, problem: str, *, found: str = "", detail: str = "", advice: str = "") -> Size:
        """One size for two that must be equal; a number wins over a name."""
        answer = dims.same(a, b)
        if answer is False:
            self.shape(problem, found or f"{a} and {b}", detail, advice)
        if answer is None:
            self.open.append((a, b))
        return a if isinstance(a, int) else b

    def broadcast(self, op: str, *types: Tensor) -> Shape:
        """NumPy's rule, aligned at the right; only a literal 1 stretches."""
        shape = types[0].shape
        if all(t.shape == shape for t in types):
            return shape
        rank = max(t.rank for t in types)
        result: list[Size] = []
        for axis in range(-rank, 0):
            sizes = [t.shape[axis] for t in types if t.rank >= -axis and t.shape[axis] != 1]
            size: Size = sizes[0] if sizes else 1
            for other in sizes[1:]:
                if other != size:
                    size = self._broadcast(op, types, axis, size, other)
            result.append(size)
        return tuple(result)

    def _broadcast(self, op: str, types: tuple[Tensor, ...], axis: int, size: Size, other: Size) -> Size:
        """One size for two that differ."""
        return self.same(
            size,
            other,
            f"`{op}` meets shapes that do not broadcast",
            found=" and ".join(map(str, types)),
            detail=f"dimension {axis}, counted from the right, is {size} here and {other} there",
        )

    def one_dtype(self, op: str, *types: Tensor) -> DType:
        """The common dtype; integers of different width meet in the wider one, if it holds them all."""
        others = {t.dtype for t in types}
        if len(others) == 1:
            return types[0].dtype
        wide = max((t.dtype for t in types), key=lambda d: d.bytes)
        others.remove(wide)
        if all(_holds(wide, d) for d in others):
            return wide
        shown = " and ".join(map(str, types))
        advice = f"convert one with `cast(x, {types[0].dtype})`"
        return self.dtype(f"`{op}` meets different element types", shown, advice=advice)

    def floats(self, op: str, *types: Tensor) -> None:
        for t in types:
            if not t.dtype.is_float:
                self.dtype(f"`{op}` needs floats", f"{t}", advice="convert with `cast(x, f32)`")

    def axis(self, op: str, axis: int, rank: int) -> int:
        """The axis counted from the left."""
        if not -rank <= axis < rank:
            self.shape(f"`{op}` has no axis {axis}", f"rank {rank}", f"axes go from {-rank} to {rank - 1}")
        return axis % rank


def _holds(wide: DType, narrow: DType) -> bool:
    """Whether every integer of one type is one of a wider type."""
    signs = wide.value[0] == "i" or narrow.value[0] == "u"
    return wide.is_integer and narrow.is_integer and narrow.bytes < wide.bytes and signs
