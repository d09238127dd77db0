"""What an operation is: a class whose fields are its attributes and whose methods are its rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self, TypeAlias, dataclass_transform

from .dims import Dim
from .types import Several, Tensor

if TYPE_CHECKING:
    from .check import Check
    from .dims import Size
    from .graph import Builder, Graph, Node
    from .scalar import Scalars, Value

Array: TypeAlias = Any  # an array of whichever module `eval` is given
Precision: TypeAlias = Literal["half", "same", "exact", "wide"]


class Axis(NamedTuple):
    """An axis of an operand: `point` if element i of the result needs element i of it only, `window` if it needs
    neighbours, `whole` if it needs all of it. `name` joins it with axes of the result and of other operands."""

    name: str
    need: Literal["point", "window", "whole"] = "point"


class Axes(NamedTuple):
    """What runs along what, einsum-like: `mk kn -> mn` with k added.

    An axis of size 1 that belongs to none of the others has the name "": an operand's that broadcasts, a result's
    that a reduction kept. `outputs` has one entry for each result. Names in `added` stand in the inputs only and
    are combined by addition.
    """

    inputs: tuple[tuple[Axis, ...], ...]
    outputs: tuple[tuple[str, ...], ...]
    added: frozenset[str] = frozenset()


@dataclass_transform(frozen_default=True)
class Op:
    """An operation. Equality, hashing and printing come from the fields; `word` is its name in texts.

    A subclass gives `infer` and `eval` (the definition: slow, obvious, any float), `grad` unless it has none,
    `axes`, and exactly one way to compute it, which `rule` names:

    - `scalar`: elementwise, an expression for one element (see `Elementwise`);
    - `expand`: in simpler operations, as nodes;
    - `view`: an index map without arithmetic: the result reads its first input in another order or through other
      strides (a reshape of what is not contiguous is a copy);
    - `kernel`: none of these; every backend knows it by its word (products, convolutions, reductions, indexing).
    """

    fields: ClassVar[tuple[str, ...]] = ()
    bodies: ClassVar[tuple[str, ...]] = ()  # the fields that are graphs
    word: ClassVar[str] = ""
    words: ClassVar[dict[str, type[Op]]] = {}
    view: ClassVar[bool] = False
    # Where mixed precision computes it: in two bytes ("half": a product, added up in f32), wherever its operands are
    # ("same"), there too if all that read it would round it anyway ("exact": it loses nothing), or in f32 ("wide").
    precision: ClassVar[Precision] = "wide"
    moves: ClassVar[bool] = False  # whether a kernel only copies elements, and so needs no arithmetic of their type
    merges: ClassVar[bool] = True  # whether equal operations on equal inputs may become one node

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        own = cls.__dict__.get("__annotations__", {})
        cls.fields = cls.fields + tuple(n for n, t in own.items() if not str(t).startswith("ClassVar"))
        cls.bodies = cls.bodies + tuple(n for n, t in own.items() if t == "Graph")
        setattr(cls, "__match_args__", cls.fields)  # noqa: B010 - mypy knows no assignment to it
        if not abstract:
            cls.word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
            assert cls.word not in Op.words, f"two operations are called {cls.word}"
            Op.words[cls.word] = cls

    def __init__(self, *values: Any, **named: Any) -> None:
        cls, stored = type(self), self.__dict__
        stored.update(zip(cls.fields, values, strict=False))
        stored.update(named)
        for n in cls.fields[len(values) :]:
            if n not in stored:
                stored[n] = getattr(cls, n)
        if len(stored) != len(cls.fields) or len(values) > len(cls.fields):
            raise TypeError(f"{cls.__name__} takes {cls.fields}")
        key = stored["_key"] = (cls, *[_exact(stored[n]) for n in cls.fields])
        stored["_hash"] = hash(key)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} is frozen")

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Op) and self.__dict__["_key"] == other.__dict__["_key"])

    def __hash__(self) -> int:
        value: int = self.__dict__["_hash"]
        return value

    def __repr__(self) -> str:
        return f"{self.word}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.fields)})"

    def map(
        self,
        *,
        sizes: Callable[[Size], Size] | None = None,
        graphs: Callable[[Graph], Graph] | None = None,
    ) -> Self:
        """The same operation with every size and every body graph in its fields replaced."""
        before = [getattr(self, n) for n in self.fields]
        values = list(before)
        if sizes is not None:
            values = [_mapped(v, sizes) for v in before]
        if graphs is not None:
            values = [graphs(v) if n in self.bodies else v for n, v in zip(self.fields, values, strict=True)]
        return self if all(map(is_, values, before)) else type(self)(*values)

    # Rules

    def infer(self, c: Check, *types: Tensor) -> Tensor | Several:
        """The type of the result; refuses through `c`."""
        raise NotImplementedError(self.word)

    def eval(self, xp: Any, *arrays: Array) -> Any:
        """The definition, on arrays of any array module; several results are a tuple."""
        raise NotImplementedError(self.word)

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        """For each input its cotangent, given one for each result (None where nothing flows).

        Broadcasting is undone by `differentiate`, not here. None says "zero on purpose".
        """
        raise NoGradient(self.word)

    def axes(self, *types: Tensor) -> Axes:
        """What runs along what. The default needs everything whole."""
        names = [[Axis(f"i{k}.{a}", "whole") for a in range(t.rank)] for k, t in enumerate(types)]
        result = self.result_types(*types)
        outputs = tuple(tuple(f"o{k}.{a}" for a in range(t.rank)) for k, t in enumerate(result))
        return Axes(tuple(map(tuple, names)), outputs)

    def expand(self, b: Builder, *inputs: Node) -> Node | None:
        """The same value in simpler operations, or None where the operation is no composite."""
        return None

    def record(self, b: Builder, *inputs: Node) -> tuple[Node, tuple[Node, ...]]:
        """The value, and what the gradient wants kept; the kept values are appended to `g` of `grad`."""
        return b.add(self, *inputs), ()

    def flops(self, *types: Tensor) -> Size:
        """Floating-point operations of one evaluation; 0 for what only moves data."""
        return 0

    def formula(self, *names: str) -> str:
        """The result in mathematics, for people."""
        return f"{self.word}({', '.join(names)})"

    @classmethod
    def rule(cls) -> Literal["scalar", "expand", "view", "kernel"]:
        """Which way of computing the operation has."""
        if issubclass(cls, Elementwise):
            return "scalar"
        if cls.expand is not Op.expand:
            return "expand"
        return "view" if cls.view else "kernel"

    def result_types(self, *types: Tensor) -> tuple[Tensor, ...]:
        from .check import Check

        result = self.infer(Check(), *types)
        return result.items if isinstance(result, Several) else (result,)


class NoGradient(Exception):
    """An operation that has no gradient stands between the loss and a weight."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Elementwise(Op, abstract=True):
    """An operation on each element, with broadcasting.

    `scalar` and `pull` speak through an interface, `Scalars`, which makes an expression for a kernel, or nodes of
    a graph, out of the same text.
    """

    precision: ClassVar[Precision] = "same"

    def scalar(self, e: Scalars, *x: Value) -> Value:
        """The result for one element."""
        raise NotImplementedError(self.word)

    def pull(self, e: Scalars, g: Value, y: Value, *x: Value) -> Sequence[Value | None]:
        """What flows back to each operand when `g` flows back to the result `y`; None where it is zero on purpose."""
        raise NoGradient(self.word)

    def infer(self, c: Check, *types: Tensor) -> Tensor:
        return Tensor(c.one_dtype(self.word, *types), c.broadcast(self.word, *types))

    def axes(self, *types: Tensor) -> Axes:
        (out,) = self.result_types(*types)
        names = tuple(f"a{i}" for i in range(out.rank))
        inputs = tuple(
            tuple(
                Axis("" if t.shape[i] == 1 and out.shape[i + out.rank - t.rank] != 1 else names[i + out.rank - t.rank])
                for i in range(t.rank)
            )
            for t in types
        )
        return Axes(inputs, (names,))

    def grad(self, b: Builder, node: Node, *g: Node | None) -> Sequence[Node | None]:
        from .scalar import pull_back

        (cotangent,) = g
        return [None] * len(node.inputs) if cotangent is None else pull_back(b, self, node, cotangent)

    def flops(self, *types: Tensor) -> Size:
        (out,) = self.result_types(*types)
        return out.size if out.dtype.is_float else 0


def _exact(value: Any) -> Any:
    """What tells values of a field apart: 0.0 is not -0.0, and nan is nan."""
    if type(value) is tuple:
        return tuple(map(_exact, value))
    return repr(value) if isinstance(value, float) else value


def _mapped(value: Any, sizes: Callable[[Size], Size]) -> Any:
    if isinstance(value, tuple):
        items = tuple([_mapped(v, sizes) for v in value])
        return value if all(map(is_, items, value)) else items
    if isinstance(value, Dim):
        return sizes(value)
    if isinstance(value, Tensor):
        shape = _mapped(value.shape, sizes)
        return value if shape is value.shape else Tensor(value.dtype, shape)
    return value


def attributes(op: Op) -> Mapping[str, Any]:
    """The fields that differ from their defaults, for texts."""
    missing = object()
    return {n: getattr(op, n) for n in op.fields if _exact(getattr(op, n)) != _exact(getattr(type(op), n, missing))}
