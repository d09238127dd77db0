"""Random graphs of primitives, and arrays for their inputs: what properties of passes and kernels are tested on.

Values stay bounded, and what jumps (comparisons, rounding) is asked only of values that are exact, so that two
right ways of computing a graph agree up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.evaluate import evaluate
from axonc.compiler.ir.graph import DATA, Builder, Graph, Input, Node, numpy_name
from axonc.compiler.ir.op import Op
from axonc.compiler.ir.text import write
from axonc.compiler.ir.types import BOOL, F32, F64, I32, DType, Shape, Tensor
from axonc.compiler.ops.contract import Matmul
from axonc.compiler.ops.elementwise import (
    Add,
    And,
    Cast,
    Div,
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
    Max,
    Min,
    Mul,
    Ne,
    Or,
    Pow,
    Relu,
    Sub,
    Where,
    Xor,
)  # fmt: skip
from axonc.compiler.ops.index import Gather, Iota, Pick
from axonc.compiler.ops.layout import Concat, Expand, Flip, Pad, Reshape, Slice, Transpose, split
from axonc.compiler.ops.normal import LogSoftmax, Softmax
from axonc.compiler.ops.reduce import Cumsum, Logsumexp, Mean, ReduceMax, ReduceMin, Sum, Var
from axonc.compiler.ops.scan import Scan, over_time
from axonc.compiler.ops.unary import (
    Abs,
    Cos,
    Exp,
    Log,
    LogicalNot,
    Neg,
    Reciprocal,
    Sigmoid,
    Sign,
    Sin,
    Sqrt,
    Square,
    Tanh,
)  # fmt: skip
from axonc.spec.source import Place, Source, Span
from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st

NOWHERE = Place(Span(Source("test", ""), 0, 0))
N = dims.name("N")
MOST = 100.0  # bound of the values of a graph
TOLERANCE = {F32: 2e-4, F64: 1e-9}

Draw = Callable[[st.SearchStrategy[Any]], Any]


class Shown(Graph):
    """A graph that a failing property shows as text."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(write(self))


@st.composite
def graphs(
    draw: Draw,
    *,
    most: int = 12,
    dtypes: Sequence[DType] = (F32, F64, I32, BOOL),
    smooth: bool = False,
    named: bool = True,
) -> Graph:
    """A graph of at most about `most` operations on inputs x0, x1 ... of the given dtypes.

    The first is a float of the first float dtype. `smooth` leaves out what has kinks or no gradient, and gives a
    scalar result `loss`; otherwise some values are results y0, y1 ... `named` lets sizes be the name N.
    """
    sketch = _Sketch(draw, smooth, [1, 2, 3, *([N] if named else [])])
    for i in range(draw(st.integers(1, 3))):
        dtype = draw(st.sampled_from(dtypes)) if i else next(d for d in dtypes if d.is_float)
        sketch.input(f"x{i}", Tensor(dtype, tuple(draw(st.lists(sketch.size(), max_size=3)))))
    sketch.sizes = [s for s in sketch.sizes if s != N or any(N in n.shape for n in sketch.b.inputs)]
    for _ in range(draw(st.integers(1, most))):
        sketch.grow()
    made = sketch.finish()
    return Shown(made.inputs, made.nodes, made.results, made.updates, made.guards)


@st.composite
def graphs_of_rows(draw: Draw, *, most: int = 20, dtypes: Sequence[DType] = (F32, F64)) -> Graph:
    """A graph of values for each element of [N, 2, 3], for each of its rows, with and without their axis, and of sums
    over all rows."""
    sketch = _Sketch(draw, False, [1, 2, 3, N])
    dtype = draw(st.sampled_from(dtypes))
    for i, shape in enumerate(((N, 2, 3), (N, 2, 1), (N, 2), (3,))):
        sketch.input(f"x{i}", Tensor(dtype, shape))
    steps = (sketch.function, sketch.arithmetic, sketch.arithmetic, sketch.stable, sketch.folded, sketch.bent)
    for _ in range(draw(st.integers(3, most))):
        draw(st.sampled_from([*steps, *steps, *[sketch.over_rows] * 3, sketch.product]))()
    made = sketch.finish()
    return Shown(made.inputs, made.nodes, made.results, made.updates, made.guards)


@st.composite
def loops(draw: Draw, *, most: int = 8) -> Graph:
    """A scan of a smooth random body over 3 steps of f64: carries, slices and constants of any shape, one carry that
    only adds up in some, stacks and last carries as results."""
    sketch = _Sketch(draw, True, [1, 2, 3])
    shape = st.lists(sketch.size(), max_size=3).map(tuple)
    kinds = {"h": draw(st.integers(1, 2)), "x": draw(st.integers(1, 2)), "w": draw(st.integers(0, 2))}
    made = {k: [sketch.input(f"{k}{i}", Tensor(F64, draw(shape))) for i in range(n)] for k, n in kinds.items()}
    for _ in range(draw(st.integers(2, most))):
        sketch.grow()
    after = [sketch.like(h) for h in made["h"]]
    if draw(st.booleans()):
        added = sketch.floats()
        made["h"].append(sketch.input("sum", added.tensor))
        after.append(sketch.b.add(draw(st.sampled_from([Add(), Sub()])), made["h"][-1], added))
    stacks = [sketch.floats() for _ in range(draw(st.integers(0, 2)))]
    inputs = (*made["h"], *made["x"], *made["w"])
    nodes = inputs + tuple(n for n in sketch.b.nodes if not isinstance(n.op, Input))
    body = Graph(inputs, nodes, tuple((f"r{i}", n) for i, n in enumerate((*after, *stacks))))
    op = Scan(body, len(made["h"]), len(made["x"]), draw(st.booleans()), draw(st.sampled_from([0, 0, 2])))
    return _over(op, draw(st.integers(1, len(body.results))))


def _over(op: Scan, count: int) -> Shown:
    """The scan over 3 steps, its inputs given from outside; its first `count` results."""
    b = Builder(NOWHERE)
    types = [n.tensor for n in op.body.inputs]
    types[op.carries : op.carries + op.slices] = [over_time(t, 3) for t in types[op.carries : op.carries + op.slices]]
    values = b.many(op, *(b.input(n.name, DATA, t) for n, t in zip(op.body.inputs, types, strict=True)))
    made = b.graph({f"y{i}": n for i, n in enumerate(values[-count:])})
    return Shown(made.inputs, made.nodes, made.results, made.updates, made.guards)


def arrays(graph: Graph, seed: int = 0, sizes: dict[str, int] | None = None) -> dict[str, Any]:
    """An array for each input; floats are multiples of 1/8 between -2 and 2. Names of sizes are 2 unless given."""
    random = np.random.default_rng(seed)
    names = {name for n in graph.inputs for size in n.shape for name in dims.names(size)}
    found = dict.fromkeys(names, 2) | (sizes or {})
    return {n.op.name: _array(random, n.tensor.substitute(found)) for n in graph.inputs if isinstance(n.op, Input)}


def assert_same_meaning(before: Graph, after: Graph, seed: int = 0) -> None:
    """Both graphs give the same results and updates, of the same types, up to rounding."""
    if currently_in_test_context():
        note(f"became\n{write(after)}")
    ends = {name: n.type for name, n in (*before.results, *before.updates)}
    assert {name: n.type for name, n in (*after.results, *after.updates)} == ends
    inputs = arrays(before, seed)
    with np.errstate(all="ignore"):
        wanted, found = evaluate(before, inputs), evaluate(after, inputs)
    for name, type_ in ends.items():
        assert isinstance(type_, Tensor)
        assert found[name].dtype == wanted[name].dtype
        tolerance = TOLERANCE.get(type_.dtype, 0)
        np.testing.assert_allclose(found[name], wanted[name], rtol=tolerance, atol=tolerance * MOST, err_msg=name)


def _array(random: np.random.Generator, type_: Tensor) -> Any:
    shape = tuple(int(s) for s in type_.shape if isinstance(s, int))
    if type_.dtype.is_float:
        return (random.integers(-16, 17, shape) / 8).astype(numpy_name(type_.dtype))
    if type_.dtype is BOOL:
        return random.integers(0, 2, shape).astype(bool)
    return random.integers(-3, 4, shape).astype(numpy_name(type_.dtype))


class _Sketch:
    """A graph that grows by one operation at a time; knows a bound of each value, and which values are exact."""

    def __init__(self, draw: Draw, smooth: bool, sizes: list[Size]) -> None:
        self.draw, self.smooth, self.sizes = draw, smooth, sizes
        self.b = Builder(NOWHERE)
        self.bounds: dict[Node, float] = {}
        self.exact: set[Node] = set()

    def size(self) -> st.SearchStrategy[Size]:
        return st.sampled_from(self.sizes)

    def input(self, name: str, type_: Tensor) -> Node:
        return self.note(self.b.input(name, DATA, type_), 3.0, exact=True)

    def like(self, x: Node) -> Node:
        """A value of the type of x, between -1 and 1."""
        found = self.pick(lambda n: n.type == x.type and n is not x)
        if found is None or self.draw(st.booleans()):
            other = self.floats()
            mean = self.b.add(Mean(tuple(range(len(other.shape)))), other)
            found = self.b.add(Add(), x, self.b.add(Cast(x.dtype), mean))
        return self.b.add(Sin(), found)

    def note(self, node: Node, bound: float, *, exact: bool = False) -> Node:
        """Remembers a value, unless it grew too large to be used further."""
        if bound <= MOST:
            self.bounds[node] = bound
            if exact:
                self.exact.add(node)
        return node

    def pick(self, want: Callable[[Node], bool]) -> Node | None:
        """A value of the kind wanted, the newer the likelier."""
        found = [n for n in self.bounds if want(n)]
        return self.draw(st.sampled_from(found[::-1])) if found else None

    def floats(self) -> Node:
        node = self.pick(lambda n: n.dtype.is_float)
        assert node is not None
        return node

    def partner(self, x: Node) -> Node:
        """A second operand that broadcasts with x, or a number."""
        found = self.pick(lambda n: n.dtype is x.dtype and _broadcasts(n.shape, x.shape))
        if found is not None and self.draw(st.booleans()):
            return found
        value = self.draw(st.sampled_from([0, 1, -1, 2, 3]))
        return self.note(self.b.literal(bool(value) if x.dtype is BOOL else value, x.dtype), 3.0, exact=True)

    def grow(self) -> None:
        smooth = [
            self.function,
            self.arithmetic,
            self.stable,
            self.reduced,
            self.view,
            self.moved,
            self.joined,
            self.product,
        ]
        self.draw(st.sampled_from([*smooth, *([] if self.smooth else [self.jump, self.whole, self.looked_up])]))()

    def function(self) -> None:
        """A function of one number."""
        x = self.floats()
        bound = self.bounds[x]
        kinds: list[tuple[Op, float]] = [
            (Neg(), bound),
            (Sin(), 1),
            (Cos(), 1),
            (Tanh(), 1),
            (Sigmoid(), 1),
            (Square(), bound**2),
        ]
        kinds += [] if self.smooth else [(Abs(), bound), (Relu(), bound)]
        kinds += [(Exp(), float(np.exp(bound)))] if bound < 5 else []
        op, bound = self.draw(st.sampled_from(kinds))
        self.note(self.b.add(op, x), bound)

    def arithmetic(self) -> None:
        """Two operands, broadcasting."""
        x = self.floats()
        y = self.partner(x)
        bound, other = self.bounds[x], self.bounds[y]
        kinds: list[tuple[Op, float]] = [(Add(), bound + other), (Sub(), bound + other), (Mul(), bound * other)]
        kinds += [] if self.smooth else [(Max(), max(bound, other)), (Min(), max(bound, other))]
        op, bound = self.draw(st.sampled_from(kinds))
        self.note(self.b.add(op, *self.draw(st.permutations([x, y]))), bound)

    def stable(self) -> None:
        """Division, roots, logarithms and powers, where they are harmless."""
        x = self.floats()
        bound = self.bounds[x]
        positive = self.b.add(Add(), self.b.add(Square(), x), self.b.literal(1, x.dtype))
        y = self.floats()
        kind = self.draw(st.sampled_from("div number power root log reciprocal".split()))
        if kind == "div" and y.dtype is x.dtype and _broadcasts(x.shape, y.shape):
            self.note(self.b.add(Div(), y, positive), self.bounds[y])
        elif kind == "number":
            self.note(self.b.add(Div(), x, self.b.literal(self.draw(st.sampled_from([1, 2, 3, -7])), x.dtype)), bound)
        elif kind == "power" and bound < 4:
            exponent = self.draw(st.sampled_from([1, 2, 3]))
            self.note(self.b.add(Pow(), x, self.b.literal(exponent, x.dtype)), bound**exponent)
        elif kind == "root":
            self.note(self.b.add(Sqrt(), positive), bound + 1)
        elif kind == "log":
            self.note(self.b.add(Log(), positive), bound + 1)
        else:
            self.note(self.b.add(Reciprocal(), positive), 1)

    def reduced(self) -> None:
        """A reduction, a running sum or a softmax."""
        x = self.floats()
        bound, rank = self.bounds[x], len(x.shape)
        axes = self.draw(st.lists(st.integers(0, rank - 1), unique=True, max_size=rank)) if rank else []
        over, keep = tuple(sorted(axes)), self.draw(st.booleans())
        kinds: list[tuple[Op, float]] = [(Sum(over, keep), bound * 9), (Mean(over, keep), bound)]
        if bound < 20:
            kinds += [(Logsumexp(over, keep), bound + 5), (Var(over, keep), 4 * bound**2)]
        if rank and bound < 20:
            axis = self.draw(st.integers(0, rank - 1))
            kinds += [(Softmax(axis), 1), (LogSoftmax(axis), 2 * bound + 5), (Cumsum(axis, keep), bound * 3)]
        kinds += [] if self.smooth else [(ReduceMax(over, keep), bound), (ReduceMin(over, keep), bound)]
        op, bound = self.draw(st.sampled_from(kinds))
        self.note(self.b.add(op, x), bound)

    def folded(self) -> None:
        """What combines the elements of each row."""
        x = self.pick(lambda n: n.shape == (N, 2, 3) and self.bounds[n] < 20)
        if x is not None:
            bound, keep = self.bounds[x], self.draw(st.booleans())
            kinds = [(Sum((2,), keep), 3 * bound), (ReduceMax((2,), keep), bound), (Softmax(2), 1.0)]
            op, bound = self.draw(st.sampled_from([*kinds, (Logsumexp((-1,), keep), bound + 5)]))
            self.note(self.b.add(op, x), bound)

    def bent(self) -> None:
        """A value of each row without its axis, or with it again."""
        x = self.pick(lambda n: n.shape in ((N, 2), (N, 2, 1)))
        assert x is not None
        self.note(self.b.add(Reshape((N, 2) if len(x.shape) == 3 else (N, 2, 1)), x), self.bounds[x])

    def over_rows(self) -> None:
        """The sum over all rows."""
        x = self.pick(lambda n: n.shape[:2] == (N, 2) and self.bounds[n] < 12)
        if x is not None:
            self.note(self.b.add(Sum((0, 1), self.draw(st.booleans())), x), 8 * self.bounds[x])

    def view(self) -> None:
        """Another shape of the same elements."""
        x = self.pick(lambda n: True)
        assert x is not None
        shape, rank = x.shape, len(x.shape)
        kind = self.draw(st.sampled_from("transpose expand flat ones flip".split()))
        op: Op = Reshape((x.tensor.size,))
        if kind == "transpose":
            op = Transpose(tuple(self.draw(st.permutations(range(rank)))))
        elif kind == "expand" and rank < 3:
            wide = tuple(self.draw(self.size()) if s == 1 else s for s in shape)
            op = Expand((self.draw(self.size()), *wide))
        elif kind == "ones" and rank < 4:
            at = self.draw(st.integers(0, rank))
            op = Reshape((*shape[:at], 1, *shape[at:]))
        elif kind == "flip":
            op = Flip(tuple(i for i in range(rank) if self.draw(st.booleans())))
        self.note(self.b.add(op, x), self.bounds[x], exact=x in self.exact)

    def moved(self) -> None:
        """A slice or a padding."""
        x = self.pick(lambda n: all(isinstance(s, int) and s > 0 for s in n.shape) and len(n.shape) < 4)
        if x is None:
            return
        shape = [int(s) for s in x.shape if isinstance(s, int)]
        numbers = st.integers(0, 1)
        if self.draw(st.booleans()):
            starts = tuple(self.draw(st.integers(0, s - 1)) for s in shape)
            stops = tuple(self.draw(st.integers(a + 1, s)) for a, s in zip(starts, shape, strict=True))
            op: Op = Slice(starts, stops, tuple(self.draw(st.integers(1, 2)) for _ in shape))
        else:
            low, high, gaps = (tuple(self.draw(numbers) for _ in shape) for _ in range(3))
            op = Pad(low, high, False if x.dtype is BOOL else self.draw(st.sampled_from([0, 0, 2])), gaps)
        self.note(self.b.add(op, x), self.bounds[x], exact=x in self.exact)

    def joined(self) -> None:
        """Parts joined, or a split whose parts are joined in another order."""
        x = self.pick(lambda n: len(n.shape) > 0)
        if x is None:
            return
        axis = self.draw(st.integers(0, len(x.shape) - 1))
        size, parts = x.shape[axis], [x, x]
        if isinstance(size, int) and size > 1 and self.draw(st.booleans()):
            parts = self.draw(st.permutations(split(self.b, x, axis, (1, size - 1))))
        elif isinstance(size, int) and size > 9:
            return
        self.note(self.b.add(Concat(axis), *parts), self.bounds[x], exact=x in self.exact)

    def product(self) -> None:
        """A product of matrices, with operands as they are or transposed."""
        x = self.floats()
        if not x.shape:
            return
        turn = (1, 0)
        y = self.pick(lambda n: n.dtype is x.dtype and len(n.shape) == 2 and x.shape[-1] in n.shape)
        y = (
            y
            if y is not None
            else self.b.add(Reshape((x.shape[-1], 1)), self.b.add(Expand((x.shape[-1],)), self.b.literal(2, x.dtype)))
        )
        stored = y.shape[0] != x.shape[-1]
        if self.draw(st.booleans()):
            y, stored = self.note(self.b.add(Transpose(turn), y), self.bounds.get(y, 2.0)), not stored
        self.note(self.b.add(Matmul(False, stored), x, y), self.bounds[x] * self.bounds.get(y, 2.0) * 6)

    def jump(self) -> None:
        """Comparisons and choices, of values that are exact."""
        x = self.pick(lambda n: n in self.exact and n.dtype is not BOOL)
        if x is None:
            return
        y = self.partner(x)
        compare = self.draw(st.sampled_from([Eq(), Ne(), Lt(), Le(), Gt(), Ge()]))
        condition = self.b.add(compare, x, y if y in self.exact else x)
        self.note(condition, 1, exact=True)
        chosen = self.pick(lambda n: n.dtype is not BOOL and _broadcasts(n.shape, condition.shape))
        if chosen is not None:
            other = self.b.literal(1, chosen.dtype)
            made = self.b.add(Where(), condition, *self.draw(st.permutations([chosen, other])))
            self.note(made, self.bounds[chosen] + 1, exact=chosen in self.exact)
        if x.dtype.is_float:
            self.note(self.b.add(Sign(), x), 1, exact=True)

    def whole(self) -> None:
        """Integers and truths."""
        x = self.pick(lambda n: n in self.exact)
        if x is None:
            return
        y, bound = self.partner(x), self.bounds[x]
        if x.dtype is BOOL:
            self.note(self.b.add(LogicalNot(), x), 1, exact=True)
            self.note(self.b.add(self.draw(st.sampled_from([And(), Or(), Xor()])), x, y), 1, exact=True)
        elif x.dtype is I32:
            op = self.draw(
                st.sampled_from([Add(), Sub(), Mul(), Max(), Neg(), Square(), Sum(tuple(range(len(x.shape))))])
            )
            operands = (x,) if op.word in ("neg", "square", "sum") else (x, y)
            self.note(self.b.add(op, *operands), bound * max(self.bounds[y], bound) * 9, exact=True)
        dtype = self.draw(st.sampled_from([F32, F64, I32, BOOL]))
        if x.dtype is not F64 or dtype is not F32:
            self.note(self.b.add(Cast(dtype), x), bound, exact=True)

    def looked_up(self) -> None:
        """Elements at positions."""
        x = self.pick(lambda n: len(n.shape) > 0 and all(s != 0 for s in n.shape))
        if x is None:
            return
        if self.draw(st.booleans()):
            index = self.b.add(Iota(x.shape[0], I32))
            self.note(self.b.add(Gather(), x, self.b.add(Flip((0,)), index)), self.bounds[x], exact=x in self.exact)
        else:
            index = self.b.add(Expand(x.shape[:-1]), self.b.literal(0, I32))
            self.note(self.b.add(Pick(), x, index), self.bounds[x], exact=x in self.exact)

    def finish(self) -> Graph:
        if self.smooth:
            ends = [n for n in self.bounds if n.dtype.is_float][-3:]
            return self.b.graph({"loss": self.loss(ends)})
        found = [n for n in self.bounds if self.draw(st.booleans())] or [next(iter(self.bounds))]
        return self.b.graph({f"y{i}": n for i, n in enumerate(found)})

    def loss(self, ends: list[Node]) -> Node:
        """A smooth scalar of values."""
        total = self.b.literal(0, ends[0].dtype)
        for n in ends:
            scalar = self.b.add(Mean(tuple(range(len(n.shape)))), self.b.add(Sin(), n))
            total = self.b.add(Add(), total, self.b.add(Cast(total.dtype), scalar))
        return total


def _broadcasts(a: Shape, b: Shape) -> bool:
    pairs = zip(reversed(a), reversed(b), strict=False)
    return all(x == y or 1 in (x, y) for x, y in pairs)
